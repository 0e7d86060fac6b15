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
}

impl FunctionKind {
    /// The kind as the descriptor and the plan write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Map => "map",
            Self::Filter => "filter",
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

/// What a component says of its function.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
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
}
