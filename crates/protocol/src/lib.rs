//! The protocol between operator and sidecar, as bytes: frames, handshake, batches, replies.
//!
//! The layout is written down in `docs/protocol.md`; golden frames in `tests/golden/` pin it for Rust and Java.
//! Every decoder is total: whatever the bytes are, it answers with a value or with a `Diagnostic`.
//!
//! This crate must not know sockets, threads, clocks, files or wasmtime.

#[cfg(feature = "arbitrary")]
pub mod arbitrary;
pub mod batch;
pub mod bundle;
pub mod cell;
pub mod frame;
pub mod handshake;
pub mod json;
pub mod keyed;
pub mod limits;
pub mod reply;
pub mod schema;
pub mod state;

pub use batch::{BatchView, BatchWriter, CellsView, ColumnView};
pub use cell::Cell;
pub use frame::{FrameHeader, FrameType};
pub use schema::{ColumnKind, DataType, LogicalType, RowField, Schema};
