//! Whether what came is what was expected, as JSON.

use serde_json::Value;

/// An error fits by a part of its text, all else by value: numbers by what they are, not by how they are written, and a property
/// that is expected as `null` may be absent.
pub fn fits(expected: &Value, got: &Value) -> bool {
    match (expected, got) {
        (Value::Object(want), Value::Object(have)) => {
            if let (Some(Value::String(part)), 1, Some(Value::String(message)), 1) =
                (want.get("error"), want.len(), have.get("error"), have.len())
            {
                return message.contains(part.as_str());
            }
            let names = want.keys().chain(have.keys());
            names.into_iter().all(|name| {
                fits(want.get(name).unwrap_or(&Value::Null), have.get(name).unwrap_or(&Value::Null))
            })
        }
        (Value::Array(want), Value::Array(have)) => {
            want.len() == have.len() && want.iter().zip(have).all(|(w, h)| fits(w, h))
        }
        (Value::Number(want), Value::Number(have)) => want == have || want.as_f64() == have.as_f64(),
        _ => expected == got,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_fits() {
        for (expected, got, fit) in [
            (json!({"a": 1}), json!({"a": 1.0}), true),
            (json!({"a": 1}), json!({"a": 2}), false),
            (json!({"a": 1}), json!({"a": 1, "b": null}), true),
            (json!({"a": 1}), json!({"a": 1, "b": 2}), false),
            (json!({"error": "negative"}), json!({"error": "a negative amount"}), true),
            (json!({"error": "negative"}), json!({"error": "other"}), false),
            (json!(true), json!(true), true),
            (json!(true), json!({"error": "x"}), false),
            (json!({"l": [1, {"x": "y"}]}), json!({"l": [1, {"x": "y"}]}), true),
            (json!({"l": [1]}), json!({"l": [1, 2]}), false),
        ] {
            assert_eq!(fits(&expected, &got), fit, "{expected} {got}");
        }
    }
}
