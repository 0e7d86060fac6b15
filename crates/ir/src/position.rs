//! From a JSON pointer, and a byte range inside the string there, to line and column in the text.

use flink_wasm_diagnostic::Diagnostic;
use jsonc_parser::ast::Value;

use crate::text::{parse_tree, range_of};

/// A property's name as a segment of a JSON pointer (RFC 6901, section 3).
pub fn pointer_segment(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// Property names that are read as others; a pointer names the canonical one.
pub(crate) const ALIASES: &[(&str, &str)] = &[("expression", "function"), ("processType", "function")];

/// Line and column (in characters), both counted from 1, of the value that `pointer` names, or of the byte `span.0`
/// of the string there. When the value itself is absent, its nearest ancestor is meant. `None` if `text` isn't JSON.
pub fn locate(text: &str, pointer: &str, span: Option<(u32, u32)>) -> Option<(u32, u32)> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let tree = parse_tree(text).ok()?;
    let mut value = &tree;
    let mut exact = true;
    for segment in pointer.split('/').skip(1) {
        let segment = segment.replace("~1", "/").replace("~0", "~");
        match child(value, &segment) {
            Some(found) => value = found,
            None => {
                exact = false;
                break;
            }
        }
    }
    let range = range_of(value);
    let offset = match (value, span) {
        (Value::StringLit(_), Some((start, _))) if exact => {
            range.start + 1 + raw_offset(&text[range.start + 1..range.end - 1], start as usize)
        }
        _ => range.start,
    };
    Some(line_and_column(text, offset))
}

/// Fills in line and column of a diagnostic that has a pointer and no position yet.
pub fn place(text: &str, diagnostic: Diagnostic) -> Diagnostic {
    let location = &diagnostic.location;
    match (&location.pointer, location.line) {
        (Some(pointer), None) => match locate(text, pointer, location.span) {
            Some((line, column)) => diagnostic.at(line, column),
            None => diagnostic,
        },
        _ => diagnostic,
    }
}

fn child<'t, 'a>(value: &'t Value<'a>, segment: &str) -> Option<&'t Value<'a>> {
    match value {
        Value::Array(array) => array.elements.get(segment.parse::<usize>().ok()?),
        Value::Object(object) => {
            let by_name = |name: &str| {
                object.properties.iter().rev().find(|p| p.name.as_str() == name).or_else(|| {
                    object.properties.iter().rev().find(|p| p.name.as_str().eq_ignore_ascii_case(name))
                })
            };
            let property = by_name(segment).or_else(|| {
                ALIASES.iter().filter(|(name, _)| *name == segment).find_map(|(_, alias)| by_name(alias))
            })?;
            Some(&property.value)
        }
        _ => None,
    }
}

/// Offset in a JSON string literal (without its quotes) of byte `wanted` of the string that it stands for.
fn raw_offset(literal: &str, wanted: usize) -> usize {
    let mut decoded = 0;
    let mut chars = literal.char_indices();
    while let Some((at, c)) = chars.next() {
        if decoded >= wanted {
            return at;
        }
        decoded += if c != '\\' {
            c.len_utf8()
        } else if let Some((escape, 'u')) = chars.next() {
            let unit = literal.get(escape + 1..escape + 5).and_then(|hex| u32::from_str_radix(hex, 16).ok());
            chars.nth(3);
            match unit {
                // Two escapes make one character of four bytes: half of it is counted for each.
                Some(0xd800..=0xdfff) => 2,
                Some(unit) => char::from_u32(unit).map_or(1, char::len_utf8),
                None => 1,
            }
        } else {
            1
        };
    }
    literal.len()
}

/// Line and column in characters of a byte offset.
pub(crate) fn line_and_column(text: &str, offset: usize) -> (u32, u32) {
    let mut offset = offset.min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    let before = &text[..offset];
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    let line = before.bytes().filter(|&b| b == b'\n').count() + 1;
    (line as u32, before[line_start..].chars().count() as u32 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_values_and_places_inside_strings() {
        let text = "{\n  \"operations\": [\n    {\"Expression\": \"a\\u00e9\\\"b > \\ud83d\\ude00c\"}],\n  \"a/b\": 1}";
        for (pointer, span, expected) in [
            ("", None, (1, 1)),
            ("/operations", None, (2, 17)),
            ("/operations/0/expression", None, (3, 20)),
            ("/operations/0/expression", Some((0, 1)), (3, 21)),
            // `a` is 1 byte, `é` 2, `"` 1: `b` is byte 4.
            ("/operations/0/expression", Some((4, 5)), (3, 30)),
            // `b > ` is 4 bytes, the emoji 4: `c` is byte 12.
            ("/operations/0/expression", Some((12, 13)), (3, 46)),
            ("/operations/0/expression", Some((900, 901)), (3, 47)),
            ("/operations/0/missing", Some((3, 4)), (3, 5)),
            ("/a~1b", None, (4, 10)),
        ] {
            assert_eq!(locate(text, pointer, span), Some(expected), "{pointer} {span:?}");
        }
        assert_eq!(locate("{", "", None), None);
        for pointer in ["/expression", "/processType"] {
            assert_eq!(locate(r#"{"function": "tax"}"#, pointer, Some((1, 2))), Some((1, 16)));
        }
    }
}
