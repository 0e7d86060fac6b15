//! `flink-wasm verify`: is every byte of a bundle what its digest says?

use std::path::PathBuf;

use clap::Args;
use flink_wasm_diagnostic::Diagnostic;
use serde_json::json;

use super::Outcome;
use crate::{component, output};

/// Check every digest of a bundle, and admit its components.
#[derive(Args)]
pub struct Options {
    /// The bundle.
    bundle: PathBuf,
}

pub fn run(options: Options) -> Outcome {
    let bundle = flink_wasm_bundle::read_file(&options.bundle)?;
    let file = options.bundle.display().to_string();
    let mut functions = Vec::new();
    for (name, function) in &bundle.config().functions {
        let bytes = bundle.component(&function.component).unwrap_or_default();
        let described = component::inspect(bytes)
            .map_err(|error| error.file(file.clone()).note(format!("function {name}")))?;
        if serde_json::to_value(&described.descriptor).ok().as_ref() != Some(&function.descriptor) {
            return Err(Diagnostic::new(
                flink_wasm_diagnostic::Code::BadDescriptor,
                format!("the component of `{name}` describes itself otherwise than the bundle does"),
            )
            .file(file)
            .help("pack the job again")
            .into());
        }
        functions.push(name.clone());
    }
    output::status("Verified", format!("{} blobs, {} functions", bundle.entries().len(), functions.len()));
    output::data(&json!({ "digest": bundle.digest(), "functions": functions }), || {
        bundle.digest().to_owned()
    });
    Ok(())
}
