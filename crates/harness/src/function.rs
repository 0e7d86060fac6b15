//! What the harness must know of a function: the part of its descriptor that the operator knows too.

use flink_wasm_diagnostic::{Code, Diagnostic, Result, nearest};
use flink_wasm_protocol::handshake as wire;
use flink_wasm_protocol::handshake::{FunctionKind, Limits, OnError, Open, RateLimiter, State};
use flink_wasm_protocol::schema::RowField;
use flink_wasm_protocol::{BatchView, Cell, DataType, json};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::state::Key;

/// A process function, from the outside.
#[derive(Clone, Debug, PartialEq)]
pub struct Function {
    /// Its name.
    pub name: String,
    /// Fields of the rows that it takes.
    pub input: Vec<RowField>,
    /// Fields of the main output.
    pub output: Vec<RowField>,
    /// The side outputs.
    pub side_outputs: Vec<SideOutput>,
    /// Fields of the key that it reads; empty when it reads none.
    pub key: Vec<RowField>,
    /// Its states.
    pub states: Vec<State>,
}

/// A side output.
#[derive(Clone, Debug, PartialEq)]
pub struct SideOutput {
    /// Its name.
    pub name: String,
    /// Its fields.
    pub fields: Vec<RowField>,
}

/// The name by which the main output is asked for.
pub const MAIN_OUTPUT: &str = "output";

/// What a job says of a function.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Parameter values; the function has defaults for the others only when the caller filled them in.
    pub parameters: Map<String, Value>,
    /// The input columns by which rows are grouped; empty: those that are named as the fields of the function's key.
    pub key: Vec<String>,
    /// What becomes of rows that fail.
    pub on_error: OnError,
    /// What the function may ask for permits.
    pub rate_limiters: Vec<RateLimiter>,
    /// What the instance may use.
    pub limits: Limits,
    /// Rows of a bundle at most. Answers do not depend on it.
    pub bundle_rows: usize,
}

/// Rows of a bundle as in the operator.
pub const DEFAULT_BUNDLE_ROWS: usize = 1000;

impl Default for Settings {
    fn default() -> Self {
        Self {
            parameters: Map::new(),
            key: Vec::new(),
            on_error: OnError::default(),
            rate_limiters: Vec::new(),
            limits: Limits::default(),
            bundle_rows: DEFAULT_BUNDLE_ROWS,
        }
    }
}

/// The part of a descriptor's JSON that is read here; bundles and job definitions hold the same.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DescriptorRecord {
    name: String,
    input: Vec<FieldRecord>,
    #[serde(default)]
    output: Vec<FieldRecord>,
    #[serde(default)]
    key: Vec<FieldRecord>,
    #[serde(default)]
    states: Vec<State>,
    #[serde(default)]
    side_outputs: Vec<SideOutputRecord>,
}

#[derive(Deserialize)]
struct FieldRecord {
    name: String,
    #[serde(rename = "type")]
    sql_type: String,
}

#[derive(Deserialize)]
struct SideOutputRecord {
    name: String,
    fields: Vec<FieldRecord>,
}

impl Function {
    /// From the JSON of a descriptor. FW0309 when it is malformed.
    pub fn from_descriptor(descriptor: &Value) -> Result<Self> {
        let record: DescriptorRecord = serde_json::from_value(descriptor.clone())
            .map_err(|error| Diagnostic::new(Code::BadDescriptor, format!("a descriptor: {error}")))?;
        let fields = |records: Vec<FieldRecord>| {
            let field = |record: FieldRecord| {
                Ok(RowField { name: record.name, data_type: DataType::parse(&record.sql_type)? })
            };
            records.into_iter().map(field).collect::<Result<Vec<_>>>()
        };
        let side_output =
            |record: SideOutputRecord| Ok(SideOutput { name: record.name, fields: fields(record.fields)? });
        Ok(Self {
            name: record.name,
            input: fields(record.input)?,
            output: fields(record.output)?,
            side_outputs: record.side_outputs.into_iter().map(side_output).collect::<Result<_>>()?,
            key: fields(record.key)?,
            states: record.states,
        })
    }

    /// The index of an output: 0 is the main one.
    pub fn output_index(&self, name: &str) -> Result<usize> {
        if name == MAIN_OUTPUT {
            return Ok(0);
        }
        let names = || self.side_outputs.iter().map(|output| output.name.as_str());
        names()
            .position(|known| known == name)
            .map(|index| index + 1)
            .ok_or_else(|| unknown("output", name, [MAIN_OUTPUT].into_iter().chain(names())))
    }

    /// The names of all outputs, in the order of their indices.
    pub fn output_names(&self) -> impl Iterator<Item = &str> {
        [MAIN_OUTPUT].into_iter().chain(self.side_outputs.iter().map(|output| output.name.as_str()))
    }

    /// The fields of an output.
    pub fn output_fields(&self, index: usize) -> &[RowField] {
        match index {
            0 => &self.output,
            index => &self.side_outputs[index - 1].fields,
        }
    }

    /// The index of a state.
    pub fn state_index(&self, name: &str) -> Result<usize> {
        self.states
            .iter()
            .position(|state| state.name == name)
            .ok_or_else(|| unknown("state", name, self.states.iter().map(|state| state.name.as_str())))
    }

    /// The cells of an input row.
    pub(crate) fn input_cells(&self, row: &Value) -> Result<Vec<Cell>> {
        let batch = json::rows_to_batch(&self.input, std::slice::from_ref(row))
            .map_err(|error| in_row(error, "the row"))?;
        let schema = json::schema_of(&self.input)?;
        Ok(BatchView::parse(&schema, &batch)?.row(&schema, 0))
    }

    /// OPEN, but for the component's digest, which the executor knows.
    pub fn open(&self, settings: &Settings) -> Open {
        let types = |fields: &[RowField]| fields.iter().map(|field| field.data_type.to_string()).collect();
        Open {
            function: self.name.clone(),
            component: String::new(),
            kind: FunctionKind::Process,
            parameters: settings.parameters.clone(),
            input: types(&self.input),
            output: types(&self.output),
            limits: settings.limits,
            key: types(&self.key),
            states: self.states.clone(),
            side_outputs: self
                .side_outputs
                .iter()
                .map(|output| wire::SideOutput { name: output.name.clone(), types: types(&output.fields) })
                .collect(),
            on_error: settings.on_error,
            rate_limiters: settings.rate_limiters.clone(),
        }
    }
}

pub(crate) fn unknown<'a>(
    what: &str,
    name: &str,
    known: impl Iterator<Item = &'a str> + Clone,
) -> Diagnostic {
    let listed = known.clone().collect::<Vec<_>>().join(", ");
    let diagnostic = Diagnostic::new(Code::MalformedJob, format!("there is no {what} `{name}`"));
    match nearest(name, known) {
        Some(name) => diagnostic.help(format!("did you mean `{name}`?")),
        None if listed.is_empty() => diagnostic.note(format!("the function has no {what}")),
        None => diagnostic.note(format!("the function has: {listed}")),
    }
}

/// How rows are grouped: the columns that make a key, and their types.
#[derive(Clone, Debug)]
pub(crate) struct Grouping {
    /// Columns of the input; `None` when rows come with their keys.
    columns: Option<Vec<String>>,
    /// Names as the function knows them, and the types that it reads; the input's own when it reads no key.
    pub(crate) fields: Vec<RowField>,
}

impl Grouping {
    pub(crate) fn new(function: &Function, settings: &Settings) -> Result<Self> {
        let names = || function.input.iter().map(|field| field.name.as_str());
        if settings.key.is_empty() {
            if function.key.is_empty() {
                return Err(Diagnostic::new(Code::MissingKey, "the rows have no key").help(
                    "the function reads none, so name the columns by which the job groups: `\"key\": [\"..\"]`",
                ));
            }
            let columns: Vec<String> = function.key.iter().map(|field| field.name.clone()).collect();
            let are_there = columns.iter().all(|column| names().any(|name| name == column));
            return Ok(Self { columns: are_there.then_some(columns), fields: function.key.clone() });
        }
        let mut fields = Vec::new();
        for column in &settings.key {
            let field = function.input.iter().find(|field| field.name == *column);
            fields.push(field.cloned().ok_or_else(|| {
                let error =
                    Diagnostic::new(Code::UnknownColumn, format!("the input has no key column `{column}`"));
                match nearest(column, names()) {
                    Some(name) => error.help(format!("did you mean `{name}`?")),
                    None => error.note(format!("columns: {}", names().collect::<Vec<_>>().join(", "))),
                }
            })?);
        }
        if !function.key.is_empty() {
            if function.key.len() != fields.len() {
                return Err(Diagnostic::new(
                    Code::TypeMismatch,
                    format!(
                        "the function reads a key of {} columns, rows are grouped by {}",
                        function.key.len(),
                        fields.len()
                    ),
                ));
            }
            fields = function.key.clone();
        }
        Ok(Self { columns: Some(settings.key.clone()), fields })
    }

    /// The key as the function knows it, whatever the job groups by.
    pub(crate) fn of_function(function: &Function) -> Self {
        Self { columns: None, fields: function.key.clone() }
    }

    /// The key of a row.
    pub(crate) fn of_row(&self, row: &Value) -> Result<Key> {
        let Some(columns) = &self.columns else {
            let names = self.fields.iter().map(|field| field.name.as_str()).collect::<Vec<_>>().join(", ");
            return Err(Diagnostic::new(
                Code::MissingKey,
                format!("the row does not hold the key ({names})"),
            )
            .help("name the columns of the input that are the key, or give a key with each row"));
        };
        let values: Vec<Value> =
            columns.iter().map(|column| row.get(column).cloned().unwrap_or(Value::Null)).collect();
        self.of_values(&values)
    }

    /// The key of these values.
    pub(crate) fn of_values(&self, values: &[Value]) -> Result<Key> {
        if values.len() != self.fields.len() {
            return Err(Diagnostic::new(
                Code::SchemaViolated,
                format!("a key of {} values, it has {}", values.len(), self.fields.len()),
            ));
        }
        let row: Map<String, Value> =
            self.fields.iter().map(|field| field.name.clone()).zip(values.iter().cloned()).collect();
        json::rows_to_batch(&self.fields, &[Value::Object(row)]).map_err(|error| in_row(error, "the key"))
    }

    /// The cells of a key.
    pub(crate) fn cells(&self, key: &[u8]) -> Result<Vec<Cell>> {
        let schema = json::schema_of(&self.fields)?;
        Ok(BatchView::parse(&schema, key)?.row(&schema, 0))
    }

    /// A key as an object of the columns by which rows are grouped.
    pub(crate) fn to_json(&self, key: &[u8]) -> Result<Value> {
        let names = match &self.columns {
            Some(columns) => columns.clone(),
            None => self.fields.iter().map(|field| field.name.clone()).collect(),
        };
        let values = json::cells_to_row(&self.fields, &self.cells(key)?);
        let values = values.as_object().into_iter().flat_map(Map::values).cloned();
        Ok(names.into_iter().zip(values).collect::<Map<_, _>>().into())
    }
}

/// Says of what kind of row an error of [`json::rows_to_batch`] tells: it was given a single one.
pub(crate) fn in_row(error: Diagnostic, what: &str) -> Diagnostic {
    let message = error.message.strip_prefix("row 0").map(|rest| format!("{what}{rest}"));
    Diagnostic { message: message.unwrap_or_else(|| error.message.clone()), ..error }
}
