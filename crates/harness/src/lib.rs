//! Runs one process function under virtual time, as Flink's keyed operator runs it: keyed state with time to live, timers, watermark,
//! clock, snapshot and restore, side outputs, error policies.
//!
//! A [`Harness`] drives an [`Executor`], which is the function itself, natively ([`Native`]), or a component in the sandbox (the crate
//! `flink-wasm-harness-component`). [`scenario`]s are files of steps, which `flink-wasm test` runs too.
//!
//! This crate must not know wasmtime: a function's author compiles it for `cargo test`.

mod bundle;
pub mod capsule;
mod compare;
mod executor;
mod function;
mod harness;
mod native;
mod programs;
pub mod scenario;
mod sidecar;
mod snapshot;
mod state;
mod timers;
mod values;

pub use compare::fits;
pub use executor::{Elements, Executor, Fault};
pub use flink_wasm_diagnostic::{Diagnostic, Result};
pub use function::{DEFAULT_BUNDLE_ROWS, Function, MAIN_OUTPUT, Settings, SideOutput};
pub use harness::{Failed, Harness, MAX_TIMER_ROUNDS, OutputRow, TimersOfKey};
pub use native::Native;
pub use sidecar::{PROGRAM_VARIABLE, SIDECAR_VARIABLE, Sidecar};
