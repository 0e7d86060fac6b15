//! What the engine's tests share: one engine, functions by name, bundles from JSON.
#![allow(dead_code)] // each test file uses a part

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use flink_wasm_engine::{Engine, EngineConfig, Fault, Instance, Limits, LoadedFunction};
use flink_wasm_protocol::bundle::encode_bundle;
use flink_wasm_protocol::frame::HEADER_BYTES;
use flink_wasm_protocol::json::{batch_to_rows, rows_to_batch};
use flink_wasm_protocol::reply::{Reply, ReplyBody, Trailer};
use serde_json::{Map, Value};

pub(crate) static ENGINE: LazyLock<Engine> = LazyLock::new(|| Engine::new(&EngineConfig::default()).unwrap());

/// A function of `udfs/` or of the test guests, loaded once.
pub(crate) fn function(name: &str) -> Arc<LoadedFunction> {
    static LOADED: LazyLock<Mutex<HashMap<String, Arc<LoadedFunction>>>> = LazyLock::new(Mutex::default);
    let load = || ENGINE.load(&flink_wasm_test_guests::component(name)).unwrap().function;
    // One guest that does not build is no reason for the other tests to fail.
    LOADED.lock().unwrap_or_else(PoisonError::into_inner).entry(name.to_owned()).or_insert_with(load).clone()
}

pub(crate) fn open(name: &str, parameters: Value, limits: Limits) -> Result<Instance, Fault> {
    let Value::Object(parameters) = parameters else { panic!("parameters are an object") };
    function(name).open(&parameters, limits)
}

pub(crate) fn opened(name: &str) -> Instance {
    open(name, Value::Object(Map::new()), Limits::default()).unwrap()
}

/// Rows as the payload of a bundle.
pub(crate) fn payload(function: &LoadedFunction, rows: &[Value]) -> Vec<u8> {
    let fields = function.description().input_fields().unwrap();
    encode_bundle(1_000, 2_000, &rows_to_batch(&fields, rows).unwrap())
}

/// A reply, independent of its bytes.
#[derive(Debug, PartialEq)]
pub(crate) struct Answer {
    /// Output rows of a map.
    pub(crate) rows: Vec<Value>,
    /// Their origins.
    pub(crate) origins: Vec<u32>,
    /// What a filter keeps.
    pub(crate) keep: Vec<bool>,
    pub(crate) failures: Vec<(u32, String)>,
    pub(crate) trailer: Trailer,
}

pub(crate) fn run(instance: &mut Instance, rows: &[Value]) -> Result<Answer, Fault> {
    let function = instance.function().clone();
    let frame = instance.run(1, &payload(&function, rows))?;
    let reply = Reply::parse(function.output(), &frame[HEADER_BYTES..]).unwrap();
    let fields = function.description().output_fields().unwrap();
    let (mut rows, mut origins, mut keep) = (Vec::new(), Vec::new(), Vec::new());
    match &reply.body {
        ReplyBody::Map(emissions) => {
            for emission in emissions {
                rows.extend(batch_to_rows(&fields, &emission.rows).unwrap());
                origins.extend(&emission.origin);
            }
        }
        ReplyBody::Filter { row_count, keep: bits } => {
            keep = (0..*row_count).map(|row| flink_wasm_protocol::batch::bit(bits, row)).collect();
        }
        ReplyBody::Process(_) => panic!("process functions have an operator of their own"),
    }
    let failures = reply.failures.iter().map(|failure| (failure.row, failure.message.to_owned())).collect();
    Ok(Answer { rows, origins, keep, failures, trailer: reply.trailer })
}
