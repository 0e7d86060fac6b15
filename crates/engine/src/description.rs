//! What a component says of itself.

use std::collections::BTreeSet;

use flink_wasm_diagnostic::{Code, Diagnostic, Result};
use flink_wasm_protocol::handshake::FunctionKind;
use flink_wasm_protocol::limits::MAX_COLUMNS;
use flink_wasm_protocol::schema::{DataType, RowField};
use serde::{Deserialize, Serialize};

use crate::abi::{FieldRecord, FunctionRecord, Kind};

/// Parameters of a function: more would be a configuration file.
const MAX_PARAMETERS: usize = 256;
/// Bytes of a name, version or default.
const MAX_TEXT_BYTES: usize = 4 << 10;

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
        };
        check_text("the function's name", &record.name)?;
        check_text("the function's version", &record.version)?;
        let input = fields("input", record.input)?;
        let output = fields("output", record.output)?;
        match (kind, output.is_empty()) {
            (FunctionKind::Map, true) => return Err(bad("a map function without output fields".into())),
            (FunctionKind::Filter, false) => return Err(bad("a filter function with output fields".into())),
            _ => {}
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
