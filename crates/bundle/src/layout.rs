//! The JSON documents of the layout. The types of our own rather than a library's: the order of the
//! properties is part of the format.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The version of the bundle's format that this build writes, and the only one that it reads.
pub const FORMAT_VERSION: u32 = 1;

/// The interface that the components of a bundle of this version are written against.
pub const INTERFACE: &str = "flink-wasm:udf@0.1.0";

/// Media types of what a bundle consists of.
pub mod media_type {
    /// `artifactType` of the manifest.
    pub const BUNDLE: &str = "application/vnd.flink-wasm.bundle.v1+json";
    /// The config: see [`crate::Config`].
    pub const CONFIG: &str = "application/vnd.flink-wasm.bundle.config.v1+json";
    /// The job definition.
    pub const IR: &str = "application/vnd.flink-wasm.ir.v1+json";
    /// The plan.
    pub const PLAN: &str = "application/vnd.flink-wasm.plan.v1+json";
    /// A component.
    pub const COMPONENT: &str = "application/wasm";
    /// The manifest, by OCI.
    pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
    /// `index.json`, by OCI.
    pub const INDEX: &str = "application/vnd.oci.image.index.v1+json";
}

/// What `artifactType` starts with in bundles of every version.
pub(crate) const ARTIFACT_TYPE_PREFIX: &str = "application/vnd.flink-wasm.bundle.v";

pub(crate) const LAYOUT_PATH: &str = "oci-layout";
pub(crate) const INDEX_PATH: &str = "index.json";
pub(crate) const BLOBS_PATH: &str = "blobs/sha256/";
/// The whole contents of `oci-layout`.
pub(crate) const LAYOUT_JSON: &[u8] = br#"{"imageLayoutVersion":"1.0.0"}"#;

/// `org.opencontainers.image.ref.name`, in `index.json`.
const REF_NAME: &str = "org.opencontainers.image.ref.name";
/// `org.opencontainers.image.title`, of a layer.
const TITLE: &str = "org.opencontainers.image.title";

pub(crate) const IR_TITLE: &str = "job.json";
pub(crate) const PLAN_TITLE: &str = "plan.json";

/// What is known of a bundle without reading its layers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Config {
    /// [`FORMAT_VERSION`].
    pub format_version: u32,
    /// The job's name.
    pub name: String,
    /// [`INTERFACE`].
    pub interface: String,
    /// The functions that the job calls, by the name under which it calls them.
    pub functions: BTreeMap<String, Function>,
}

/// One function of a bundle.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Function {
    /// The digest of its component, such as `sha256:9a07..`.
    pub component: String,
    /// What the component says of itself, as JSON.
    pub descriptor: serde_json::Value,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Index {
    schema_version: u32,
    media_type: String,
    pub(crate) manifests: Vec<Descriptor>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Manifest {
    schema_version: u32,
    media_type: String,
    artifact_type: String,
    pub(crate) config: Descriptor,
    pub(crate) layers: Vec<Descriptor>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Descriptor {
    pub(crate) media_type: String,
    pub(crate) digest: String,
    pub(crate) size: u64,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    annotations: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    artifact_type: Option<String>,
}

impl Descriptor {
    pub(crate) fn new(media_type: &str, bytes: &[u8]) -> Self {
        Self {
            media_type: media_type.into(),
            digest: crate::digest(bytes),
            size: bytes.len() as u64,
            annotations: BTreeMap::new(),
            artifact_type: None,
        }
    }

    pub(crate) fn titled(media_type: &str, title: &str, bytes: &[u8]) -> Self {
        let annotations = BTreeMap::from([(TITLE.into(), title.into())]);
        Self { annotations, ..Self::new(media_type, bytes) }
    }

    pub(crate) fn title(&self) -> Option<&str> {
        self.annotations.get(TITLE).map(String::as_str)
    }

    /// Where the blob lies in the layout; nowhere when the digest is of another kind.
    pub(crate) fn path(&self) -> String {
        match self.digest.strip_prefix("sha256:") {
            Some(hex) => format!("{BLOBS_PATH}{hex}"),
            None => self.digest.clone(),
        }
    }
}

impl Manifest {
    pub(crate) fn new(config: Descriptor, layers: Vec<Descriptor>) -> Self {
        Self {
            schema_version: 2,
            media_type: media_type::MANIFEST.into(),
            artifact_type: media_type::BUNDLE.into(),
            config,
            layers,
        }
    }
}

impl Index {
    pub(crate) fn new(name: &str, manifest: &[u8]) -> Self {
        let descriptor = Descriptor {
            annotations: BTreeMap::from([(REF_NAME.into(), name.into())]),
            artifact_type: Some(media_type::BUNDLE.into()),
            ..Descriptor::new(media_type::MANIFEST, manifest)
        };
        Self { schema_version: 2, media_type: media_type::INDEX.into(), manifests: vec![descriptor] }
    }
}

/// Serialises one of the documents above; they have no keys that JSON lacks, so it can't fail.
pub(crate) fn json<T: Serialize>(document: &T) -> Vec<u8> {
    serde_json::to_vec(document).expect("the document has string keys only")
}

/// Whether a title is a plain file name: it becomes one when an OCI tool unpacks the bundle.
pub(crate) fn is_file_name(title: &str) -> bool {
    !title.is_empty()
        && title.len() <= crate::limits::TITLE_BYTES_MAX
        && !title.starts_with('.')
        && !title.chars().any(|char| char.is_control() || matches!(char, '/' | '\\' | ':'))
}
