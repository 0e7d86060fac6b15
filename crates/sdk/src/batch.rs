//! Batches as they cross the boundary, and the bitmaps and cursors with which rows are read from them.
//!
//! Knows the layout of `wit/types.wit`, not what the cells mean.

pub use crate::bindings::common::flink_wasm::udf::types::{Batch, Cells, Column, RowFailure, Varlen};

/// The columns of a batch, taken one after the other while readers are set up.
pub struct Columns<'a> {
    columns: &'a [Column],
    taken: usize,
}

impl<'a> Columns<'a> {
    /// All columns of `batch`.
    pub fn new(batch: &'a Batch) -> Self {
        Self { columns: &batch.columns, taken: 0 }
    }

    /// The next column, with a place for messages about it.
    pub fn take(&mut self, expected: &'static str) -> (&'a Column, Place) {
        let place = Place { column: self.taken, expected };
        let Some(column) = self.columns.get(self.taken) else { place.missing(self.columns.len()) };
        self.taken += 1;
        (column, place)
    }

    /// Ends the setting up.
    ///
    /// # Panics
    /// When the batch has more columns than the row type reads.
    pub fn finish(self) {
        assert!(
            self.taken == self.columns.len(),
            "the batch has {} columns, the row type has {}",
            self.columns.len(),
            self.taken
        );
    }
}

/// Where in a batch something does not fit; turns into panics with a message.
#[derive(Clone, Copy)]
pub struct Place {
    column: usize,
    expected: &'static str,
}

impl Place {
    #[cold]
    fn missing(self, columns: usize) -> ! {
        panic!(
            "the batch has {columns} columns, the row type has more: column {} should hold {}",
            self.column, self.expected
        )
    }

    /// The cells are of another kind than the row type reads.
    #[cold]
    pub fn wrong_kind(self, cells: &Cells) -> ! {
        let found = match cells {
            Cells::Boolean(_) => "boolean",
            Cells::Int8(_) => "int8",
            Cells::Int16(_) => "int16",
            Cells::Int32(_) => "int32",
            Cells::Int64(_) => "int64",
            Cells::Float32(_) => "float32",
            Cells::Float64(_) => "float64",
            Cells::Decimal128(_) => "decimal128",
            Cells::Varlen(_) => "varlen",
            Cells::Nested(_) => "nested",
            Cells::Row => "row",
        };
        panic!(
            "column {} of the batch holds {found} cells, the row type wants {}",
            self.column, self.expected
        )
    }

    /// The length of a part of the column is not what it must be.
    #[track_caller]
    pub fn check_length(self, part: &str, found: usize, wanted: usize) {
        if found != wanted {
            self.wrong_length(part, found, wanted)
        }
    }

    #[cold]
    #[track_caller]
    fn wrong_length(self, part: &str, found: usize, wanted: usize) -> ! {
        panic!("column {} of the batch ({}) has {found} {part}, not {wanted}", self.column, self.expected)
    }

    /// Offsets must have one entry more than there are cells and start with 0; gives the last one.
    pub fn check_offsets(self, offsets: &[u32], cells: usize) -> usize {
        self.check_length("offsets", offsets.len(), cells + 1);
        self.check_length("as first offset", offsets[0] as usize, 0);
        offsets[cells] as usize
    }

    /// Text that is not UTF-8.
    #[cold]
    pub fn not_utf8(self) -> ! {
        panic!("column {} of the batch ({}) is not UTF-8", self.column, self.expected)
    }
}

/// Two neighbouring offsets do not bound a cell.
#[cold]
pub(crate) fn broken_offsets(start: usize, end: usize) -> ! {
    panic!("a cell of the batch goes from offset {start} to offset {end}, which is outside its data")
}

/// Which cells of a column are present.
#[derive(Clone, Copy)]
pub struct Validity<'a> {
    /// `None` when no cell is null.
    bits: Option<&'a [u8]>,
}

impl<'a> Validity<'a> {
    /// No cell is null: the rows of a batch themselves.
    pub const ALL: Validity<'static> = Validity { bits: None };

    /// The validity of a column that has `cells` cells.
    pub fn of(column: &'a Column, cells: usize, place: Place) -> Self {
        let bits = column.validity.as_deref();
        if let Some(bits) = bits {
            place.check_length("bytes of validity", bits.len(), cells.div_ceil(8));
        }
        Self { bits }
    }

    /// Whether the cell is null.
    #[inline]
    pub fn is_null(self, index: usize) -> bool {
        match self.bits {
            None => false,
            Some(bits) => bits[index / 8] >> (index % 8) & 1 == 0,
        }
    }
}

/// A bitmap under construction, least significant bit first.
#[derive(Debug, Default)]
pub struct Bitmap {
    bits: Vec<u8>,
    len: usize,
}

impl Bitmap {
    /// Adds a bit.
    #[inline]
    pub fn push(&mut self, bit: bool) {
        if self.len.is_multiple_of(8) {
            self.bits.push(0);
        }
        if let (true, Some(last)) = (bit, self.bits.last_mut()) {
            *last |= 1 << (self.len % 8);
        }
        self.len += 1;
    }

    /// Adds ones until there are `len` bits.
    pub fn fill(&mut self, len: usize) {
        while self.len < len && !self.len.is_multiple_of(8) {
            self.push(true);
        }
        let whole = len.saturating_sub(self.len) / 8;
        self.bits.resize(self.bits.len() + whole, 0xff);
        self.len += whole * 8;
        while self.len < len {
            self.push(true);
        }
    }

    /// Number of bits.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no bit yet.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Gives the bytes away; the bitmap is empty then.
    pub fn take(&mut self) -> Vec<u8> {
        self.len = 0;
        std::mem::take(&mut self.bits)
    }

    /// Takes a buffer back that [`Bitmap::take`] gave away.
    pub fn reclaim(&mut self, mut bits: Vec<u8>) {
        bits.clear();
        self.bits = bits;
        self.len = 0;
    }
}

/// The validity of a column under construction. Costs nothing until the first null.
#[derive(Debug, Default)]
pub struct Nulls {
    present: Bitmap,
}

impl Nulls {
    /// Marks cell `index` as null; all earlier cells that were not marked are present.
    pub fn mark(&mut self, index: usize) {
        self.present.fill(index);
        self.present.push(false);
    }

    /// The validity of `cells` cells.
    pub fn finish(&mut self, cells: usize) -> Option<Vec<u8>> {
        if self.present.is_empty() {
            return None;
        }
        self.present.fill(cells);
        Some(self.present.take())
    }

    /// Takes the buffer back.
    pub fn reclaim(&mut self, validity: Option<Vec<u8>>) {
        if let Some(bits) = validity {
            self.present.reclaim(bits);
        }
    }
}

/// Offsets fit in 32 bits because a batch does: its data lie in 32-bit memory, and a frame is far smaller.
pub(crate) fn offset(length: usize) -> u32 {
    u32::try_from(length).expect("a column of more than 4 GiB")
}
