//! Process functions over a real socket.

mod common;

use std::sync::LazyLock;

use common::{Client, Server, digest};
use flink_wasm_diagnostic::Code;
use flink_wasm_protocol::batch::BatchWriter;
use flink_wasm_protocol::frame::FrameType;
use flink_wasm_protocol::json::{batch_to_rows, rows_to_batch};
use flink_wasm_protocol::keyed::{ItemParts, KeyedBundleParts, KeyedSchema, bytes_schema};
use flink_wasm_protocol::reply::{Reply, ReplyBody};
use flink_wasm_protocol::state::{StateGet, StateQuestion};
use flink_wasm_protocol::{Cell, DataType, RowField, Schema};
use serde_json::{Value, json};

static COUNT: LazyLock<Vec<u8>> = LazyLock::new(|| flink_wasm_test_guests::component("count"));
static HOSTILE: LazyLock<Vec<u8>> = LazyLock::new(|| flink_wasm_test_guests::component("hostile-process"));

fn open_count() -> Value {
    json!({
        "function": "count", "component": digest(&COUNT), "kind": "process",
        "input": ["BIGINT NOT NULL"], "output": ["BIGINT NOT NULL", "BIGINT NOT NULL"],
        "key": ["BIGINT NOT NULL"], "states": [{"name": "count", "kind": "value", "schema": "v1:i64"}],
    })
}

fn open_hostile() -> Value {
    json!({
        "function": "bad", "component": digest(&HOSTILE), "kind": "process",
        "input": ["BIGINT NOT NULL", "STRING NOT NULL", "BIGINT NOT NULL"],
        "output": ["BIGINT NOT NULL", "BIGINT NOT NULL"], "key": ["BIGINT NOT NULL"],
        "states": [
            {"name": "sum", "kind": "value", "schema": "v1:i64"},
            {"name": "seen", "kind": "list", "schema": "v1:list<i64>"},
            {"name": "notes", "kind": "map", "schema": "v1:map<i64,i64>"},
        ],
        "sideOutputs": [{"name": "late", "types": ["BIGINT NOT NULL"]}],
        "onError": {"policy": "skip", "retries": 0},
    })
}

/// A bundle in which each row has a key of its own: its index, in the slot with the same number.
fn bundle(fields: &[(&str, &str)], rows: &[Value], is_fresh: bool) -> Vec<u8> {
    let field = |(name, text): &(&str, &str)| RowField {
        name: (*name).into(),
        data_type: DataType::parse(text).unwrap(),
    };
    let fields: Vec<RowField> = fields.iter().map(field).collect();
    let schema =
        KeyedSchema::new(Schema::parse(&["INT"]).unwrap(), Schema::parse(&["BIGINT NOT NULL"]).unwrap(), 1)
            .unwrap();
    let (mut key_rows, mut values) = (BatchWriter::new(&schema.key), BatchWriter::new(&schema.values));
    for row in 0..rows.len() as i64 {
        key_rows.push_row(&[Cell::Int64(row)]).unwrap();
        if is_fresh {
            values.push_row(&[Cell::Null]).unwrap();
        }
    }
    let (mut key_bytes, mut value_bytes) = (Vec::new(), Vec::new());
    key_rows.finish(&mut key_bytes).unwrap();
    values.finish(&mut value_bytes).unwrap();
    let indices: Vec<u32> = (0..rows.len() as u32).collect();
    let parts = KeyedBundleParts {
        processing_time_ms: 0,
        watermark_ms: 0,
        evicted: &[],
        slots: &indices,
        fresh: &vec![is_fresh; rows.len()],
        key_rows: &key_bytes,
        values: &value_bytes,
        timestamps: &vec![7; rows.len()],
        keys: &indices,
        items: ItemParts::Rows(&rows_to_batch(&fields, rows).unwrap()),
    };
    parts.encode().unwrap()
}

fn count_bundle(users: &[i64], is_fresh: bool) -> Vec<u8> {
    let rows: Vec<Value> = users.iter().map(|user| json!({ "user_id": user })).collect();
    bundle(&[("user_id", "BIGINT NOT NULL")], &rows, is_fresh)
}

fn hostile_bundle(rows: &[(&str, i64)], is_fresh: bool) -> Vec<u8> {
    let row = |(k, (mode, value)): (usize, &(&str, i64))| json!({"k": k, "mode": mode, "value": value});
    let rows: Vec<Value> = rows.iter().enumerate().map(row).collect();
    let fields = [("k", "BIGINT NOT NULL"), ("mode", "STRING NOT NULL"), ("value", "BIGINT NOT NULL")];
    bundle(&fields, &rows, is_fresh)
}

/// Rows of the main output as pairs, and what has failed.
type Answer = (Vec<(i64, i64)>, Vec<(u32, Code)>);

fn answer(payload: &[u8]) -> Answer {
    let types = ["BIGINT NOT NULL", "BIGINT NOT NULL"];
    let outputs = [Schema::parse(&types).unwrap(), Schema::parse(&types[..1]).unwrap()];
    let reply = Reply::parse_outputs(&outputs, payload).unwrap();
    let ReplyBody::Process(effects) = reply.body else { panic!("not a process function") };
    let fields = ["a", "b"]
        .map(|name| RowField { name: name.into(), data_type: DataType::parse("BIGINT NOT NULL").unwrap() });
    let mut pairs = Vec::new();
    for effect in effects.rows.iter().filter(|effect| effect.output == 0) {
        let rows = batch_to_rows(&fields, &effect.rows).unwrap();
        pairs.extend(rows.iter().map(|row| (row["a"].as_i64().unwrap(), row["b"].as_i64().unwrap())));
    }
    (pairs, reply.failures.iter().map(|failure| (failure.row, failure.code)).collect())
}

fn run(client: &mut Client, payload: &[u8]) -> Answer {
    client.send(FrameType::Bundle, 1, payload);
    answer(&client.expect(FrameType::Reply))
}

#[test]
fn count_counts_with_values_in_slots() {
    let open = open_count();
    let server = Server::start(|_| {});
    let mut client = server.connect();
    client.open(&open, &COUNT);
    assert_eq!(run(&mut client, &count_bundle(&[5, 6], true)).0, [(5, 1), (6, 1)]);
    for count in 2..10 {
        assert_eq!(run(&mut client, &count_bundle(&[5, 6], false)).0, [(5, count), (6, count)]);
    }
    assert_eq!(run(&mut client, &count_bundle(&[5, 6], true)).0, [(5, 1), (6, 1)], "fresh values replace");
    assert!(server.get("/metrics").contains("flink_wasm_sidecar_rows_total 20"));
    client.send(FrameType::Bundle, 1, &count_bundle(&[1, 2, 3], false));
    let error = client.error();
    assert_eq!(error.diagnostic.message, "key 2 is in slot 2, which holds no values");
    assert_eq!(error.diagnostic.code, Code::ProtocolViolation);
}

#[test]
fn a_component_with_other_states_or_outputs_is_refused() {
    let open = open_hostile();
    let server = Server::start(|_| {});
    server.connect().open(&open, &HOSTILE);
    for (property, value, message) in [
        ("key", json!(["INT"]), "key is [INT] in the job, [BIGINT NOT NULL] in the component"),
        ("states", json!([]), "states are [] in the job, [sum Value v1:i64, seen List v1:list<i64>"),
        ("sideOutputs", json!([]), "side outputs are [] in the job, [\"late\"] in the component"),
        ("kind", json!("map"), "the job opens a Map, the component is a Process"),
    ] {
        let mut open = open_hostile();
        open[property] = value;
        let mut client = server.connect();
        client.hello();
        client.send_json(FrameType::Open, &open);
        let error = client.error().diagnostic;
        assert_eq!(error.code, Code::TypeMismatch);
        assert!(error.message.contains(message), "{}", error.message);
    }
}

#[test]
fn state_is_asked_for_while_bundles_wait() {
    let open = open_hostile();
    let server = Server::start(|_| {});
    let mut client = server.connect();
    client.open(&open, &HOSTILE);
    client.send(FrameType::Bundle, 1, &hostile_bundle(&[("seen", 0), ("noted", 3)], true));
    client.send(FrameType::Bundle, 2, &hostile_bundle(&[("", 4)], false));
    let schema = bytes_schema(2).unwrap();
    let number = |value: i64| value.to_le_bytes().to_vec();
    for (expected, cells) in [
        (
            StateGet { state: 1, key: 0, question: StateQuestion::Scan },
            vec![[Cell::Null, Cell::Bytes(number(5))], [Cell::Null, Cell::Bytes(number(6))]],
        ),
        (
            StateGet { state: 2, key: 1, question: StateQuestion::Get(&number(3)) },
            vec![[Cell::Bytes(number(3)), Cell::Bytes(number(30))]],
        ),
    ] {
        let question = client.expect(FrameType::StateGet);
        assert_eq!(StateGet::parse(&question).unwrap(), expected);
        let mut writer = BatchWriter::new(&schema);
        cells.iter().for_each(|cells| writer.push_row(cells).unwrap());
        let mut bytes = Vec::new();
        writer.finish(&mut bytes).unwrap();
        client.send(FrameType::State, 1, &bytes);
    }
    assert_eq!(answer(&client.expect(FrameType::Reply)).0, [(0, 11), (1, 30)]);
    assert_eq!(answer(&client.expect(FrameType::Reply)).0, [(0, 4)]);

    // An answer that nobody waits for, and an answer to another bundle.
    client.send(FrameType::Bundle, 3, &hostile_bundle(&[("seen", 0)], false));
    client.expect(FrameType::StateGet);
    client.send(FrameType::State, 2, &[0; 8]);
    let error = client.error().diagnostic;
    assert_eq!(error.code, Code::ProtocolViolation, "{error:?}");
}

#[test]
fn the_deadline_stands_while_state_is_on_its_way() {
    let mut open = open_hostile();
    let server = Server::start(|_| {});
    let mut client = server.connect();
    open["limits"] = json!({"deadlineMs": 300});
    client.open(&open, &HOSTILE);
    client.send(FrameType::Bundle, 1, &hostile_bundle(&[("seen", 0)], true));
    client.expect(FrameType::StateGet);
    std::thread::sleep(std::time::Duration::from_millis(900));
    let mut bytes = Vec::new();
    BatchWriter::new(&bytes_schema(2).unwrap()).finish(&mut bytes).unwrap();
    client.send(FrameType::State, 1, &bytes);
    assert_eq!(answer(&client.expect(FrameType::Reply)), (vec![(0, 0)], vec![]));
}

#[test]
fn failures_and_permits_are_counted_and_shared_by_a_job() {
    let mut open = open_hostile();
    let server = Server::start(|_| {});
    open["rateLimiters"] = json!([{"name": "api", "rate": 1e-6, "burst": 10, "shared": true}]);
    let (mut one, mut two) = (server.connect(), server.connect());
    one.open(&open, &HOSTILE);
    two.open(&open, &HOSTILE);
    assert_eq!(run(&mut one, &hostile_bundle(&[("acquire", 7), ("panic", 1)], true)).0, [(0, 7)]);
    let (rows, failures) = run(&mut two, &hostile_bundle(&[("acquire", 7), ("acquire", 3)], true));
    assert_eq!((rows, failures), (vec![(1, 3)], vec![(0, Code::RowFailed)]));
    // Replies are sent before they are counted; the next one comes after.
    run(&mut one, &hostile_bundle(&[("", 1)], false));
    run(&mut two, &hostile_bundle(&[("", 1)], false));
    let metrics = server.get("/metrics");
    for line in [
        r#"flink_wasm_sidecar_limiter_permits_total{limiter="api",answer="granted"} 10"#,
        r#"flink_wasm_sidecar_failures_total{code="FW0504"} 1"#,
        r#"flink_wasm_sidecar_failures_total{code="FW0507"} 1"#,
    ] {
        assert!(metrics.contains(line), "{line}\n{metrics}");
    }
}
