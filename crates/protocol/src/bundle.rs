//! BUNDLE: rows for a function.

use flink_wasm_diagnostic::Result;

use crate::batch::{BatchView, Reader};
use crate::schema::Schema;

/// Bytes in front of the batch.
pub const BUNDLE_HEADER_BYTES: usize = 16;

/// A decoded BUNDLE.
#[derive(Clone, Debug, PartialEq)]
pub struct Bundle<'a> {
    /// Milliseconds since the epoch.
    pub processing_time_ms: i64,
    /// Milliseconds since the epoch; the least `i64` before the first.
    pub watermark_ms: i64,
    /// The rows.
    pub rows: BatchView<'a>,
}

impl<'a> Bundle<'a> {
    /// Reads the payload of a BUNDLE; errors as [`BatchView::parse`].
    pub fn parse(schema: &Schema, payload: &'a [u8]) -> Result<Self> {
        let mut reader = Reader { bytes: payload, at: 0 };
        let header = reader.take(BUNDLE_HEADER_BYTES, || "the bundle's header".into())?;
        let (mut time, mut watermark) = ([0; 8], [0; 8]);
        time.copy_from_slice(&header[..8]);
        watermark.copy_from_slice(&header[8..]);
        Ok(Self {
            processing_time_ms: i64::from_le_bytes(time),
            watermark_ms: i64::from_le_bytes(watermark),
            rows: BatchView::parse(schema, &payload[BUNDLE_HEADER_BYTES..])?,
        })
    }
}

/// The payload of a BUNDLE around the bytes of a batch.
pub fn encode_bundle(processing_time_ms: i64, watermark_ms: i64, batch: &[u8]) -> Vec<u8> {
    let mut payload = Vec::with_capacity(BUNDLE_HEADER_BYTES + batch.len());
    payload.extend_from_slice(&processing_time_ms.to_le_bytes());
    payload.extend_from_slice(&watermark_ms.to_le_bytes());
    payload.extend_from_slice(batch);
    payload
}
