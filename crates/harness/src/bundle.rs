//! The bundle that a run of items makes: distinct keys, the values of their state, rows or timers.

use std::collections::HashMap;
use std::sync::Arc;

use flink_wasm_diagnostic::{Code, Diagnostic, Result};
use flink_wasm_protocol::handshake::State;
use flink_wasm_protocol::keyed::{ItemParts, KeyedBundleParts, bytes_schema};
use flink_wasm_protocol::schema::{RowField, Schema};
use flink_wasm_protocol::{BatchWriter, Cell, json};

use crate::executor::Elements;
use crate::function::{Function, Grouping};
use crate::state::{Key, KeyedState};

/// A row or timer.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    pub(crate) key: Key,
    /// The least `i64` when a row has none.
    pub(crate) timestamp: i64,
    /// Empty for a timer.
    pub(crate) cells: Vec<Cell>,
}

/// What the items of a bundle are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Rows,
    EventTimeTimers,
    ProcessingTimeTimers,
}

/// Schemas of a function's bundles and replies.
#[derive(Debug)]
pub(crate) struct Schemas {
    input: Schema,
    key: Schema,
    values: Schema,
    pub(crate) outputs: Vec<Schema>,
    /// Indices of the value and reducing states: the columns of `values`.
    value_states: Vec<usize>,
}

impl Schemas {
    pub(crate) fn new(function: &Function) -> Result<Self> {
        let schema = |fields: &[RowField]| json::schema_of(fields);
        let value_states: Vec<usize> =
            (0..function.states.len()).filter(|index| function.states[*index].kind.is_value()).collect();
        Ok(Self {
            input: schema(&function.input)?,
            key: schema(&function.key)?,
            values: bytes_schema(value_states.len())?,
            outputs: (0..=function.side_outputs.len())
                .map(|index| schema(function.output_fields(index)))
                .collect::<Result<_>>()?,
            value_states,
        })
    }
}

/// The times that a bundle shows to the function.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    pub(crate) processing_time_ms: i64,
    pub(crate) watermark_ms: i64,
}

/// The distinct keys of the items in order of their first item, and for each item the index of its key.
pub(crate) fn distinct(items: &[Item]) -> (Vec<Key>, Vec<u32>) {
    let mut indices = HashMap::new();
    let mut keys = Vec::new();
    let of_item = items.iter().map(|item| {
        *indices.entry(item.key.as_slice()).or_insert_with(|| {
            keys.push(item.key.clone());
            keys.len() as u32 - 1
        })
    });
    let of_items = of_item.collect();
    (keys, of_items)
}

/// The payload of a BUNDLE. Every key is sent fresh, each in the slot of its index: what a slot held before is replaced.
pub(crate) fn encode(
    schemas: &Schemas,
    grouping: &Grouping,
    state: &KeyedState,
    times: Times,
    mode: Mode,
    items: &[Item],
    (keys, of_items): (&[Key], &[u32]),
) -> Result<Vec<u8>> {
    let (mut key_rows, mut values, mut rows) = (Vec::new(), Vec::new(), Vec::new());
    let mut key_writer = BatchWriter::new(&schemas.key);
    let mut value_writer = BatchWriter::new(&schemas.values);
    for key in keys {
        // A function that reads no key gets none, however the rows are grouped.
        let cells = if schemas.key.fields().is_empty() { Vec::new() } else { grouping.cells(key)? };
        key_writer.push_row(&cells)?;
        let value = |index: &usize| {
            let value = state.value(key, *index, times.processing_time_ms);
            value.map_or(Cell::Null, |bytes| Cell::Bytes(bytes.to_vec()))
        };
        value_writer.push_row(&schemas.value_states.iter().map(value).collect::<Vec<_>>())?;
    }
    key_writer.finish(&mut key_rows)?;
    value_writer.finish(&mut values)?;
    let item_parts = match mode {
        Mode::Rows => {
            let mut writer = BatchWriter::new(&schemas.input);
            for item in items {
                writer.push_row(&item.cells)?;
            }
            writer.finish(&mut rows)?;
            ItemParts::Rows(&rows)
        }
        Mode::EventTimeTimers => ItemParts::EventTimeTimers,
        Mode::ProcessingTimeTimers => ItemParts::ProcessingTimeTimers,
    };
    let timestamps: Vec<i64> = items.iter().map(|item| item.timestamp).collect();
    let parts = KeyedBundleParts {
        processing_time_ms: times.processing_time_ms,
        watermark_ms: times.watermark_ms,
        evicted: &[],
        slots: &(0..keys.len() as u32).collect::<Vec<_>>(),
        fresh: &vec![true; keys.len()],
        key_rows: &key_rows,
        values: &values,
        timestamps: &timestamps,
        keys: of_items,
        items: item_parts,
    };
    parts.encode()
}

/// List and map state for a bundle that runs.
pub(crate) struct ElementsOf {
    pub(crate) state: Arc<KeyedState>,
    pub(crate) keys: Vec<Key>,
    pub(crate) now_ms: i64,
}

impl ElementsOf {
    fn check(&self, state: u32, key: u32) -> Result<(&[u8], usize)> {
        let is_elements = |index: usize| {
            self.state.descriptors.get(index).is_some_and(|state: &State| !state.kind.is_value())
        };
        match self.keys.get(key as usize) {
            Some(key) if is_elements(state as usize) => Ok((key, state as usize)),
            _ => Err(Diagnostic::new(
                Code::ProtocolViolation,
                format!("asked for state {state} of key {key}, there are {} keys", self.keys.len()),
            )),
        }
    }
}

impl Elements for ElementsOf {
    fn get(&mut self, state: u32, key: u32, element: &[u8]) -> Result<Option<Vec<u8>>> {
        let (key, state) = self.check(state, key)?;
        Ok(self.state.entry(key, state, element, self.now_ms).map(<[u8]>::to_vec))
    }

    fn scan(&mut self, state: u32, key: u32) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
        let (key, state) = self.check(state, key)?;
        let all = self.state.scan(key, state, self.now_ms).into_iter();
        Ok(all.map(|(element, value)| (element.to_vec(), value.to_vec())).collect())
    }
}
