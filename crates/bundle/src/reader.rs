//! Reads a bundle, and trusts nothing in it.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::ops::Range;

use flink_wasm_diagnostic::{Code, Diagnostic, Result};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::layout::{
    ARTIFACT_TYPE_PREFIX, BLOBS_PATH, Config, Descriptor, FORMAT_VERSION, INDEX_PATH, INTERFACE, IR_TITLE,
    Index, LAYOUT_JSON, LAYOUT_PATH, Manifest, PLAN_TITLE, is_file_name, json, media_type,
};
use crate::limits::{
    BUNDLE_BYTES_MAX, COMPONENT_BYTES_MAX, CONFIG_BYTES_MAX, ENTRIES_MAX, IR_BYTES_MAX, LAYERS_MAX,
    METADATA_BYTES_MAX, PLAN_BYTES_MAX,
};
use crate::tar::{self, BLOCK_BYTES, corrupt, printable, truncated};

/// A bundle of which every byte has been checked.
#[derive(Clone, Debug)]
pub struct Bundle {
    archive: Vec<u8>,
    entries: BTreeMap<String, Range<usize>>,
    manifest: Descriptor,
    config_descriptor: Descriptor,
    layers: Vec<Descriptor>,
    config: Config,
}

/// One file of a bundle's layout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its path in the layout, such as `blobs/sha256/9a07..`.
    pub path: String,
    /// Its size in bytes.
    pub size: u64,
    /// Its media type; `application/json` for `oci-layout`.
    pub media_type: String,
    /// The file name that OCI tools give it, of layers only.
    pub title: Option<String>,
}

impl Bundle {
    /// Reads and checks a bundle.
    ///
    /// # Errors
    ///
    /// FW0002 when reading fails, else as [`Bundle::parse`].
    pub fn read(from: impl Read) -> Result<Bundle> {
        let mut archive = Vec::new();
        from.take(BUNDLE_BYTES_MAX + 1)
            .read_to_end(&mut archive)
            .map_err(|error| Diagnostic::new(Code::Io, format!("the bundle can't be read: {error}")))?;
        Bundle::parse(archive)
    }

    /// Checks a bundle's bytes.
    ///
    /// # Errors
    ///
    /// FW0401 when they are something else, FW0402 when a byte is not as it was written, FW0403 when
    /// they end too early, FW0404 when a newer version wrote them, FW0308 when a limit is exceeded. The
    /// message names the entry or blob at fault.
    pub fn parse(archive: Vec<u8>) -> Result<Bundle> {
        let entries = entries(&archive)?;
        // `from` is the document that names the blob: which of the two is wrong can't be told.
        let blob = |from: &str, descriptor: &Descriptor, limit: u64| -> Result<&[u8]> {
            let path = descriptor.path();
            let Some(range) = entries.get(&path) else {
                let path = printable(path.as_bytes());
                return Err(corrupt(format!("the blob `{path}`, which `{from}` names, is missing")));
            };
            let size = range.len() as u64;
            if size != descriptor.size {
                let promised = descriptor.size;
                return Err(corrupt(format!(
                    "the blob `{path}` has {size} bytes, but `{from}` promises {promised}"
                )));
            }
            if size > limit {
                return Err(Diagnostic::new(
                    Code::TooLarge,
                    format!(
                        "the blob `{path}` has {size} bytes, at most {limit} are allowed where `{from}` names it"
                    ),
                ));
            }
            Ok(&archive[range.clone()])
        };
        let file = |path: &str| match entries.get(path) {
            Some(range) => Ok(&archive[range.clone()]),
            None => Err(corrupt(format!("the entry `{path}` is missing"))),
        };

        if file(LAYOUT_PATH)? != LAYOUT_JSON {
            return Err(corrupt(format!("the entry `{LAYOUT_PATH}` does not have its fixed contents")));
        }
        let index_bytes = file(INDEX_PATH)?;
        check_artifact_type(index_bytes)?;
        let index: Index = document(INDEX_PATH, index_bytes)?;
        let [manifest] = <[Descriptor; 1]>::try_from(index.manifests)
            .map_err(|_| corrupt(format!("the entry `{INDEX_PATH}` does not name exactly one manifest")))?;
        let manifest_bytes = blob(INDEX_PATH, &manifest, METADATA_BYTES_MAX)?;
        let Manifest { config: config_descriptor, layers, .. } = document(&manifest.path(), manifest_bytes)?;
        let config_bytes = blob(&manifest.path(), &config_descriptor, CONFIG_BYTES_MAX)?;
        let config = config(&config_descriptor.path(), config_bytes)?;

        check_layers(&layers, &manifest.path())?;
        for layer in &layers {
            let limit = match layer.media_type.as_str() {
                media_type::IR => IR_BYTES_MAX,
                media_type::PLAN => PLAN_BYTES_MAX,
                _ => COMPONENT_BYTES_MAX,
            };
            blob(&manifest.path(), layer, limit)?;
        }
        for (name, function) in &config.functions {
            let is_its = |layer: &&Descriptor| {
                layer.media_type == media_type::COMPONENT && layer.digest == function.component
            };
            if !layers.iter().any(|layer| is_its(&layer)) {
                return Err(corrupt(format!(
                    "the blob `{}` names for function `{}` the component {}, which is no layer",
                    config_descriptor.path(),
                    printable(name.as_bytes()),
                    printable(function.component.as_bytes())
                )));
            }
        }
        // Written again, both documents must give the same bytes: property order, white space, values
        // of fixed properties, and the job's name, which stands in two places.
        if json(&Index::new(&config.name, manifest_bytes)) != index_bytes {
            return Err(corrupt(format!(
                "the entry `{INDEX_PATH}` is not as it is written for job `{}` and manifest {}",
                printable(config.name.as_bytes()),
                manifest.digest
            )));
        }
        let mut canonical_layers = Vec::new();
        for layer in &layers {
            let bytes = blob(&manifest.path(), layer, COMPONENT_BYTES_MAX)?;
            canonical_layers.push(Descriptor::titled(
                &layer.media_type,
                layer.title().unwrap_or_default(),
                bytes,
            ));
        }
        let canonical = Manifest::new(Descriptor::new(media_type::CONFIG, config_bytes), canonical_layers);
        if json(&canonical) != manifest_bytes {
            return Err(corrupt(format!("the manifest `{}` is not in canonical form", manifest.path())));
        }
        let referenced: BTreeSet<String> =
            [&manifest, &config_descriptor].into_iter().chain(&layers).map(Descriptor::path).collect();
        if let Some(path) =
            entries.keys().find(|path| path.starts_with(BLOBS_PATH) && !referenced.contains(path.as_str()))
        {
            return Err(corrupt(format!("nothing refers to the blob `{path}`")));
        }
        Ok(Bundle { entries, manifest, config_descriptor, layers, config, archive })
    }

    /// The digest of the manifest: the job's identity, such as `sha256:0b6e..`.
    pub fn digest(&self) -> &str {
        &self.manifest.digest
    }

    /// Names, interface and functions.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The job definition.
    pub fn ir(&self) -> &[u8] {
        self.layer(media_type::IR)
    }

    /// The plan.
    pub fn plan(&self) -> &[u8] {
        self.layer(media_type::PLAN)
    }

    /// The component with this digest (`sha256:..`).
    pub fn component(&self, digest: &str) -> Option<&[u8]> {
        self.components().find(|component| component.0 == digest).map(|component| component.2)
    }

    /// Digest, title and bytes of every component, in the order of the layers.
    pub fn components(&self) -> impl Iterator<Item = (&str, &str, &[u8])> {
        self.layers
            .iter()
            .filter(|layer| layer.media_type == media_type::COMPONENT)
            .map(|layer| (layer.digest.as_str(), layer.title().unwrap_or_default(), self.file(&layer.path())))
    }

    /// What the bundle consists of: manifest, config and layers, then `index.json` and `oci-layout`.
    /// Layers with equal contents share a path.
    pub fn entries(&self) -> Vec<Entry> {
        let blob = |descriptor: &Descriptor| Entry {
            path: descriptor.path(),
            size: descriptor.size,
            media_type: descriptor.media_type.clone(),
            title: descriptor.title().map(str::to_string),
        };
        let file = |path: &str, media_type: &str| Entry {
            path: path.into(),
            size: self.file(path).len() as u64,
            media_type: media_type.into(),
            title: None,
        };
        let mut entries: Vec<Entry> =
            [&self.manifest, &self.config_descriptor].into_iter().chain(&self.layers).map(blob).collect();
        entries.push(file(INDEX_PATH, media_type::INDEX));
        entries.push(file(LAYOUT_PATH, "application/json"));
        entries
    }

    /// Path and bytes of every file of the OCI layout, sorted by path.
    pub fn layout_files(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.entries.iter().map(|(path, range)| (path.as_str(), &self.archive[range.clone()]))
    }

    /// The whole bundle, as it was read.
    pub fn as_bytes(&self) -> &[u8] {
        &self.archive
    }

    fn layer(&self, media_type: &str) -> &[u8] {
        let layer = self.layers.iter().find(|layer| layer.media_type == media_type);
        layer.map_or(&[], |layer| self.file(&layer.path()))
    }

    fn file(&self, path: &str) -> &[u8] {
        self.entries.get(path).map_or(&[], |range| &self.archive[range.clone()])
    }
}

/// Every entry of the archive by path, with digests checked.
fn entries(archive: &[u8]) -> Result<BTreeMap<String, Range<usize>>> {
    if archive.len() as u64 > BUNDLE_BYTES_MAX {
        return Err(Diagnostic::new(
            Code::TooLarge,
            format!("the file has more than {BUNDLE_BYTES_MAX} bytes, which are allowed for a bundle"),
        ));
    }
    check_first_block(archive)?;
    let mut entries = BTreeMap::new();
    let mut reader = tar::Reader::new(archive);
    let mut last = String::new();
    while let Some(entry) = reader.next(size_max)? {
        let path = entry.path;
        if path <= last {
            let problem = if path == last { "stands twice" } else { "is out of order" };
            return Err(corrupt(format!("the entry `{path}` {problem}")));
        }
        if entries.len() == ENTRIES_MAX {
            return Err(Diagnostic::new(
                Code::TooLarge,
                format!("the entry `{path}` is one more than the {ENTRIES_MAX} that are allowed"),
            ));
        }
        if let Some(promised) = path.strip_prefix(BLOBS_PATH) {
            let found = crate::digest(&archive[entry.contents.clone()]);
            if found.strip_prefix("sha256:") != Some(promised) {
                return Err(corrupt(format!(
                    "the blob `{path}` does not have the digest under which it is stored"
                ))
                .note(format!("its digest is {found}")));
            }
        }
        last.clone_from(&path);
        entries.insert(path, entry.contents);
    }
    Ok(entries)
}

/// Tells a damaged bundle from a file that never was one.
fn check_first_block(archive: &[u8]) -> Result<()> {
    let not_a_bundle =
        |message: String, help: &str| Err(Diagnostic::new(Code::NotABundle, message).help(help));
    let first = &archive[..archive.len().min(BLOCK_BYTES)];
    if first.starts_with(&[0x1f, 0x8b]) {
        return not_a_bundle(
            "the file is compressed with gzip".into(),
            "unpack it first: bundles are not compressed",
        );
    }
    if first.starts_with(b"\0asm") {
        return not_a_bundle(
            "the file is WebAssembly".into(),
            "`flink-wasm pack` bundles components with a job definition",
        );
    }
    let common = first.len().min(BLOBS_PATH.len());
    let is_ours = first[..common] == BLOBS_PATH.as_bytes()[..common];
    if first.len() < BLOCK_BYTES {
        if is_ours {
            return Err(truncated("inside of its first header"));
        }
        return not_a_bundle("the file is too short for a bundle".into(), "`flink-wasm pack` writes bundles");
    }
    if !is_ours && tar::has_magic(first) {
        return not_a_bundle(
            format!(
                "the file is a tar archive, but its first entry `{}` at offset 0x0 is none of a bundle",
                printable(tar::name(first))
            ),
            "`flink-wasm pack` writes bundles; other tar programs write the same files otherwise",
        );
    }
    if !is_ours {
        return not_a_bundle("the file is not a tar archive".into(), "`flink-wasm pack` writes bundles");
    }
    Ok(())
}

/// How large the entry of this path may be; what else a bundle has is told only by its manifest.
fn size_max(path: &str) -> Result<u64> {
    if let Some(name) = path.strip_prefix(BLOBS_PATH) {
        let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if name.len() == 64 && name.bytes().all(is_hex) {
            return Ok(COMPONENT_BYTES_MAX);
        }
    } else if path == INDEX_PATH || path == LAYOUT_PATH {
        return Ok(METADATA_BYTES_MAX);
    }
    Err(corrupt(format!("the entry `{}` has no place in a bundle", printable(path.as_bytes()))))
}

/// Whether this is a bundle, and of this version, before anything else of it is understood.
fn check_artifact_type(index: &[u8]) -> Result<()> {
    #[derive(Deserialize)]
    struct Probe {
        manifests: Vec<ProbeManifest>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct ProbeManifest {
        artifact_type: Option<String>,
    }
    let probe: Probe = serde_json::from_slice(index)
        .map_err(|error| corrupt(format!("the entry `{INDEX_PATH}` is not an index of OCI: {error}")))?;
    let types: Vec<&str> =
        probe.manifests.iter().filter_map(|found| found.artifact_type.as_deref()).collect();
    if types.contains(&media_type::BUNDLE) {
        return Ok(());
    }
    let version_of = |found: &&str| {
        let version = found.strip_prefix(ARTIFACT_TYPE_PREFIX)?.strip_suffix("+json")?;
        version.parse::<u32>().ok()
    };
    if let Some(version) = types.iter().find_map(version_of)
        && version > FORMAT_VERSION
    {
        return Err(newer(INDEX_PATH, version));
    }
    Err(Diagnostic::new(
        Code::NotABundle,
        format!(
            "the file is an OCI image layout, but `{INDEX_PATH}` has not the artifact type `{}`",
            media_type::BUNDLE
        ),
    )
    .help("`flink-wasm pack` writes bundles"))
}

fn newer(path: &str, version: u32) -> Diagnostic {
    Diagnostic::new(
        Code::NewerBundle,
        format!("the bundle has version {version} of the format, by its `{path}`; this flink-wasm reads {FORMAT_VERSION}"),
    )
    .help("update flink-wasm")
}

fn document<T: DeserializeOwned>(path: &str, bytes: &[u8]) -> Result<T> {
    serde_json::from_slice(bytes)
        .map_err(|error| corrupt(format!("the entry `{path}` can't be understood: {error}")))
}

fn config(path: &str, bytes: &[u8]) -> Result<Config> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Probe {
        format_version: u32,
    }
    let Probe { format_version } = document(path, bytes)?;
    if format_version > FORMAT_VERSION {
        return Err(newer(path, format_version));
    }
    let config: Config = document(path, bytes)?;
    if format_version != FORMAT_VERSION || config.interface != INTERFACE {
        return Err(corrupt(format!(
            "the config `{path}` has not the version or the interface of its format"
        )));
    }
    Ok(config)
}

/// First the job definition, then the plan, then components sorted by title and digest, none twice.
fn check_layers(layers: &[Descriptor], manifest: &str) -> Result<()> {
    if layers.len() > LAYERS_MAX {
        return Err(Diagnostic::new(
            Code::TooLarge,
            format!(
                "the manifest `{manifest}` has {} layers, at most {LAYERS_MAX} are allowed",
                layers.len()
            ),
        ));
    }
    let wrong = |problem: String| Err(corrupt(format!("the manifest `{manifest}` {problem}")));
    let fixed = [(media_type::IR, IR_TITLE), (media_type::PLAN, PLAN_TITLE)];
    let [ir, plan, components @ ..] = layers else {
        return wrong("has no layers for job definition and plan".into());
    };
    for (layer, (media_type, title)) in [ir, plan].into_iter().zip(fixed) {
        if layer.media_type != media_type || layer.title() != Some(title) {
            return wrong(format!("has another layer where `{title}` is due"));
        }
    }
    let mut last = None;
    let mut digests = BTreeSet::new();
    for layer in components {
        let title = layer.title().unwrap_or_default();
        if layer.media_type != media_type::COMPONENT {
            return wrong(format!(
                "has a layer of the unknown type `{}`",
                printable(layer.media_type.as_bytes())
            ));
        }
        if !is_file_name(title) {
            return wrong(format!(
                "has a layer whose title `{}` is not a file name",
                printable(title.as_bytes())
            ));
        }
        let order = Some((title, &layer.digest));
        if order <= last || !digests.insert(&layer.digest) {
            return wrong(format!(
                "has the layer {} twice or out of order",
                printable(layer.digest.as_bytes())
            ));
        }
        last = order;
    }
    Ok(())
}
