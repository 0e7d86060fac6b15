//! `flink-wasm build`: a function crate becomes a component.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::Outcome;
use crate::{build_crate, component, output};

/// Build a function crate into a component.
#[derive(Args)]
pub struct Options {
    /// The crate's folder.
    #[arg(default_value = ".")]
    folder: PathBuf,
    /// Package of a workspace.
    #[arg(long, short)]
    package: Option<String>,
    /// Keep line tables, so that backtraces name file and line. The component is larger and has another digest.
    #[arg(long)]
    debug: bool,
}

pub fn run(options: Options) -> Outcome {
    let module = build_crate::build(&options.folder, options.package.as_deref(), options.debug)?;
    let component = component::load_file(&module)?;
    let path = component::save(&component, &module)?;
    let function = &component.descriptor;
    output::status(
        "Componentized",
        format!(
            "{} ({}, {} function `{}`)",
            path.display(),
            output::size(component.bytes.len() as u64),
            function.kind.as_str(),
            function.name
        ),
    );
    output::status("Checked", "imports only flink-wasm:udf; no WASI, no async, no threads");
    let json = json!({ "path": path, "digest": component.digest, "bytes": component.bytes.len(), "function": function });
    if output::is_json() {
        output::json(&json);
    }
    Ok(())
}
