//! `flink-wasm test`: samples, or the scenarios of a process function, through the built component, in the sandbox, without Flink.

use std::path::{Path, PathBuf};

use clap::Args;
use flink_wasm_diagnostic::{Code, Diagnostic};
use flink_wasm_harness::{DEFAULT_BUNDLE_ROWS, scenario};
use flink_wasm_ir::FunctionKind;
use serde_json::{Map, Value, json};

use super::Outcome;
use crate::component::Component;
use crate::problems::Problems;
use crate::samples::{self, Samples};
use crate::{component, output, scenarios};

/// Run samples, or the scenarios of a process function, through a built component.
#[derive(Args)]
pub struct Options {
    /// A component, or the folder of a function crate that was built.
    #[arg(default_value = ".")]
    component: PathBuf,
    /// The samples; default: `samples.json`, for a process function `scenarios.json`, beside the crate's manifest or in this folder.
    #[arg(long, value_name = "FILE", alias = "scenarios")]
    samples: Option<PathBuf>,
    /// Rows of a bundle at most, for a process function. Its answers must not depend on it.
    #[arg(long, value_name = "N", default_value_t = DEFAULT_BUNDLE_ROWS)]
    bundle_rows: usize,
}

pub fn run(options: Options) -> Outcome {
    let (path, component) = component::load(&options.component)?;
    let folder = if options.component.is_dir() { options.component.as_path() } else { Path::new("") };
    let is_process = component.descriptor.kind == FunctionKind::Process;
    let default = if is_process { "scenarios.json" } else { "samples.json" };
    let file = options.samples.unwrap_or_else(|| folder.join(default));
    if is_process {
        return run_scenarios(&path, &component, &file, options.bundle_rows);
    }
    let samples = parse(&file, &read(&file)?)?;
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

fn run_scenarios(path: &Path, component: &Component, file: &Path, bundle_rows: usize) -> Outcome {
    let text = read(file)?;
    let place = |problem: Diagnostic| problem.file(file.display().to_string());
    let read = scenarios::read(file, &text, component)?;
    let given = scenario::parameters(&text).map_err(place)?;
    let parameters = parameters(component, given).map_err(|problems| problems.map(place))?;
    output::status(
        "Running",
        format!("{} scenarios of {} through {}", read.1.scenarios.len(), file.display(), path.display()),
    );
    let results = scenarios::run(&read, component, &parameters, bundle_rows, (file, &text))?;
    let passed = results.scenarios.len() - results.failed;
    output::data(
        &json!({ "passed": passed, "failed": results.failed, "scenarios": results.scenarios }),
        || scenarios::report(&results, file),
    );
    if results.failed > 0 {
        return Err(Diagnostic::new(
            Code::SamplesFailed,
            format!("{} of {} scenarios go otherwise than expected", results.failed, results.scenarios.len()),
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

fn read(file: &Path) -> Result<String, Diagnostic> {
    std::fs::read_to_string(file).map_err(|error| {
        Diagnostic::new(Code::Io, format!("can't read the samples: {error}"))
            .file(file.display().to_string())
            .help("name another file with `--samples FILE`")
    })
}

fn parse(file: &Path, text: &str) -> Result<Samples, Diagnostic> {
    serde_json::from_str(text).map_err(|error| {
        Diagnostic::new(Code::MalformedJob, format!("the samples are malformed: {error}"))
            .file(file.display().to_string())
            .at(error.line() as u32, error.column() as u32)
    })
}
