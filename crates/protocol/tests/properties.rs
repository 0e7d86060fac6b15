//! Random schemas and rows survive every way there and back; random bytes never do harm.

use flink_wasm_diagnostic::Code;
use flink_wasm_protocol::arbitrary::{data_type, table};
use flink_wasm_protocol::batch::{BatchView, BatchWriter, ColumnView, RawColumn};
use flink_wasm_protocol::bundle::{Bundle, encode_bundle};
use flink_wasm_protocol::frame::{FrameHeader, FrameType, HEADER_BYTES};
use flink_wasm_protocol::handshake::{ErrorFrame, FunctionKind, Hello, Open, decode_json};
use flink_wasm_protocol::json::{batch_to_rows, rows_to_batch, schema_of};
use flink_wasm_protocol::keyed::{
    ItemParts, Items, KeyedBundle, KeyedBundleParts, KeyedSchema, bytes_schema,
};
use flink_wasm_protocol::reply::{LogLevel, LogLine, Reply, ReplyBody, ReplyWriter, Trailer};
use flink_wasm_protocol::state::{StateGet, StateQuestion, parse_state};
use flink_wasm_protocol::{Cell, DataType, Schema};
use proptest::collection::vec;
use proptest::prelude::*;

fn write(schema: &Schema, rows: &[Vec<Cell>]) -> Vec<u8> {
    let mut writer = BatchWriter::new(schema);
    rows.iter().for_each(|row| writer.push_row(row).unwrap());
    let mut bytes = Vec::new();
    writer.finish(&mut bytes).unwrap();
    bytes
}

fn read(schema: &Schema, batch: &BatchView<'_>) -> Vec<Vec<Cell>> {
    (0..batch.row_count()).map(|row| batch.row(schema, row)).collect()
}

fn raw<'a>(batch: &BatchView<'a>) -> Vec<RawColumn<'a>> {
    let column = |column: &ColumnView<'a>| RawColumn { validity: column.validity, cells: column.cells };
    batch.columns().iter().map(column).collect()
}

/// Changes bytes, or cuts the end off.
fn damage(
    mut bytes: Vec<u8>,
    changes: &[(prop::sample::Index, u8)],
    cut: Option<prop::sample::Index>,
) -> Vec<u8> {
    for (index, byte) in changes {
        if !bytes.is_empty() {
            let at = index.index(bytes.len());
            bytes[at] = *byte;
        }
    }
    if let Some(cut) = cut {
        bytes.truncate(cut.index(bytes.len() + 1));
    }
    bytes
}

fn changes() -> impl Strategy<Value = Vec<(prop::sample::Index, u8)>> {
    vec((any::<prop::sample::Index>(), prop_oneof![any::<u8>(), Just(0), Just(1), Just(255)]), 1..4)
}

/// A bundle of a process function, independent of its bytes.
#[derive(Clone, Debug)]
struct Keyed {
    schema: KeyedSchema,
    mode: u32,
    evicted: Vec<u32>,
    slots: Vec<u32>,
    fresh: Vec<bool>,
    key_rows: Vec<Vec<Cell>>,
    values: Vec<Vec<Cell>>,
    timestamps: Vec<i64>,
    keys: Vec<u32>,
    rows: Vec<Vec<Cell>>,
}

impl Keyed {
    fn encode(&self) -> Vec<u8> {
        let rows = write(&self.schema.input, &self.rows);
        let parts = KeyedBundleParts {
            processing_time_ms: 1,
            watermark_ms: 2,
            evicted: &self.evicted,
            slots: &self.slots,
            fresh: &self.fresh,
            key_rows: &write(&self.schema.key, &self.key_rows),
            values: &write(&self.schema.values, &self.values),
            timestamps: &self.timestamps,
            keys: &self.keys,
            items: match self.mode {
                0 => ItemParts::Rows(&rows),
                1 => ItemParts::EventTimeTimers,
                _ => ItemParts::ProcessingTimeTimers,
            },
        };
        parts.encode().unwrap()
    }
}

/// Every third item has a key of its own, the others have the key before.
fn keyed() -> impl Strategy<Value = Keyed> {
    (table(), 0_u32..3, vec(0_u32..524_288, 0..4), 0_usize..4, vec(any::<bool>(), 7), any::<i64>()).prop_map(
        |((fields, rows), mode, evicted, states, fresh, timestamp)| {
            let key = Schema::parse(&["INT NOT NULL"]).unwrap();
            let schema = KeyedSchema::new(schema_of(&fields).unwrap(), key, states).unwrap();
            let keys: Vec<u32> = (0..rows.len() as u32).map(|row| row / 3).collect();
            let key_count = rows.len().div_ceil(3);
            let fresh = fresh[..key_count].to_vec();
            let value = |key: usize| {
                (0..states).map(move |state| match (key + state) % 3 {
                    0 => Cell::Null,
                    length => Cell::Bytes(vec![key as u8; length]),
                })
            };
            Keyed {
                schema,
                mode,
                evicted,
                slots: (0..key_count as u32).map(|key| 65_535 - key * 7).collect(),
                key_rows: (0..key_count as i32).map(|key| vec![Cell::Int32(key)]).collect(),
                values: (0..key_count).filter(|key| fresh[*key]).map(|key| value(key).collect()).collect(),
                fresh,
                timestamps: vec![timestamp; rows.len()],
                keys,
                rows,
            }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn types_are_read_as_they_are_written(data_type in data_type()) {
        prop_assert_eq!(DataType::parse(&data_type.to_string()).unwrap(), data_type);
    }

    #[test]
    fn batches_round_trip((fields, rows) in table()) {
        let schema = schema_of(&fields).unwrap();
        let bytes = write(&schema, &rows);
        prop_assert_eq!(bytes.len() % 8, 0);
        let batch = BatchView::parse(&schema, &bytes).unwrap();
        let read = read(&schema, &batch);
        // NaN is not equal to itself, its bytes are.
        prop_assert_eq!(write(&schema, &read), &bytes[..]);
        prop_assert_eq!(format!("{read:?}"), format!("{rows:?}"));
    }

    #[test]
    fn rows_survive_json((fields, rows) in table()) {
        let schema = schema_of(&fields).unwrap();
        let bytes = write(&schema, &rows);
        let json = batch_to_rows(&fields, &BatchView::parse(&schema, &bytes).unwrap()).unwrap();
        let text = serde_json::to_string(&json).unwrap();
        let json: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
        prop_assert!(rows_to_batch(&fields, &json).unwrap() == bytes, "{text}");
    }

    #[test]
    fn replies_round_trip((fields, rows) in table(), failures in vec((any::<u32>(), ".{0,20}"), 0..5), logs in vec(".{0,20}", 0..5)) {
        let schema = schema_of(&fields).unwrap();
        let bytes = write(&schema, &rows);
        let batch = BatchView::parse(&schema, &bytes).unwrap();
        let origin: Vec<u32> = (0..rows.len() as u32).collect();
        let trailer = Trailer {
            logs: logs.into_iter().map(|message| LogLine { level: LogLevel::Info, message }).collect(),
            ..Trailer::default()
        };
        let mut writer = ReplyWriter::default();
        writer.begin(FunctionKind::Map);
        for _ in 0..2 {
            writer.emission(&schema, 0, rows.len(), &origin, &raw(&batch)).unwrap();
        }
        for (row, message) in &failures {
            writer.failure(*row, Code::RowFailed, message).unwrap();
        }
        let frame = writer.finish(9, &trailer).unwrap();
        let header = FrameHeader::decode(frame[..HEADER_BYTES].try_into().unwrap()).unwrap();
        prop_assert_eq!((header.kind, header.id), (FrameType::Reply, 9));
        let reply = Reply::parse(&schema, &frame[HEADER_BYTES..]).unwrap();
        prop_assert_eq!(reply.trailer, trailer);
        let found: Vec<_> = reply.failures.iter().map(|failure| (failure.row, failure.message.to_owned())).collect();
        prop_assert_eq!(found, failures);
        let ReplyBody::Map(emissions) = reply.body else { panic!("not a map") };
        prop_assert_eq!(emissions.len(), 2);
        for emission in emissions {
            prop_assert_eq!(&emission.origin, &origin);
            prop_assert_eq!(write(&schema, &read(&schema, &emission.rows)), &bytes[..]);
        }
    }

    /// What a damaged batch still gets through is whole: every cell can be read.
    #[test]
    fn damaged_batches_do_no_harm((fields, rows) in table(), changes in changes(), cut in any::<Option<prop::sample::Index>>()) {
        let schema = schema_of(&fields).unwrap();
        let payload = damage(encode_bundle(1, 2, &write(&schema, &rows)), &changes, cut);
        if let Ok(bundle) = Bundle::parse(&schema, &payload) {
            read(&schema, &bundle.rows);
            batch_to_rows(&fields, &bundle.rows).unwrap();
        }
    }

    #[test]
    fn damaged_replies_do_no_harm((fields, rows) in table(), changes in changes(), cut in any::<Option<prop::sample::Index>>()) {
        let schema = schema_of(&fields).unwrap();
        let bytes = write(&schema, &rows);
        let mut writer = ReplyWriter::default();
        writer.begin(FunctionKind::Map);
        let origin: Vec<u32> = (0..rows.len() as u32).collect();
        writer.emission(&schema, 0, rows.len(), &origin, &raw(&BatchView::parse(&schema, &bytes).unwrap())).unwrap();
        writer.failure(1, Code::RowFailed, "why").unwrap();
        let frame = writer.finish(1, &Trailer { dropped_logs: 1, ..Trailer::default() }).unwrap();
        let _ = Reply::parse(&schema, &damage(frame[HEADER_BYTES..].to_vec(), &changes, cut));
    }

    #[test]
    fn keyed_bundles_round_trip(keyed in keyed()) {
        let payload = keyed.encode();
        let bundle = KeyedBundle::parse(&keyed.schema, &payload).unwrap();
        prop_assert_eq!(&bundle.evicted, &keyed.evicted);
        prop_assert_eq!(&bundle.slots, &keyed.slots);
        prop_assert_eq!((0..keyed.slots.len()).map(|key| bundle.is_fresh(key)).collect::<Vec<_>>(), keyed.fresh);
        prop_assert_eq!(read(&keyed.schema.key, &bundle.key_rows), keyed.key_rows);
        prop_assert_eq!(read(&keyed.schema.values, &bundle.values), keyed.values);
        prop_assert_eq!(&bundle.keys, &keyed.keys);
        prop_assert_eq!(&bundle.timestamps, &keyed.timestamps);
        match (&bundle.items, keyed.mode) {
            (Items::Rows(rows), 0) => prop_assert_eq!(write(&keyed.schema.input, &read(&keyed.schema.input, rows)), write(&keyed.schema.input, &keyed.rows)),
            (Items::EventTimeTimers, 1) | (Items::ProcessingTimeTimers, 2) => {}
            (items, mode) => panic!("{items:?} of mode {mode}"),
        }
    }

    /// What a damaged bundle still gets through is whole: every cell can be read, and every index points somewhere.
    #[test]
    fn damaged_keyed_bundles_do_no_harm(keyed in keyed(), changes in changes(), cut in any::<Option<prop::sample::Index>>()) {
        let payload = damage(keyed.encode(), &changes, cut);
        if let Ok(bundle) = KeyedBundle::parse(&keyed.schema, &payload) {
            read(&keyed.schema.key, &bundle.key_rows);
            read(&keyed.schema.values, &bundle.values);
            for key in &bundle.keys {
                bundle.is_fresh(*key as usize);
            }
            if let Items::Rows(rows) = &bundle.items {
                read(&keyed.schema.input, rows);
            }
        }
    }

    #[test]
    fn damaged_process_replies_do_no_harm((fields, rows) in table(), cells in vec(any::<Option<Vec<u8>>>(), 0..5), changes in changes(), cut in any::<Option<prop::sample::Index>>()) {
        let schema = schema_of(&fields).unwrap();
        let (rows_bytes, one) = (write(&schema, &rows), bytes_schema(1).unwrap());
        let cells: Vec<Vec<Cell>> = cells.into_iter().map(|cell| vec![cell.map_or(Cell::Null, Cell::Bytes)]).collect();
        let cells_bytes = write(&one, &cells);
        let batch = BatchView::parse(&schema, &rows_bytes).unwrap();
        let column = raw(&BatchView::parse(&one, &cells_bytes).unwrap())[0];
        let keys: Vec<u32> = (0..cells.len() as u32).collect();
        let mut writer = ReplyWriter::default();
        writer.begin(FunctionKind::Process);
        // In an order that the frame does not have; what is taken back leaves no trace.
        writer.timers(&[1, 2], &[3, 4], &[0, 3]).unwrap();
        writer.failure(1, Code::StateTooLarge, "why").unwrap();
        writer.values(0, &keys, column).unwrap();
        writer.elements(1, &keys, &vec![0; keys.len()], column, column).unwrap();
        writer.effect(&schema, 0, rows.len(), &vec![5; rows.len()], &raw(&batch)).unwrap();
        let mark = writer.mark();
        writer.effect(&schema, 0, rows.len(), &vec![6; rows.len()], &raw(&batch)).unwrap();
        writer.take_back(mark);
        let frame = writer.finish(1, &Trailer::default()).unwrap();
        let reply = Reply::parse(&schema, &frame[HEADER_BYTES..]).unwrap();
        let ReplyBody::Process(effects) = reply.body else { panic!("not a process function") };
        prop_assert_eq!(effects.rows.len(), 1);
        prop_assert_eq!(write(&schema, &read(&schema, &effects.rows[0].rows)), rows_bytes);
        prop_assert_eq!(read(&one, &effects.values[0].values), cells);
        prop_assert_eq!((&effects.timers.timestamps[..], &effects.timers.flags[..]), (&[3, 4][..], &[0, 3][..]));
        let _ = Reply::parse(&schema, &damage(frame[HEADER_BYTES..].to_vec(), &changes, cut));
    }

    #[test]
    fn random_bytes_do_no_harm(bytes in vec(any::<u8>(), 0..200), types in vec(data_type(), 0..4), text in ".{0,60}") {
        let schema = Schema::new(types).unwrap();
        let _ = Bundle::parse(&schema, &bytes);
        let keyed = KeyedSchema::new(schema.clone(), Schema::new(vec![]).unwrap(), 1).unwrap();
        let _ = KeyedBundle::parse(&keyed, &bytes);
        let _ = StateGet::parse(&bytes);
        let _ = parse_state(&bytes_schema(2).unwrap(), StateQuestion::Scan, &bytes);
        let _ = Reply::parse(&schema, &bytes);
        let _ = decode_json::<Hello>(FrameType::Hello, &bytes);
        let _ = decode_json::<Open>(FrameType::Open, &bytes);
        let _ = decode_json::<ErrorFrame>(FrameType::Error, &bytes);
        let _ = DataType::parse(&text);
        if let Some(header) = bytes.first_chunk() {
            let _ = FrameHeader::decode(header);
        }
    }

    #[test]
    fn near_types_do_no_harm(data_type in data_type(), changes in changes()) {
        let text = damage(data_type.to_string().into_bytes(), &changes, None);
        let _ = DataType::parse(&String::from_utf8_lossy(&text));
    }
}
