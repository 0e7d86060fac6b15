//! `flink-wasm explain`: the plan of a job, or what an error code means.

use std::path::{Path, PathBuf};

use clap::Args;
use flink_wasm_bundle::Bundle;
use flink_wasm_diagnostic::{Code, Diagnostic};
use flink_wasm_plan::Plan;
use serde_json::json;

use super::Outcome;
use crate::{job, output};

/// Show the plan of a job definition or bundle, or what an error code means.
#[derive(Args)]
pub struct Options {
    /// A job definition, a bundle, or a code such as FW0201.
    #[arg(default_value = "job.json")]
    what: String,
    /// Do not ask Flink's planner for the schemas.
    #[arg(long)]
    offline: bool,
}

pub fn run(options: Options) -> Outcome {
    if let Ok(code) = options.what.parse::<Code>() {
        let meaning = json!({ "code": code, "title": code.title(), "explanation": code.explanation() });
        output::data(&meaning, || format!("{code}: {}\n\n{}", code.title(), code.explanation()));
        return Ok(());
    }
    let path = PathBuf::from(&options.what);
    let plan = if path.extension().is_some_and(|extension| extension == "json") {
        job::prepare(&job::Request::new(&path).offline(options.offline))?.plan
    } else {
        plan_of(&flink_wasm_bundle::read_file(&path)?, &path)?
    };
    output::data(&plan, || plan.render());
    Ok(())
}

/// The plan in a bundle.
pub fn plan_of(bundle: &Bundle, path: &Path) -> Result<Plan, Diagnostic> {
    serde_json::from_slice(bundle.plan()).map_err(|error| {
        Diagnostic::new(Code::CorruptBundle, format!("the plan can't be read: {error}"))
            .file(path.display().to_string())
    })
}
