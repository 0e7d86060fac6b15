//! Jobs with process functions, and what is shown of them.

use expect_test::Expect;
use serde_json::{Value, json};

/// A job over `id, amount, region` with these operations and further parts.
pub(crate) fn job(operations: Value, more: Value) -> String {
    let mut job = json!({
        "source": {"type": "file", "path": "/in", "format": "json", "schema": "id BIGINT, amount DOUBLE, region STRING"},
        "operations": operations,
        "sink": {"type": "console"},
        "metadata": {"jobId": "1", "jobName": "test"},
        "functions": {"sessions": {"component": "s.wasm", "parameters": {"gap": 5}}}
    });
    for (key, value) in more.as_object().unwrap() {
        job[key] = value.clone();
    }
    serde_json::to_string_pretty(&job).unwrap()
}

/// Shows the steps behind the source, one JSON line each, and the warnings; or the problems.
#[track_caller]
pub(crate) fn check_job(operations: Value, more: Value, expected: Expect) {
    let text = job(operations, more);
    let mut shown = match super::plan_of(&text) {
        Ok(plan) => plan.steps[1..].iter().map(|step| serde_json::to_string(step).unwrap() + "\n").collect(),
        Err(problems) => problems,
    };
    let parsed = flink_wasm_ir::parse(&text).unwrap();
    for warning in flink_wasm_plan::warnings(&parsed.job, &super::functions()) {
        shown += &format!("warning: {warning}\n");
    }
    expected.assert_eq(&shown);
}

/// The same without further parts.
#[track_caller]
pub(crate) fn check(operations: Value, expected: Expect) {
    check_job(operations, json!({}), expected);
}

pub(crate) fn by(key: &str) -> Value {
    json!({"type": "groupBy", "key": key})
}

/// `sessions` by `id`, with both side outputs dropped or written, and further properties.
pub(crate) fn sessions(more: Value) -> Value {
    let mut operation = json!({"type": "processFunction", "function": "sessions",
        "sideOutputs": {"late": {"type": "blackhole"}, "odd": {"type": "blackhole"}}});
    for (key, value) in more.as_object().unwrap() {
        operation[key] = value.clone();
    }
    operation
}

pub(crate) fn count() -> Value {
    json!({"type": "processFunction", "processType": "count"})
}
