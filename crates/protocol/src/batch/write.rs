//! Writing batches: from columns that are laid out already, and row by row.

use flink_wasm_diagnostic::{Code, Diagnostic, Result};

use super::{CellsView, bitmap_bytes, padded, u32_at};
use crate::cell::Cell;
use crate::frame::violation;
use crate::limits::{MAX_BATCH_ROWS, MAX_FRAME_BYTES};
use crate::schema::{Column, ColumnKind, DataType, LogicalType, Parent, Schema};

/// A column that is laid out already, such as one in a guest's memory.
#[derive(Clone, Copy, Debug)]
pub struct RawColumn<'a> {
    /// Bitmap, 1 = present; `None` when no cell is null.
    pub validity: Option<&'a [u8]>,
    /// The cells.
    pub cells: CellsView<'a>,
}

/// Appends a batch made of columns that are laid out already.
///
/// Checks what writing needs: kinds and lengths (FW0503) and the size of a frame (FW0510). What is *in* the columns is
/// for [`super::BatchView::parse`] to check on the bytes written.
pub fn encode_columns(
    schema: &Schema,
    row_count: usize,
    columns: &[RawColumn<'_>],
    out: &mut Vec<u8>,
) -> Result<()> {
    if row_count > MAX_BATCH_ROWS {
        return Err(violation(format!("a batch of {row_count} rows, the limit is {MAX_BATCH_ROWS}")));
    }
    if columns.len() != schema.columns().len() {
        return Err(violation(format!(
            "a batch of {} columns, the schema has {}",
            columns.len(),
            schema.columns().len()
        )));
    }
    put_u32(out, row_count);
    put_u32(out, columns.len());
    for (index, (column, raw)) in schema.columns().iter().zip(columns).enumerate() {
        let cell_count = match column.parent {
            None => row_count,
            // Columns above stand in front, so theirs are checked; the count of a ROW is its own parent's.
            Some(Parent::Row(_)) => expected_below_row(schema, columns, row_count, index),
            Some(Parent::Nested(parent)) => last_offset(&columns[parent].cells),
        };
        encode_column(index, column, cell_count, raw, out)?;
    }
    Ok(())
}

fn expected_below_row(
    schema: &Schema,
    columns: &[RawColumn<'_>],
    row_count: usize,
    mut index: usize,
) -> usize {
    loop {
        match schema.columns()[index].parent {
            None => return row_count,
            Some(Parent::Row(parent)) => index = parent,
            Some(Parent::Nested(parent)) => return last_offset(&columns[parent].cells),
        }
    }
}

fn last_offset(cells: &CellsView<'_>) -> usize {
    match cells {
        CellsView::Nested { offsets } if offsets.len() >= 4 => {
            u32_at(offsets, offsets.len() / 4 - 1) as usize
        }
        _ => 0,
    }
}

fn encode_column(
    index: usize,
    column: &Column,
    cell_count: usize,
    raw: &RawColumn<'_>,
    out: &mut Vec<u8>,
) -> Result<()> {
    let wrong_length = |name: &str, found: usize, expected: usize| {
        Err(violation(format!(
            "{name} of column {index} has {found} bytes, expected {expected} for {cell_count} cells"
        )))
    };
    out.extend_from_slice(&[column.kind as u8, u8::from(raw.validity.is_some()), 0, 0]);
    put_u32(out, cell_count);
    if let Some(validity) = raw.validity {
        if validity.len() != bitmap_bytes(cell_count) {
            return wrong_length("validity", validity.len(), bitmap_bytes(cell_count));
        }
        put_section(out, validity)?;
    }
    match (column.kind, raw.cells) {
        (ColumnKind::Boolean, CellsView::Bits(bits)) => {
            if bits.len() != bitmap_bytes(cell_count) {
                return wrong_length("cells", bits.len(), bitmap_bytes(cell_count));
            }
            put_section(out, bits)
        }
        (ColumnKind::Varlen, CellsView::Varlen { offsets, data }) => {
            if offsets.len() != (cell_count + 1) * 4 {
                return wrong_length("offsets", offsets.len(), (cell_count + 1) * 4);
            }
            if u32_at(offsets, cell_count) as usize != data.len() {
                return Err(violation(format!(
                    "the last offset of column {index} is {}, its data has {} bytes",
                    u32_at(offsets, cell_count),
                    data.len()
                )));
            }
            put_section(out, offsets)?;
            put_section(out, data)
        }
        (ColumnKind::Nested, CellsView::Nested { offsets }) => {
            if offsets.len() != (cell_count + 1) * 4 {
                return wrong_length("offsets", offsets.len(), (cell_count + 1) * 4);
            }
            put_section(out, offsets)
        }
        (ColumnKind::Row, CellsView::Row) => Ok(()),
        (kind, CellsView::Fixed(cells)) if kind.width().is_some() => {
            let expected = cell_count.saturating_mul(kind.width().unwrap_or_default());
            if cells.len() != expected {
                return wrong_length("cells", cells.len(), expected);
            }
            put_section(out, cells)
        }
        (kind, _) => Err(violation(format!("column {index} is not of kind {} ({kind:?})", kind as u8))),
    }
}

/// A `u32`; the callers' limits keep counts below it.
pub(crate) fn put_u32(out: &mut Vec<u8>, number: usize) {
    debug_assert!(number <= u32::MAX as usize);
    out.extend_from_slice(&(number as u32).to_le_bytes());
}

/// Bytes and their padding; FW0510 when they would not fit in a frame.
pub(crate) fn put_section(out: &mut Vec<u8>, bytes: &[u8]) -> Result<()> {
    if out.len() + padded(bytes.len()) > MAX_FRAME_BYTES {
        return Err(Diagnostic::new(
            Code::OutputExceeded,
            format!("a batch does not fit in a frame of {MAX_FRAME_BYTES} bytes"),
        ));
    }
    out.extend_from_slice(bytes);
    out.resize(out.len() + padded(bytes.len()) - bytes.len(), 0);
    Ok(())
}

/// Writes a batch row by row. Made for tools and tests, not for speed.
#[derive(Clone, Debug)]
pub struct BatchWriter<'s> {
    schema: &'s Schema,
    row_count: usize,
    columns: Vec<ColumnBuilder>,
}

#[derive(Clone, Debug, Default)]
struct ColumnBuilder {
    cell_count: usize,
    has_null: bool,
    validity: Vec<u8>,
    /// Cells, or the data of varlen cells.
    bytes: Vec<u8>,
    /// Empty unless the kind has offsets.
    offsets: Vec<u8>,
}

impl<'s> BatchWriter<'s> {
    /// A batch without rows.
    pub fn new(schema: &'s Schema) -> Self {
        let columns = schema.columns().iter().map(|column| {
            let has_offsets = matches!(column.kind, ColumnKind::Varlen | ColumnKind::Nested);
            ColumnBuilder { offsets: vec![0; if has_offsets { 4 } else { 0 }], ..ColumnBuilder::default() }
        });
        Self { schema, row_count: 0, columns: columns.collect() }
    }

    /// Number of rows so far.
    pub fn row_count(&self) -> usize {
        self.row_count
    }

    /// Appends a row; FW0508 when a cell does not belong to its type. The writer is of no use after an error.
    pub fn push_row(&mut self, cells: &[Cell]) -> Result<()> {
        let fields = self.schema.fields();
        if cells.len() != fields.len() {
            return Err(mismatch(format!(
                "a row of {} cells, the schema has {} fields",
                cells.len(),
                fields.len()
            )));
        }
        let mut column = 0;
        for (cell, field) in cells.iter().zip(fields) {
            self.push(column, field, cell)?;
            column = self.schema.columns()[column].end;
        }
        self.row_count += 1;
        Ok(())
    }

    /// Appends the batch to `out`; FW0510 when it does not fit in a frame.
    pub fn finish(&self, out: &mut Vec<u8>) -> Result<()> {
        let columns = self.schema.columns().iter().zip(&self.columns).map(|(column, builder)| RawColumn {
            validity: builder.has_null.then_some(builder.validity.as_slice()),
            cells: match column.kind {
                ColumnKind::Boolean => CellsView::Bits(&builder.bytes),
                ColumnKind::Varlen => CellsView::Varlen { offsets: &builder.offsets, data: &builder.bytes },
                ColumnKind::Nested => CellsView::Nested { offsets: &builder.offsets },
                ColumnKind::Row => CellsView::Row,
                _ => CellsView::Fixed(&builder.bytes),
            },
        });
        encode_columns(self.schema, self.row_count, &columns.collect::<Vec<_>>(), out)
    }

    fn push(&mut self, index: usize, data_type: &DataType, cell: &Cell) -> Result<()> {
        let is_null = matches!(cell, Cell::Null);
        if is_null && !data_type.nullable {
            return Err(mismatch(format!("NULL in a field of type {data_type}")));
        }
        let builder = &mut self.columns[index];
        let at = builder.cell_count;
        builder.cell_count += 1;
        set_bit(&mut builder.validity, at, !is_null);
        builder.has_null |= is_null;
        match (&data_type.logical, cell) {
            (LogicalType::Boolean, Cell::Boolean(value)) => set_bit(&mut builder.bytes, at, *value),
            (LogicalType::TinyInt, Cell::Int8(value)) => {
                builder.bytes.extend_from_slice(&value.to_le_bytes())
            }
            (LogicalType::SmallInt, Cell::Int16(value)) => {
                builder.bytes.extend_from_slice(&value.to_le_bytes())
            }
            (LogicalType::Float, Cell::Float32(value)) => {
                builder.bytes.extend_from_slice(&value.to_le_bytes())
            }
            (LogicalType::Double, Cell::Float64(value)) => {
                builder.bytes.extend_from_slice(&value.to_le_bytes())
            }
            (logical, Cell::Int32(value)) if logical.kind() == ColumnKind::Int32 => {
                builder.bytes.extend_from_slice(&value.to_le_bytes());
            }
            (logical, Cell::Int64(value)) if logical.kind() == ColumnKind::Int64 => {
                builder.bytes.extend_from_slice(&value.to_le_bytes());
            }
            (logical, Cell::Int128(value)) if logical.kind() == ColumnKind::Decimal128 => {
                builder.bytes.extend_from_slice(&value.to_le_bytes());
            }
            (LogicalType::Char(_) | LogicalType::VarChar(_), Cell::Text(value)) => {
                builder.push_varlen(value.as_bytes())?
            }
            (LogicalType::Binary(_) | LogicalType::VarBinary(_), Cell::Bytes(value)) => {
                builder.push_varlen(value)?
            }
            (LogicalType::Array(element), Cell::Array(cells)) => {
                for cell in cells {
                    self.push(index + 1, element, cell)?;
                }
                self.close_nested(index);
            }
            (LogicalType::Map(key, value), Cell::Map(entries)) => {
                let values = self.schema.columns()[index + 1].end;
                for (key_cell, value_cell) in entries {
                    self.push(index + 1, key, key_cell)?;
                    self.push(values, value, value_cell)?;
                }
                self.close_nested(index);
            }
            (LogicalType::Row(fields), Cell::Row(cells)) if fields.len() == cells.len() => {
                let mut column = index + 1;
                for (field, cell) in fields.iter().zip(cells) {
                    self.push(column, &field.data_type, cell)?;
                    column = self.schema.columns()[column].end;
                }
            }
            (_, Cell::Null) => self.push_empty(index, &data_type.logical),
            (_, other) => return Err(mismatch(format!("{} in a field of type {data_type}", other.name()))),
        }
        Ok(())
    }

    /// The cell below a null: zero or empty. A field below a null ROW is null itself where its type allows it.
    fn push_empty(&mut self, index: usize, logical: &LogicalType) {
        let builder = &mut self.columns[index];
        match logical {
            LogicalType::Boolean => set_bit(&mut builder.bytes, builder.cell_count - 1, false),
            LogicalType::Row(fields) => {
                let mut column = index + 1;
                for field in fields {
                    let below = &mut self.columns[column];
                    let at = below.cell_count;
                    below.cell_count += 1;
                    set_bit(&mut below.validity, at, !field.data_type.nullable);
                    below.has_null |= field.data_type.nullable;
                    self.push_empty(column, &field.data_type.logical);
                    column = self.schema.columns()[column].end;
                }
            }
            _ => match logical.kind().width() {
                Some(width) => builder.bytes.resize(builder.bytes.len() + width, 0),
                None => builder.offsets.extend_from_within(builder.offsets.len() - 4..),
            },
        }
    }

    fn close_nested(&mut self, index: usize) {
        let end = self.columns[index + 1].cell_count;
        put_u32(&mut self.columns[index].offsets, end);
    }
}

impl ColumnBuilder {
    fn push_varlen(&mut self, value: &[u8]) -> Result<()> {
        if self.bytes.len() + value.len() > MAX_FRAME_BYTES {
            return Err(Diagnostic::new(
                Code::OutputExceeded,
                format!("a column does not fit in a frame of {MAX_FRAME_BYTES} bytes"),
            ));
        }
        self.bytes.extend_from_slice(value);
        put_u32(&mut self.offsets, self.bytes.len());
        Ok(())
    }
}

fn set_bit(bitmap: &mut Vec<u8>, index: usize, value: bool) {
    if index.is_multiple_of(8) {
        bitmap.push(0);
    }
    if value {
        bitmap[index / 8] |= 1 << (index % 8);
    }
}

fn mismatch(message: String) -> Diagnostic {
    Diagnostic::new(Code::SchemaViolated, message)
}
