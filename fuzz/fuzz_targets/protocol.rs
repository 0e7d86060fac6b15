//! What a peer may send: headers, handshakes, bundles and replies. What is read can be read cell by cell.

#![no_main]

use std::sync::LazyLock;

use flink_wasm_protocol::bundle::Bundle;
use flink_wasm_protocol::frame::{FrameHeader, FrameType, HEADER_BYTES};
use flink_wasm_protocol::handshake::{Hello, NeedComponent, Open, Opened, Welcome, decode_json};
use flink_wasm_protocol::reply::{Reply, ReplyBody};
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
        }
        FrameType::Reply => {
            if let Ok(Reply { body: ReplyBody::Map(emissions), .. }) = Reply::parse(schema, payload) {
                for emission in &emissions {
                    read_all(schema, &emission.rows);
                }
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
        FrameType::Component | FrameType::Error => {}
    }
});

fn read_all(schema: &Schema, rows: &BatchView<'_>) {
    // A batch of empty rows takes no bytes a row: a few of them stand for all.
    for row in 0..rows.row_count().min(1000) {
        drop(rows.row(schema, row));
    }
}
