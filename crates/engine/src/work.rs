//! What a bundle gives a function to do: items, of which some may be left out.

use flink_wasm_diagnostic::{Code, Diagnostic, Result};
use flink_wasm_protocol::batch::{BatchView, BatchWriter};
use flink_wasm_protocol::bundle::Bundle;
use flink_wasm_protocol::keyed::{Items, KeyedBundle};
use flink_wasm_protocol::schema::Schema;

use crate::function::LoadedFunction;
use crate::slots::ValueColumn;

/// A bundle, read and ready to run, as often as it takes.
pub(crate) enum Work<'a> {
    /// Of a map or filter.
    Rows(Bundle<'a>),
    /// Of a process function.
    Keyed(KeyedBundle<'a>, Vec<ValueColumn>),
}

/// Indices of a bundle's items that a function gets, rising; `None` means all.
pub(crate) type Chosen<'a> = Option<&'a [u32]>;

impl<'a> Work<'a> {
    /// Reads a payload that lies on a multiple of 8 bytes. Values are the slots' business.
    pub(crate) fn parse(function: &LoadedFunction, payload: &'a [u8]) -> Result<Self> {
        Ok(match function.keyed() {
            Some(schema) => Self::Keyed(KeyedBundle::parse(schema, payload)?, Vec::new()),
            None => Self::Rows(Bundle::parse(function.input(), payload)?),
        })
    }

    pub(crate) fn item_count(&self) -> usize {
        match self {
            Self::Rows(bundle) => bundle.rows.row_count(),
            Self::Keyed(bundle, _) => bundle.item_count(),
        }
    }

    pub(crate) fn times(&self) -> (i64, i64) {
        match self {
            Self::Rows(bundle) => (bundle.processing_time_ms, bundle.watermark_ms),
            Self::Keyed(bundle, _) => (bundle.processing_time_ms, bundle.watermark_ms),
        }
    }

    /// The rows of the bundle; `None` for timers.
    pub(crate) fn rows(&self) -> Option<&BatchView<'a>> {
        match self {
            Self::Rows(bundle) => Some(&bundle.rows),
            Self::Keyed(bundle, _) => match &bundle.items {
                Items::Rows(rows) => Some(rows),
                Items::EventTimeTimers | Items::ProcessingTimeTimers => None,
            },
        }
    }
}

/// Some rows of a batch, as a batch of their own, on a multiple of 8 bytes.
pub(crate) fn choose_rows(schema: &Schema, rows: &BatchView<'_>, chosen: &[u32]) -> Result<Vec<u64>> {
    let mut writer = BatchWriter::new(schema);
    for row in chosen {
        writer.push_row(&rows.row(schema, *row as usize))?;
    }
    let mut batch = Vec::new();
    writer.finish(&mut batch)?;
    Ok(aligned(&batch))
}

/// A copy on a multiple of 8 bytes, with zeros behind.
pub(crate) fn aligned(bytes: &[u8]) -> Vec<u64> {
    let mut aligned = vec![0_u64; bytes.len().div_ceil(8)];
    bytemuck::cast_slice_mut::<u64, u8>(&mut aligned)[..bytes.len()].copy_from_slice(bytes);
    aligned
}

/// What is chosen of a list with an entry for each item.
pub(crate) fn choose<T: Copy>(list: &[T], chosen: &[u32]) -> Vec<T> {
    chosen.iter().map(|item| list[*item as usize]).collect()
}

/// The engine aligns what it is given, and batches keep to it.
pub(crate) fn not_aligned() -> Diagnostic {
    Diagnostic::new(Code::Internal, "an aligned bundle is not aligned")
}
