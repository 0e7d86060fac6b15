//! The canonical form, and what makes a definition complete.

use flink_wasm_diagnostic::{Code, Diagnostic, Result};
use sha2::{Digest, Sha256};

use crate::types::{JobDefinition, Source};

impl JobDefinition {
    /// The canonical JSON text: indented, `type` first, absent properties left out, enum words in capitals.
    pub fn to_json(&self) -> String {
        // Maps with string keys and finite numbers only: serde_json can't refuse them.
        serde_json::to_string_pretty(self).unwrap_or_default()
    }

    /// The name under which Flink shows the job.
    pub fn name(&self) -> &str {
        match &self.metadata.job_name {
            Some(name) if !name.trim().is_empty() => name,
            _ => &self.metadata.job_id,
        }
    }

    /// What holds for every job, whether or not it can be run.
    pub(crate) fn check(&self) -> Result<()> {
        if self.sink.is_none() && !matches!(self.source, Source::Sql(_)) {
            return Err(Diagnostic::new(Code::MissingPart, "the job has no sink")
                .pointer("/sink")
                .help("only a job whose source is `sql` may do without"));
        }
        Ok(())
    }

    /// Gives the definition what the canonical form always has. The id comes from the content, so that the same
    /// definition has the same id.
    pub(crate) fn complete(&mut self) {
        self.metadata.version = "1.0".into();
        if self.metadata.job_id.trim().is_empty() {
            self.metadata.job_id.clear();
            let digest = hex::encode(Sha256::digest(self.to_json()));
            let part = |from: usize, to: usize| digest.get(from..to).unwrap_or_default().to_owned();
            self.metadata.job_id =
                [part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)].join("-");
        }
    }
}
