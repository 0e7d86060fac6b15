//! What a peer may send: headers, handshakes, bundles and replies. What is read can be read cell by cell.

#![no_main]

use std::sync::LazyLock;

use flink_wasm_protocol::bundle::Bundle;
use flink_wasm_protocol::frame::{FrameHeader, FrameType, HEADER_BYTES};
use flink_wasm_protocol::handshake::{Hello, NeedComponent, Open, Opened, Welcome, decode_json};
use flink_wasm_protocol::keyed::{Items, KeyedBundle, KeyedSchema, bytes_schema};
use flink_wasm_protocol::reply::{Reply, ReplyBody};
use flink_wasm_protocol::state::{StateGet, StateQuestion, parse_state};
use flink_wasm_protocol::{BatchView, Schema};

/// Schemas with every layout, from which the input's first byte chooses.
static SCHEMAS: LazyLock<Vec<Schema>> = LazyLock::new(|| {
    let rows: [&[&str]; 5] = [
        &["BIGINT NOT NULL", "STRING", "DOUBLE"],
        &["BOOLEAN", "TINYINT", "SMALLINT", "INT", "FLOAT", "DECIMAL(38, 10)", "DATE", "TIME"],
        &["TIMESTAMP(3)", "TIMESTAMP(6) NOT NULL", "TIMESTAMP_LTZ(9)", "BYTES", "CHAR(3)", "VARBINARY(5)"],
        &["ARRAY<ROW<a INT NOT NULL, b STRING>>", "MAP<STRING NOT NULL, ARRAY<BIGINT>>", "ROW<r ROW<x DOUBLE>>"],
        &[],
    ];
    rows.iter().map(|row| Schema::parse(row).expect("the schema is right")).collect()
});

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some((choice, frame)) = bytes.split_first() else { return };
    let schema = &SCHEMAS[usize::from(*choice) % SCHEMAS.len()];
    let Some((header, payload)) = frame.split_first_chunk::<HEADER_BYTES>() else { return };
    let Ok(decoded) = FrameHeader::decode(header) else { return };
    assert_eq!(decoded.encode(), *header);
    match decoded.kind {
        FrameType::Bundle => {
            if let Ok(bundle) = Bundle::parse(schema, payload) {
                read_all(schema, &bundle.rows);
            }
            let keyed = KeyedSchema::new(schema.clone(), schema.clone(), 2).expect("the schema is right");
            if let Ok(bundle) = KeyedBundle::parse(&keyed, payload) {
                read_all(schema, &bundle.key_rows);
                read_all(&keyed.values, &bundle.values);
                if let Items::Rows(rows) = &bundle.items {
                    read_all(schema, rows);
                }
            }
        }
        FrameType::Reply => {
            match Reply::parse(schema, payload).map(|reply| reply.body) {
                Ok(ReplyBody::Map(emissions)) => {
                    emissions.iter().for_each(|emission| read_all(schema, &emission.rows));
                }
                Ok(ReplyBody::Process(effects)) => {
                    effects.rows.iter().for_each(|effect| read_all(schema, &effect.rows));
                    let (one, two) = (bytes(1), bytes(2));
                    effects.values.iter().for_each(|change| read_all(&one, &change.values));
                    effects.elements.iter().for_each(|change| read_all(&two, &change.cells));
                }
                Ok(ReplyBody::Filter { .. }) | Err(_) => {}
            }
        }
        FrameType::Hello => drop(decode_json::<Hello>(decoded.kind, payload)),
        FrameType::Welcome => drop(decode_json::<Welcome>(decoded.kind, payload)),
        FrameType::Open => {
            if let Ok(open) = decode_json::<Open>(decoded.kind, payload) {
                drop((Schema::parse(&open.input), Schema::parse(&open.output)));
            }
        }
        FrameType::NeedComponent => drop(decode_json::<NeedComponent>(decoded.kind, payload)),
        FrameType::Opened => drop(decode_json::<Opened>(decoded.kind, payload)),
        FrameType::Heartbeat => assert_eq!(decoded.payload_bytes, 0),
        FrameType::StateGet => {
            if let Ok(get) = StateGet::parse(payload) {
                assert_eq!(get.encode(), payload);
            }
        }
        FrameType::State => {
            let schema = bytes(2);
            if let Ok(cells) = parse_state(&schema, StateQuestion::Scan, payload) {
                read_all(&schema, &cells);
            }
        }
        FrameType::Component | FrameType::Error => {}
    }
});

fn bytes(columns: usize) -> Schema {
    bytes_schema(columns).expect("the schema is right")
}

fn read_all(schema: &Schema, rows: &BatchView<'_>) {
    // A batch of empty rows takes no bytes a row: a few of them stand for all.
    for row in 0..rows.row_count().min(1000) {
        drop(rows.row(schema, row));
    }
}
