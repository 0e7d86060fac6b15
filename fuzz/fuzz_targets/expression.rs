//! Any text as a filter's expression and as a map's: a plan, or diagnostics with a place in the text.

#![no_main]

use std::sync::LazyLock;

use flink_wasm_ir::{parse, place};
use flink_wasm_plan::{Function, Functions, lower};
use serde_json::json;

static FUNCTIONS: LazyLock<Functions> = LazyLock::new(|| {
    let function = |descriptor: serde_json::Value| Function {
        component: format!("sha256:{}", "0".repeat(64)),
        descriptor: serde_json::from_value(descriptor).expect("the descriptor is right"),
    };
    Functions::from([
        (
            "tax".to_string(),
            function(json!({"name": "tax", "version": "1.0.0", "kind": "map",
                "input": [{"name": "amount", "type": "DOUBLE"}], "output": [{"name": "total", "type": "DOUBLE"}]})),
        ),
        (
            "large".to_string(),
            function(json!({"name": "large", "version": "1.0.0", "kind": "filter",
                "input": [{"name": "amount", "type": "DOUBLE"}]})),
        ),
    ])
});

libfuzzer_sys::fuzz_target!(|expression: &str| {
    for kind in ["filter", "map"] {
        let job = json!({
            "source": {"type": "file", "path": "/in", "format": "json", "schema": "id BIGINT, amount DOUBLE, name STRING"},
            "operations": [{"type": kind, "expression": expression}],
            "sink": {"type": "console"},
            "functions": {"tax": {"component": "tax.wasm"}, "large": {"component": "large.wasm"}},
            "metadata": {"jobId": "1", "jobName": "fuzz"}
        });
        let text = job.to_string();
        let Ok(parsed) = parse(&text) else { continue };
        match lower(&parsed.job, &FUNCTIONS) {
            Ok(plan) => drop(plan.to_json()),
            Err(problems) => {
                for problem in problems {
                    drop(place(&text, problem).to_string());
                }
            }
        }
    }
});
