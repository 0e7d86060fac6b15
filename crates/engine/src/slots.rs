//! Values of keys that the operator need not send again: they stay here for as long as it wants.

use flink_wasm_diagnostic::{Code, Diagnostic, Result};
use flink_wasm_protocol::batch::bit;
use flink_wasm_protocol::keyed::KeyedBundle;

use crate::effects::ValueChange;

/// The encoded values of one key, by value and reducing state.
type Values = Box<[Option<Box<[u8]>>]>;

/// The slots of a connection. Grows up to the highest slot used, which the protocol bounds.
#[derive(Debug, Default)]
pub(crate) struct Slots {
    slots: Vec<Option<Values>>,
}

/// The values of one state for all keys of a bundle, as a varlen column.
#[derive(Debug, Default)]
pub(crate) struct ValueColumn {
    /// Bitmap, 1 = present; empty when no cell is null.
    validity: Vec<u8>,
    pub(crate) offsets: Vec<u32>,
    pub(crate) data: Vec<u8>,
}

impl ValueColumn {
    pub(crate) fn validity(&self) -> Option<&[u8]> {
        (!self.validity.is_empty()).then_some(&self.validity)
    }

    /// The value of a key.
    pub(crate) fn bytes(&self, key: usize) -> Option<&[u8]> {
        let is_null = self.validity().is_some_and(|validity| !bit(validity, key));
        (!is_null).then(|| &self.data[self.offsets[key] as usize..self.offsets[key + 1] as usize])
    }
}

impl Slots {
    /// Empties and fills slots as the bundle says. FW0503 when a key's slot then holds nothing.
    pub(crate) fn prepare(&mut self, bundle: &KeyedBundle<'_>) -> Result<()> {
        for slot in &bundle.evicted {
            if let Some(values) = self.slots.get_mut(*slot as usize) {
                *values = None;
            }
        }
        let mut row = 0;
        for (key, slot) in bundle.slots.iter().enumerate() {
            let slot = *slot as usize;
            if bundle.is_fresh(key) {
                if slot >= self.slots.len() {
                    self.slots.resize_with(slot + 1, || None);
                }
                let columns = bundle.values.columns().iter();
                self.slots[slot] = Some(columns.map(|column| column.bytes(row).map(Box::from)).collect());
                row += 1;
            } else if self.slots.get(slot).is_none_or(Option::is_none) {
                return Err(Diagnostic::new(
                    Code::ProtocolViolation,
                    format!("key {key} is in slot {slot}, which holds no values"),
                ));
            }
        }
        Ok(())
    }

    /// The values of the bundle's keys, a column for each state. The bundle was prepared.
    pub(crate) fn columns(&self, slots: &[u32], states: usize) -> Vec<ValueColumn> {
        let column = |state: usize| {
            let mut column = ValueColumn { offsets: vec![0], ..ValueColumn::default() };
            let mut has_null = false;
            let mut validity = vec![0; slots.len().div_ceil(8)];
            for (key, slot) in slots.iter().enumerate() {
                match self.slots[*slot as usize].as_ref().and_then(|values| values[state].as_deref()) {
                    Some(value) => {
                        column.data.extend_from_slice(value);
                        validity[key / 8] |= 1 << (key % 8);
                    }
                    None => has_null = true,
                }
                column.offsets.push(column.data.len() as u32);
            }
            if has_null {
                column.validity = validity;
            }
            column
        };
        (0..states).map(column).collect()
    }

    /// Keeps what a bundle has changed. The bundle was prepared.
    pub(crate) fn apply(&mut self, slots: &[u32], changes: Vec<ValueChange>) {
        for change in changes {
            for (key, value) in change.values {
                if let Some(values) = &mut self.slots[slots[key as usize] as usize] {
                    values[change.column] = value;
                }
            }
        }
    }
}
