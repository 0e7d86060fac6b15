//! What a native function does: of one attempt, and of all that is kept of a bundle.

use std::cell::RefCell;
use std::collections::BTreeMap;

use flink_wasm::testing::TestContext;
use flink_wasm::{Batch, Column, Effects, Level};
use flink_wasm_diagnostic::{Code, Result};
use flink_wasm_protocol::Schema;
use flink_wasm_protocol::batch::RawColumn;
use flink_wasm_protocol::frame::HEADER_BYTES;
use flink_wasm_protocol::handshake::{FunctionKind, State};
use flink_wasm_protocol::keyed::{KeyedBundle, KeyedSchema};
use flink_wasm_protocol::reply::{ElementOp, LogLevel, LogLine, ReplyWriter, Trailer};

use super::columns::{bytes_column, bytes_of, to_raw};
use super::elements::{Change, Source};

/// What some items did.
#[derive(Default)]
pub(super) struct Attempt {
    rows: Vec<(u32, Batch, Vec<i64>)>,
    values: Vec<(u32, Vec<u32>, Vec<Option<Vec<u8>>>)>,
    elements: Vec<Change>,
    timers: (Vec<u32>, Vec<i64>, Vec<u8>),
    trailer: Trailer,
}

impl Effects for Attempt {
    fn emit(&mut self, output: u32, rows: &Batch, timestamps: &[i64]) {
        self.rows.push((output, rows.clone(), timestamps.to_vec()));
    }

    fn put_values(&mut self, state: u32, keys: &[u32], values: &Column) {
        self.values.push((state, keys.to_vec(), bytes_of(values)));
    }

    fn put_elements(&mut self, state: u32, keys: &[u32], ops: &[u8], elements: &Column, values: &Column) {
        let cells = bytes_of(elements).into_iter().zip(bytes_of(values));
        for ((key, op), (element, value)) in keys.iter().zip(ops).zip(cells) {
            self.elements.push(Change {
                state,
                key: *key,
                op: ElementOp::from_u8(*op).expect("the SDK knows the operations"),
                element: element.unwrap_or_default(),
                value: value.unwrap_or_default(),
            });
        }
    }

    fn put_timers(&mut self, keys: &[u32], timestamps: &[i64], flags: &[u8]) {
        self.timers = (keys.to_vec(), timestamps.to_vec(), flags.to_vec());
    }
}

impl Attempt {
    /// Takes over what was logged and counted.
    pub(super) fn told(&mut self, context: &TestContext) {
        self.trailer.counters = context.counters();
        self.trailer.gauges = context.gauges();
        let level = |level| match level {
            Level::Trace => LogLevel::Trace,
            Level::Debug => LogLevel::Debug,
            Level::Info => LogLevel::Info,
            Level::Warn => LogLevel::Warn,
            Level::Error => LogLevel::Error,
        };
        let line = |(of, message)| LogLine { level: level(of), message };
        self.trailer.logs = context.logs().into_iter().map(line).collect();
    }
}

/// What is kept of a bundle.
pub(super) struct Kept {
    /// The values that the next items start from: for each value and reducing state a cell for each key.
    pub(super) values: Vec<Vec<Option<Vec<u8>>>>,
    /// Items that failed.
    pub(super) failures: Vec<(u32, Code, String)>,
    rows: Vec<(u32, Batch, Vec<i64>)>,
    /// By state, the keys whose value is another one.
    changed: BTreeMap<u32, BTreeMap<u32, Option<Vec<u8>>>>,
    timers: (Vec<u32>, Vec<i64>, Vec<u8>),
    trailer: Trailer,
}

impl Kept {
    /// Nothing yet. Every key of the bundle is fresh.
    pub(super) fn new(schema: &KeyedSchema, bundle: &KeyedBundle<'_>) -> Self {
        let cells = |column: usize| {
            let column = &bundle.values.columns()[column];
            (0..bundle.key_count()).map(|key| column.bytes(key).map(<[u8]>::to_vec)).collect()
        };
        Self {
            values: (0..schema.values.columns().len()).map(cells).collect(),
            failures: Vec::new(),
            rows: Vec::new(),
            changed: BTreeMap::new(),
            timers: Default::default(),
            trailer: Trailer::default(),
        }
    }

    /// Adds what an attempt did.
    pub(super) fn keep(&mut self, attempt: Attempt, states: &[State], source: &RefCell<Source>) {
        self.rows.extend(attempt.rows);
        for (state, keys, values) in attempt.values {
            let column = states[..state as usize].iter().filter(|state| state.kind.is_value()).count();
            for (key, value) in keys.into_iter().zip(values) {
                self.values[column][key as usize] = value.clone();
                self.changed.entry(state).or_default().insert(key, value);
            }
        }
        source.borrow_mut().changes.extend(attempt.elements);
        self.timers.0.extend(attempt.timers.0);
        self.timers.1.extend(attempt.timers.1);
        self.timers.2.extend(attempt.timers.2);
        for (name, delta) in attempt.trailer.counters {
            *self.trailer.counters.entry(name).or_default() += delta;
        }
        self.trailer.gauges.extend(attempt.trailer.gauges);
        self.trailer.logs.extend(attempt.trailer.logs);
    }

    /// Drops everything for the sake of the failure that ends the job.
    pub(super) fn fail_all(&mut self, item: u32, message: String, source: &RefCell<Source>) {
        self.rows.clear();
        self.changed.clear();
        source.borrow_mut().changes.clear();
        self.timers = Default::default();
        self.trailer = Trailer::default();
        self.failures = vec![(item, Code::RowFailed, message)];
    }

    /// The payload of the REPLY.
    pub(super) fn reply(&self, id: u64, outputs: &[Schema], source: &Source) -> Result<Vec<u8>> {
        let mut writer = ReplyWriter::default();
        writer.begin(FunctionKind::Process);
        for (output, rows, timestamps) in &self.rows {
            let columns: Vec<RawColumn<'_>> = rows.columns.iter().map(to_raw).collect();
            let schema = &outputs[*output as usize];
            writer.effect(schema, *output, rows.row_count as usize, timestamps, &columns)?;
        }
        for (state, changes) in &self.changed {
            let keys: Vec<u32> = changes.keys().copied().collect();
            writer.values(*state, &keys, to_raw(&bytes_column(changes.values().map(Option::as_deref))))?;
        }
        let mut by_state: BTreeMap<u32, Vec<&Change>> = BTreeMap::new();
        for change in &source.changes {
            by_state.entry(change.state).or_default().push(change);
        }
        for (state, changes) in by_state {
            let keys: Vec<u32> = changes.iter().map(|change| change.key).collect();
            let ops: Vec<u8> = changes.iter().map(|change| change.op as u8).collect();
            let elements = bytes_column(changes.iter().map(|change| Some(&change.element[..])));
            let values = changes.iter().map(|c| (c.op == ElementOp::Put).then_some(&c.value[..]));
            writer.elements(state, &keys, &ops, to_raw(&elements), to_raw(&bytes_column(values)))?;
        }
        writer.timers(&self.timers.0, &self.timers.1, &self.timers.2)?;
        for (item, code, message) in &self.failures {
            writer.failure(*item, *code, message)?;
        }
        Ok(writer.finish(id, &self.trailer)?[HEADER_BYTES..].to_vec())
    }
}
