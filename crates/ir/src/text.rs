//! JSON text to a tree in which every value has its byte range.

use flink_wasm_diagnostic::{Code, Diagnostic, Result};
use jsonc_parser::ast::Value;
use jsonc_parser::errors::ParseErrorKind;
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};

use crate::limits::{MAX_DEPTH, MAX_JOB_BYTES};
use crate::position::line_and_column;

/// Parses strict JSON (RFC 8259). A byte order mark is not part of the text: strip it before.
pub(crate) fn parse_tree(text: &str) -> Result<Value<'_>> {
    if text.len() > MAX_JOB_BYTES {
        return Err(Diagnostic::new(
            Code::MalformedJob,
            format!("the job definition has {} bytes; at most {MAX_JOB_BYTES} are read", text.len()),
        ));
    }
    let strict = ParseOptions {
        allow_comments: false,
        allow_loose_object_property_names: false,
        allow_trailing_commas: false,
        allow_missing_commas: false,
        allow_single_quoted_strings: false,
        allow_hexadecimal_numbers: false,
        allow_unary_plus_numbers: false,
        allow_bare_decimal_point_numbers: false,
        allow_non_finite_numbers: false,
        allow_extended_string_escapes: false,
    };
    let at = |offset: usize, message: String| {
        let (line, column) = line_and_column(text, offset);
        Diagnostic::new(Code::MalformedJob, message).at(line, column)
    };
    let parsed =
        parse_to_ast(text, &CollectOptions::default(), &strict).map_err(|error| match error.kind() {
            ParseErrorKind::NestingDepthExceeded => at(error.range().start, too_deep_message()),
            kind => at(error.range().start, format!("not JSON: {}", lower_first(&kind.to_string()))),
        })?;
    let value = parsed.value.ok_or_else(|| at(text.len(), "not JSON: the file is empty".into()))?;
    if let Some(offset) = too_deep(&value, MAX_DEPTH) {
        return Err(at(offset, too_deep_message()));
    }
    Ok(value)
}

fn too_deep_message() -> String {
    format!("objects and arrays are nested deeper than {MAX_DEPTH}")
}

fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_lowercase().chain(chars).collect()).unwrap_or_default()
}

/// Byte offset of the first value that lies deeper than `left` levels. The parser itself stops at 512.
fn too_deep(value: &Value<'_>, left: usize) -> Option<usize> {
    match value {
        Value::Object(object) if left == 0 => Some(object.range.start),
        Value::Array(array) if left == 0 => Some(array.range.start),
        Value::Object(object) => object.properties.iter().find_map(|p| too_deep(&p.value, left - 1)),
        Value::Array(array) => array.elements.iter().find_map(|e| too_deep(e, left - 1)),
        _ => None,
    }
}

/// Byte range of a value, quotes of strings included.
pub(crate) fn range_of(value: &Value<'_>) -> std::ops::Range<usize> {
    use jsonc_parser::common::Ranged;
    let range = value.range();
    range.start..range.end
}
