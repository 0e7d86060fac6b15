//! Checks parameters and limits of a function against what the component says of itself.

use flink_wasm_diagnostic::{Code, Diagnostic, nearest};
use flink_wasm_ir::{
    DEFAULT_DEADLINE_MS, DEFAULT_MEMORY_BYTES, DEFAULT_STATE_VALUE_BYTES, ErrorPolicy,
    Function as JobFunction, FunctionKind, MAX_DEADLINE_MS, MAX_MEMORY_BYTES, MAX_RETRIES,
    MAX_STATE_VALUE_BYTES, MIN_MEMORY_BYTES, Object, OnError, Parameter,
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
    let mut problems = Vec::new();
    let mut planned = without_parameters(name, job, function, &mut problems);
    let given = [Given::of_function(name, job)];
    planned.parameters = parameters(name, &given, &function.descriptor.parameters, &mut problems);
    if problems.is_empty() { Ok(planned) } else { Err(problems) }
}

/// [`plan_function`] without values for parameters.
pub(crate) fn without_parameters(
    name: &str,
    job: &JobFunction,
    function: &crate::Function,
    problems: &mut Vec<Diagnostic>,
) -> PlanFunction {
    let pointer = function_pointer(name);
    let descriptor = &function.descriptor;
    if let Some(policy) = &job.on_error {
        on_error(&format!("{pointer}/onError"), policy, problems);
    }
    let rate_limiters = job.rate_limiters.clone().unwrap_or_default();
    crate::limiters::check(name, &pointer, &rate_limiters, problems);
    PlanFunction {
        component: function.component.clone(),
        kind: descriptor.kind,
        version: descriptor.version.clone(),
        input: descriptor.input.clone(),
        output: descriptor.output.clone(),
        parameters: Map::new(),
        limits: limits(&pointer, job, descriptor.kind, problems),
        key: descriptor.key.clone(),
        states: descriptor.states.clone(),
        side_outputs: descriptor.side_outputs.clone(),
        timers: descriptor.timers,
        rate_limiters,
    }
}

pub(crate) fn function_pointer(name: &str) -> String {
    format!("/functions/{}", flink_wasm_ir::pointer_segment(name))
}

/// Values for parameters, and the pointer of the object that holds them.
pub(crate) struct Given<'a> {
    pub(crate) values: &'a Object,
    pub(crate) pointer: String,
}

impl<'a> Given<'a> {
    pub(crate) fn of_function(name: &str, job: &'a JobFunction) -> Self {
        Self { values: &job.parameters, pointer: format!("{}/parameters", function_pointer(name)) }
    }
}

/// The value of every declared parameter. What is given later goes before what is given earlier.
pub(crate) fn parameters(
    name: &str,
    given: &[Given<'_>],
    declared: &[Parameter],
    problems: &mut Vec<Diagnostic>,
) -> Map<String, Value> {
    let bad = |message: String| Diagnostic::new(Code::BadParameters, message);
    for (given, pointer) in given.iter().flat_map(|g| g.values.keys().map(|key| (key, &g.pointer))) {
        if declared.iter().any(|p| p.name == *given) {
            continue;
        }
        let names: Vec<&str> = declared.iter().map(|p| p.name.as_str()).collect();
        let escaped = flink_wasm_ir::pointer_segment(given);
        let problem = bad(format!("function `{name}` has no parameter `{given}`"))
            .pointer(format!("{pointer}/{escaped}"));
        problems.push(match nearest(given, names.iter().copied()) {
            Some(near) => problem.help(format!("did you mean `{near}`?")),
            None if names.is_empty() => problem.note("it has no parameters"),
            None => problem.note(format!("its parameters: {}", names.join(", "))),
        });
    }
    let mut values = Map::new();
    for parameter in declared {
        let found = given.iter().rev().find_map(|g| Some((g.values.get(&parameter.name)?, &g.pointer)));
        let (value, pointer) = match (found, &parameter.default) {
            (Some((value, pointer)), _) => (value, Some(pointer)),
            (None, Some(default)) => (default, None),
            (None, None) => {
                let problem = bad(format!("function `{name}` needs the parameter `{}`", parameter.name))
                    .pointer(function_pointer(name))
                    .note(format!("its type: {}", parameter.sql_type))
                    .help(format!("set `functions.{name}.parameters.{}`", parameter.name));
                problems.push(problem);
                continue;
            }
        };
        // A default was checked when the component was admitted.
        if let Some(pointer) = pointer
            && let Some(expected) = misfit(&parameter.sql_type, value)
        {
            let escaped = flink_wasm_ir::pointer_segment(&parameter.name);
            problems.push(
                bad(format!(
                    "parameter `{}` of function `{name}` is {}; expected {expected}",
                    parameter.name,
                    json_kind(value)
                ))
                .pointer(format!("{pointer}/{escaped}"))
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

/// Whether a policy can be followed; where its sink leads is checked where it is used.
pub(crate) fn on_error(pointer: &str, given: &OnError, problems: &mut Vec<Diagnostic>) {
    match (given.policy, &given.sink) {
        (ErrorPolicy::DeadLetter, None) => problems.push(
            Diagnostic::new(Code::MissingPart, "dead letters need a sink")
                .pointer(pointer)
                .help("such as {\"policy\": \"dead-letter\", \"sink\": {\"type\": \"file\", \"path\": \"/data/failed\"}}"),
        ),
        (ErrorPolicy::Fail | ErrorPolicy::Skip, Some(_)) => problems.push(
            Diagnostic::new(Code::MalformedJob, "only dead letters go to a sink")
                .pointer(format!("{pointer}/sink"))
                .help("set `policy` to `dead-letter`"),
        ),
        _ => {}
    }
    retries(&format!("{pointer}/retries"), given.retries.into(), problems);
}

/// The number of retries, when it is one.
pub(crate) fn retries(pointer: &str, given: i64, problems: &mut Vec<Diagnostic>) -> Option<u32> {
    let fits = u32::try_from(given).ok().filter(|retries| *retries <= MAX_RETRIES);
    if fits.is_none() {
        let message = format!("a row is tried again {given} times; it must be from 0 to {MAX_RETRIES}");
        problems.push(Diagnostic::new(Code::BadParameters, message).pointer(pointer));
    }
    fits
}

fn limits(pointer: &str, job: &JobFunction, kind: FunctionKind, problems: &mut Vec<Diagnostic>) -> Limits {
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
    let memory_bytes =
        within("memoryBytes", given.memory_bytes, DEFAULT_MEMORY_BYTES, MIN_MEMORY_BYTES, MAX_MEMORY_BYTES);
    let deadline_ms = within("deadlineMs", given.deadline_ms, DEFAULT_DEADLINE_MS, 1, MAX_DEADLINE_MS);
    let is_process = kind == FunctionKind::Process;
    let state_value_bytes = is_process.then(|| {
        let (default, most) = (DEFAULT_STATE_VALUE_BYTES, MAX_STATE_VALUE_BYTES);
        within("stateValueBytes", given.state_value_bytes, default, 1, most)
    });
    if !is_process && given.state_value_bytes.is_some() {
        problems.push(
            Diagnostic::new(Code::BadParameters, format!("a {} function has no state", kind.as_str()))
                .pointer(format!("{pointer}/limits/stateValueBytes")),
        );
    }
    Limits { memory_bytes, deadline_ms, state_value_bytes }
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
