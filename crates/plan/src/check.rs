//! Checks parameters and limits of a function against what the component says of itself.

use flink_wasm_diagnostic::{Code, Diagnostic, nearest};
use flink_wasm_ir::{
    DEFAULT_DEADLINE_MS, DEFAULT_MEMORY_BYTES, Function as JobFunction, MAX_DEADLINE_MS, MAX_MEMORY_BYTES,
    MIN_MEMORY_BYTES, Parameter,
};
use serde_json::{Map, Value};

use crate::ddl::nullable;
use crate::plan::{Limits, PlanFunction};

/// The function as the plan carries it, with every parameter's value, or what is wrong with it.
pub fn plan_function(
    name: &str,
    job: &JobFunction,
    function: &crate::Function,
) -> Result<PlanFunction, Vec<Diagnostic>> {
    let escaped = flink_wasm_ir::pointer_segment(&name);
    let pointer = format!("/functions/{escaped}");
    let mut problems = Vec::new();
    let parameters = parameters(name, &pointer, job, &function.descriptor.parameters, &mut problems);
    let limits = limits(&pointer, job, &mut problems);
    if !problems.is_empty() {
        return Err(problems);
    }
    let descriptor = &function.descriptor;
    Ok(PlanFunction {
        component: function.component.clone(),
        kind: descriptor.kind,
        version: descriptor.version.clone(),
        input: descriptor.input.clone(),
        output: descriptor.output.clone(),
        parameters,
        limits,
    })
}

fn parameters(
    name: &str,
    pointer: &str,
    job: &JobFunction,
    declared: &[Parameter],
    problems: &mut Vec<Diagnostic>,
) -> Map<String, Value> {
    let bad = |message: String| Diagnostic::new(Code::BadParameters, message);
    for given in job.parameters.keys() {
        if declared.iter().any(|p| p.name == *given) {
            continue;
        }
        let names: Vec<&str> = declared.iter().map(|p| p.name.as_str()).collect();
        let escaped = flink_wasm_ir::pointer_segment(&given);
        let problem = bad(format!("function `{name}` has no parameter `{given}`"))
            .pointer(format!("{pointer}/parameters/{escaped}"));
        problems.push(match nearest(given, names.iter().copied()) {
            Some(near) => problem.help(format!("did you mean `{near}`?")),
            None if names.is_empty() => problem.note("it has no parameters"),
            None => problem.note(format!("its parameters: {}", names.join(", "))),
        });
    }
    let mut values = Map::new();
    for parameter in declared {
        let (value, given) = match (job.parameters.get(&parameter.name), &parameter.default) {
            (Some(value), _) => (value, true),
            (None, Some(default)) => (default, false),
            (None, None) => {
                let problem = bad(format!("function `{name}` needs the parameter `{}`", parameter.name))
                    .pointer(pointer)
                    .note(format!("its type: {}", parameter.sql_type))
                    .help(format!("set `functions.{name}.parameters.{}`", parameter.name));
                problems.push(problem);
                continue;
            }
        };
        // A default was checked when the component was admitted.
        if given && let Some(expected) = misfit(&parameter.sql_type, value) {
            let escaped = flink_wasm_ir::pointer_segment(&parameter.name);
            problems.push(
                bad(format!(
                    "parameter `{}` of function `{name}` is {}; expected {expected}",
                    parameter.name,
                    json_kind(value)
                ))
                .pointer(format!("{pointer}/parameters/{escaped}"))
                .note(format!("its type: {}", parameter.sql_type)),
            );
        }
        values.insert(parameter.name.clone(), value.clone());
    }
    values
}

fn json_kind(value: &Value) -> String {
    match value {
        Value::Null => "null".into(),
        Value::Bool(_) => "a boolean".into(),
        Value::Number(number) => format!("the number {number}"),
        Value::String(_) => "a string".into(),
        Value::Array(_) => "an array".into(),
        Value::Object(_) => "an object".into(),
    }
}

/// What was expected of a JSON value for a SQL type, when it does not fit.
fn misfit(sql_type: &str, value: &Value) -> Option<&'static str> {
    let bare = nullable(sql_type);
    if value.is_null() {
        return (bare.len() < sql_type.trim_end().len()).then_some("a value: it is NOT NULL");
    }
    let root: String = bare.trim_start().chars().take_while(char::is_ascii_alphanumeric).collect();
    let integer = |low: i64, high: i64, expected| match value.as_i64() {
        Some(number) if (low..=high).contains(&number) => None,
        _ => Some(expected),
    };
    match root.to_ascii_uppercase().as_str() {
        "BOOLEAN" => (!value.is_boolean()).then_some("true or false"),
        "TINYINT" => integer(i8::MIN.into(), i8::MAX.into(), "a whole number from -128 to 127"),
        "SMALLINT" => integer(i16::MIN.into(), i16::MAX.into(), "a whole number from -32768 to 32767"),
        "INT" | "INTEGER" => {
            integer(i32::MIN.into(), i32::MAX.into(), "a whole number from -2147483648 to 2147483647")
        }
        "BIGINT" => integer(i64::MIN, i64::MAX, "a whole number of 64 bits"),
        "FLOAT" | "DOUBLE" => (!value.is_number()).then_some("a number"),
        "DECIMAL" | "DEC" | "NUMERIC" => {
            (!value.is_number() && !value.is_string()).then_some("a number, or a string with one")
        }
        "ARRAY" => (!value.is_array()).then_some("an array"),
        "MAP" | "ROW" => (!value.is_object()).then_some("an object"),
        _ => (!value.is_string()).then_some("a string"),
    }
}

fn limits(pointer: &str, job: &JobFunction, problems: &mut Vec<Diagnostic>) -> Limits {
    let given = job.limits.clone().unwrap_or_default();
    let mut within = |property: &str, value: Option<u64>, default: u64, low: u64, high: u64| {
        let value = value.unwrap_or(default);
        if !(low..=high).contains(&value) {
            let message = format!("`{property}` is {value}; it must be from {low} to {high}");
            problems.push(
                Diagnostic::new(Code::BadParameters, message).pointer(format!("{pointer}/limits/{property}")),
            );
        }
        value
    };
    Limits {
        memory_bytes: within(
            "memoryBytes",
            given.memory_bytes,
            DEFAULT_MEMORY_BYTES,
            MIN_MEMORY_BYTES,
            MAX_MEMORY_BYTES,
        ),
        deadline_ms: within("deadlineMs", given.deadline_ms, DEFAULT_DEADLINE_MS, 1, MAX_DEADLINE_MS),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn json_values_fit_sql_types() {
        for (sql_type, value, fits) in [
            ("BOOLEAN", json!(true), true),
            ("BOOLEAN", json!("true"), false),
            ("TINYINT", json!(127), true),
            ("TINYINT", json!(128), false),
            ("INT NOT NULL", json!(1.5), false),
            ("BIGINT", json!(i64::MAX), true),
            ("BIGINT", json!(u64::MAX), false),
            ("DOUBLE", json!(1), true),
            ("DOUBLE", json!("1"), false),
            ("DECIMAL(10, 2)", json!("1.50"), true),
            ("VARCHAR(3)", json!("a"), true),
            ("STRING", json!(1), false),
            ("ARRAY<INT>", json!([1]), true),
            ("ROW<a INT>", json!({"a": 1}), true),
            ("ROW<a INT NOT NULL>", json!(null), true),
            ("STRING", json!(null), true),
            ("STRING NOT NULL", json!(null), false),
            ("TIMESTAMP(3)", json!("2026-01-01 00:00:00"), true),
        ] {
            assert_eq!(misfit(sql_type, &value).is_none(), fits, "{sql_type} {value}");
        }
    }
}
