//! Brings JSON payloads into one form: a map in raw mode, which gets the bytes untouched and decodes them itself.

use serde_json::Value;

/// Trims and lower-cases the member `email` of a JSON object, and writes the object without blanks.
#[flink_wasm::map]
pub fn normalize_json(payload: &[u8]) -> Result<Vec<u8>, String> {
    let mut value: Value = serde_json::from_slice(payload).map_err(|error| format!("not JSON: {error}"))?;
    let Value::Object(members) = &mut value else {
        return Err("not a JSON object".into());
    };
    if let Some(Value::String(email)) = members.get_mut("email") {
        *email = email.trim().to_lowercase();
    }
    serde_json::to_vec(&value).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(payload: &str, expected: Result<&str, &str>) {
        let normalized =
            normalize_json(payload.as_bytes()).map(|bytes| String::from_utf8(bytes).expect("JSON is UTF-8"));
        assert_eq!(normalized, expected.map(String::from).map_err(String::from));
    }

    #[test]
    fn changes_one_member_and_keeps_the_order() {
        check(
            r#"{"id": 1, "email": " Ada@Example.ORG ", "a": [null]}"#,
            Ok(r#"{"id":1,"email":"ada@example.org","a":[null]}"#),
        );
        check(r#"{ "email": 7 }"#, Ok(r#"{"email":7}"#));
        check("{}", Ok("{}"));
    }

    #[test]
    fn other_payloads_are_refused() {
        check("[]", Err("not a JSON object"));
        check("", Err("not JSON: EOF while parsing a value at line 1 column 0"));
        check("{\"a\":", Err("not JSON: EOF while parsing a value at line 1 column 5"));
    }
}
