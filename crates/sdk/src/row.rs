//! Rows: what a function takes and gives. A row is a struct with `#[derive(Row)]`, or one value that makes a row of one field.

use crate::batch::{Batch, Cells, Column, Columns};
use crate::cell::{CellReader, CellWriter, Family, ReadCell, SqlType, WriteCell};

/// A field of a row: its name, and its SQL type as Flink's parser reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// The column's name.
    pub name: String,
    /// Such as `BIGINT NOT NULL`.
    pub sql_type: String,
}

/// The SQL type of a row with these fields, such as ``ROW<`a` INT, `b` STRING NOT NULL>``.
pub fn row_type(fields: &[Field]) -> String {
    let mut text = String::from("ROW<");
    for (index, field) in fields.iter().enumerate() {
        if index > 0 {
            text.push_str(", ");
        }
        text.push('`');
        text.push_str(&field.name.replace('`', "``"));
        text.push_str("` ");
        text.push_str(&field.sql_type);
    }
    text.push('>');
    text
}

/// A type that a function can take as its row.
#[diagnostic::on_unimplemented(
    message = "a function can't take `{Self}` as its row",
    label = "not a row",
    note = "take a struct with `#[derive(Row)]`, or a single value such as `i64`, `&str` or `&[u8]`",
    note = "a struct that mentions `'static` can be given only: what is read lives as long as its batch"
)]
pub trait Input<'a>: Sized {
    /// Readers of all columns.
    type Columns;

    /// The fields, in the order of the columns.
    fn fields() -> Vec<Field>;

    /// Sets the readers up.
    ///
    /// # Panics
    /// When the batch does not have the columns of this row.
    fn columns(batch: &'a Batch) -> Self::Columns;

    /// Reads a row.
    ///
    /// # Panics
    /// When a cell is null that must not be.
    fn read_row(columns: &Self::Columns, index: usize) -> Self;
}

/// A type that a function can give as its row.
#[diagnostic::on_unimplemented(
    message = "a function can't give `{Self}` as its row",
    label = "not a row",
    note = "give a struct with `#[derive(Row)]`, or a single value such as `i64`, `String` or `Vec<u8>`",
    note = "a map gives exactly one row for each row; a filter leaves rows out: `#[flink_wasm::filter]`"
)]
pub trait Output {
    /// Writers of all columns.
    type Columns: RowWriter;

    /// The fields, in the order of the columns.
    fn fields() -> Vec<Field>;

    /// Adds a row.
    fn write_row(&self, columns: &mut Self::Columns);
}

/// Writers of all columns of a row.
pub trait RowWriter: Default {
    /// Gives the columns away; the writers are empty then.
    fn finish_fields(&mut self, columns: &mut Vec<Column>);

    /// Takes the buffers back that [`RowWriter::finish_fields`] gave away.
    fn reclaim_fields(&mut self, columns: &mut dyn Iterator<Item = Column>);
}

/// A value that stands for a row of one field all alone.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a single value",
    note = "a row is a struct with `#[derive(Row)]`, or a single value such as `i64`, `&str` or `&[u8]`",
    note = "an `Option` of a struct is no row: a map gives exactly one row for each row, and `#[flink_wasm::filter]` leaves rows out"
)]
pub trait SingleField: SqlType {}

macro_rules! single {
    ($([$($generics:tt)*] $rust:ty,)*) => {
        $(impl<$($generics)*> SingleField for $rust {})*
    };
}

single! {
    [] bool, [] i8, [] i16, [] i32, [] i64, [] f32, [] f64,
    [] String, ['a] &'a str, ['a] std::borrow::Cow<'a, str>,
    [] Vec<u8>, ['a] &'a [u8], ['a] std::borrow::Cow<'a, [u8]>,
    [] crate::Date, [] crate::Time, [const P: u8] crate::Timestamp<P>, [const P: u8] crate::TimestampLtz<P>,
    [const P: u8, const S: u8] crate::Decimal<P, S>,
    [T: SingleField] Option<T>,
}

fn single_field<T: SingleField>() -> Vec<Field> {
    let name = if matches!(T::FAMILY, Family::Bytes) { "payload" } else { "value" };
    vec![Field { name: name.into(), sql_type: T::declared_type() }]
}

impl<'a, T: SingleField + ReadCell<'a>> Input<'a> for T {
    type Columns = T::Reader;

    fn fields() -> Vec<Field> {
        single_field::<T>()
    }

    fn columns(batch: &'a Batch) -> Self::Columns {
        let mut columns = Columns::new(batch);
        let reader = T::Reader::new(&mut columns, batch.row_count as usize);
        columns.finish();
        reader
    }

    #[inline]
    fn read_row(columns: &Self::Columns, index: usize) -> Self {
        T::read_cell(columns, index)
    }
}

impl<T: SingleField + WriteCell> Output for T {
    type Columns = SingleWriter<T::Writer>;

    fn fields() -> Vec<Field> {
        single_field::<T>()
    }

    #[inline]
    fn write_row(&self, columns: &mut Self::Columns) {
        self.write_cell(&mut columns.0);
    }
}

/// The writer of a row of one field.
#[derive(Debug, Default)]
pub struct SingleWriter<W>(W);

impl<W: CellWriter> RowWriter for SingleWriter<W> {
    fn finish_fields(&mut self, columns: &mut Vec<Column>) {
        self.0.finish(columns);
    }

    fn reclaim_fields(&mut self, columns: &mut dyn Iterator<Item = Column>) {
        self.0.reclaim(columns);
    }
}

/// What `#[derive(Row)]` needs of the column that a nested row has for itself.
pub mod nested {
    use super::{Cells, Column, Columns};
    use crate::batch::Validity;

    /// Takes the row's own column.
    pub fn validity<'a>(columns: &mut Columns<'a>, cells: usize) -> Validity<'a> {
        let (column, place) = columns.take("a row");
        if !matches!(column.cells, Cells::Row) {
            place.wrong_kind(&column.cells)
        }
        Validity::of(column, cells, place)
    }

    /// Makes the row's own column.
    pub fn column(validity: Option<Vec<u8>>) -> Column {
        Column { validity, cells: Cells::Row }
    }
}
