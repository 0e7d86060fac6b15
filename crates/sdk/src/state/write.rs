//! Encoded values as columns.

use crate::batch::{Cells, Column, Nulls, Varlen, offset};
use crate::process::Effects;
use crate::state::codec::StateValue;

/// A varlen column under construction. Its buffers are kept from batch to batch.
pub(crate) struct Encoded {
    nulls: Nulls,
    offsets: Vec<u32>,
    /// Where the next cell is written.
    pub(crate) data: Vec<u8>,
}

impl Default for Encoded {
    fn default() -> Self {
        Self { nulls: Nulls::default(), offsets: vec![0], data: Vec::new() }
    }
}

impl Encoded {
    /// Ends a cell, whose bytes stand in `data`.
    #[inline]
    pub(crate) fn end_cell(&mut self) {
        self.offsets.push(offset(self.data.len()));
    }

    /// Adds a null.
    pub(crate) fn push_null(&mut self) {
        self.nulls.mark(self.offsets.len() - 1);
        self.end_cell();
    }

    /// Adds a cell with these bytes.
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.data.extend_from_slice(bytes);
        self.end_cell();
    }

    /// The column.
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn into_column(mut self) -> Column {
        let mut column = None;
        self.take(|taken| column = Some(taken.clone()));
        column.unwrap_or(Column { validity: None, cells: Cells::Row })
    }

    /// Gives the column to `give`, and starts anew.
    pub(crate) fn take(&mut self, give: impl FnOnce(&Column)) {
        let cells = self.offsets.len() - 1;
        let varlen =
            Varlen { offsets: std::mem::take(&mut self.offsets), data: std::mem::take(&mut self.data) };
        let column = Column { validity: self.nulls.finish(cells), cells: Cells::Varlen(varlen) };
        give(&column);
        self.nulls.reclaim(column.validity);
        if let Cells::Varlen(Varlen { offsets, data }) = column.cells {
            (self.offsets, self.data) = (offsets, data);
            self.offsets.truncate(1);
            self.data.clear();
        }
    }
}

/// Ops of `put-elements`.
const PUT: u8 = 0;
const REMOVE: u8 = 1;
const CLEAR: u8 = 2;

/// What a batch changes in a list or map state. Its buffers are kept from batch to batch.
#[derive(Default)]
pub(crate) struct ElementChanges {
    /// Keys with changes, each once.
    changed: Vec<u32>,
    told: Told,
}

/// Changes as they are told.
#[derive(Default)]
pub(crate) struct Told {
    keys: Vec<u32>,
    ops: Vec<u8>,
    elements: Encoded,
    values: Encoded,
}

impl ElementChanges {
    /// Forgets everything.
    pub(crate) fn begin(&mut self) {
        self.changed.clear();
    }

    /// Notes that a key has changes; `is_changed` is whether it is noted.
    #[inline]
    pub(crate) fn mark(&mut self, key: usize, is_changed: &mut bool) {
        if !std::mem::replace(is_changed, true) {
            self.changed.push(key as u32);
        }
    }

    /// Tells what `write` says of each changed key.
    pub(crate) fn tell(&mut self, state: u32, effects: &mut dyn Effects, write: impl Fn(u32, &mut Told)) {
        for &key in &self.changed {
            write(key, &mut self.told);
        }
        let Told { keys, ops, elements, values } = &mut self.told;
        if !keys.is_empty() {
            elements.take(|elements| {
                values.take(|values| effects.put_elements(state, keys, ops, elements, values));
            });
        }
        keys.clear();
        ops.clear();
    }
}

impl Told {
    /// A value is put under a map key, or added to a list, where `element` writes nothing.
    pub(crate) fn put<T: StateValue>(&mut self, key: u32, element: impl FnOnce(&mut Vec<u8>), value: &T) {
        self.start(key, PUT, element);
        value.encode(&mut self.values.data);
        self.values.end_cell();
    }

    /// The value under a map key is removed.
    pub(crate) fn remove(&mut self, key: u32, element: impl FnOnce(&mut Vec<u8>)) {
        self.start(key, REMOVE, element);
        self.values.push_null();
    }

    /// Everything of a key is removed.
    pub(crate) fn clear(&mut self, key: u32) {
        self.start(key, CLEAR, |_| {});
        self.values.push_null();
    }

    fn start(&mut self, key: u32, op: u8, element: impl FnOnce(&mut Vec<u8>)) {
        self.keys.push(key);
        self.ops.push(op);
        element(&mut self.elements.data);
        self.elements.end_cell();
    }
}

/// The bytes of a cell of a varlen column, or `None` for a null.
///
/// # Panics
/// When the column is not varlen, or broken.
#[inline]
pub(crate) fn cell(column: &Column, index: usize) -> Option<&[u8]> {
    if let Some(bits) = &column.validity
        && bits[index / 8] >> (index % 8) & 1 == 0
    {
        return None;
    }
    let Cells::Varlen(Varlen { offsets, data }) = &column.cells else { not_varlen() };
    Some(&data[offsets[index] as usize..offsets[index + 1] as usize])
}

#[cold]
fn not_varlen() -> ! {
    panic!("the values of a state do not come as varlen cells")
}
