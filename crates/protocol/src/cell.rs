//! One value, on its own: what tools and tests read from a batch and write into one.

use crate::batch::{BatchView, CellsView, bit, u32_at};
use crate::schema::{DataType, LogicalType, Schema};

/// The physical value of a cell. The SQL type says what it means, see `wit/types.wit`.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// NULL
    Null,
    /// BOOLEAN
    Boolean(bool),
    /// TINYINT
    Int8(i8),
    /// SMALLINT
    Int16(i16),
    /// INT, DATE, TIME
    Int32(i32),
    /// BIGINT, and timestamps of precision 0 to 6
    Int64(i64),
    /// FLOAT
    Float32(f32),
    /// DOUBLE
    Float64(f64),
    /// DECIMAL, and timestamps of precision 7 to 9
    Int128(i128),
    /// CHAR, VARCHAR
    Text(String),
    /// BINARY, VARBINARY
    Bytes(Vec<u8>),
    /// ARRAY
    Array(Vec<Cell>),
    /// MAP
    Map(Vec<(Cell, Cell)>),
    /// ROW
    Row(Vec<Cell>),
}

impl Cell {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Cell::Null => "NULL",
            Cell::Boolean(_) => "a boolean",
            Cell::Int8(_) => "an int8",
            Cell::Int16(_) => "an int16",
            Cell::Int32(_) => "an int32",
            Cell::Int64(_) => "an int64",
            Cell::Float32(_) => "a float32",
            Cell::Float64(_) => "a float64",
            Cell::Int128(_) => "an int128",
            Cell::Text(_) => "text",
            Cell::Bytes(_) => "bytes",
            Cell::Array(_) => "an array",
            Cell::Map(_) => "a map",
            Cell::Row(_) => "a row",
        }
    }
}

impl BatchView<'_> {
    /// The cells of a row. `schema` must be the one that the view was parsed with, `row` below the number of rows.
    pub fn row(&self, schema: &Schema, row: usize) -> Vec<Cell> {
        let mut column = 0;
        let cells = schema.fields().iter().map(|field| {
            let cell = self.cell(schema, column, field, row);
            column = schema.columns()[column].end;
            cell
        });
        cells.collect()
    }

    fn cell(&self, schema: &Schema, column: usize, data_type: &DataType, at: usize) -> Cell {
        let view = &self.columns()[column];
        if view.is_null(at) {
            return Cell::Null;
        }
        match view.cells {
            CellsView::Bits(bits) => Cell::Boolean(bit(bits, at)),
            CellsView::Fixed(cells) => fixed(&data_type.logical, cells, at),
            CellsView::Varlen { offsets, data } => {
                let bytes = &data[u32_at(offsets, at) as usize..u32_at(offsets, at + 1) as usize];
                match data_type.logical {
                    LogicalType::Char(_) | LogicalType::VarChar(_) => {
                        Cell::Text(String::from_utf8_lossy(bytes).into_owned())
                    }
                    _ => Cell::Bytes(bytes.to_vec()),
                }
            }
            CellsView::Nested { offsets } => {
                let range = u32_at(offsets, at) as usize..u32_at(offsets, at + 1) as usize;
                match &data_type.logical {
                    LogicalType::Map(key, value) => {
                        let values = schema.columns()[column + 1].end;
                        let entry =
                            |i| (self.cell(schema, column + 1, key, i), self.cell(schema, values, value, i));
                        Cell::Map(range.map(entry).collect())
                    }
                    LogicalType::Array(element) => {
                        Cell::Array(range.map(|i| self.cell(schema, column + 1, element, i)).collect())
                    }
                    _ => Cell::Null,
                }
            }
            CellsView::Row => {
                let LogicalType::Row(fields) = &data_type.logical else { return Cell::Null };
                let mut below = column + 1;
                let cells = fields.iter().map(|field| {
                    let cell = self.cell(schema, below, &field.data_type, at);
                    below = schema.columns()[below].end;
                    cell
                });
                Cell::Row(cells.collect())
            }
        }
    }
}

fn fixed(logical: &LogicalType, cells: &[u8], at: usize) -> Cell {
    fn get<const N: usize>(cells: &[u8], at: usize) -> [u8; N] {
        let mut bytes = [0; N];
        bytes.copy_from_slice(&cells[at * N..(at + 1) * N]);
        bytes
    }
    match logical {
        LogicalType::TinyInt => Cell::Int8(i8::from_le_bytes(get(cells, at))),
        LogicalType::SmallInt => Cell::Int16(i16::from_le_bytes(get(cells, at))),
        LogicalType::Float => Cell::Float32(f32::from_le_bytes(get(cells, at))),
        LogicalType::Double => Cell::Float64(f64::from_le_bytes(get(cells, at))),
        logical => match logical.kind().width() {
            Some(4) => Cell::Int32(i32::from_le_bytes(get(cells, at))),
            Some(8) => Cell::Int64(i64::from_le_bytes(get(cells, at))),
            _ => Cell::Int128(i128::from_le_bytes(get(cells, at))),
        },
    }
}
