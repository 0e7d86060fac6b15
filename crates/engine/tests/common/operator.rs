//! A keyed operator in small: what Flink keeps for each key, as the engine's tests of process functions see it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::{Arc, LazyLock};

use flink_wasm_diagnostic::{Code, Result};
use flink_wasm_engine::{
    ElementSource, Elements, Engine, EngineConfig, Fault, Instance, LoadedFunction, Options,
};
use flink_wasm_protocol::batch::BatchWriter;
use flink_wasm_protocol::frame::HEADER_BYTES;
use flink_wasm_protocol::json::{batch_to_rows, rows_to_batch};
use flink_wasm_protocol::keyed::{ItemParts, KeyedBundleParts};
use flink_wasm_protocol::reply::{ElementOp, Reply, ReplyBody, Trailer};
use flink_wasm_protocol::{Cell, RowField};
use serde_json::{Map, Value, json};

/// The function, loaded once.
pub(crate) fn function() -> Arc<LoadedFunction> {
    static FUNCTION: LazyLock<Arc<LoadedFunction>> = LazyLock::new(|| {
        let engine = Engine::new(&EngineConfig::default()).unwrap();
        engine.load(&flink_wasm_test_guests::component("hostile-process")).unwrap().function
    });
    FUNCTION.clone()
}

/// The state of `hostile-process`, by key.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Backend {
    pub(crate) sums: BTreeMap<i64, Vec<u8>>,
    pub(crate) seen: BTreeMap<i64, Vec<Vec<u8>>>,
    pub(crate) notes: BTreeMap<i64, BTreeMap<Vec<u8>, Vec<u8>>>,
    /// Keys of the bundle that runs.
    keys: Vec<i64>,
    /// Questions asked.
    pub(crate) questions: usize,
}

struct Source(Rc<RefCell<Backend>>);

impl ElementSource for Source {
    fn get(&mut self, state: u32, key: u32, element: &[u8]) -> Result<Option<Vec<u8>>> {
        assert_eq!(state, 2);
        let backend = &mut *self.0.borrow_mut();
        backend.questions += 1;
        Ok(backend.notes.get(&backend.keys[key as usize]).and_then(|notes| notes.get(element)).cloned())
    }

    fn scan(&mut self, state: u32, key: u32) -> Result<Elements> {
        assert_eq!(state, 1);
        let backend = &mut *self.0.borrow_mut();
        backend.questions += 1;
        let seen = backend.seen.get(&backend.keys[key as usize]).cloned().unwrap_or_default();
        Ok(seen.into_iter().map(|value| (Vec::new(), value)).collect())
    }
}

/// An instance with its state. Every key keeps a slot for ever.
pub(crate) struct Operator {
    pub(crate) instance: Instance,
    pub(crate) backend: Rc<RefCell<Backend>>,
    slots: BTreeMap<i64, u32>,
}

/// What came of a bundle. Everything but the failures.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Done {
    /// Output, timestamp and row.
    pub(crate) rows: Vec<(u32, i64, Value)>,
    /// Key, timestamp and flags.
    pub(crate) timers: Vec<(i64, i64, u8)>,
    pub(crate) trailer: Trailer,
}

pub(crate) type Failures = Vec<(u32, Code, String)>;

/// A row of `hostile-process`.
pub(crate) fn row(k: i64, mode: &str, value: i64) -> Value {
    json!({"k": k, "mode": mode, "value": value})
}

impl Operator {
    pub(crate) fn open(options: Options) -> Self {
        let mut instance = function().open_with(&Map::new(), options).unwrap();
        let backend = Rc::new(RefCell::new(Backend::default()));
        instance.set_element_source(Box::new(Source(backend.clone())));
        Self { instance, backend, slots: BTreeMap::new() }
    }

    /// Rows; the timestamp of a row is 100 times its index.
    pub(crate) fn rows(&mut self, rows: &[Value]) -> std::result::Result<(Done, Failures), Fault> {
        let keys: Vec<i64> = rows.iter().map(|row| row["k"].as_i64().unwrap()).collect();
        let timestamps: Vec<i64> = (0..rows.len() as i64).map(|row| row * 100).collect();
        let fields = self.instance.function().description().input_fields().unwrap();
        let batch = rows_to_batch(&fields, rows).unwrap();
        self.run(&keys, &timestamps, ItemParts::Rows(&batch))
    }

    /// Timers, given as key and timestamp.
    pub(crate) fn timers(&mut self, timers: &[(i64, i64)]) -> std::result::Result<(Done, Failures), Fault> {
        let (keys, timestamps): (Vec<i64>, Vec<i64>) = timers.iter().copied().unzip();
        self.run(&keys, &timestamps, ItemParts::EventTimeTimers)
    }

    fn run(
        &mut self,
        keys: &[i64],
        timestamps: &[i64],
        items: ItemParts<'_>,
    ) -> std::result::Result<(Done, Failures), Fault> {
        let payload = self.payload(keys, timestamps, items);
        let function = self.instance.function().clone();
        let frame = self.instance.run(1, &payload)?;
        let reply = Reply::parse_outputs(function.outputs(), &frame[HEADER_BYTES..]).unwrap();
        let ReplyBody::Process(effects) = reply.body else { panic!("not a process function") };
        let outputs: Vec<Vec<RowField>> = std::iter::once(function.description().output_fields().unwrap())
            .chain(function.description().side_outputs.iter().map(|side| side.row_fields().unwrap()))
            .collect();
        let backend = &mut *self.backend.borrow_mut();
        let mut done = Done { trailer: reply.trailer, ..Done::default() };
        for effect in &effects.rows {
            let rows = batch_to_rows(&outputs[effect.output as usize], &effect.rows).unwrap();
            let told = effect.timestamps.iter().zip(rows);
            done.rows.extend(told.map(|(timestamp, row)| (effect.output, *timestamp, row)));
        }
        for change in &effects.values {
            assert_eq!(change.state, 0);
            for (row, key) in change.keys.iter().enumerate() {
                let k = backend.keys[*key as usize];
                match change.values.columns()[0].bytes(row) {
                    Some(value) => drop(backend.sums.insert(k, value.to_vec())),
                    None => drop(backend.sums.remove(&k)),
                }
            }
        }
        for change in &effects.elements {
            for (row, key) in change.keys.iter().enumerate() {
                assert_eq!(change.ops[row], ElementOp::Put);
                let k = backend.keys[*key as usize];
                let cell = |column: usize| change.cells.columns()[column].bytes(row).unwrap().to_vec();
                match change.state {
                    1 => backend.seen.entry(k).or_default().push(cell(1)),
                    2 => drop(backend.notes.entry(k).or_default().insert(cell(0), cell(1))),
                    state => panic!("state {state} has no elements"),
                }
            }
        }
        let timers = &effects.timers;
        for (timer, key) in timers.keys.iter().enumerate() {
            let k = backend.keys[*key as usize];
            done.timers.push((k, timers.timestamps[timer], timers.flags[timer]));
        }
        let failures = reply
            .failures
            .iter()
            .map(|failed| (failed.row, failed.code, failed.message.to_owned()))
            .collect();
        Ok((done, failures))
    }

    /// A key that has a slot is sent without its values.
    fn payload(&mut self, keys: &[i64], timestamps: &[i64], items: ItemParts<'_>) -> Vec<u8> {
        let mut distinct: Vec<i64> = Vec::new();
        let mut indices = Vec::new();
        for key in keys {
            let index = distinct.iter().position(|known| known == key).unwrap_or_else(|| {
                distinct.push(*key);
                distinct.len() - 1
            });
            indices.push(index as u32);
        }
        let function = self.instance.function().clone();
        let schema = function.keyed().unwrap();
        let (mut key_rows, mut values) = (BatchWriter::new(&schema.key), BatchWriter::new(&schema.values));
        let (mut slots, mut fresh) = (Vec::new(), Vec::new());
        let mut backend = self.backend.borrow_mut();
        for key in &distinct {
            key_rows.push_row(&[Cell::Int64(*key)]).unwrap();
            let next = self.slots.len() as u32;
            fresh.push(!self.slots.contains_key(key));
            slots.push(*self.slots.entry(*key).or_insert(next));
            if *fresh.last().unwrap() {
                values.push_row(&[backend.sums.get(key).cloned().map_or(Cell::Null, Cell::Bytes)]).unwrap();
            }
        }
        backend.keys = distinct;
        let (mut key_bytes, mut value_bytes) = (Vec::new(), Vec::new());
        key_rows.finish(&mut key_bytes).unwrap();
        values.finish(&mut value_bytes).unwrap();
        let parts = KeyedBundleParts {
            processing_time_ms: 1_000,
            watermark_ms: 2_000,
            evicted: &[],
            slots: &slots,
            fresh: &fresh,
            key_rows: &key_bytes,
            values: &value_bytes,
            timestamps,
            keys: &indices,
            items,
        };
        parts.encode().unwrap()
    }
}
