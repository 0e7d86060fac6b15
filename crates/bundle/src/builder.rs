//! Writes a bundle.

use std::collections::BTreeMap;
use std::io::Write;

use flink_wasm_diagnostic::{Code, Diagnostic, Result};

use crate::layout::{
    BLOBS_PATH, Config, Descriptor, FORMAT_VERSION, Function, INDEX_PATH, INTERFACE, IR_TITLE, Index,
    LAYOUT_JSON, LAYOUT_PATH, Manifest, PLAN_TITLE, is_file_name, json, media_type,
};
use crate::limits::{
    BUNDLE_BYTES_MAX, COMPONENT_BYTES_MAX, CONFIG_BYTES_MAX, IR_BYTES_MAX, LAYERS_MAX, METADATA_BYTES_MAX,
    NAME_BYTES_MAX, PLAN_BYTES_MAX, TITLE_BYTES_MAX,
};
use crate::tar;

/// Collects the parts of a bundle. The order of the calls does not matter: the same parts give the same
/// bytes.
#[derive(Clone, Debug)]
pub struct BundleBuilder {
    name: String,
    ir: Vec<u8>,
    plan: Vec<u8>,
    functions: BTreeMap<String, Function>,
    /// By title and digest, which is the order of the layers.
    components: BTreeMap<(String, String), Vec<u8>>,
}

impl BundleBuilder {
    /// A bundle for the job of this name.
    pub fn new(job_name: impl Into<String>) -> Self {
        Self {
            name: job_name.into(),
            ir: Vec::new(),
            plan: Vec::new(),
            functions: BTreeMap::new(),
            components: BTreeMap::new(),
        }
    }

    /// The job definition, as JSON in its canonical form.
    pub fn ir(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.ir = bytes.into();
        self
    }

    /// The plan, as JSON.
    pub fn plan(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.plan = bytes.into();
        self
    }

    /// A function under the name by which the job calls it. Its component must be added, too.
    pub fn function(mut self, name: impl Into<String>, function: Function) -> Self {
        self.functions.insert(name.into(), function);
        self
    }

    /// A component; `title` is the file name that OCI tools give it. The same bytes added again, under
    /// whatever title, are kept once.
    pub fn component(mut self, title: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Self {
        let (title, bytes) = (title.into(), bytes.into());
        let digest = crate::digest(&bytes);
        // Of several titles the least is kept, whatever the order of the calls.
        let other = self.components.keys().find(|key| key.1 == digest).cloned();
        match other {
            Some(other) if other.0 <= title => {}
            other => {
                if let Some(other) = other {
                    self.components.remove(&other);
                }
                self.components.insert((title, digest), bytes);
            }
        }
        self
    }

    /// The bundle's bytes.
    ///
    /// # Errors
    ///
    /// FW0308 when a limit is exceeded; FW0009 when a part is missing that the caller must give.
    pub fn build(self) -> Result<Vec<u8>> {
        self.check()?;
        let config = json(&Config {
            format_version: FORMAT_VERSION,
            name: self.name.clone(),
            interface: INTERFACE.into(),
            functions: self.functions,
        });
        check_size("the config", config.len(), CONFIG_BYTES_MAX)?;
        let mut layers = vec![
            Descriptor::titled(media_type::IR, IR_TITLE, &self.ir),
            Descriptor::titled(media_type::PLAN, PLAN_TITLE, &self.plan),
        ];
        for ((title, _), bytes) in &self.components {
            layers.push(Descriptor::titled(media_type::COMPONENT, title, bytes));
        }
        let manifest = json(&Manifest::new(Descriptor::new(media_type::CONFIG, &config), layers));
        check_size("the manifest", manifest.len(), METADATA_BYTES_MAX)?;
        let index = json(&Index::new(&self.name, &manifest));

        // A map, since contents that are equal (a job definition and a plan `{}`) are one blob.
        let mut entries: BTreeMap<String, &[u8]> = BTreeMap::new();
        for bytes in [&config, &manifest, &self.ir, &self.plan].into_iter().chain(self.components.values()) {
            entries.insert(crate::digest(bytes).replace("sha256:", BLOBS_PATH), bytes);
        }
        entries.insert(INDEX_PATH.into(), &index);
        entries.insert(LAYOUT_PATH.into(), LAYOUT_JSON);
        let mut archive = Vec::new();
        for (path, bytes) in entries {
            tar::append(&mut archive, &path, bytes);
        }
        tar::end(&mut archive);
        check_size("the bundle", archive.len(), BUNDLE_BYTES_MAX)?;
        Ok(archive)
    }

    /// Writes the bundle's bytes. [`crate::write_file`] writes a file in one step.
    ///
    /// # Errors
    ///
    /// As [`BundleBuilder::build`], and FW0002.
    pub fn write(self, mut to: impl Write) -> Result<()> {
        to.write_all(&self.build()?)
            .map_err(|error| Diagnostic::new(Code::Io, format!("the bundle can't be written: {error}")))
    }

    fn check(&self) -> Result<()> {
        for (part, bytes, limit) in
            [("the job definition", &self.ir, IR_BYTES_MAX), ("the plan", &self.plan, PLAN_BYTES_MAX)]
        {
            if bytes.is_empty() {
                return Err(Diagnostic::new(Code::Internal, format!("a bundle is built without {part}")));
            }
            check_size(part, bytes.len(), limit)?;
        }
        check_size("the job's name", self.name.len(), NAME_BYTES_MAX as u64)?;
        for ((title, _), bytes) in &self.components {
            check_size(&format!("the component `{title}`"), bytes.len(), COMPONENT_BYTES_MAX)?;
            if !is_file_name(title) {
                return Err(Diagnostic::new(
                    Code::Internal,
                    format!(
                        "the component's title `{}` is not a file name of at most {TITLE_BYTES_MAX} bytes",
                        tar::printable(title.as_bytes())
                    ),
                ));
            }
        }
        // The job definition and the plan take two layers.
        if self.components.len() > LAYERS_MAX - 2 {
            return Err(Diagnostic::new(
                Code::TooLarge,
                format!(
                    "the job has {} components, at most {} are allowed",
                    self.components.len(),
                    LAYERS_MAX - 2
                ),
            ));
        }
        for (name, function) in &self.functions {
            if !self.components.keys().any(|(_, digest)| *digest == function.component) {
                return Err(Diagnostic::new(
                    Code::Internal,
                    format!(
                        "a bundle is built without the component {} of the function `{name}`",
                        function.component
                    ),
                ));
            }
        }
        Ok(())
    }
}

fn check_size(part: &str, size: usize, limit: u64) -> Result<()> {
    if size as u64 <= limit {
        return Ok(());
    }
    Err(Diagnostic::new(Code::TooLarge, format!("{part} has {size} bytes, at most {limit} are allowed")))
}
