//! The golden frames: `tests/golden/README.md` says what they are. `BLESS=1` writes them anew.

use std::{fs, path::PathBuf};

use flink_wasm_protocol::batch::{BatchView, CellsView, ColumnView, RawColumn, bit};
use flink_wasm_protocol::bundle::{Bundle, encode_bundle};
use flink_wasm_protocol::frame::{FrameHeader, FrameType, HEADER_BYTES, encode_frame};
use flink_wasm_protocol::handshake::{
    ErrorFrame, FunctionKind, Hello, NeedComponent, Open, Opened, Welcome, decode_json, encode_json,
};
use flink_wasm_protocol::json::{batch_to_rows, rows_to_batch, schema_of};
use flink_wasm_protocol::reply::{Reply, ReplyBody, ReplyWriter};
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
    check_json::<NeedComponent>("need-component", FrameType::NeedComponent);
    check_json::<Opened>("opened", FrameType::Opened);
    check_json::<ErrorFrame>("error", FrameType::Error);
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
        writer
            .failure(failure["row"].as_u64().unwrap() as u32, failure["message"].as_str().unwrap())
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
        .map(|failure| serde_json::json!({"row": failure.row, "message": failure.message}))
        .collect();
    assert_eq!(Value::Array(failures), description["failures"]);
    assert_eq!(serde_json::to_value(&reply.trailer).unwrap(), description["trailer"]);
}
