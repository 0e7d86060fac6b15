//! State values as JSON: what a function encoded, read by its `schema` text (`docs/state.md`).

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use flink_wasm_diagnostic::{Code, Diagnostic, Result};
use flink_wasm_protocol::handshake::{State, StateKind};
use serde_json::{Map, Value};

use decode::decode;
use schema::Type;

mod decode;
mod schema;

/// What a state holds for a key, as JSON. `value` is that of a value or reducing state, `elements` those of a list or map.
///
/// A state whose schema is not one of the SDK's is shown as base64.
pub(crate) fn to_json(state: &State, value: Option<&[u8]>, elements: &[(&[u8], &[u8])]) -> Result<Value> {
    let wrong = |error: String| {
        Diagnostic::new(
            Code::SchemaViolated,
            format!("state `{}` is not `{}`: {error}", state.name, state.schema),
        )
    };
    let schema = Type::parse(&state.schema);
    let read = |data_type: Option<&Type>, bytes: &[u8]| match data_type {
        Some(data_type) => decode(data_type, bytes).map_err(wrong),
        None => Ok(Value::String(BASE64.encode(bytes))),
    };
    match (state.kind, &schema) {
        (StateKind::Value | StateKind::Reducing, schema) => {
            value.map_or(Ok(Value::Null), |bytes| read(schema.as_ref(), bytes))
        }
        (StateKind::List, Some(Type::List(element))) => {
            elements.iter().map(|(_, value)| read(Some(element), value)).collect()
        }
        (StateKind::List, _) => elements.iter().map(|(_, value)| read(None, value)).collect(),
        (StateKind::Map, Some(Type::Map(key, value))) => {
            let entries = elements.iter().map(|(k, v)| Ok((read(Some(key), k)?, read(Some(value), v)?)));
            Ok(map_to_json(entries.collect::<Result<_>>()?))
        }
        (StateKind::Map, _) => {
            let entries = elements.iter().map(|(k, v)| Ok((read(None, k)?, read(None, v)?)));
            Ok(map_to_json(entries.collect::<Result<_>>()?))
        }
    }
}

/// A map is an object whose names are the keys' own text, or their JSON.
fn map_to_json(entries: Vec<(Value, Value)>) -> Value {
    let entry = |(key, value): (Value, Value)| match key {
        Value::String(name) => (name, value),
        key => (key.to_string(), value),
    };
    Value::Object(entries.into_iter().map(entry).collect::<Map<_, _>>())
}
