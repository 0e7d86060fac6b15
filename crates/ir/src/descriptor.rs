//! What a component says of itself, as JSON: the same record as `descriptor.function` in `wit/descriptor.wit`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a function does with a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum FunctionKind {
    /// One row in, one row out.
    Map,
    /// One row in, yes or no out.
    Filter,
    /// Rows of a key in, any number of rows out, with state and timers.
    Process,
}

impl FunctionKind {
    /// The kind as the descriptor and the plan write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Map => "map",
            Self::Filter => "filter",
            Self::Process => "process",
        }
    }
}

/// A field of a function's input or output row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Field {
    /// The field's name; matched to columns with regard to case.
    pub name: String,
    /// Flink SQL type, such as `BIGINT NOT NULL`.
    #[serde(rename = "type")]
    pub sql_type: String,
}

/// A parameter that the job gives to a function.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Parameter {
    /// The parameter's name.
    pub name: String,
    /// Flink SQL type, such as `DOUBLE NOT NULL`.
    #[serde(rename = "type")]
    pub sql_type: String,
    /// The value when the job gives none; absent when the job must give one.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub default: Option<serde_json::Value>,
    /// For people.
    #[serde(default)]
    pub description: String,
}

/// How a state holds the values of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum StateKind {
    /// One value.
    Value,
    /// One value, which the function combines with what comes.
    Reducing,
    /// A list of values.
    List,
    /// Values by map key.
    Map,
}

impl StateKind {
    /// The kind as the descriptor and the plan write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Value => "value",
            Self::Reducing => "reducing",
            Self::List => "list",
            Self::Map => "map",
        }
    }
}

/// Keyed state of a process function.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct State {
    /// The state's name, also in savepoints.
    pub name: String,
    /// How it holds the values of a key.
    pub kind: StateKind,
    /// The type of a value and its encoding, such as `v1:i64`.
    pub schema: String,
    /// Time to live after the last write, in milliseconds; for ever when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl_ms: Option<u64>,
}

/// Rows beside the main output of a process function.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SideOutput {
    /// The side output's name.
    pub name: String,
    /// Fields of its rows.
    pub fields: Vec<Field>,
}

/// What a component says of its function.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FunctionDescriptor {
    /// The function's own name; a job may call it by another.
    pub name: String,
    /// Version of the function.
    pub version: String,
    /// What it does with a row.
    pub kind: FunctionKind,
    /// For people.
    #[serde(default)]
    pub description: String,
    /// Fields of the input row.
    pub input: Vec<Field>,
    /// Fields of the output row; empty for a filter.
    #[serde(default)]
    pub output: Vec<Field>,
    /// Parameters that a job may or must give.
    #[serde(default)]
    pub parameters: Vec<Parameter>,
    /// Process function: the key that it reads, by position in the job's `groupBy`; empty when it reads none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub key: Vec<Field>,
    /// Process function: its keyed state.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub states: Vec<State>,
    /// Process function: its side outputs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub side_outputs: Vec<SideOutput>,
    /// Process function: whether it may register timers.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub timers: bool,
}

/// A default of `null` is a default: only an absent property is none.
fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<serde_json::Value>, D::Error> {
    serde_json::Value::deserialize(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_null_default_is_a_default() {
        for text in [
            r#"{"name":"a","type":"INT","default":null,"description":""}"#,
            r#"{"name":"a","type":"INT","default":3,"description":"of use"}"#,
            r#"{"name":"a","type":"INT","description":""}"#,
        ] {
            let parameter: Parameter = serde_json::from_str(text).unwrap();
            assert_eq!(serde_json::to_string(&parameter).unwrap(), text);
        }
    }

    #[test]
    fn parts_of_process_functions_are_left_out_of_others() {
        for text in [
            r#"{"name":"f","version":"1","kind":"map","description":"","input":[],"output":[],"parameters":[]}"#,
            r#"{"name":"f","version":"1","kind":"process","description":"","input":[],"output":[],"parameters":[],"key":[{"name":"id","type":"BIGINT NOT NULL"}],"states":[{"name":"sum","kind":"value","schema":"v1:i64","ttlMs":5},{"name":"seen","kind":"map","schema":"v1:map<i64,string>"}],"sideOutputs":[{"name":"late","fields":[]}],"timers":true}"#,
        ] {
            let descriptor: FunctionDescriptor = serde_json::from_str(text).unwrap();
            assert_eq!(serde_json::to_string(&descriptor).unwrap(), text);
        }
    }
}
