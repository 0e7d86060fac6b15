//! `flink-wasm pack`: a job definition, its plan and its components under one digest.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::Outcome;
use crate::{job, output};

/// Bundle a job definition with its components under one digest.
#[derive(Args)]
pub struct Options {
    /// The job definition.
    #[arg(default_value = "job.json")]
    job: PathBuf,
    /// The bundle to write; default: the job's name with the ending `.flinkwasm`.
    #[arg(long, short)]
    output: Option<PathBuf>,
    /// Take a function's component from here: a file, or a crate's folder. May be repeated.
    #[arg(long = "component", value_name = "NAME=PATH")]
    components: Vec<String>,
    /// Do not ask Flink's planner for the schemas; what it would have checked is left unchecked.
    #[arg(long)]
    offline: bool,
}

pub fn run(options: Options) -> Outcome {
    let request = job::Request::new(&options.job).components(&options.components)?.offline(options.offline);
    let (bundle, prepared) = job::pack(&request)?;
    let path = options
        .output
        .unwrap_or_else(|| PathBuf::from(format!("{}.flinkwasm", file_name(&prepared.plan.name))));
    flink_wasm_bundle::write_file(&path, bundle.as_bytes())?;
    let size = bundle.as_bytes().len() as u64;
    output::status("Packed", format!("{} ({})", path.display(), output::size(size)));
    for (name, component) in &prepared.components {
        let kind = component.descriptor.kind.as_str();
        output::status("Function", format!("{name} ({kind}) {}", output::short(&component.digest)));
    }
    if options.offline {
        output::warning(
            "packed offline: the types between source, functions and sink were not checked by Flink's planner",
        );
    }
    output::status("Digest", bundle.digest());
    if output::is_json() {
        output::json(&json!({ "path": path, "digest": bundle.digest(), "bytes": size }));
    }
    Ok(())
}

/// A job's name as a file name.
fn file_name(name: &str) -> String {
    let name: String =
        name.chars().map(|c| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '-' }).collect();
    let name = name.trim_matches(['-', '.']);
    if name.is_empty() { "job".to_owned() } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    #[test]
    fn file_names() {
        for (name, file) in [("orders", "orders"), ("My job/1", "My-job-1"), ("../..", "job"), ("", "job")] {
            assert_eq!(super::file_name(name), file);
        }
    }
}
