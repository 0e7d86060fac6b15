//! The tolerant reader: a serde deserializer over the positioned tree.
//!
//! Property names and enum words are matched without regard to case, `null` means absent, a property may be repeated
//! with the same value, numbers may stand in strings, and unknown properties are warnings. An internally tagged object is
//! offered to serde as an enum, so that its `type` may stand anywhere and errors keep their place.

use std::cell::RefCell;
use std::fmt;

use flink_wasm_diagnostic::{Code, Diagnostic, Result, nearest};
use jsonc_parser::ast::{ObjectProp, Value};
use serde::de::{self, DeserializeSeed, IntoDeserializer, Visitor};

use crate::limits::MAX_OPERATIONS;
use crate::position::{ALIASES, line_and_column};
use crate::text::{parse_tree, range_of};
use crate::types::JobDefinition;

/// A job definition and what was odd about its text.
#[derive(Clone, Debug)]
pub struct Parsed {
    /// The definition.
    pub job: JobDefinition,
    /// Properties that were not understood, and the like; the job runs without them.
    pub warnings: Vec<Diagnostic>,
}

/// Reads a job definition of any FlinkDotnet generation.
///
/// Errors: FW0101 for what isn't JSON or has a wrong type, FW0102 for an unknown `type`, FW0104 for what is missing.
/// Each has line, column and, once the text is JSON, a pointer.
pub fn parse(text: &str) -> Result<Parsed> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let tree = parse_tree(text)?;
    let context = Context { text, warnings: RefCell::default() };
    let root = Node { value: &tree, pointer: String::new(), context: &context, tagged: false };
    let mut job = root.read(std::marker::PhantomData::<JobDefinition>).map_err(|error| *error.0)?;
    if job.operations.len() > MAX_OPERATIONS {
        let message =
            format!("the job has {} operations; at most {MAX_OPERATIONS} are read", job.operations.len());
        return Err(crate::place(text, Diagnostic::new(Code::MalformedJob, message).pointer("/operations")));
    }
    job.check().map_err(|diagnostic| crate::place(text, diagnostic))?;
    job.complete();
    Ok(Parsed { job, warnings: context.warnings.into_inner() })
}

struct Context<'t> {
    text: &'t str,
    warnings: RefCell<Vec<Diagnostic>>,
}

/// A value, where it stands, and whether its `type` has been read already.
struct Node<'t> {
    value: &'t Value<'t>,
    pointer: String,
    context: &'t Context<'t>,
    tagged: bool,
}

/// Boxed: serde moves errors through every level.
#[derive(Debug)]
struct ReadError(Box<Diagnostic>);

impl fmt::Display for ReadError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}

impl std::error::Error for ReadError {}

impl ReadError {
    fn new(code: Code, message: String) -> Self {
        Self(Box::new(Diagnostic::new(code, message)))
    }
}

impl de::Error for ReadError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(Code::MalformedJob, message.to_string())
    }

    fn missing_field(field: &'static str) -> Self {
        Self::new(Code::MissingPart, format!("`{field}` is missing"))
    }

    fn invalid_type(found: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::new(Code::MalformedJob, format!("expected {expected}, found {found}"))
    }
}

impl<'t> Node<'t> {
    /// Reads with a seed; an error without a place gets this node's.
    fn read<S: DeserializeSeed<'t>>(self, seed: S) -> std::result::Result<S::Value, ReadError> {
        let (pointer, offset, text) = (self.pointer.clone(), range_of(self.value).start, self.context.text);
        seed.deserialize(self).map_err(|error| located(error, pointer, offset, text))
    }

    fn child(&self, segment: &str, value: &'t Value<'t>) -> Node<'t> {
        let escaped = crate::pointer_segment(segment);
        Node { value, pointer: format!("{}/{escaped}", self.pointer), context: self.context, tagged: false }
    }

    /// Properties with repetitions removed. `find_name` gives the name under which a property is known.
    fn properties(
        &self,
        properties: &'t [ObjectProp<'t>],
        find_name: impl Fn(&str) -> String,
    ) -> std::result::Result<Vec<(String, &'t Value<'t>)>, ReadError> {
        let mut found: Vec<(String, &'t Value<'t>)> = Vec::with_capacity(properties.len());
        for property in properties {
            let name = find_name(property.name.as_str());
            match found.iter().find(|(other, _)| *other == name) {
                None => found.push((name, &property.value)),
                Some((_, other)) if same(other, &property.value) => {}
                Some(_) => {
                    let error = ReadError::new(
                        Code::MalformedJob,
                        format!("`{name}` is given twice with different values"),
                    );
                    let child = self.child(&name, &property.value);
                    return Err(located(
                        error,
                        child.pointer,
                        range_of(&property.value).start,
                        self.context.text,
                    ));
                }
            }
        }
        Ok(found)
    }

    fn warn_unknown(&self, name: &str, value: &Value<'_>, known: &[&str]) {
        let (line, column) = line_and_column(self.context.text, range_of(value).start);
        let mut warning =
            Diagnostic::new(Code::MalformedJob, format!("unknown property `{name}` is ignored"))
                .pointer(format!("{}/{}", self.pointer, crate::pointer_segment(name)))
                .at(line, column);
        if let Some(near) = nearest(name, known.iter().copied()) {
            warning = warning.help(format!("did you mean `{near}`?"));
        }
        self.context.warnings.borrow_mut().push(warning);
    }
}

fn located(mut error: ReadError, pointer: String, offset: usize, text: &str) -> ReadError {
    if error.0.location.pointer.is_none() {
        let (line, column) = line_and_column(text, offset);
        error = ReadError(Box::new(error.0.pointer(pointer).at(line, column)));
    }
    error
}

/// Equal apart from where they stand.
fn same(left: &Value<'_>, right: &Value<'_>) -> bool {
    match (left, right) {
        (Value::StringLit(l), Value::StringLit(r)) => l.value == r.value,
        (Value::NumberLit(l), Value::NumberLit(r)) => l.value == r.value,
        (Value::BooleanLit(l), Value::BooleanLit(r)) => l.value == r.value,
        (Value::NullKeyword(_), Value::NullKeyword(_)) => true,
        (Value::Array(l), Value::Array(r)) => {
            l.elements.len() == r.elements.len()
                && l.elements.iter().zip(&r.elements).all(|(l, r)| same(l, r))
        }
        (Value::Object(l), Value::Object(r)) => {
            l.properties.len() == r.properties.len()
                && l.properties
                    .iter()
                    .zip(&r.properties)
                    .all(|(l, r)| l.name.as_str() == r.name.as_str() && same(&l.value, &r.value))
        }
        _ => false,
    }
}

/// Unions that are told apart by `type`; serde's other enums are words.
const TAGGED: &[&str] = &["Source", "Operation", "Sink"];

/// Structs that may be given as a string, which then stands for an object with this one property.
const SHORT: &[(&str, &str)] = &[("OnError", "policy")];

fn not_an_object(value: &Value<'_>) -> ReadError {
    let found = match value {
        Value::NullKeyword(_) => "null",
        Value::BooleanLit(_) => "a boolean",
        Value::StringLit(_) => "a string",
        Value::NumberLit(_) => "a number",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    };
    ReadError::new(Code::MalformedJob, format!("expected an object, found {found}"))
}

/// The known name that is meant; names differ at most in case.
fn known_name(known: &[&'static str], name: &str) -> Option<&'static str> {
    known
        .iter()
        .find(|k| **k == name)
        .or_else(|| known.iter().find(|k| k.eq_ignore_ascii_case(name)))
        .copied()
}

macro_rules! integers {
    ($($method:ident $visit:ident $type:ty),*) => {
        $(fn $method<V: Visitor<'t>>(self, visitor: V) -> std::result::Result<V::Value, ReadError> {
            let text = match self.value {
                Value::NumberLit(number) => number.value,
                Value::StringLit(string) => string.value.as_ref(),
                _ => return self.deserialize_any(visitor),
            };
            match text.parse::<$type>() {
                Ok(number) => visitor.$visit(number),
                Err(_) => Err(de::Error::custom(format!(
                    "expected a whole number from {} to {}, found `{text}`", <$type>::MIN, <$type>::MAX
                ))),
            }
        })*
    };
}

impl<'t> de::Deserializer<'t> for Node<'t> {
    type Error = ReadError;

    fn deserialize_any<V: Visitor<'t>>(self, visitor: V) -> std::result::Result<V::Value, ReadError> {
        match self.value {
            Value::NullKeyword(_) => visitor.visit_unit(),
            Value::BooleanLit(boolean) => visitor.visit_bool(boolean.value),
            Value::StringLit(string) => visitor.visit_str(&string.value),
            Value::NumberLit(number) => {
                if let Ok(value) = number.value.parse::<u64>() {
                    visitor.visit_u64(value)
                } else if let Ok(value) = number.value.parse::<i64>() {
                    visitor.visit_i64(value)
                } else {
                    match number.value.parse::<f64>() {
                        Ok(value) if value.is_finite() => visitor.visit_f64(value),
                        _ => Err(de::Error::custom(format!("the number {} is out of range", number.value))),
                    }
                }
            }
            Value::Array(array) => {
                let nodes = array
                    .elements
                    .iter()
                    .enumerate()
                    .map(|(i, e)| self.child(&i.to_string(), e))
                    .collect::<Vec<_>>();
                visitor.visit_seq(Elements(nodes.into_iter()))
            }
            Value::Object(_) => self.deserialize_map(visitor),
        }
    }

    fn deserialize_option<V: Visitor<'t>>(self, visitor: V) -> std::result::Result<V::Value, ReadError> {
        match self.value {
            Value::NullKeyword(_) => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_map<V: Visitor<'t>>(self, visitor: V) -> std::result::Result<V::Value, ReadError> {
        let Value::Object(object) = self.value else { return self.deserialize_any(visitor) };
        let properties = self.properties(&object.properties, str::to_owned)?;
        let nodes = properties.into_iter().map(|(name, value)| {
            let child = self.child(&name, value);
            (name, child)
        });
        visitor.visit_map(Properties { rest: nodes.collect::<Vec<_>>().into_iter(), value: None })
    }

    fn deserialize_struct<V: Visitor<'t>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> std::result::Result<V::Value, ReadError> {
        if matches!(self.value, Value::StringLit(_))
            && let Some((_, property)) = SHORT.iter().find(|(short, _)| *short == name)
        {
            let nodes = vec![((*property).to_owned(), Node { tagged: false, ..self })];
            return visitor.visit_map(Properties { rest: nodes.into_iter(), value: None });
        }
        let Value::Object(object) = self.value else { return Err(not_an_object(self.value)) };
        let canonical = |name: &str| {
            let alias = ALIASES.iter().find(|(known, alias)| {
                fields.contains(known) && !fields.contains(alias) && name.eq_ignore_ascii_case(alias)
            });
            let name = alias.map_or(name, |(known, _)| known);
            known_name(fields, name).unwrap_or(name).to_owned()
        };
        let mut nodes = Vec::new();
        for (name, value) in self.properties(&object.properties, canonical)? {
            // The first generation writes `type` into a join's `window` too, which is of one type only.
            let tagged = self.tagged || self.pointer.ends_with("/window");
            if matches!(value, Value::NullKeyword(_)) || (tagged && name.eq_ignore_ascii_case("type")) {
                continue;
            }
            if fields.contains(&name.as_str()) {
                let child = self.child(&name, value);
                nodes.push((name, child));
            } else {
                self.warn_unknown(&name, value, fields);
            }
        }
        visitor.visit_map(Properties { rest: nodes.into_iter(), value: None })
    }

    fn deserialize_enum<V: Visitor<'t>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> std::result::Result<V::Value, ReadError> {
        let (what, word) = match self.value {
            Value::Object(object) => {
                let canonical = |name: &str| {
                    if name.eq_ignore_ascii_case("type") { "type".to_owned() } else { name.to_owned() }
                };
                let properties = self.properties(&object.properties, canonical)?;
                let tag = properties.into_iter().find(|(name, _)| name == "type").map(|(_, value)| value);
                let Some(tag) = tag else { return Err(de::Error::missing_field("type")) };
                (Code::UnknownType, self.child("type", tag))
            }
            other if TAGGED.contains(&name) => return Err(not_an_object(other)),
            _ => (
                Code::MalformedJob,
                Node {
                    value: self.value,
                    pointer: self.pointer.clone(),
                    context: self.context,
                    tagged: false,
                },
            ),
        };
        let place = (word.pointer.clone(), range_of(word.value).start, self.context.text);
        let text = word.read(std::marker::PhantomData::<String>)?;
        let Some(variant) = known_name(variants, &text) else {
            let title = name.to_lowercase();
            let message = match what {
                Code::UnknownType => format!("unknown {title} type `{text}`"),
                _ => format!("`{text}` is none of {}", variants.join(", ")),
            };
            let mut error = Diagnostic::new(what, message);
            error = match nearest(&text, variants.iter().copied()) {
                Some(near) => error.help(format!("did you mean `{near}`?")),
                None if what == Code::UnknownType => {
                    error.note(format!("known types: {}", variants.join(", ")))
                }
                None => error,
            };
            return Err(located(ReadError(Box::new(error)), place.0, place.1, place.2));
        };
        visitor.visit_enum(Variant { name: variant, node: Node { tagged: true, ..self } })
    }

    integers! {
        deserialize_i32 visit_i32 i32, deserialize_i64 visit_i64 i64,
        deserialize_u32 visit_u32 u32, deserialize_u64 visit_u64 u64
    }

    serde::forward_to_deserialize_any! {
        <W: Visitor<'t>>
        bool i8 i16 u8 u16 f32 f64 char str string bytes byte_buf unit unit_struct newtype_struct seq tuple
        tuple_struct identifier ignored_any
    }
}

struct Elements<'t>(std::vec::IntoIter<Node<'t>>);

impl<'t> de::SeqAccess<'t> for Elements<'t> {
    type Error = ReadError;

    fn next_element_seed<S: DeserializeSeed<'t>>(
        &mut self,
        seed: S,
    ) -> std::result::Result<Option<S::Value>, ReadError> {
        self.0.next().map(|node| node.read(seed)).transpose()
    }
}

struct Properties<'t> {
    rest: std::vec::IntoIter<(String, Node<'t>)>,
    value: Option<Node<'t>>,
}

impl<'t> de::MapAccess<'t> for Properties<'t> {
    type Error = ReadError;

    fn next_key_seed<S: DeserializeSeed<'t>>(
        &mut self,
        seed: S,
    ) -> std::result::Result<Option<S::Value>, ReadError> {
        let Some((name, node)) = self.rest.next() else { return Ok(None) };
        self.value = Some(node);
        seed.deserialize(name.into_deserializer()).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'t>>(
        &mut self,
        seed: S,
    ) -> std::result::Result<S::Value, ReadError> {
        match self.value.take() {
            Some(node) => node.read(seed),
            None => Err(de::Error::custom("a value was asked for before its name")),
        }
    }
}

struct Variant<'t> {
    name: &'static str,
    node: Node<'t>,
}

impl<'t> de::EnumAccess<'t> for Variant<'t> {
    type Error = ReadError;
    type Variant = Node<'t>;

    fn variant_seed<S: DeserializeSeed<'t>>(
        self,
        seed: S,
    ) -> std::result::Result<(S::Value, Node<'t>), ReadError> {
        let name: de::value::StrDeserializer<'_, ReadError> = self.name.into_deserializer();
        Ok((seed.deserialize(name)?, self.node))
    }
}

impl<'t> de::VariantAccess<'t> for Node<'t> {
    type Error = ReadError;

    fn unit_variant(self) -> std::result::Result<(), ReadError> {
        Ok(())
    }

    fn newtype_variant_seed<S: DeserializeSeed<'t>>(
        self,
        seed: S,
    ) -> std::result::Result<S::Value, ReadError> {
        self.read(seed)
    }

    fn tuple_variant<V: Visitor<'t>>(self, _: usize, visitor: V) -> std::result::Result<V::Value, ReadError> {
        de::Deserializer::deserialize_any(self, visitor)
    }

    fn struct_variant<V: Visitor<'t>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> std::result::Result<V::Value, ReadError> {
        de::Deserializer::deserialize_struct(self, "", fields, visitor)
    }
}
