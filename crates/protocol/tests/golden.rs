//! The golden frames: `tests/golden/README.md` says what they are. `BLESS=1` writes them anew.

use std::{fs, path::PathBuf};

use flink_wasm_protocol::batch::{BatchView, CellsView, ColumnView, RawColumn, bit};
use flink_wasm_protocol::bundle::{Bundle, encode_bundle};
use flink_wasm_protocol::frame::{FrameHeader, FrameType, HEADER_BYTES, encode_frame};
use flink_wasm_protocol::handshake::{
    ErrorFrame, FunctionKind, Hello, NeedComponent, Open, Opened, Welcome, decode_json, encode_json,
};
use flink_wasm_protocol::json::{batch_to_rows, rows_to_batch, schema_of};
use flink_wasm_protocol::keyed::{
    ItemParts, Items, KeyedBundle, KeyedBundleParts, KeyedSchema, bytes_schema,
};
use flink_wasm_protocol::reply::{Effects, Reply, ReplyBody, ReplyWriter};
use flink_wasm_protocol::state::{StateGet, StateQuestion, parse_state};
use flink_wasm_protocol::{DataType, RowField, Schema};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

fn description(name: &str) -> Value {
    serde_json::from_str(&fs::read_to_string(path(&format!("{name}.json"))).unwrap()).unwrap()
}

/// Compares with the file, or writes it.
#[track_caller]
fn compare(name: &str, frame: &[u8]) {
    let path = path(&format!("{name}.bin"));
    if std::env::var_os("BLESS").is_some_and(|value| value == "1") {
        fs::write(&path, frame).unwrap();
    }
    assert!(fs::read(&path).unwrap() == frame, "{name}.bin has other bytes; BLESS=1 writes it anew");
}

fn split(frame: &[u8]) -> (FrameHeader, &[u8]) {
    let header = FrameHeader::decode(frame[..HEADER_BYTES].try_into().unwrap()).unwrap();
    assert_eq!(header.payload_bytes as usize, frame.len() - HEADER_BYTES);
    (header, &frame[HEADER_BYTES..])
}

fn fields(description: &Value) -> Vec<RowField> {
    let field = |field: &Value| RowField {
        name: field["name"].as_str().unwrap().to_owned(),
        data_type: DataType::parse(field["type"].as_str().unwrap()).unwrap(),
    };
    description["fields"].as_array().unwrap().iter().map(field).collect()
}

#[track_caller]
fn check_json<T: Serialize + DeserializeOwned>(name: &str, kind: FrameType) {
    let description = description(name);
    let message: T = serde_json::from_value(description["message"].clone()).unwrap();
    let frame = encode_json(kind, description["id"].as_u64().unwrap(), &message).unwrap();
    compare(name, &frame);
    let (header, payload) = split(&frame);
    assert_eq!((header.kind, header.id), (kind, description["id"].as_u64().unwrap()));
    assert_eq!(serde_json::from_slice::<Value>(payload).unwrap(), description["message"]);
    decode_json::<T>(kind, payload).unwrap();
}

#[test]
fn handshake() {
    check_json::<Hello>("hello", FrameType::Hello);
    check_json::<Welcome>("welcome", FrameType::Welcome);
    check_json::<Open>("open", FrameType::Open);
    check_json::<Open>("open-process", FrameType::Open);
    check_json::<NeedComponent>("need-component", FrameType::NeedComponent);
    check_json::<Opened>("opened", FrameType::Opened);
    check_json::<ErrorFrame>("error", FrameType::Error);
}

#[test]
fn heartbeat() {
    let frame = encode_frame(FrameType::Heartbeat, description("heartbeat")["id"].as_u64().unwrap(), &[]);
    compare("heartbeat", &frame);
    assert_eq!(split(&frame), (FrameHeader { kind: FrameType::Heartbeat, id: 7, payload_bytes: 0 }, &[][..]));
}

/// What `rows` reads as after a batch: missing properties are NULL, and so on.
fn normal(fields: &[RowField], rows: &Value) -> Vec<Value> {
    let bytes = rows_to_batch(fields, rows.as_array().unwrap()).unwrap();
    batch_to_rows(fields, &BatchView::parse(&schema_of(fields).unwrap(), &bytes).unwrap()).unwrap()
}

#[test]
fn bundle() {
    let description = description("bundle");
    let fields = fields(&description);
    let batch = rows_to_batch(&fields, description["rows"].as_array().unwrap()).unwrap();
    let (time, watermark) =
        (description["processingTime"].as_i64().unwrap(), description["watermark"].as_i64().unwrap());
    let payload = encode_bundle(time, watermark, &batch);
    let frame = encode_frame(FrameType::Bundle, 7, &payload);
    compare("bundle", &frame);

    let (_, payload) = split(&frame);
    let schema = schema_of(&fields).unwrap();
    let bundle = Bundle::parse(&schema, payload).unwrap();
    assert_eq!((bundle.processing_time_ms, bundle.watermark_ms), (time, watermark));
    let rows = batch_to_rows(&fields, &bundle.rows).unwrap();
    // Every property that the description gives comes back as it is.
    for (row, expected) in rows.iter().zip(description["rows"].as_array().unwrap()) {
        for (name, expected) in expected.as_object().unwrap() {
            if name != "row" && name != "float" {
                assert_eq!(&row[name], expected, "{name}");
            }
        }
    }
    let kinds: std::collections::BTreeSet<u8> =
        schema.columns().iter().map(|column| column.kind as u8).collect();
    assert_eq!(kinds.len(), 11, "a kind of column is missing: {kinds:?}");
}

fn raw<'a>(batch: &BatchView<'a>) -> Vec<RawColumn<'a>> {
    let column = |column: &ColumnView<'a>| RawColumn { validity: column.validity, cells: column.cells };
    batch.columns().iter().map(column).collect()
}

#[test]
fn reply_map() {
    let description = description("reply-map");
    let fields = fields(&description);
    let schema = schema_of(&fields).unwrap();
    let mut writer = ReplyWriter::default();
    writer.begin(FunctionKind::Map);
    for emission in description["emissions"].as_array().unwrap() {
        let origin: Vec<u32> = serde_json::from_value(emission["origin"].clone()).unwrap();
        let bytes = rows_to_batch(&fields, emission["rows"].as_array().unwrap()).unwrap();
        let batch = BatchView::parse(&schema, &bytes).unwrap();
        let output = emission["output"].as_u64().unwrap() as u32;
        writer.emission(&schema, output, batch.row_count(), &origin, &raw(&batch)).unwrap();
    }
    let frame = finish(&mut writer, &description);
    compare("reply-map", &frame);

    let reply = Reply::parse(&schema, split(&frame).1).unwrap();
    check_tail(&reply, &description);
    let ReplyBody::Map(emissions) = reply.body else { panic!("not a map") };
    assert_eq!(emissions.len(), 2);
    for (emission, expected) in emissions.iter().zip(description["emissions"].as_array().unwrap()) {
        assert_eq!(serde_json::to_value(&emission.origin).unwrap(), expected["origin"]);
        assert_eq!(batch_to_rows(&fields, &emission.rows).unwrap(), normal(&fields, &expected["rows"]));
    }
}

#[test]
fn reply_filter() {
    let description = description("reply-filter");
    let keep: Vec<bool> = serde_json::from_value(description["keep"].clone()).unwrap();
    let schema = Schema::parse(&["BOOLEAN"]).unwrap();
    let rows: Vec<Value> = keep.iter().map(|keep| serde_json::json!({ "keep": keep })).collect();
    let bytes =
        rows_to_batch(&[RowField { name: "keep".into(), data_type: schema.fields()[0].clone() }], &rows)
            .unwrap();
    let CellsView::Bits(bitmap) = BatchView::parse(&schema, &bytes).unwrap().columns()[0].cells else {
        panic!()
    };
    let mut writer = ReplyWriter::default();
    writer.begin(FunctionKind::Filter);
    writer.keep(keep.len(), bitmap).unwrap();
    let frame = finish(&mut writer, &description);
    compare("reply-filter", &frame);

    let reply = Reply::parse(&schema, split(&frame).1).unwrap();
    check_tail(&reply, &description);
    let ReplyBody::Filter { row_count, keep: bitmap } = reply.body else { panic!("not a filter") };
    assert_eq!((0..row_count).map(|row| bit(bitmap, row)).collect::<Vec<_>>(), keep);
}

fn finish(writer: &mut ReplyWriter, description: &Value) -> Vec<u8> {
    for failure in description["failures"].as_array().unwrap() {
        let code = format!("FW0{}", failure["code"]).parse().unwrap();
        writer
            .failure(failure["row"].as_u64().unwrap() as u32, code, failure["message"].as_str().unwrap())
            .unwrap();
    }
    let trailer = serde_json::from_value(description["trailer"].clone()).unwrap();
    writer.finish(description["id"].as_u64().unwrap(), &trailer).unwrap().to_vec()
}

#[track_caller]
fn check_tail(reply: &Reply<'_>, description: &Value) {
    let failures: Vec<Value> = reply
        .failures
        .iter()
        .map(|failure| {
            let code: u32 = failure.code.as_str()["FW0".len()..].parse().unwrap();
            serde_json::json!({"row": failure.row, "code": code, "message": failure.message})
        })
        .collect();
    assert_eq!(Value::Array(failures), description["failures"]);
    assert_eq!(serde_json::to_value(&reply.trailer).unwrap(), description["trailer"]);
}

/// Rows of nullable BYTES columns named `0`, `1` and so on, from base64.
fn bytes_batch(rows: &[Vec<&Value>], columns: usize) -> Vec<u8> {
    let fields = bytes_fields(columns);
    let row = |cells: &Vec<&Value>| {
        let cells = cells.iter().enumerate().map(|(index, cell)| (index.to_string(), (*cell).clone()));
        Value::Object(cells.collect())
    };
    rows_to_batch(&fields, &rows.iter().map(row).collect::<Vec<_>>()).unwrap()
}

fn bytes_fields(columns: usize) -> Vec<RowField> {
    let schema = bytes_schema(columns).unwrap();
    let field = |(index, data_type): (usize, &DataType)| RowField {
        name: index.to_string(),
        data_type: data_type.clone(),
    };
    schema.fields().iter().enumerate().map(field).collect()
}

/// The cells of a column of a batch of BYTES, as the descriptions write them.
fn bytes_column(batch: &BatchView<'_>, column: usize) -> Value {
    let rows = batch_to_rows(&bytes_fields(batch.columns().len()), batch).unwrap();
    rows.iter().map(|row| row[column.to_string()].clone()).collect()
}

fn array(value: &Value) -> &Vec<Value> {
    value.as_array().unwrap()
}

/// The least `i64` is written as null.
fn time(value: &Value) -> i64 {
    value.as_i64().unwrap_or(i64::MIN)
}

fn times(values: &[i64]) -> Value {
    values.iter().map(|value| if *value == i64::MIN { Value::Null } else { (*value).into() }).collect()
}

fn numbers<T: DeserializeOwned>(values: &Value) -> Vec<T> {
    serde_json::from_value(values.clone()).unwrap()
}

fn column(values: &Value, name: &str) -> Value {
    array(values).iter().map(|value| value[name].clone()).collect()
}

#[track_caller]
fn check_keyed(name: &str) {
    let description = description(name);
    let key_fields: Vec<RowField> = fields(&serde_json::json!({"fields": description["keyFields"]}));
    let row_fields = if description["mode"].is_null() { fields(&description) } else { Vec::new() };
    let value_states = description["valueStates"].as_u64().unwrap() as usize;
    let (keys, items) = (array(&description["keys"]), array(&description["items"]));
    let key_rows = rows_to_batch(&key_fields, array(&column(&description["keys"], "key"))).unwrap();
    let fresh: Vec<bool> = keys.iter().map(|key| !key["values"].is_null()).collect();
    let fresh_values: Vec<Vec<&Value>> = keys
        .iter()
        .filter(|key| !key["values"].is_null())
        .map(|key| array(&key["values"]).iter().collect())
        .collect();
    let item_rows = rows_to_batch(&row_fields, array(&column(&description["items"], "row")));
    let payload = KeyedBundleParts {
        processing_time_ms: time(&description["processingTime"]),
        watermark_ms: time(&description["watermark"]),
        evicted: &numbers::<u32>(&description["evicted"]),
        slots: &numbers::<u32>(&column(&description["keys"], "slot")),
        fresh: &fresh,
        key_rows: &key_rows,
        values: &bytes_batch(&fresh_values, value_states),
        timestamps: &items.iter().map(|item| time(&item["timestamp"])).collect::<Vec<_>>(),
        keys: &numbers::<u32>(&column(&description["items"], "key")),
        items: match description["mode"].as_u64() {
            None => ItemParts::Rows(item_rows.as_ref().unwrap()),
            Some(1) => ItemParts::EventTimeTimers,
            Some(_) => ItemParts::ProcessingTimeTimers,
        },
    };
    let frame =
        encode_frame(FrameType::Bundle, description["id"].as_u64().unwrap(), &payload.encode().unwrap());
    compare(name, &frame);

    let schema =
        KeyedSchema::new(schema_of(&row_fields).unwrap(), schema_of(&key_fields).unwrap(), value_states)
            .unwrap();
    let bundle = KeyedBundle::parse(&schema, split(&frame).1).unwrap();
    assert_eq!(bundle.processing_time_ms, time(&description["processingTime"]));
    assert_eq!(bundle.watermark_ms, time(&description["watermark"]));
    assert_eq!(serde_json::to_value(&bundle.evicted).unwrap(), description["evicted"]);
    assert_eq!(serde_json::to_value(&bundle.slots).unwrap(), column(&description["keys"], "slot"));
    assert_eq!((0..keys.len()).map(|key| bundle.is_fresh(key)).collect::<Vec<_>>(), fresh);
    let found = batch_to_rows(&key_fields, &bundle.key_rows).unwrap();
    assert_eq!(found, normal(&key_fields, &column(&description["keys"], "key")));
    for state in 0..value_states {
        let expected: Value = fresh_values.iter().map(|values| values[state].clone()).collect();
        assert_eq!(bytes_column(&bundle.values, state), expected);
    }
    assert_eq!(times(&bundle.timestamps), column(&description["items"], "timestamp"));
    assert_eq!(serde_json::to_value(&bundle.keys).unwrap(), column(&description["items"], "key"));
    match &bundle.items {
        Items::Rows(rows) => assert_eq!(
            batch_to_rows(&row_fields, rows).unwrap(),
            normal(&row_fields, &column(&description["items"], "row"))
        ),
        Items::EventTimeTimers => assert_eq!(description["mode"], 1),
        Items::ProcessingTimeTimers => assert_eq!(description["mode"], 2),
    }
}

#[test]
fn keyed_bundles() {
    check_keyed("bundle-keyed-rows");
    check_keyed("bundle-keyed-timers");
}

#[test]
fn reply_process() {
    let description = description("reply-process");
    let outputs: Vec<Vec<RowField>> = array(&description["outputs"])
        .iter()
        .map(|output| fields(&serde_json::json!({ "fields": output })))
        .collect();
    let schemas: Vec<Schema> = outputs.iter().map(|fields| schema_of(fields).unwrap()).collect();
    let bytes_columns = bytes_schema(1).unwrap();
    let mut writer = ReplyWriter::default();
    writer.begin(FunctionKind::Process);
    for effect in array(&description["effects"]) {
        let output = effect["output"].as_u64().unwrap() as usize;
        let bytes = rows_to_batch(&outputs[output], array(&effect["rows"])).unwrap();
        let batch = BatchView::parse(&schemas[output], &bytes).unwrap();
        let timestamps: Vec<i64> = array(&effect["timestamps"]).iter().map(time).collect();
        writer.effect(&schemas[output], output as u32, batch.row_count(), &timestamps, &raw(&batch)).unwrap();
    }
    let cells =
        |values: &Value| bytes_batch(&array(values).iter().map(|value| vec![value]).collect::<Vec<_>>(), 1);
    for change in array(&description["values"]) {
        let values = cells(&change["values"]);
        let values = raw(&BatchView::parse(&bytes_columns, &values).unwrap())[0];
        writer
            .values(change["state"].as_u64().unwrap() as u32, &numbers::<u32>(&change["keys"]), values)
            .unwrap();
    }
    for change in array(&description["elements"]) {
        let (elements, values) = (cells(&change["elements"]), cells(&change["values"]));
        writer
            .elements(
                change["state"].as_u64().unwrap() as u32,
                &numbers::<u32>(&change["keys"]),
                &numbers::<u8>(&change["ops"]),
                raw(&BatchView::parse(&bytes_columns, &elements).unwrap())[0],
                raw(&BatchView::parse(&bytes_columns, &values).unwrap())[0],
            )
            .unwrap();
    }
    let timers = &description["timers"];
    writer
        .timers(
            &numbers::<u32>(&column(timers, "key")),
            &numbers::<i64>(&column(timers, "timestamp")),
            &numbers::<u8>(&column(timers, "flags")),
        )
        .unwrap();
    let frame = finish(&mut writer, &description);
    compare("reply-process", &frame);

    let reply = Reply::parse_outputs(&schemas, split(&frame).1).unwrap();
    check_tail(&reply, &description);
    let ReplyBody::Process(effects) = reply.body else { panic!("not a process function") };
    check_effects(&effects, &description, &outputs);
}

fn check_effects(effects: &Effects<'_>, description: &Value, outputs: &[Vec<RowField>]) {
    let rows: Value = effects
        .rows
        .iter()
        .zip(array(&description["effects"]))
        .map(|(effect, expected)| {
            let fields = &outputs[effect.output as usize];
            assert_eq!(batch_to_rows(fields, &effect.rows).unwrap(), normal(fields, &expected["rows"]));
            serde_json::json!({
                "output": effect.output, "timestamps": times(&effect.timestamps), "rows": expected["rows"],
            })
        })
        .collect();
    assert_eq!(rows, description["effects"]);
    let values: Value = effects
        .values
        .iter()
        .map(|change| {
            serde_json::json!({
                "state": change.state, "keys": change.keys, "values": bytes_column(&change.values, 0),
            })
        })
        .collect();
    assert_eq!(values, description["values"]);
    let elements: Value = effects
        .elements
        .iter()
        .map(|change| {
            let ops: Vec<u8> = change.ops.iter().map(|op| *op as u8).collect();
            serde_json::json!({
                "state": change.state, "keys": change.keys, "ops": ops,
                "elements": bytes_column(&change.cells, 0), "values": bytes_column(&change.cells, 1),
            })
        })
        .collect();
    assert_eq!(elements, description["elements"]);
    let timers = &effects.timers;
    assert_eq!(serde_json::to_value(&timers.keys).unwrap(), column(&description["timers"], "key"));
    assert_eq!(
        serde_json::to_value(&timers.timestamps).unwrap(),
        column(&description["timers"], "timestamp")
    );
    assert_eq!(serde_json::to_value(&timers.flags).unwrap(), column(&description["timers"], "flags"));
}

#[test]
fn questions_for_state() {
    for name in ["state-get", "state-scan"] {
        let description = description(name);
        let element = bytes_batch(&[vec![&description["element"]]], 1);
        let schema = bytes_schema(1).unwrap();
        let element = BatchView::parse(&schema, &element).unwrap().columns()[0].bytes(0);
        let get = StateGet {
            state: description["state"].as_u64().unwrap() as u32,
            key: description["key"].as_u64().unwrap() as u32,
            question: element.map_or(StateQuestion::Scan, StateQuestion::Get),
        };
        let frame = encode_frame(FrameType::StateGet, description["id"].as_u64().unwrap(), &get.encode());
        compare(name, &frame);
        assert_eq!(StateGet::parse(split(&frame).1).unwrap(), get);
    }
}

#[test]
fn state() {
    let description = description("state");
    let cells = array(&description["elements"]).iter().zip(array(&description["values"]));
    let cells: Vec<Vec<&Value>> = cells.map(|(element, value)| vec![element, value]).collect();
    let frame = encode_frame(FrameType::State, description["id"].as_u64().unwrap(), &bytes_batch(&cells, 2));
    compare("state", &frame);

    let schema = bytes_schema(2).unwrap();
    let payload = split(&frame).1;
    let batch = parse_state(&schema, StateQuestion::Scan, payload).unwrap();
    assert_eq!(bytes_column(&batch, 0), description["elements"]);
    assert_eq!(bytes_column(&batch, 1), description["values"]);
    let error = parse_state(&schema, StateQuestion::Get(b"a"), payload).unwrap_err();
    assert_eq!(error.message, "STATE has 3 rows for one element");
}
