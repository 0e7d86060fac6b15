//! Columns between the protocol's batches and the SDK's: the same layout, in bytes there and in vectors of numbers here.

use flink_wasm::{Batch, Cells, Column, Varlen};
use flink_wasm_protocol::batch::{BatchView, CellsView, ColumnView, RawColumn};
use flink_wasm_protocol::{ColumnKind, Schema};

/// A batch as the SDK holds it.
pub(super) fn to_native(schema: &Schema, batch: &BatchView<'_>) -> Batch {
    let columns = schema.columns().iter().zip(batch.columns());
    Batch {
        row_count: batch.row_count() as u32,
        columns: columns.map(|(column, view)| column_to_native(column.kind, view)).collect(),
    }
}

/// A column as the SDK holds it.
pub(super) fn column_to_native(kind: ColumnKind, view: &ColumnView<'_>) -> Column {
    let cells = match (view.cells, kind) {
        (CellsView::Bits(bits), _) => Cells::Boolean(bits.to_vec()),
        (CellsView::Fixed(cells), ColumnKind::Int8) => Cells::Int8(numbers(cells, i8::from_le_bytes)),
        (CellsView::Fixed(cells), ColumnKind::Int16) => Cells::Int16(numbers(cells, i16::from_le_bytes)),
        (CellsView::Fixed(cells), ColumnKind::Int32) => Cells::Int32(numbers(cells, i32::from_le_bytes)),
        (CellsView::Fixed(cells), ColumnKind::Int64) => Cells::Int64(numbers(cells, i64::from_le_bytes)),
        (CellsView::Fixed(cells), ColumnKind::Float32) => Cells::Float32(numbers(cells, f32::from_le_bytes)),
        (CellsView::Fixed(cells), ColumnKind::Float64) => Cells::Float64(numbers(cells, f64::from_le_bytes)),
        (CellsView::Fixed(cells), _) => Cells::Decimal128(cells.to_vec()),
        (CellsView::Varlen { offsets, data }, _) => {
            Cells::Varlen(Varlen { offsets: numbers(offsets, u32::from_le_bytes), data: data.to_vec() })
        }
        (CellsView::Nested { offsets }, _) => Cells::Nested(numbers(offsets, u32::from_le_bytes)),
        (CellsView::Row, _) => Cells::Row,
    };
    Column { validity: view.validity.map(<[u8]>::to_vec), cells }
}

fn numbers<T, const N: usize>(bytes: &[u8], from: fn([u8; N]) -> T) -> Vec<T> {
    let number = |chunk: &[u8]| {
        let mut bytes = [0; N];
        bytes.copy_from_slice(chunk);
        from(bytes)
    };
    bytes.chunks_exact(N).map(number).collect()
}

/// A column of the SDK as the protocol writes it: numbers lie in memory as they do in a frame.
pub(super) fn to_raw(column: &Column) -> RawColumn<'_> {
    let cells = match &column.cells {
        Cells::Boolean(bits) => CellsView::Bits(bits),
        Cells::Decimal128(bytes) => CellsView::Fixed(bytes),
        Cells::Int8(cells) => CellsView::Fixed(bytemuck::cast_slice(cells)),
        Cells::Int16(cells) => CellsView::Fixed(bytemuck::cast_slice(cells)),
        Cells::Int32(cells) => CellsView::Fixed(bytemuck::cast_slice(cells)),
        Cells::Int64(cells) => CellsView::Fixed(bytemuck::cast_slice(cells)),
        Cells::Float32(cells) => CellsView::Fixed(bytemuck::cast_slice(cells)),
        Cells::Float64(cells) => CellsView::Fixed(bytemuck::cast_slice(cells)),
        Cells::Varlen(varlen) => {
            CellsView::Varlen { offsets: bytemuck::cast_slice(&varlen.offsets), data: &varlen.data }
        }
        Cells::Nested(offsets) => CellsView::Nested { offsets: bytemuck::cast_slice(offsets) },
        Cells::Row => CellsView::Row,
    };
    RawColumn { validity: column.validity.as_deref(), cells }
}

/// A nullable varlen column.
pub(super) fn bytes_column<'a>(cells: impl Iterator<Item = Option<&'a [u8]>>) -> Column {
    let mut varlen = Varlen { offsets: vec![0], data: Vec::new() };
    let (mut validity, mut has_null) = (Vec::new(), false);
    for (index, cell) in cells.enumerate() {
        if index % 8 == 0 {
            validity.push(0);
        }
        match cell {
            Some(bytes) => {
                validity[index / 8] |= 1 << (index % 8);
                varlen.data.extend_from_slice(bytes);
            }
            None => has_null = true,
        }
        varlen.offsets.push(varlen.data.len() as u32);
    }
    Column { validity: has_null.then_some(validity), cells: Cells::Varlen(varlen) }
}
