//! How Rust types stand for SQL types: reading their cells out of a batch, and writing them into one.
//!
//! A *reader* is a view of the columns of one type, set up once a batch; reading a scalar or borrowed cell then takes no
//! allocation. A *writer* holds the buffers of the columns of one type and keeps them from batch to batch.

use crate::batch::{Column, Columns};

mod nested;
mod scalar;
mod text;
mod time;

pub use nested::{ArrayReader, ArrayWriter, MapReader, MapWriter};
pub use scalar::{BooleanReader, BooleanWriter, FixedReader, FixedWriter, WideReader, WideWriter};
pub use text::{BytesReader, BytesWriter, TextReader};
pub use time::{InstantReader, InstantWriter};

/// Groups of SQL types; says which `#[row(sql = "..")]` a Rust type allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// CHAR, VARCHAR, STRING.
    Text,
    /// BINARY, VARBINARY, BYTES.
    Bytes,
    /// TIME.
    Time,
    /// Types that stand for one SQL type only.
    Other,
}

/// Compares families at compile time, for `#[row(sql = "..")]`.
pub const fn same_family(left: Family, right: Family) -> bool {
    left as u8 == right as u8
}

/// The SQL type that a Rust type stands for.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not stand for a SQL type",
    note = "see the table of types in the documentation of `flink_wasm`",
    note = "a struct becomes a ROW with `#[derive(Row)]`; unsigned integers other than in `Vec<u8>` do not exist in SQL"
)]
pub trait SqlType {
    /// The group of SQL types.
    const FAMILY: Family;
    /// Whether cells may be null.
    const NULLABLE: bool = false;

    /// The SQL type without `NOT NULL`.
    fn sql_type() -> String;

    /// The SQL type as it is declared, with `NOT NULL` unless cells may be null.
    fn declared_type() -> String {
        declare(Self::sql_type(), Self::NULLABLE)
    }
}

/// Adds `NOT NULL` where it belongs.
pub fn declare(mut sql_type: String, nullable: bool) -> String {
    if !nullable {
        sql_type.push_str(" NOT NULL");
    }
    sql_type
}

/// A type that can be read from the cells of a batch.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be read from a column",
    note = "see the table of types in the documentation of `flink_wasm`",
    note = "a struct becomes a ROW with `#[derive(Row)]`"
)]
pub trait ReadCell<'a>: SqlType + Sized {
    /// The view of the columns.
    type Reader: CellReader<'a>;

    /// Reads a cell that is not null.
    fn read_present(reader: &Self::Reader, index: usize) -> Self;

    /// Reads a cell.
    ///
    /// # Panics
    /// When the cell is null and `Self` is not an `Option`.
    #[inline]
    fn read_cell(reader: &Self::Reader, index: usize) -> Self {
        if reader.is_null(index) {
            unexpected_null(&Self::sql_type(), index)
        }
        Self::read_present(reader, index)
    }
}

#[cold]
fn unexpected_null(sql_type: &str, index: usize) -> ! {
    panic!("cell {index} of a column {sql_type} NOT NULL is NULL")
}

/// A view of the columns of one type.
pub trait CellReader<'a>: Sized {
    /// Takes as many columns as the type has.
    ///
    /// # Panics
    /// When the columns do not hold `cells` cells of this type.
    fn new(columns: &mut Columns<'a>, cells: usize) -> Self;

    /// Whether the cell is null.
    fn is_null(&self, index: usize) -> bool;
}

/// A type that can be written as a cell of a batch.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be written to a column",
    note = "see the table of types in the documentation of `flink_wasm`",
    note = "a struct becomes a ROW with `#[derive(Row)]`"
)]
pub trait WriteCell: SqlType {
    /// The buffers of the columns.
    type Writer: CellWriter;

    /// Adds a cell.
    fn write_cell(&self, writer: &mut Self::Writer);
}

/// The buffers of the columns of one type.
pub trait CellWriter: Default {
    /// Number of cells so far.
    fn cells(&self) -> usize;

    /// Adds a zero or empty cell, which stands below a null.
    fn push_empty(&mut self);

    /// Adds a null.
    fn push_null(&mut self);

    /// Gives the columns away; the writer is empty then.
    fn finish(&mut self, columns: &mut Vec<Column>);

    /// Takes the buffers back that [`CellWriter::finish`] gave away.
    fn reclaim(&mut self, columns: &mut dyn Iterator<Item = Column>);
}

impl<T: SqlType> SqlType for Option<T> {
    const FAMILY: Family = T::FAMILY;
    const NULLABLE: bool = true;

    fn sql_type() -> String {
        const { assert!(!T::NULLABLE, "`Option<Option<T>>`: SQL knows one NULL only") }
        T::sql_type()
    }
}

impl<'a, T: ReadCell<'a>> ReadCell<'a> for Option<T> {
    type Reader = T::Reader;

    #[inline]
    fn read_present(reader: &Self::Reader, index: usize) -> Self {
        Some(T::read_present(reader, index))
    }

    #[inline]
    fn read_cell(reader: &Self::Reader, index: usize) -> Self {
        if reader.is_null(index) { None } else { Self::read_present(reader, index) }
    }
}

impl<T: WriteCell> WriteCell for Option<T> {
    type Writer = T::Writer;

    #[inline]
    fn write_cell(&self, writer: &mut Self::Writer) {
        match self {
            Some(value) => value.write_cell(writer),
            None => writer.push_null(),
        }
    }
}
