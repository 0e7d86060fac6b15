//! The sidecar: sockets, threads and metrics around the engine and the protocol.
//!
//! One connection is one subtask: it has a thread, and an instance of one function. A small asynchronous runtime accepts
//! connections, answers health checks and waits for signals; no function ever runs on it.
//!
//! ```no_run
//! # async fn example() -> flink_wasm_diagnostic::Result<()> {
//! let sidecar = flink_wasm_sidecar::Sidecar::bind(flink_wasm_sidecar::Config::new("/tmp/sidecar.sock")).await?;
//! sidecar.serve(async { tokio::signal::ctrl_c().await.unwrap_or_default() }).await
//! # }
//! ```

mod capsules;
mod channel;
mod connection;
mod frames;
mod health;
pub mod limits;
mod listener;
mod metrics;
mod server;
mod session;

pub use server::{Config, Sidecar};
