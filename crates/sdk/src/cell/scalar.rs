//! Cells of a fixed width: BOOLEAN, integers, floats, DECIMAL, DATE, TIME.

use super::{CellReader, CellWriter, Family, ReadCell, SqlType, WriteCell};
use crate::batch::{Bitmap, Cells, Column, Columns, Nulls, Place, Validity};
use crate::{Date, Decimal, Time};

/// A Rust number that cells hold as it is.
pub trait Fixed: Copy + Default + 'static {
    /// The kind of cells, for messages.
    const KIND: &'static str;
    /// The cells of a column, when they are of this kind.
    fn cells(cells: &Cells) -> Option<&[Self]>;
    /// Makes cells.
    fn into_cells(values: Vec<Self>) -> Cells;
    /// Takes the buffer out of cells of this kind.
    fn from_cells(cells: Cells) -> Option<Vec<Self>>;
}

/// Reads cells that are Rust numbers.
pub struct FixedReader<'a, T> {
    cells: &'a [T],
    validity: Validity<'a>,
}

impl<T: Copy> FixedReader<'_, T> {
    #[inline]
    pub(super) fn get(&self, index: usize) -> T {
        self.cells[index]
    }
}

impl<'a, T: Fixed> CellReader<'a> for FixedReader<'a, T> {
    fn new(columns: &mut Columns<'a>, cells: usize) -> Self {
        let (column, place) = columns.take(T::KIND);
        let Some(values) = T::cells(&column.cells) else { place.wrong_kind(&column.cells) };
        place.check_length("cells", values.len(), cells);
        Self { cells: values, validity: Validity::of(column, cells, place) }
    }

    #[inline]
    fn is_null(&self, index: usize) -> bool {
        self.validity.is_null(index)
    }
}

/// Writes cells that are Rust numbers.
#[derive(Debug, Default)]
pub struct FixedWriter<T> {
    cells: Vec<T>,
    nulls: Nulls,
}

impl<T> FixedWriter<T> {
    #[inline]
    pub(super) fn push(&mut self, value: T) {
        self.cells.push(value);
    }
}

impl<T: Fixed> CellWriter for FixedWriter<T> {
    fn cells(&self) -> usize {
        self.cells.len()
    }

    fn push_empty(&mut self) {
        self.cells.push(T::default());
    }

    fn push_null(&mut self) {
        self.nulls.mark(self.cells.len());
        self.push_empty();
    }

    fn finish(&mut self, columns: &mut Vec<Column>) {
        let validity = self.nulls.finish(self.cells.len());
        columns.push(Column { validity, cells: T::into_cells(std::mem::take(&mut self.cells)) });
    }

    fn reclaim(&mut self, columns: &mut dyn Iterator<Item = Column>) {
        if let Some(Column { validity, cells }) = columns.next() {
            self.nulls.reclaim(validity);
            if let Some(mut cells) = T::from_cells(cells) {
                cells.clear();
                self.cells = cells;
            }
        }
    }
}

macro_rules! fixed {
    ($($rust:ty, $variant:ident, $kind:literal;)*) => {$(
        impl Fixed for $rust {
            const KIND: &'static str = $kind;

            fn cells(cells: &Cells) -> Option<&[Self]> {
                if let Cells::$variant(values) = cells { Some(values) } else { None }
            }

            fn into_cells(values: Vec<Self>) -> Cells {
                Cells::$variant(values)
            }

            fn from_cells(cells: Cells) -> Option<Vec<Self>> {
                if let Cells::$variant(values) = cells { Some(values) } else { None }
            }
        }
    )*};
}

fixed! {
    i8, Int8, "int8 cells";
    i16, Int16, "int16 cells";
    i32, Int32, "int32 cells";
    i64, Int64, "int64 cells";
    f32, Float32, "float32 cells";
    f64, Float64, "float64 cells";
}

/// Types that are a number in a cell: `from` makes the type of the number, `into` the number of the type.
macro_rules! fixed_type {
    ($($rust:ty, $cell:ty, $family:ident, $sql:literal, $from:expr, $into:expr;)*) => {$(
        impl SqlType for $rust {
            const FAMILY: Family = Family::$family;

            fn sql_type() -> String {
                String::from($sql)
            }
        }

        impl<'a> ReadCell<'a> for $rust {
            type Reader = FixedReader<'a, $cell>;

            #[inline]
            fn read_present(reader: &Self::Reader, index: usize) -> Self {
                $from(reader.get(index))
            }
        }

        impl WriteCell for $rust {
            type Writer = FixedWriter<$cell>;

            #[inline]
            fn write_cell(&self, writer: &mut Self::Writer) {
                writer.push($into(*self));
            }
        }
    )*};
}

fixed_type! {
    i8, i8, Other, "TINYINT", std::convert::identity, std::convert::identity;
    i16, i16, Other, "SMALLINT", std::convert::identity, std::convert::identity;
    i32, i32, Other, "INT", std::convert::identity, std::convert::identity;
    i64, i64, Other, "BIGINT", std::convert::identity, std::convert::identity;
    f32, f32, Other, "FLOAT", std::convert::identity, std::convert::identity;
    f64, f64, Other, "DOUBLE", std::convert::identity, std::convert::identity;
    Date, i32, Other, "DATE", Date::from_days, Date::days;
    Time, i32, Time, "TIME(3)", Time::from_cell, Time::millis;
}

/// Reads a bitmap of values.
pub struct BooleanReader<'a> {
    bits: &'a [u8],
    validity: Validity<'a>,
}

impl<'a> CellReader<'a> for BooleanReader<'a> {
    fn new(columns: &mut Columns<'a>, cells: usize) -> Self {
        let (column, place) = columns.take("boolean cells");
        let Cells::Boolean(bits) = &column.cells else { place.wrong_kind(&column.cells) };
        place.check_length("bytes", bits.len(), cells.div_ceil(8));
        Self { bits, validity: Validity::of(column, cells, place) }
    }

    #[inline]
    fn is_null(&self, index: usize) -> bool {
        self.validity.is_null(index)
    }
}

/// Writes a bitmap of values.
#[derive(Debug, Default)]
pub struct BooleanWriter {
    bits: Bitmap,
    nulls: Nulls,
}

impl CellWriter for BooleanWriter {
    fn cells(&self) -> usize {
        self.bits.len()
    }

    fn push_empty(&mut self) {
        self.bits.push(false);
    }

    fn push_null(&mut self) {
        self.nulls.mark(self.bits.len());
        self.push_empty();
    }

    fn finish(&mut self, columns: &mut Vec<Column>) {
        let validity = self.nulls.finish(self.bits.len());
        columns.push(Column { validity, cells: Cells::Boolean(self.bits.take()) });
    }

    fn reclaim(&mut self, columns: &mut dyn Iterator<Item = Column>) {
        if let Some(Column { validity, cells }) = columns.next() {
            self.nulls.reclaim(validity);
            if let Cells::Boolean(bits) = cells {
                self.bits.reclaim(bits);
            }
        }
    }
}

impl SqlType for bool {
    const FAMILY: Family = Family::Other;

    fn sql_type() -> String {
        String::from("BOOLEAN")
    }
}

impl<'a> ReadCell<'a> for bool {
    type Reader = BooleanReader<'a>;

    #[inline]
    fn read_present(reader: &Self::Reader, index: usize) -> Self {
        reader.bits[index / 8] >> (index % 8) & 1 == 1
    }
}

impl WriteCell for bool {
    type Writer = BooleanWriter;

    #[inline]
    fn write_cell(&self, writer: &mut Self::Writer) {
        writer.bits.push(*self);
    }
}

/// Bytes of a decimal128 cell.
const WIDE: usize = 16;

/// Reads decimal128 cells.
pub struct WideReader<'a> {
    cells: &'a [[u8; WIDE]],
    validity: Validity<'a>,
}

impl<'a> WideReader<'a> {
    pub(super) fn of(column: &'a Column, place: Place, cells: usize) -> Self {
        let Cells::Decimal128(bytes) = &column.cells else { place.wrong_kind(&column.cells) };
        place.check_length("bytes", bytes.len(), cells * WIDE);
        Self { cells: bytes.as_chunks().0, validity: Validity::of(column, cells, place) }
    }

    #[inline]
    pub(super) fn get(&self, index: usize) -> i128 {
        i128::from_le_bytes(self.cells[index])
    }
}

impl<'a> CellReader<'a> for WideReader<'a> {
    fn new(columns: &mut Columns<'a>, cells: usize) -> Self {
        let (column, place) = columns.take("decimal128 cells");
        Self::of(column, place, cells)
    }

    #[inline]
    fn is_null(&self, index: usize) -> bool {
        self.validity.is_null(index)
    }
}

/// Writes decimal128 cells.
#[derive(Debug, Default)]
pub struct WideWriter {
    bytes: Vec<u8>,
    nulls: Nulls,
}

impl WideWriter {
    #[inline]
    pub(super) fn push(&mut self, value: i128) {
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }
}

impl CellWriter for WideWriter {
    fn cells(&self) -> usize {
        self.bytes.len() / WIDE
    }

    fn push_empty(&mut self) {
        self.push(0);
    }

    fn push_null(&mut self) {
        self.nulls.mark(self.cells());
        self.push_empty();
    }

    fn finish(&mut self, columns: &mut Vec<Column>) {
        let validity = self.nulls.finish(self.cells());
        columns.push(Column { validity, cells: Cells::Decimal128(std::mem::take(&mut self.bytes)) });
    }

    fn reclaim(&mut self, columns: &mut dyn Iterator<Item = Column>) {
        if let Some(Column { validity, cells }) = columns.next() {
            self.nulls.reclaim(validity);
            if let Cells::Decimal128(mut bytes) = cells {
                bytes.clear();
                self.bytes = bytes;
            }
        }
    }
}

impl<const P: u8, const S: u8> SqlType for Decimal<P, S> {
    const FAMILY: Family = Family::Other;

    fn sql_type() -> String {
        format!("DECIMAL({P}, {S})")
    }
}

impl<'a, const P: u8, const S: u8> ReadCell<'a> for Decimal<P, S> {
    type Reader = WideReader<'a>;

    #[inline]
    fn read_present(reader: &Self::Reader, index: usize) -> Self {
        Decimal::from_cell(reader.get(index))
    }
}

impl<const P: u8, const S: u8> WriteCell for Decimal<P, S> {
    type Writer = WideWriter;

    #[inline]
    fn write_cell(&self, writer: &mut Self::Writer) {
        writer.push(self.unscaled());
    }
}
