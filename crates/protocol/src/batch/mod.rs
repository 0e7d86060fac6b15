//! A batch of rows in columns: reading it in place, and writing it.
//!
//! `BatchView::parse` is the one validator: the sidecar runs it on what the operator sends and on what a guest emitted.
//! After it, every access is within bounds and every text is UTF-8.

use flink_wasm_diagnostic::{Code, Diagnostic, Result};

use crate::frame::violation;
use crate::limits::{MAX_BATCH_ROWS, MAX_CELLS};
use crate::schema::{Column, ColumnKind, Parent, Schema, ValueCheck};

mod write;
pub use write::{BatchWriter, RawColumn, encode_columns};
pub(crate) use write::{put_section, put_u32};

// Cells are handed on as they lie in memory.
const _: () = assert!(cfg!(target_endian = "little"), "batches are little-endian");

/// Bytes in front of the first column.
pub(crate) const BATCH_HEADER_BYTES: usize = 8;
/// Bytes in front of a column's sections.
pub(crate) const COLUMN_HEADER_BYTES: usize = 8;

/// The least multiple of 8 that is not below `bytes`.
pub const fn padded(bytes: usize) -> usize {
    bytes.next_multiple_of(8)
}

/// Bytes of a bitmap without its padding.
pub const fn bitmap_bytes(cells: usize) -> usize {
    cells.div_ceil(8)
}

/// Whether bit `index` of a bitmap is set.
pub fn bit(bitmap: &[u8], index: usize) -> bool {
    bitmap[index / 8] & (1 << (index % 8)) != 0
}

/// The cells of a column, each section without its padding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CellsView<'a> {
    /// Boolean: one bit a cell.
    Bits(&'a [u8]),
    /// Kinds of fixed width.
    Fixed(&'a [u8]),
    /// Offsets (one `u32` more than cells) and bytes.
    Varlen {
        /// Little-endian `u32`s.
        offsets: &'a [u8],
        /// All cells, one after the other.
        data: &'a [u8],
    },
    /// Offsets (one `u32` more than cells) into the child columns.
    Nested {
        /// Little-endian `u32`s.
        offsets: &'a [u8],
    },
    /// Nothing of its own.
    Row,
}

/// A column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ColumnView<'a> {
    /// Number of cells.
    pub cell_count: usize,
    /// Bitmap, 1 = present; `None` when no cell is null.
    pub validity: Option<&'a [u8]>,
    /// The cells.
    pub cells: CellsView<'a>,
}

impl<'a> ColumnView<'a> {
    /// The bytes of a cell of varlen kind; `None` when it is null or of another kind. `index` is below the number of cells.
    pub fn bytes(&self, index: usize) -> Option<&'a [u8]> {
        match self.cells {
            CellsView::Varlen { offsets, data } if !self.is_null(index) => {
                Some(&data[u32_at(offsets, index) as usize..u32_at(offsets, index + 1) as usize])
            }
            _ => None,
        }
    }

    /// Whether the cell is null.
    pub fn is_null(&self, index: usize) -> bool {
        self.validity.is_some_and(|bitmap| !bit(bitmap, index))
    }
}

/// A validated batch, in place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchView<'a> {
    row_count: usize,
    columns: Vec<ColumnView<'a>>,
}

impl<'a> BatchView<'a> {
    /// Reads a batch that fills `bytes`.
    ///
    /// FW0503 when the bytes are no batch of this schema, FW0508 when a value does not belong to its type.
    pub fn parse(schema: &Schema, bytes: &'a [u8]) -> Result<Self> {
        let (view, length) = Self::parse_prefix(schema, bytes)?;
        if length != bytes.len() {
            return Err(violation(format!("{} bytes follow the batch", bytes.len() - length)));
        }
        Ok(view)
    }

    /// Reads a batch from the start of `bytes`, and says where it ends.
    pub fn parse_prefix(schema: &Schema, bytes: &'a [u8]) -> Result<(Self, usize)> {
        let mut reader = Reader { bytes, at: 0 };
        let header = reader.take(BATCH_HEADER_BYTES, || "the batch's header".into())?;
        let (row_count, column_count) = (u32_at(header, 0) as usize, u32_at(header, 1) as usize);
        if row_count > MAX_BATCH_ROWS {
            return Err(violation(format!("a batch of {row_count} rows, the limit is {MAX_BATCH_ROWS}")));
        }
        if column_count != schema.columns().len() {
            return Err(violation(format!(
                "a batch of {column_count} columns, the schema has {}",
                schema.columns().len()
            )));
        }
        let mut columns: Vec<ColumnView<'a>> = Vec::with_capacity(column_count);
        for (index, column) in schema.columns().iter().enumerate() {
            let expected = expected_cells(column, row_count, |parent| &columns[parent]);
            let view = read_column(&mut reader, index, column, expected)?;
            columns.push(view);
        }
        for (index, column) in schema.columns().iter().enumerate() {
            check_column(schema, &columns, index, column)?;
        }
        Ok((Self { row_count, columns }, reader.at))
    }

    /// Number of rows.
    pub fn row_count(&self) -> usize {
        self.row_count
    }

    /// The flattened columns.
    pub fn columns(&self) -> &[ColumnView<'a>] {
        &self.columns
    }
}

/// How many cells a column must have, from the columns above it.
fn expected_cells<'v, 'a: 'v>(
    column: &Column,
    row_count: usize,
    parent: impl Fn(usize) -> &'v ColumnView<'a>,
) -> usize {
    match column.parent {
        None => row_count,
        Some(Parent::Row(index)) => parent(index).cell_count,
        Some(Parent::Nested(index)) => {
            let above = parent(index);
            match above.cells {
                CellsView::Nested { offsets } => u32_at(offsets, above.cell_count) as usize,
                _ => 0,
            }
        }
    }
}

fn read_column<'a>(
    reader: &mut Reader<'a>,
    index: usize,
    column: &Column,
    expected: usize,
) -> Result<ColumnView<'a>> {
    let header = reader.take(COLUMN_HEADER_BYTES, || format!("the header of column {index}"))?;
    let (kind, has_validity, cell_count) = (header[0], header[1], u32_at(header, 1) as usize);
    if kind != column.kind as u8 || has_validity > 1 || header[2] != 0 || header[3] != 0 {
        return Err(violation(format!(
            "column {index} has the header {:?}, expected kind {} ({:?})",
            &header[..4],
            column.kind as u8,
            column.kind
        )));
    }
    if cell_count != expected || cell_count > MAX_CELLS {
        return Err(violation(format!("column {index} has {cell_count} cells, expected {expected}")));
    }
    let validity = match has_validity {
        0 => None,
        _ => Some(reader.bitmap(index, "validity", cell_count)?),
    };
    let cells = match column.kind {
        ColumnKind::Boolean => CellsView::Bits(reader.bitmap(index, "cells", cell_count)?),
        ColumnKind::Row => CellsView::Row,
        ColumnKind::Nested => CellsView::Nested { offsets: reader.offsets(index, cell_count)? },
        ColumnKind::Varlen => {
            let offsets = reader.offsets(index, cell_count)?;
            let data = reader.section(index, "data", u32_at(offsets, cell_count) as usize)?;
            CellsView::Varlen { offsets, data }
        }
        kind => {
            let width = kind.width().unwrap_or_default();
            CellsView::Fixed(reader.section(index, "cells", cell_count * width)?)
        }
    };
    Ok(ColumnView { cell_count, validity, cells })
}

/// Checks values, after the layout of every column is known to be right.
fn check_column(schema: &Schema, columns: &[ColumnView<'_>], index: usize, column: &Column) -> Result<()> {
    let view = &columns[index];
    if let (false, Some(validity)) = (column.nullable, view.validity)
        && let Some(cell) = (0..view.cell_count)
            .find(|cell| !bit(validity, *cell) && !is_below_null(schema, columns, index, *cell))
    {
        return Err(value_error(schema, columns, index, cell, "NULL in a NOT NULL field"));
    }
    match (column.check, view.cells) {
        (ValueCheck::Text, CellsView::Varlen { offsets, data }) => {
            let Ok(text) = std::str::from_utf8(data) else {
                return Err(violation(format!("column {index} holds text that is not UTF-8")));
            };
            // In ASCII every offset is a boundary; from_utf8 is as quick as is_ascii there.
            if !data.is_ascii() && !u32s(offsets).all(|offset| text.is_char_boundary(offset as usize)) {
                return Err(violation(format!("column {index} cuts a character in two")));
            }
        }
        (ValueCheck::Decimal(bound), CellsView::Fixed(cells)) => {
            let cells =
                cells.chunks_exact(16).map(|cell| i128::from_le_bytes(cell.try_into().unwrap_or_default()));
            if let Some(cell) = cells.map(i128::unsigned_abs).position(|value| value >= bound) {
                return Err(value_error(
                    schema,
                    columns,
                    index,
                    cell,
                    "DECIMAL with more digits than its type has",
                ));
            }
        }
        (ValueCheck::TimeOfDay, CellsView::Fixed(cells)) => {
            if let Some(cell) = u32s(cells).position(|millis| millis >= 86_400_000) {
                return Err(value_error(schema, columns, index, cell, "TIME outside of a day"));
            }
        }
        _ => {}
    }
    Ok(())
}

/// Whether a ROW above the cell is null: then the cell means nothing.
fn is_below_null(schema: &Schema, columns: &[ColumnView<'_>], mut index: usize, cell: usize) -> bool {
    while let Some(Parent::Row(parent)) = schema.columns()[index].parent {
        if columns[parent].is_null(cell) {
            return true;
        }
        index = parent;
    }
    false
}

fn value_error(
    schema: &Schema,
    columns: &[ColumnView<'_>],
    index: usize,
    cell: usize,
    what: &str,
) -> Diagnostic {
    let row = row_of(schema, columns, index, cell);
    let field = schema.field_of(index);
    Diagnostic::new(
        Code::SchemaViolated,
        format!("row {row}, field {field} ({}): {what}", schema.fields()[field]),
    )
}

/// The row that a cell of a flattened column belongs to.
fn row_of(schema: &Schema, columns: &[ColumnView<'_>], mut index: usize, mut cell: usize) -> usize {
    while let Some(parent) = schema.columns()[index].parent {
        match parent {
            Parent::Row(above) => index = above,
            Parent::Nested(above) => {
                if let CellsView::Nested { offsets } = columns[above].cells {
                    cell = u32s(offsets).skip(1).take_while(|end| *end as usize <= cell).count();
                }
                index = above;
            }
        }
    }
    cell
}

/// The `index`th little-endian `u32`.
pub(crate) fn u32_at(bytes: &[u8], index: usize) -> u32 {
    let at = index * 4;
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

pub(crate) fn i64s(bytes: &[u8]) -> impl Iterator<Item = i64> + '_ {
    bytes.chunks_exact(8).map(|chunk| i64::from_le_bytes(chunk.try_into().unwrap_or_default()))
}

pub(crate) fn u32s(bytes: &[u8]) -> impl Iterator<Item = u32> + '_ {
    bytes.chunks_exact(4).map(|chunk| u32::from_le_bytes([chunk[0], chunk[1], chunk[2], chunk[3]]))
}

/// Takes sections off the front of bytes; never past their end.
pub(crate) struct Reader<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) at: usize,
}

impl<'a> Reader<'a> {
    pub(crate) fn take(&mut self, length: usize, what: impl Fn() -> String) -> Result<&'a [u8]> {
        let rest = &self.bytes[self.at..];
        let Some(taken) = rest.get(..length) else {
            return Err(violation(format!("{} needs {length} bytes, {} are left", what(), rest.len())));
        };
        self.at += length;
        Ok(taken)
    }

    /// A section without its padding, which must be there and be zero.
    pub(crate) fn padded(&mut self, length: usize, what: impl Fn() -> String) -> Result<&'a [u8]> {
        let section = self.take(length, &what)?;
        let padding = self.take(padded(length) - length, || format!("the padding of {}", what()))?;
        if padding.iter().any(|byte| *byte != 0) {
            return Err(violation(format!("the padding of {} is not zero", what())));
        }
        Ok(section)
    }

    fn section(&mut self, index: usize, name: &str, length: usize) -> Result<&'a [u8]> {
        self.padded(length, || format!("{name} of column {index}"))
    }

    fn bitmap(&mut self, index: usize, name: &str, cells: usize) -> Result<&'a [u8]> {
        let bitmap = self.section(index, name, bitmap_bytes(cells))?;
        if has_unused_bits(bitmap, cells) {
            return Err(violation(format!("unused bits of {name} of column {index} are not zero")));
        }
        Ok(bitmap)
    }

    fn offsets(&mut self, index: usize, cells: usize) -> Result<&'a [u8]> {
        let offsets = self.section(index, "offsets", (cells + 1) * 4)?;
        if u32_at(offsets, 0) != 0 {
            return Err(violation(format!("offsets of column {index} do not start with 0")));
        }
        let decreasing = offsets.chunks_exact(4).zip(offsets[4..].chunks_exact(4));
        // No early exit: the loop is short and runs without branches.
        if decreasing.fold(false, |bad, (start, end)| bad | (u32_at(start, 0) > u32_at(end, 0))) {
            return Err(violation(format!("offsets of column {index} decrease")));
        }
        Ok(offsets)
    }
}

/// Whether a bitmap has a bit set behind its last cell.
pub fn has_unused_bits(bitmap: &[u8], cells: usize) -> bool {
    !cells.is_multiple_of(8) && bitmap.last().is_some_and(|last| last >> (cells % 8) != 0)
}
