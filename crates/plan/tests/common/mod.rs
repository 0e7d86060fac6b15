//! Functions that tests call, and how what was lowered is shown.
#![allow(dead_code)] // each test file uses a part

use flink_wasm_ir::{
    Field, FunctionDescriptor, FunctionKind, Parameter, SideOutput, State, StateKind, parse, place,
};
use flink_wasm_plan::{Function, Functions, Plan, lower};
use serde_json::{Value, json};

pub(crate) mod process;

fn fields(text: &[(&str, &str)]) -> Vec<Field> {
    text.iter().map(|(name, ty)| Field { name: (*name).into(), sql_type: (*ty).into() }).collect()
}

fn function(
    name: &str,
    kind: FunctionKind,
    input: &[(&str, &str)],
    output: &[(&str, &str)],
) -> (String, Function) {
    let descriptor = FunctionDescriptor {
        name: name.into(),
        version: "0.1.0".into(),
        kind,
        description: String::new(),
        input: fields(input),
        output: fields(output),
        parameters: Vec::new(),
        key: Vec::new(),
        states: Vec::new(),
        side_outputs: Vec::new(),
        timers: false,
    };
    (name.into(), Function { component: format!("sha256:{}", "0".repeat(64)), descriptor })
}

/// The process function `sessions`: everything that one can declare.
fn sessions() -> (String, Function) {
    let mut sessions = function(
        "sessions",
        FunctionKind::Process,
        &[("id", "BIGINT NOT NULL"), ("amount", "DOUBLE")],
        &[("id", "BIGINT NOT NULL"), ("total", "DOUBLE NOT NULL")],
    );
    let state = |name: &str, kind, schema: &str, ttl_ms| State {
        name: name.into(),
        kind,
        schema: schema.into(),
        ttl_ms,
    };
    let side = |name: &str| SideOutput { name: name.into(), fields: fields(&[("id", "BIGINT NOT NULL")]) };
    let descriptor = &mut sessions.1.descriptor;
    descriptor.key = fields(&[("id", "BIGINT NOT NULL")]);
    descriptor.states = vec![
        state("clicks", StateKind::Value, "v1:i64", Some(3_600_000)),
        state("seen", StateKind::Map, "v1:map<i64,string>", None),
    ];
    descriptor.side_outputs = vec![side("late"), side("odd")];
    descriptor.timers = true;
    descriptor.parameters = vec![Parameter {
        name: "gap".into(),
        sql_type: "BIGINT NOT NULL".into(),
        default: Some(json!(9)),
        description: "milliseconds".into(),
    }];
    sessions
}

/// `tax(amount) -> total` with a parameter, `split(a, b) -> x, y`, `valid(amount)`, `decode(payload BYTES) -> id, name`;
/// `sessions`, and `count`, which declares nothing.
pub(crate) fn functions() -> Functions {
    let mut tax =
        function("tax", FunctionKind::Map, &[("amount", "DOUBLE NOT NULL")], &[("total", "DOUBLE NOT NULL")]);
    tax.1.descriptor.parameters = vec![Parameter {
        name: "rate".into(),
        sql_type: "DOUBLE NOT NULL".into(),
        default: Some(json!(0.2)),
        description: "share".into(),
    }];
    Functions::from([
        tax,
        sessions(),
        function("count", FunctionKind::Process, &[("amount", "DOUBLE")], &[("n", "BIGINT NOT NULL")]),
        function(
            "split",
            FunctionKind::Map,
            &[("a", "BIGINT"), ("b", "BIGINT")],
            &[("x", "BIGINT"), ("y", "STRING")],
        ),
        function("valid", FunctionKind::Filter, &[("amount", "DOUBLE")], &[]),
        function("isEven", FunctionKind::Map, &[("id", "BIGINT")], &[("even", "BOOLEAN NOT NULL")]),
        function(
            "decode",
            FunctionKind::Map,
            &[("payload", "BYTES")],
            &[("id", "BIGINT NOT NULL"), ("name", "STRING")],
        ),
    ])
}

/// A job over `id, amount, region` with these operations (`"filter: .."` or `"map: .."`), written to the console.
pub(crate) fn job(operations: &[&str]) -> String {
    let operations: Vec<Value> = operations
        .iter()
        .map(|text| {
            let (kind, expression) = text.split_once(": ").expect("kind: expression");
            json!({"type": kind, "expression": expression})
        })
        .collect();
    serde_json::to_string_pretty(&json!({
        "source": {"type": "file", "path": "/in", "format": "json",
                   "schema": "id BIGINT, amount DOUBLE, region STRING, `timestamp` TIMESTAMP(3), item ROW<sku STRING>"},
        "operations": operations,
        "sink": {"type": "console"},
        "metadata": {"jobId": "1", "jobName": "test"}
    }))
    .expect("JSON")
}

pub(crate) fn plan_of(text: &str) -> Result<Plan, String> {
    let show = |problems: Vec<flink_wasm_diagnostic::Diagnostic>| {
        problems
            .into_iter()
            .map(|p| place(text, p))
            .map(|p| format!("{}:{} {p}\n", p.location.line.unwrap_or(0), p.location.column.unwrap_or(0)))
            .collect::<String>()
    };
    let parsed = parse(text).map_err(|problem| show(vec![problem]))?;
    lower(&parsed.job, &functions()).map_err(show)
}
