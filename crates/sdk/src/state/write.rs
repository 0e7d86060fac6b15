//! Encoded values as columns.

use crate::batch::{Cells, Column, Nulls, Varlen, offset};

/// A varlen column under construction. Its buffers are kept from batch to batch.
pub(crate) struct Encoded {
    nulls: Nulls,
    offsets: Vec<u32>,
    /// Where the next cell is written.
    pub(crate) data: Vec<u8>,
}

impl Default for Encoded {
    fn default() -> Self {
        Self { nulls: Nulls::default(), offsets: vec![0], data: Vec::new() }
    }
}

impl Encoded {
    /// Ends a cell, whose bytes stand in `data`.
    #[inline]
    pub(crate) fn end_cell(&mut self) {
        self.offsets.push(offset(self.data.len()));
    }

    /// Adds a null.
    pub(crate) fn push_null(&mut self) {
        self.nulls.mark(self.offsets.len() - 1);
        self.end_cell();
    }

    /// Adds a cell with these bytes.
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.data.extend_from_slice(bytes);
        self.end_cell();
    }

    /// The column.
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn into_column(mut self) -> Column {
        let mut column = None;
        self.take(|taken| column = Some(taken.clone()));
        column.unwrap_or(Column { validity: None, cells: Cells::Row })
    }

    /// Gives the column to `give`, and starts anew.
    pub(crate) fn take(&mut self, give: impl FnOnce(&Column)) {
        let cells = self.offsets.len() - 1;
        let varlen =
            Varlen { offsets: std::mem::take(&mut self.offsets), data: std::mem::take(&mut self.data) };
        let column = Column { validity: self.nulls.finish(cells), cells: Cells::Varlen(varlen) };
        give(&column);
        self.nulls.reclaim(column.validity);
        if let Cells::Varlen(Varlen { offsets, data }) = column.cells {
            (self.offsets, self.data) = (offsets, data);
            self.offsets.truncate(1);
            self.data.clear();
        }
    }
}

/// The bytes of a cell of a varlen column, or `None` for a null.
///
/// # Panics
/// When the column is not varlen, or broken.
#[inline]
pub(crate) fn cell(column: &Column, index: usize) -> Option<&[u8]> {
    if let Some(bits) = &column.validity
        && bits[index / 8] >> (index % 8) & 1 == 0
    {
        return None;
    }
    let Cells::Varlen(Varlen { offsets, data }) = &column.cells else { not_varlen() };
    Some(&data[offsets[index] as usize..offsets[index + 1] as usize])
}

#[cold]
fn not_varlen() -> ! {
    panic!("the values of a state do not come as varlen cells")
}
