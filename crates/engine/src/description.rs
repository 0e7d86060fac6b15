//! What a component says of itself.

use std::collections::BTreeSet;

use flink_wasm_diagnostic::{Code, Diagnostic, Result};
use flink_wasm_protocol::handshake::{FunctionKind, State, StateKind};
use flink_wasm_protocol::limits::{MAX_COLUMNS, MAX_SIDE_OUTPUTS, MAX_STATES};
use flink_wasm_protocol::schema::{DataType, RowField};
use serde::{Deserialize, Serialize};

use crate::abi::{FieldRecord, FunctionRecord, Kind, SideOutputRecord, StateKindFromGuest, StateRecord};

/// Parameters of a function: more would be a configuration file.
const MAX_PARAMETERS: usize = 256;
/// Bytes of a name, version or default.
const MAX_TEXT_BYTES: usize = 4 << 10;
/// Bytes of a state's schema: a deeply nested type, written out. Flink keeps it in every checkpoint.
const MAX_SCHEMA_BYTES: usize = 64 << 10;

/// A component's description of itself, checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Description {
    /// Name of the function.
    pub name: String,
    /// Version of the function.
    pub version: String,
    /// What it does with rows.
    pub kind: FunctionKind,
    /// For people.
    pub description: String,
    /// Fields of the input row.
    pub input: Vec<Field>,
    /// Fields of the output row; empty for a filter.
    pub output: Vec<Field>,
    /// Parameters.
    pub parameters: Vec<Parameter>,
    /// Fields of the key that a process function reads; empty when it reads none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub key: Vec<Field>,
    /// Keyed states of a process function.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub states: Vec<State>,
    /// Side outputs of a process function.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub side_outputs: Vec<SideOutput>,
    /// Whether a process function may register timers.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub timers: bool,
}

/// A side output of a process function.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SideOutput {
    /// The name.
    pub name: String,
    /// Fields of its rows.
    pub fields: Vec<Field>,
}

/// A field of a row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Field {
    /// The name.
    pub name: String,
    /// A SQL type, as the component wrote it.
    #[serde(rename = "type")]
    pub sql_type: String,
}

/// A parameter of a function.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Parameter {
    /// The name.
    pub name: String,
    /// A SQL type, as the component wrote it.
    #[serde(rename = "type")]
    pub sql_type: String,
    /// The value when the job gives none; `None` when the job must give one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<serde_json::Value>,
    /// For people.
    pub description: String,
}

impl Description {
    /// Checks names, types and defaults: FW0309.
    pub(crate) fn from_record(record: FunctionRecord) -> Result<Self> {
        let kind = match record.kind {
            Kind::Map => FunctionKind::Map,
            Kind::Filter => FunctionKind::Filter,
            Kind::Process => FunctionKind::Process,
        };
        check_text("the function's name", &record.name)?;
        check_text("the function's version", &record.version)?;
        let input = fields("input", record.input)?;
        let output = fields("output", record.output)?;
        match (kind, output.is_empty()) {
            (FunctionKind::Map, true) => return Err(bad("a map function without output fields".into())),
            (FunctionKind::Filter, false) => return Err(bad("a filter function with output fields".into())),
            (FunctionKind::Process, true) => {
                return Err(bad("a process function without output fields".into()));
            }
            _ => {}
        }
        let key = fields("key", record.key)?;
        let states = states(record.states)?;
        let side_outputs = side_outputs(record.side_outputs)?;
        if kind != FunctionKind::Process
            && (!key.is_empty() || !states.is_empty() || !side_outputs.is_empty() || record.timers)
        {
            return Err(bad(format!("a {kind:?} function with a key, states, side outputs or timers")));
        }
        if record.parameters.len() > MAX_PARAMETERS {
            return Err(bad(format!("more than {MAX_PARAMETERS} parameters")));
        }
        check_names("parameter", record.parameters.iter().map(|parameter| parameter.name.as_str()))?;
        let parameters = record.parameters.into_iter().map(|parameter| {
            DataType::parse(&parameter.sql_type)
                .map_err(|error| within(error, "parameter", &parameter.name))?;
            let default = match &parameter.default_json {
                Some(text) => Some(serde_json::from_str(text).map_err(|error| {
                    bad(format!("the default of parameter `{}` is not JSON: {error}", parameter.name))
                })?),
                None => None,
            };
            Ok(Parameter {
                name: parameter.name,
                sql_type: parameter.sql_type,
                default,
                description: parameter.description,
            })
        });
        Ok(Self {
            name: record.name,
            version: record.version,
            kind,
            description: record.description,
            input,
            output,
            parameters: parameters.collect::<Result<_>>()?,
            key,
            states,
            side_outputs,
            timers: record.timers,
        })
    }

    /// The input fields with parsed types.
    pub fn input_fields(&self) -> Result<Vec<RowField>> {
        row_fields(&self.input)
    }

    /// The output fields with parsed types.
    pub fn output_fields(&self) -> Result<Vec<RowField>> {
        row_fields(&self.output)
    }

    /// The key's fields with parsed types.
    pub fn key_fields(&self) -> Result<Vec<RowField>> {
        row_fields(&self.key)
    }
}

impl SideOutput {
    /// The fields with parsed types.
    pub fn row_fields(&self) -> Result<Vec<RowField>> {
        row_fields(&self.fields)
    }
}

fn states(records: Vec<StateRecord>) -> Result<Vec<State>> {
    if records.len() > MAX_STATES {
        return Err(bad(format!("more than {MAX_STATES} states")));
    }
    check_names("state", records.iter().map(|record| record.name.as_str()))?;
    let state = |record: StateRecord| {
        if record.schema.is_empty() || record.schema.len() > MAX_SCHEMA_BYTES {
            return Err(bad(format!(
                "the schema of state `{}` is empty or longer than {MAX_SCHEMA_BYTES} bytes",
                record.name
            )));
        }
        // Flink counts in `long`.
        if record.ttl_ms.is_some_and(|ttl_ms| ttl_ms == 0 || ttl_ms > i64::MAX as u64) {
            return Err(bad(format!(
                "the time to live of state `{}` is 0, or above {} ms",
                record.name,
                i64::MAX
            )));
        }
        let kind = match record.kind {
            StateKindFromGuest::Value => StateKind::Value,
            StateKindFromGuest::Reducing => StateKind::Reducing,
            StateKindFromGuest::List => StateKind::List,
            StateKindFromGuest::Map => StateKind::Map,
        };
        Ok(State { name: record.name, kind, schema: record.schema, ttl_ms: record.ttl_ms })
    };
    records.into_iter().map(state).collect()
}

fn side_outputs(records: Vec<SideOutputRecord>) -> Result<Vec<SideOutput>> {
    if records.len() > MAX_SIDE_OUTPUTS {
        return Err(bad(format!("more than {MAX_SIDE_OUTPUTS} side outputs")));
    }
    check_names("side output", records.iter().map(|record| record.name.as_str()))?;
    let side_output = |record: SideOutputRecord| {
        if record.fields.is_empty() {
            return Err(bad(format!("side output `{}` has no fields", record.name)));
        }
        let fields = fields(&format!("side output `{}`", record.name), record.fields)?;
        Ok(SideOutput { name: record.name, fields })
    };
    records.into_iter().map(side_output).collect()
}

fn row_fields(fields: &[Field]) -> Result<Vec<RowField>> {
    let field = |field: &Field| {
        Ok(RowField { name: field.name.clone(), data_type: DataType::parse(&field.sql_type)? })
    };
    fields.iter().map(field).collect()
}

fn fields(side: &str, records: Vec<FieldRecord>) -> Result<Vec<Field>> {
    if records.len() > MAX_COLUMNS {
        return Err(bad(format!("more than {MAX_COLUMNS} {side} fields")));
    }
    check_names(side, records.iter().map(|record| record.name.as_str()))?;
    let field = |record: FieldRecord| {
        DataType::parse(&record.sql_type)
            .map_err(|error| within(error, &format!("{side} field"), &record.name))?;
        Ok(Field { name: record.name, sql_type: record.sql_type })
    };
    records.into_iter().map(field).collect()
}

fn check_names<'a>(what: &str, names: impl Iterator<Item = &'a str>) -> Result<()> {
    let mut seen = BTreeSet::new();
    for name in names {
        check_text(&format!("a name of {what}"), name)?;
        if !seen.insert(name) {
            return Err(bad(format!("{what} has `{name}` twice")));
        }
    }
    Ok(())
}

fn check_text(what: &str, text: &str) -> Result<()> {
    if text.is_empty() || text.len() > MAX_TEXT_BYTES || text.chars().any(char::is_control) {
        return Err(bad(format!(
            "{what} is empty, longer than {MAX_TEXT_BYTES} bytes, or has control characters"
        )));
    }
    Ok(())
}

fn within(error: Diagnostic, what: &str, name: &str) -> Diagnostic {
    Diagnostic { message: format!("{what} `{name}`: {}", error.message), ..error }
}

fn bad(message: String) -> Diagnostic {
    Diagnostic::new(Code::BadDescriptor, message)
}
