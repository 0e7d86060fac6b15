//! BUNDLE of a process function: rows or timers of keys, and what the state has for these keys.

use flink_wasm_diagnostic::Result;

use crate::batch::{BatchView, Reader, bit, bitmap_bytes, has_unused_bits, i64s, padded, u32_at, u32s};
use crate::batch::{put_section, put_u32};
use crate::frame::violation;
use crate::limits::{MAX_BATCH_ROWS, MAX_SLOTS};
use crate::schema::{DataType, LogicalType, MAX_LENGTH, Schema};

/// Where the number of items stands in the payload.
pub const ITEM_COUNT_AT: usize = 28;
/// Bytes in front of the first section.
const HEADER_BYTES: usize = 32;

/// What is needed to read and write the bundles of a process function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyedSchema {
    /// Types of the rows.
    pub input: Schema,
    /// Types of the key; none when the function reads no key.
    pub key: Schema,
    /// A nullable BYTES for each value and reducing state.
    pub values: Schema,
}

impl KeyedSchema {
    /// From the types of rows and key, and the number of value and reducing states.
    pub fn new(input: Schema, key: Schema, value_states: usize) -> Result<Self> {
        Ok(Self { input, key, values: bytes_schema(value_states)? })
    }
}

/// So many nullable BYTES columns: how state travels.
pub fn bytes_schema(columns: usize) -> Result<Schema> {
    Schema::new(vec![DataType::nullable(LogicalType::VarBinary(MAX_LENGTH)); columns])
}

/// What the items of a bundle are.
#[derive(Clone, Debug, PartialEq)]
pub enum Items<'a> {
    /// Rows of the input.
    Rows(BatchView<'a>),
    /// Timers that one watermark fired, in firing order.
    EventTimeTimers,
    /// Timers that the clock fired, in firing order.
    ProcessingTimeTimers,
}

/// A decoded BUNDLE of a process function.
#[derive(Clone, Debug, PartialEq)]
pub struct KeyedBundle<'a> {
    /// Milliseconds since the epoch.
    pub processing_time_ms: i64,
    /// Milliseconds since the epoch; the least `i64` before the first.
    pub watermark_ms: i64,
    /// Slots to empty first.
    pub evicted: Vec<u32>,
    /// The slot of each key; no slot twice.
    pub slots: Vec<u32>,
    /// Bitmap: the keys that come with their values.
    pub fresh: &'a [u8],
    /// One row for each key.
    pub key_rows: BatchView<'a>,
    /// One row for each fresh key, in the keys' order.
    pub values: BatchView<'a>,
    /// One for each item; the least `i64` means none.
    pub timestamps: Vec<i64>,
    /// The index of each item's key. Every key has an item.
    pub keys: Vec<u32>,
    /// Rows or timers.
    pub items: Items<'a>,
}

impl<'a> KeyedBundle<'a> {
    /// Reads the payload of a BUNDLE. FW0503 when the bytes break the protocol, FW0508 when a value does not belong to its type.
    pub fn parse(schema: &KeyedSchema, payload: &'a [u8]) -> Result<Self> {
        let mut reader = Reader { bytes: payload, at: 0 };
        let header = reader.take(HEADER_BYTES, || "the bundle's header".into())?;
        let times: Vec<i64> = i64s(&header[..16]).collect();
        let [mode, key_count, evicted_count, item_count] = [4, 5, 6, 7].map(|index| u32_at(header, index));
        let [key_count, evicted_count, item_count] =
            [key_count, evicted_count, item_count].map(|count| count as usize);
        if key_count > MAX_SLOTS || evicted_count > MAX_SLOTS || item_count > MAX_BATCH_ROWS {
            return Err(violation(format!(
                "a bundle of {item_count} items, {key_count} keys and {evicted_count} evicted slots; the limits are {MAX_BATCH_ROWS}, {MAX_SLOTS} and {MAX_SLOTS}"
            )));
        }
        let evicted = reader.padded(evicted_count * 4, || "the evicted slots".into())?;
        let slots = reader.padded(key_count * 4, || "the slots".into())?;
        let fresh = reader.padded(bitmap_bytes(key_count), || "the fresh keys".into())?;
        if has_unused_bits(fresh, key_count) {
            return Err(violation("unused bits of the fresh keys are not zero"));
        }
        let key_rows = reader.batch(&schema.key, key_count, "the keys")?;
        let fresh_count = fresh.iter().map(|byte| byte.count_ones() as usize).sum();
        let values = reader.batch(&schema.values, fresh_count, "the values")?;
        let timestamps = reader.take(item_count * 8, || "the timestamps".into())?;
        let keys = reader.padded(item_count * 4, || "the items' keys".into())?;
        let items = match mode {
            0 => Items::Rows(reader.batch(&schema.input, item_count, "the rows")?),
            1 => Items::EventTimeTimers,
            2 => Items::ProcessingTimeTimers,
            _ => return Err(violation(format!("a bundle of mode {mode}"))),
        };
        if reader.at != payload.len() {
            return Err(violation(format!("{} bytes follow the bundle", payload.len() - reader.at)));
        }
        let bundle = Self {
            processing_time_ms: times[0],
            watermark_ms: times[1],
            evicted: u32s(evicted).collect(),
            slots: u32s(slots).collect(),
            fresh,
            key_rows,
            values,
            timestamps: i64s(timestamps).collect(),
            keys: u32s(keys).collect(),
            items,
        };
        bundle.check()?;
        Ok(bundle)
    }

    /// Number of distinct keys.
    pub fn key_count(&self) -> usize {
        self.slots.len()
    }

    /// Number of rows or timers.
    pub fn item_count(&self) -> usize {
        self.keys.len()
    }

    /// Whether the key comes with its values.
    pub fn is_fresh(&self, key: usize) -> bool {
        bit(self.fresh, key)
    }

    /// The numbers that point somewhere do so.
    fn check(&self) -> Result<()> {
        if let Some(slot) = self.evicted.iter().find(|slot| **slot as usize >= MAX_SLOTS) {
            return Err(violation(format!("slot {slot} is evicted, the limit is {MAX_SLOTS}")));
        }
        if let Some(slot) = self.slots.iter().find(|slot| **slot as usize >= MAX_SLOTS) {
            return Err(violation(format!("slot {slot} is above the limit of {MAX_SLOTS}")));
        }
        // A bit for each slot, up to the highest of the bundle.
        let highest = self.slots.iter().max().map_or(0, |slot| *slot as usize);
        let mut is_used = vec![0_u64; highest / 64 + 1];
        for slot in &self.slots {
            let (word, bit) = (*slot as usize / 64, 1 << (slot % 64));
            if is_used[word] & bit != 0 {
                return Err(violation(format!("slot {slot} is given to two keys")));
            }
            is_used[word] |= bit;
        }
        let mut has_item = vec![false; self.slots.len()];
        for key in &self.keys {
            let Some(has_item) = has_item.get_mut(*key as usize) else {
                return Err(violation(format!("an item has key {key} of {}", self.slots.len())));
            };
            *has_item = true;
        }
        match has_item.iter().position(|has_item| !has_item) {
            Some(key) => Err(violation(format!("key {key} has no item"))),
            None => Ok(()),
        }
    }
}

impl<'a> Reader<'a> {
    /// A batch in the middle of a payload, which must have so many rows.
    pub(crate) fn batch(&mut self, schema: &Schema, row_count: usize, what: &str) -> Result<BatchView<'a>> {
        let (view, length) = BatchView::parse_prefix(schema, &self.bytes[self.at..])?;
        if view.row_count() != row_count {
            return Err(violation(format!("{} rows in {what}, expected {row_count}", view.row_count())));
        }
        self.at += length;
        Ok(view)
    }
}

/// The parts of a bundle that is to be written. Batches are bytes, as `BatchWriter` and `encode_columns` give them.
#[derive(Clone, Copy, Debug)]
pub struct KeyedBundleParts<'a> {
    /// Milliseconds since the epoch.
    pub processing_time_ms: i64,
    /// Milliseconds since the epoch; the least `i64` before the first.
    pub watermark_ms: i64,
    /// Slots to empty first.
    pub evicted: &'a [u32],
    /// The slot of each key.
    pub slots: &'a [u32],
    /// For each key whether its values come with it.
    pub fresh: &'a [bool],
    /// A batch with a row for each key.
    pub key_rows: &'a [u8],
    /// A batch with a row for each fresh key.
    pub values: &'a [u8],
    /// One for each item.
    pub timestamps: &'a [i64],
    /// The index of each item's key.
    pub keys: &'a [u32],
    /// Rows or timers.
    pub items: ItemParts<'a>,
}

/// The items of a bundle that is to be written.
#[derive(Clone, Copy, Debug)]
pub enum ItemParts<'a> {
    /// A batch of rows.
    Rows(&'a [u8]),
    /// Timers of event time.
    EventTimeTimers,
    /// Timers of processing time.
    ProcessingTimeTimers,
}

impl KeyedBundleParts<'_> {
    /// The payload of a BUNDLE. FW0503 when the parts do not have the same length, FW0510 when they do not fit in a frame.
    pub fn encode(&self) -> Result<Vec<u8>> {
        if self.fresh.len() != self.slots.len() || self.timestamps.len() != self.keys.len() {
            return Err(violation(format!(
                "{} slots for {} keys, or {} timestamps for {} items",
                self.slots.len(),
                self.fresh.len(),
                self.timestamps.len(),
                self.keys.len()
            )));
        }
        let (mode, rows): (usize, &[u8]) = match self.items {
            ItemParts::Rows(rows) => (0, rows),
            ItemParts::EventTimeTimers => (1, &[]),
            ItemParts::ProcessingTimeTimers => (2, &[]),
        };
        let mut payload = Vec::with_capacity(HEADER_BYTES + padded(self.keys.len() * 12) + rows.len());
        payload.extend_from_slice(&self.processing_time_ms.to_le_bytes());
        payload.extend_from_slice(&self.watermark_ms.to_le_bytes());
        for number in [mode, self.slots.len(), self.evicted.len(), self.keys.len()] {
            put_u32(&mut payload, number);
        }
        put_section(&mut payload, bytemuck::cast_slice(self.evicted))?;
        put_section(&mut payload, bytemuck::cast_slice(self.slots))?;
        put_section(&mut payload, &bitmap(self.fresh))?;
        put_section(&mut payload, self.key_rows)?;
        put_section(&mut payload, self.values)?;
        put_section(&mut payload, bytemuck::cast_slice(self.timestamps))?;
        put_section(&mut payload, bytemuck::cast_slice(self.keys))?;
        put_section(&mut payload, rows)?;
        Ok(payload)
    }
}

fn bitmap(bits: &[bool]) -> Vec<u8> {
    let byte = |bits: &[bool]| bits.iter().rev().fold(0, |byte, bit| byte << 1 | u8::from(*bit));
    bits.chunks(8).map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use flink_wasm_diagnostic::Code;

    /// Two keys in slots 5 and 9, the second of them fresh; three timers.
    fn payload(change: impl FnOnce(&mut KeyedBundleParts<'_>)) -> Vec<u8> {
        let schema = schema();
        let (mut key_rows, mut values) = (Vec::new(), Vec::new());
        let mut writer = crate::BatchWriter::new(&schema.key);
        for key in [1, 2] {
            writer.push_row(&[crate::Cell::Int64(key)]).unwrap();
        }
        writer.finish(&mut key_rows).unwrap();
        let mut writer = crate::BatchWriter::new(&schema.values);
        writer.push_row(&[crate::Cell::Bytes(vec![7]), crate::Cell::Null]).unwrap();
        writer.finish(&mut values).unwrap();
        let mut parts = KeyedBundleParts {
            processing_time_ms: 1,
            watermark_ms: 2,
            evicted: &[3],
            slots: &[5, 9],
            fresh: &[false, true],
            key_rows: &key_rows,
            values: &values,
            timestamps: &[10, 11, i64::MIN],
            keys: &[1, 0, 1],
            items: ItemParts::EventTimeTimers,
        };
        change(&mut parts);
        parts.encode().unwrap()
    }

    fn schema() -> KeyedSchema {
        KeyedSchema::new(Schema::parse(&["INT"]).unwrap(), Schema::parse(&["BIGINT NOT NULL"]).unwrap(), 2)
            .unwrap()
    }

    #[test]
    fn a_bundle_is_read_as_it_was_written() {
        let payload = payload(|_| {});
        let bundle = KeyedBundle::parse(&schema(), &payload).unwrap();
        assert_eq!((bundle.processing_time_ms, bundle.watermark_ms), (1, 2));
        assert_eq!((&bundle.evicted[..], &bundle.slots[..]), (&[3][..], &[5, 9][..]));
        assert_eq!((bundle.is_fresh(0), bundle.is_fresh(1)), (false, true));
        assert_eq!(bundle.values.columns()[0].bytes(0), Some(&[7][..]));
        assert_eq!(bundle.values.columns()[1].bytes(0), None);
        assert_eq!((&bundle.timestamps[..], &bundle.keys[..]), (&[10, 11, i64::MIN][..], &[1, 0, 1][..]));
        assert_eq!((bundle.key_count(), bundle.item_count()), (2, 3));
        assert_eq!(bundle.items, Items::EventTimeTimers);
    }

    #[test]
    fn wrong_bundles_are_refused() {
        type Change = fn(&mut KeyedBundleParts<'_>);
        let cases: [(Change, &str); 8] = [
            (|parts| parts.slots = &[5, 5], "slot 5 is given to two keys"),
            (|parts| parts.slots = &[5, 524_288], "slot 524288 is above the limit of 524288"),
            (|parts| parts.evicted = &[524_288], "slot 524288 is evicted, the limit is 524288"),
            (|parts| parts.keys = &[1, 2, 1], "an item has key 2 of 2"),
            (|parts| parts.keys = &[1, 1, 1], "key 0 has no item"),
            (|parts| parts.fresh = &[true, true], "1 rows in the values, expected 2"),
            (|parts| (parts.slots, parts.fresh) = (&[5], &[true]), "2 rows in the keys, expected 1"),
            (|parts| parts.items = ItemParts::Rows(&[0; 24]), "a batch of 0 columns, the schema has 1"),
        ];
        for (change, reason) in cases {
            let error = KeyedBundle::parse(&schema(), &payload(change)).unwrap_err();
            assert_eq!((error.code, error.message.as_str()), (Code::ProtocolViolation, reason));
        }
        let mut mode = payload(|_| {});
        mode[16] = 3;
        assert_eq!(KeyedBundle::parse(&schema(), &mode).unwrap_err().message, "a bundle of mode 3");
    }
}
