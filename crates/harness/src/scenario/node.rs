//! A JSON value that knows where it stands, so that what is wrong with it can be shown there.

use flink_wasm_diagnostic::{Code, Diagnostic, Result, nearest};
use flink_wasm_ir::pointer_segment;
use flink_wasm_protocol::json::parse_timestamp_millis;
use serde_json::{Map, Value};

/// A value and its JSON pointer.
#[derive(Clone)]
pub(super) struct Node<'t> {
    pub(super) value: &'t Value,
    pub(super) pointer: String,
}

impl<'t> Node<'t> {
    pub(super) fn error(&self, message: impl Into<String>) -> Diagnostic {
        Diagnostic::new(Code::MalformedJob, message).pointer(self.pointer.clone())
    }

    /// Gives an error this place, unless it has one.
    pub(super) fn place(&self, error: Diagnostic) -> Diagnostic {
        if error.location.pointer.is_some() { error } else { error.pointer(self.pointer.clone()) }
    }

    fn expected(&self, what: &str) -> Diagnostic {
        let found = match self.value {
            Value::Null => "null",
            Value::Bool(_) => "a boolean",
            Value::Number(_) => "a number",
            Value::String(_) => "a string",
            Value::Array(_) => "a list",
            Value::Object(_) => "an object",
        };
        self.error(format!("expected {what}, found {found}"))
    }

    pub(super) fn child(&self, segment: &str, value: &'t Value) -> Node<'t> {
        Node { value, pointer: format!("{}/{}", self.pointer, pointer_segment(segment)) }
    }

    pub(super) fn object(&self) -> Result<&'t Map<String, Value>> {
        self.value.as_object().ok_or_else(|| self.expected("an object"))
    }

    /// An object that has no other properties than these.
    pub(super) fn object_of(&self, known: &[&str]) -> Result<&'t Map<String, Value>> {
        let object = self.object()?;
        match object.iter().find(|(name, _)| !known.contains(&name.as_str())) {
            Some((name, value)) => {
                Err(unknown_property(&self.child(name, value), name, known.iter().copied()))
            }
            None => Ok(object),
        }
    }

    pub(super) fn properties(&self) -> Result<Vec<(&'t str, Node<'t>)>> {
        let entries = self.object()?.iter();
        Ok(entries.map(|(name, value)| (name.as_str(), self.child(name, value))).collect())
    }

    /// A property that may be absent.
    pub(super) fn get(&self, name: &str) -> Option<Node<'t>> {
        self.value.get(name).map(|value| self.child(name, value))
    }

    pub(super) fn require(&self, name: &str) -> Result<Node<'t>> {
        self.get(name).ok_or_else(|| self.error(format!("`{name}` is missing")))
    }

    pub(super) fn list(&self) -> Result<Vec<Node<'t>>> {
        let elements = self.value.as_array().ok_or_else(|| self.expected("a list"))?.iter().enumerate();
        Ok(elements.map(|(index, value)| self.child(&index.to_string(), value)).collect())
    }

    pub(super) fn text(&self) -> Result<&'t str> {
        self.value.as_str().ok_or_else(|| self.expected("a string"))
    }

    pub(super) fn count(&self) -> Result<u32> {
        let number = self.value.as_u64().and_then(|number| u32::try_from(number).ok());
        number.ok_or_else(|| self.expected("a whole number"))
    }

    pub(super) fn number(&self) -> Result<f64> {
        self.value.as_f64().ok_or_else(|| self.expected("a number"))
    }

    /// Milliseconds since the epoch: a number, or text such as `2026-01-31T12:34:56.789Z`.
    pub(super) fn timestamp(&self) -> Result<i64> {
        let read = match self.value {
            Value::String(text) => text.strip_suffix('Z').and_then(parse_timestamp_millis),
            other => other.as_i64(),
        };
        read.ok_or_else(|| {
            self.error(format!(
                "expected a time: milliseconds, or text such as \"2026-01-31T12:34:56.789Z\", found {}",
                self.value
            ))
        })
    }

    pub(super) fn is_true(&self) -> Result<()> {
        if self.value == &Value::Bool(true) { Ok(()) } else { Err(self.expected("`true`")) }
    }
}

/// Names a property that nobody knows, and the one that may have been meant.
pub(super) fn unknown_property<'a>(
    node: &Node<'_>,
    name: &str,
    known: impl Iterator<Item = &'a str> + Clone,
) -> Diagnostic {
    let error = node.error(format!("unknown property `{name}`"));
    match nearest(name, known.clone()) {
        Some(name) => error.help(format!("did you mean `{name}`?")),
        None => error.note(format!("known here: {}", known.collect::<Vec<_>>().join(", "))),
    }
}
