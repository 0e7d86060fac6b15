//! Scenarios of a process function: read, run through the component, and shown.

use std::path::Path;

use flink_wasm_diagnostic::Result;
use flink_wasm_harness::Function;
use flink_wasm_harness::scenario::{self, Difference, Scenarios};
use flink_wasm_harness_component::Component as Executor;
use flink_wasm_ir::locate;
use serde_json::{Map, Value, json};

use crate::component::Component;
use crate::output;

/// The results of a file of scenarios.
pub struct Results {
    /// For each scenario a JSON object: name, whether all came as expected, and what did not.
    pub scenarios: Vec<Value>,
    /// How many went otherwise than expected.
    pub failed: usize,
}

/// The scenarios of a file for a component.
pub fn read(file: &Path, text: &str, component: &Component) -> Result<(Function, Scenarios)> {
    let descriptor = serde_json::to_value(&component.descriptor).unwrap_or_default();
    let function = Function::from_descriptor(&descriptor)?;
    let scenarios =
        scenario::read(text, &function).map_err(|error| error.file(file.display().to_string()))?;
    Ok((function, scenarios))
}

/// Runs each scenario in an instance of its own.
pub fn run(
    (function, scenarios): &(Function, Scenarios),
    component: &Component,
    parameters: &Map<String, Value>,
    bundle_rows: usize,
    (file, text): (&Path, &str),
) -> Result<Results> {
    let loaded = component.load()?;
    let mut results = Results { scenarios: Vec::new(), failed: 0 };
    for scenario in &scenarios.scenarios {
        let executor = Box::new(Executor::new(loaded.clone()));
        let outcome = scenario::run(function, scenarios, parameters, scenario, bundle_rows, executor)
            .map_err(|error| {
                error.file(file.display().to_string()).note(format!("scenario {:?}", scenario.name))
            })?;
        for log in &outcome.logs {
            output::status("Log", format!("{:?} {}", log.level, log.message));
        }
        results.failed += usize::from(!outcome.differences.is_empty());
        results.scenarios.push(json!({
            "name": scenario.name,
            "ok": outcome.differences.is_empty(),
            "differences": outcome.differences.iter().map(|difference| shown(difference, text)).collect::<Vec<_>>(),
        }));
    }
    Ok(results)
}

fn shown(difference: &Difference, text: &str) -> Value {
    let (line, column) = locate(text, &difference.pointer, None).unwrap_or_default();
    json!({
        "pointer": difference.pointer, "line": line, "column": column, "what": difference.what,
        "expected": difference.expected, "got": difference.got,
    })
}

/// The results for people.
pub fn report(results: &Results, file: &Path) -> String {
    let mut text = String::new();
    for result in &results.scenarios {
        let verdict = if result["ok"] == true { "ok  " } else { "FAIL" };
        text += &format!("{verdict} {}\n", result["name"].as_str().unwrap_or_default());
        for difference in result["differences"].as_array().into_iter().flatten() {
            let what = difference["what"].as_str().unwrap_or_default();
            text +=
                &format!("     {}:{}:{}: {what}\n", file.display(), difference["line"], difference["column"]);
            for side in ["expected", "got"] {
                text += &format!("       {side:<9} {}\n", difference[side]);
            }
        }
    }
    text + &format!("{} passed, {} failed\n", results.scenarios.len() - results.failed, results.failed)
}
