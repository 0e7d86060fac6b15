//! Any definition that the JSON Schema allows is read, written and read again as the same; so the schema, the reader and
//! the writer agree on every property.

use flink_wasm_ir::{job_schema, parse};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

/// Values that a part of the schema allows.
fn values(schema: &Value, root: &Value) -> BoxedStrategy<Value> {
    let Some(name) = schema.get("$ref").and_then(Value::as_str) else { return own_values(schema, root) };
    let target = &root["$defs"][name.trim_start_matches("#/$defs/")];
    if schema.get("properties").is_none() {
        return values(target, root);
    }
    // A union's variant: its `type` beside the reference to its struct.
    (own_values(schema, root), values(target, root))
        .prop_map(|(own, target)| match (own, target) {
            (Value::Object(mut own), Value::Object(target)) => {
                own.extend(target);
                Value::Object(own)
            }
            (_, target) => target,
        })
        .boxed()
}

fn own_values(schema: &Value, root: &Value) -> BoxedStrategy<Value> {
    if let Some(value) = schema.get("const") {
        return Just(value.clone()).boxed();
    }
    if let Some(options) = schema.get("oneOf").or_else(|| schema.get("anyOf")).and_then(Value::as_array) {
        return proptest::strategy::Union::new(options.iter().map(|o| values(o, root))).boxed();
    }
    match schema.get("type") {
        Some(Value::Array(types)) => {
            let mut first = schema.clone();
            first["type"] = types[0].clone();
            prop_oneof![own_values(&first, root), Just(Value::Null)].boxed()
        }
        Some(Value::String(name)) => match name.as_str() {
            "string" => ".{0,6}".prop_map(Value::from).boxed(),
            "boolean" => any::<bool>().prop_map(Value::from).boxed(),
            "null" => Just(Value::Null).boxed(),
            "number" => any::<f64>().prop_map(Value::from).boxed(),
            "integer" => match schema["format"].as_str() {
                Some("int32") => any::<i32>().prop_map(Value::from).boxed(),
                Some("uint32") => any::<u32>().prop_map(Value::from).boxed(),
                Some("uint64") => any::<u64>().prop_map(Value::from).boxed(),
                _ => any::<i64>().prop_map(Value::from).boxed(),
            },
            "array" => {
                prop::collection::vec(values(&schema["items"], root), 0..3).prop_map(Value::from).boxed()
            }
            "object" => objects(schema, root),
            other => panic!("the schema has a type {other}"),
        },
        _ => any_json().boxed(),
    }
}

fn objects(schema: &Value, root: &Value) -> BoxedStrategy<Value> {
    let required: Vec<&str> =
        schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let mut object = Just(Map::new()).boxed();
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let name = name.clone();
        let value = match required.contains(&name.as_str()) {
            true => values(property, root).prop_map(Some).boxed(),
            false => prop::option::of(values(property, root)).boxed(),
        };
        object = (object, value)
            .prop_map(move |(mut object, value)| {
                object.extend(value.map(|value| (name.clone(), value)));
                object
            })
            .boxed();
    }
    let Some(more) =
        schema.get("additionalProperties").filter(|more| more.is_object() || **more == json!(true))
    else {
        return object.prop_map(Value::Object).boxed();
    };
    (object, prop::collection::btree_map("[a-z~/]{1,4}", values(more, root), 0..3))
        .prop_map(|(mut object, more)| {
            object.extend(more);
            Value::Object(object)
        })
        .boxed()
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,4}".prop_map(Value::from),
    ];
    leaf.prop_recursive(2, 6, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map("[a-z]{1,3}", inner, 0..3)
                .prop_map(|m| m.into_iter().collect::<Value>()),
        ]
    })
}

/// The same object with other letters' case in names of properties, `null` for some that are absent, and `type` last.
fn mangled(value: &Value, in_map: bool) -> Value {
    match value {
        Value::Object(object) => {
            let free = [
                "parameters",
                "properties",
                "headers",
                "configuration",
                "tableProperties",
                "stateDescriptors",
            ];
            let mut out = Map::new();
            for (name, value) in object.iter().filter(|(name, _)| *name != "type") {
                let shown = if in_map { name.clone() } else { name.to_uppercase() };
                let fixed =
                    free.contains(&name.as_str()) || name.contains("chema") || name.contains("Config");
                let names_free = ["functions", "sideOutputs"].contains(&name.as_str());
                out.insert(shown, if fixed { value.clone() } else { mangled(value, names_free) });
            }
            out.extend(object.get("type").map(|tag| ("Type".to_owned(), tag.clone())));
            Value::Object(out)
        }
        Value::Array(elements) => elements.iter().map(|e| mangled(e, false)).collect(),
        other => other.clone(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn canonical_form_is_read_as_the_same(definition in values(&job_schema(), &job_schema())) {
        let mut definition = definition;
        if definition["sink"].is_null() {
            definition["sink"] = json!({"type": "blackhole"});
        }
        let first = parse(&definition.to_string()).map_err(|e| TestCaseError::fail(format!("{e}\n{definition}")))?;
        prop_assert!(first.warnings.is_empty(), "{:?}", first.warnings);
        let canonical = first.job.to_json();
        let second = parse(&canonical).map_err(|e| TestCaseError::fail(format!("{e}\n{canonical}")))?;
        prop_assert_eq!(&second.job, &first.job);
        prop_assert_eq!(second.job.to_json(), canonical);
        let mangled = mangled(&definition, false).to_string();
        let third = parse(&mangled).map_err(|e| TestCaseError::fail(format!("{e}\n{mangled}")))?;
        prop_assert_eq!(&third.job, &first.job);
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in "[\\[\\]{}\",: \\\\a-c0-9\n]{0,40}", at in any::<prop::sample::Index>()) {
        let _ = parse(&text);
        // A real definition with something in the middle.
        let whole = r#"{"source": {"type": "file", "path": "\u00e9"}, "operations": [{"type": "map", "expression": "x"}], "sink": {"type": "console"}}"#;
        let cut = at.index(whole.len());
        let broken = format!("{}{text}{}", &whole[..cut], &whole[cut..]);
        if let Err(problem) = parse(&broken) {
            prop_assert!(problem.location.line.is_some(), "{problem:?}");
        }
        let _ = flink_wasm_ir::locate(&broken, "/operations/0/expression", Some((1, 9)));
        let _ = flink_wasm_ir::locate(whole, "/source/path", Some((at.index(9) as u32, 9)));
    }
}
