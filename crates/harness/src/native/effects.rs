//! What a native function does with a bundle, and the reply that it makes.

use flink_wasm::testing::TestContext;
use flink_wasm::{Batch, Column, Effects, Level};
use flink_wasm_diagnostic::{Code, Result};
use flink_wasm_protocol::Schema;
use flink_wasm_protocol::batch::RawColumn;
use flink_wasm_protocol::frame::HEADER_BYTES;
use flink_wasm_protocol::handshake::FunctionKind;
use flink_wasm_protocol::reply::{LogLevel, LogLine, ReplyWriter, Trailer};

use super::columns::to_raw;

/// What some items did.
#[derive(Default)]
pub(super) struct Attempt {
    rows: Vec<(u32, Batch, Vec<i64>)>,
    values: Vec<(u32, Vec<u32>, Column)>,
    elements: Vec<ElementChanges>,
    timers: (Vec<u32>, Vec<i64>, Vec<u8>),
    trailer: Trailer,
}

struct ElementChanges {
    state: u32,
    keys: Vec<u32>,
    ops: Vec<u8>,
    elements: Column,
    values: Column,
}

impl Effects for Attempt {
    fn emit(&mut self, output: u32, rows: &Batch, timestamps: &[i64]) {
        self.rows.push((output, rows.clone(), timestamps.to_vec()));
    }

    fn put_values(&mut self, state: u32, keys: &[u32], values: &Column) {
        self.values.push((state, keys.to_vec(), values.clone()));
    }

    fn put_elements(&mut self, state: u32, keys: &[u32], ops: &[u8], elements: &Column, values: &Column) {
        let (keys, ops) = (keys.to_vec(), ops.to_vec());
        let (elements, values) = (elements.clone(), values.clone());
        self.elements.push(ElementChanges { state, keys, ops, elements, values });
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

    /// The payload of the REPLY.
    pub(super) fn reply(
        &self,
        id: u64,
        outputs: &[Schema],
        failures: &[(u32, Code, String)],
    ) -> Result<Vec<u8>> {
        let mut writer = ReplyWriter::default();
        writer.begin(FunctionKind::Process);
        for (output, rows, timestamps) in &self.rows {
            let columns: Vec<RawColumn<'_>> = rows.columns.iter().map(to_raw).collect();
            let schema = &outputs[*output as usize];
            writer.effect(schema, *output, rows.row_count as usize, timestamps, &columns)?;
        }
        for (state, keys, values) in &self.values {
            writer.values(*state, keys, to_raw(values))?;
        }
        for ElementChanges { state, keys, ops, elements, values } in &self.elements {
            writer.elements(*state, keys, ops, to_raw(elements), to_raw(values))?;
        }
        writer.timers(&self.timers.0, &self.timers.1, &self.timers.2)?;
        for (item, code, message) in failures {
            writer.failure(*item, *code, message)?;
        }
        Ok(writer.finish(id, &self.trailer)?[HEADER_BYTES..].to_vec())
    }
}
