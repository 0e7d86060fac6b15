//! Parameters: values that a job gives to a function once, before the first row.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::Decimal;
use crate::cell::declare;

/// A parameter, as the descriptor tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// Its name in the job definition.
    pub name: String,
    /// Such as `DOUBLE NOT NULL`.
    pub sql_type: String,
    /// JSON; `None` when the job must give a value.
    pub default_json: Option<String>,
    /// For people.
    pub description: String,
}

/// A struct of parameters: `#[derive(Parameters)]`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a struct of parameters",
    note = "put `#[derive(Parameters)]` on it; a function's row comes first and is taken by value"
)]
pub trait Parameters: Sized {
    /// Names, types, defaults and descriptions.
    fn describe() -> Vec<Parameter>;

    /// Reads the values from a JSON object, and fills defaults in.
    ///
    /// # Errors
    /// A text that names the parameter: unknown, missing, or of the wrong type.
    fn from_json(values: &str) -> Result<Self, String>;
}

/// No parameters. Nothing is read: the host has checked that none is given.
impl Parameters for () {
    fn describe() -> Vec<Parameter> {
        Vec::new()
    }

    fn from_json(_values: &str) -> Result<Self, String> {
        Ok(())
    }
}

/// A type that a parameter can have.
#[diagnostic::on_unimplemented(
    message = "a parameter can't have the type `{Self}`",
    note = "parameters are `bool`, signed integers, floats, `String`, `Decimal`, and `Option`, `Vec` or `BTreeMap<String, _>` of these"
)]
pub trait ParameterType: Sized {
    /// Whether `null` is a value.
    const NULLABLE: bool = false;

    /// The SQL type without `NOT NULL`.
    fn sql_type() -> String;

    /// Reads a value, or says what was expected.
    ///
    /// # Errors
    /// What was expected, such as `a number`.
    fn from_value(value: Value) -> Result<Self, String>;

    /// The value as JSON.
    fn to_value(&self) -> Value;

    /// The SQL type, with `NOT NULL` unless `null` is a value.
    fn declared_type() -> String {
        declare(Self::sql_type(), Self::NULLABLE)
    }
}

macro_rules! integer {
    ($($rust:ty, $sql:literal;)*) => {$(
        impl ParameterType for $rust {
            fn sql_type() -> String {
                $sql.into()
            }

            fn from_value(value: Value) -> Result<Self, String> {
                let number = value.as_i64().and_then(|number| number.try_into().ok());
                number.ok_or_else(|| concat!("a whole number that fits ", $sql).into())
            }

            fn to_value(&self) -> Value {
                (*self).into()
            }
        }
    )*};
}

integer! {
    i8, "TINYINT";
    i16, "SMALLINT";
    i32, "INT";
    i64, "BIGINT";
}

impl ParameterType for bool {
    fn sql_type() -> String {
        "BOOLEAN".into()
    }

    fn from_value(value: Value) -> Result<Self, String> {
        value.as_bool().ok_or_else(|| "true or false".into())
    }

    fn to_value(&self) -> Value {
        (*self).into()
    }
}

impl ParameterType for f64 {
    fn sql_type() -> String {
        "DOUBLE".into()
    }

    fn from_value(value: Value) -> Result<Self, String> {
        value.as_f64().ok_or_else(|| "a number".into())
    }

    fn to_value(&self) -> Value {
        (*self).into()
    }
}

impl ParameterType for f32 {
    fn sql_type() -> String {
        "FLOAT".into()
    }

    fn from_value(value: Value) -> Result<Self, String> {
        f64::from_value(value).map(|number| number as f32)
    }

    fn to_value(&self) -> Value {
        (*self).into()
    }
}

impl ParameterType for String {
    fn sql_type() -> String {
        "STRING".into()
    }

    fn from_value(value: Value) -> Result<Self, String> {
        if let Value::String(text) = value { Ok(text) } else { Err("a string".into()) }
    }

    fn to_value(&self) -> Value {
        self.as_str().into()
    }
}

/// Given as a string, or as a number.
impl<const P: u8, const S: u8> ParameterType for Decimal<P, S> {
    fn sql_type() -> String {
        format!("DECIMAL({P}, {S})")
    }

    fn from_value(value: Value) -> Result<Self, String> {
        let parsed = match &value {
            Value::String(text) => text.parse().ok(),
            Value::Number(number) => number.to_string().parse().ok(),
            _ => None,
        };
        parsed.ok_or_else(|| format!("a number that fits {}", Self::sql_type()))
    }

    fn to_value(&self) -> Value {
        self.to_string().into()
    }
}

impl<T: ParameterType> ParameterType for Option<T> {
    const NULLABLE: bool = true;

    fn sql_type() -> String {
        T::sql_type()
    }

    fn from_value(value: Value) -> Result<Self, String> {
        if value.is_null() { Ok(None) } else { T::from_value(value).map(Some) }
    }

    fn to_value(&self) -> Value {
        self.as_ref().map_or(Value::Null, T::to_value)
    }
}

impl<T: ParameterType> ParameterType for Vec<T> {
    fn sql_type() -> String {
        format!("ARRAY<{}>", T::declared_type())
    }

    fn from_value(value: Value) -> Result<Self, String> {
        let Value::Array(elements) = value else { return Err("an array".into()) };
        elements.into_iter().map(T::from_value).collect()
    }

    fn to_value(&self) -> Value {
        self.iter().map(T::to_value).collect()
    }
}

impl<T: ParameterType> ParameterType for BTreeMap<String, T> {
    fn sql_type() -> String {
        format!("MAP<STRING NOT NULL, {}>", T::declared_type())
    }

    fn from_value(value: Value) -> Result<Self, String> {
        let Value::Object(entries) = value else { return Err("an object".into()) };
        entries.into_iter().map(|(key, value)| Ok((key, T::from_value(value)?))).collect()
    }

    fn to_value(&self) -> Value {
        self.iter().map(|(key, value)| (key.clone(), value.to_value())).collect()
    }
}

/// A JSON object while `#[derive(Parameters)]` takes values out of it.
pub struct Values(serde_json::Map<String, Value>);

impl Values {
    /// Parses an object; an empty text is an empty object.
    ///
    /// # Errors
    /// When the text is no JSON object.
    pub fn parse(text: &str) -> Result<Self, String> {
        match serde_json::from_str(if text.is_empty() { "{}" } else { text }) {
            Ok(Value::Object(values)) => Ok(Self(values)),
            Ok(_) => Err("the parameters are not a JSON object".into()),
            Err(error) => Err(format!("the parameters are not JSON: {error}")),
        }
    }

    /// Takes a parameter out.
    ///
    /// # Errors
    /// When it is of the wrong type, or missing without a default.
    pub fn take<T: ParameterType>(&mut self, name: &str, default: Option<fn() -> T>) -> Result<T, String> {
        match (self.0.remove(name), default) {
            (Some(value), _) => {
                let found = value.to_string();
                T::from_value(value)
                    .map_err(|expected| format!("parameter `{name}`: expected {expected}, found {found}"))
            }
            (None, Some(default)) => Ok(default()),
            (None, None) => T::from_value(Value::Null).map_err(|_| format!("parameter `{name}` is missing")),
        }
    }

    /// Ends the taking.
    ///
    /// # Errors
    /// When a parameter is left that nobody knows.
    pub fn finish(self) -> Result<(), String> {
        match self.0.keys().next() {
            Some(name) => Err(format!("unknown parameter `{name}`")),
            None => Ok(()),
        }
    }
}

/// What the descriptor tells of one parameter.
pub fn describe<T: ParameterType>(name: &str, description: &str, default: Option<fn() -> T>) -> Parameter {
    let default_json = match default {
        Some(default) => Some(default().to_value().to_string()),
        None if T::NULLABLE => Some("null".into()),
        None => None,
    };
    Parameter {
        name: name.into(),
        sql_type: T::declared_type(),
        default_json,
        description: description.into(),
    }
}
