//! Samples: rows that go into a function and what is to come out.
//!
//! ```json
//! {"parameters": {"rate": 0.5},
//!  "samples": [{"name": "adds the tax", "input": {"amount": 100.0}, "expected": {"total": 150.0}},
//!              {"name": "refuses text", "input": {"amount": -1.0}, "expected": {"error": "negative"}}]}
//! ```
//!
//! `input` is a row or a list of rows; `expected` a row, `true` or `false` for a filter, `{"error": "part of the message"}`, or a
//! list of these, one for each row.

use std::sync::Arc;

use flink_wasm_diagnostic::{Code, Diagnostic, Result};
use flink_wasm_engine::{Instance, Limits, LoadedFunction};
use flink_wasm_harness::fits;
use flink_wasm_protocol::bundle::encode_bundle;
use flink_wasm_protocol::frame::HEADER_BYTES;
use flink_wasm_protocol::reply::{Reply, ReplyBody, Trailer};
use flink_wasm_protocol::schema::RowField;
use flink_wasm_protocol::{batch, json};
use serde::Deserialize;
use serde_json::{Map, Value};

/// A file of samples.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Samples {
    /// Values for the function's parameters; the others have their defaults.
    #[serde(default)]
    pub parameters: Map<String, Value>,
    /// What to try.
    pub samples: Vec<Sample>,
}

/// Rows, and what is to come of them.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sample {
    /// Says what the sample shows.
    pub name: String,
    /// A row, or rows.
    input: Value,
    /// What is to come.
    expected: Value,
}

/// What became of one row, as JSON: a row, a boolean, or `{"error": ..}`.
pub type Got = Vec<Value>;

/// Runs a sample in an instance of its own and returns what came of each row.
pub fn run(
    function: &Arc<LoadedFunction>,
    parameters: &Map<String, Value>,
    sample: &Sample,
) -> Result<(Got, Trailer)> {
    let rows = as_list(&sample.input);
    let description = function.description();
    let (input, output) = (description.input_fields()?, description.output_fields()?);
    let payload = encode_bundle(0, i64::MIN, &json::rows_to_batch(&input, &rows)?);
    let mut instance: Instance = match function.open(parameters, Limits::default()) {
        Ok(instance) => instance,
        Err(fault) => return Ok((fault_of_rows(&fault.diagnostic, None, rows.len()), Trailer::default())),
    };
    match instance.run(1, &payload) {
        Ok(frame) => read(function, &output, rows.len(), &frame[HEADER_BYTES..]),
        Err(fault) => Ok((fault_of_rows(&fault.diagnostic, fault.row, rows.len()), Trailer::default())),
    }
}

fn read(
    function: &LoadedFunction,
    output: &[RowField],
    rows: usize,
    payload: &[u8],
) -> Result<(Got, Trailer)> {
    let reply = Reply::parse(function.output(), payload)?;
    let mut got = vec![Value::Null; rows];
    match &reply.body {
        ReplyBody::Map(emissions) => {
            for emission in emissions {
                let rows = json::batch_to_rows(output, &emission.rows)?;
                for (origin, row) in emission.origin.iter().zip(rows) {
                    got[*origin as usize] = row;
                }
            }
        }
        ReplyBody::Filter { keep, .. } => {
            for (row, got) in got.iter_mut().enumerate() {
                *got = Value::Bool(batch::bit(keep, row));
            }
        }
        ReplyBody::Process(_) => {
            return Err(Diagnostic::new(
                Code::UnsupportedPart,
                "a process function has keys, state and time, which samples of rows do not have",
            ));
        }
    }
    for failure in &reply.failures {
        got[failure.row as usize] = error(failure.message);
    }
    Ok((got, reply.trailer))
}

/// A fault ends the whole bundle; the row at fault, when it is known, is told apart.
fn fault_of_rows(diagnostic: &Diagnostic, row: Option<u32>, rows: usize) -> Got {
    let told = error(&format!("{}: {}", diagnostic.code, diagnostic.message));
    let other = error("not processed: another row of the sample ended the function");
    (0..rows)
        .map(|index| if row.is_none_or(|row| row as usize == index) { told.clone() } else { other.clone() })
        .collect()
}

fn error(message: &str) -> Value {
    serde_json::json!({ "error": message })
}

impl Sample {
    /// The rows that do not come as expected: index, input, expected, got.
    pub fn differences(&self, got: &Got) -> Result<Vec<(Value, Value, Value)>> {
        let (rows, expected) = (as_list(&self.input), as_list(&self.expected));
        if rows.len() != expected.len() {
            return Err(Diagnostic::new(
                Code::SamplesFailed,
                format!("sample {:?} has {} rows and expects {}", self.name, rows.len(), expected.len()),
            ));
        }
        let triples = rows.into_iter().zip(expected).zip(got.iter().cloned());
        let different = triples.filter(|((_, expected), got)| !fits(expected, got));
        Ok(different.map(|((input, expected), got)| (input, expected, got)).collect())
    }
}

fn as_list(value: &Value) -> Vec<Value> {
    match value {
        Value::Array(rows) => rows.clone(),
        row => vec![row.clone()],
    }
}
