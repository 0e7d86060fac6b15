//! `flink-wasm test`: samples through the built component, in the sandbox, without Flink.

use std::path::{Path, PathBuf};

use clap::Args;
use flink_wasm_diagnostic::{Code, Diagnostic};
use serde_json::{Map, Value, json};

use super::Outcome;
use crate::component::Component;
use crate::problems::Problems;
use crate::samples::{self, Samples};
use crate::{component, output};

/// Run samples through a built component.
#[derive(Args)]
pub struct Options {
    /// A component, or the folder of a function crate that was built.
    #[arg(default_value = ".")]
    component: PathBuf,
    /// The samples; default: `samples.json` beside the crate's manifest or in this folder.
    #[arg(long, value_name = "FILE")]
    samples: Option<PathBuf>,
}

pub fn run(options: Options) -> Outcome {
    let (path, component) = component::load(&options.component)?;
    let folder = if options.component.is_dir() { options.component.as_path() } else { Path::new("") };
    let file = options.samples.unwrap_or_else(|| folder.join("samples.json"));
    let samples = read(&file)?;
    let parameters = parameters(&component, samples.parameters.clone())
        .map_err(|problems| problems.map(|problem| problem.file(file.display().to_string())))?;
    output::status(
        "Running",
        format!("{} samples of {} through {}", samples.samples.len(), file.display(), path.display()),
    );

    let function = component.load()?;
    let mut results = Vec::new();
    let mut failed = 0;
    for sample in &samples.samples {
        let place = |error: Diagnostic| {
            error.file(file.display().to_string()).note(format!("sample {:?}", sample.name))
        };
        let (got, trailer) = samples::run(&function, &parameters, sample).map_err(place)?;
        let differences = sample.differences(&got).map_err(place)?;
        for log in &trailer.logs {
            output::status("Log", format!("{:?} {}", log.level, log.message));
        }
        failed += usize::from(!differences.is_empty());
        let differences: Vec<Value> = differences
            .into_iter()
            .map(|(input, expected, got)| json!({ "input": input, "expected": expected, "got": got }))
            .collect();
        results
            .push(json!({ "name": sample.name, "ok": differences.is_empty(), "differences": differences }));
    }
    let passed = results.len() - failed;
    output::data(&json!({ "passed": passed, "failed": failed, "samples": results }), || {
        report(&results, passed, failed)
    });
    if failed > 0 {
        return Err(Diagnostic::new(
            Code::SamplesFailed,
            format!("{failed} of {} samples give other rows than expected", results.len()),
        )
        .file(file.display().to_string())
        .help("after a change of the function, run `flink-wasm build` first")
        .into());
    }
    Ok(())
}

/// The samples' parameters and the defaults of the others, checked as those of a job are.
fn parameters(component: &Component, given: Map<String, Value>) -> Result<Map<String, Value>, Problems> {
    let function = flink_wasm_ir::Function { parameters: given.into_iter().collect(), ..Default::default() };
    Ok(flink_wasm_plan::plan_function(&component.descriptor.name, &function, &component.function())?
        .parameters)
}

fn report(results: &[Value], passed: usize, failed: usize) -> String {
    let mut text = String::new();
    for result in results {
        let verdict = if result["ok"] == true { "ok  " } else { "FAIL" };
        text += &format!("{verdict} {}\n", result["name"].as_str().unwrap_or_default());
        for difference in result["differences"].as_array().into_iter().flatten() {
            for part in ["input", "expected", "got"] {
                text += &format!("       {part:<9} {}\n", difference[part]);
            }
        }
    }
    text + &format!("{passed} passed, {failed} failed\n")
}

fn read(file: &Path) -> Result<Samples, Diagnostic> {
    let place = file.display().to_string();
    let text = std::fs::read_to_string(file).map_err(|error| {
        Diagnostic::new(Code::Io, format!("can't read the samples: {error}"))
            .file(place.clone())
            .help("name another file with `--samples FILE`")
    })?;
    serde_json::from_str(&text).map_err(|error| {
        Diagnostic::new(Code::MalformedJob, format!("the samples are malformed: {error}"))
            .file(place)
            .at(error.line() as u32, error.column() as u32)
    })
}
