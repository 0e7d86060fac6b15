//! Runs functions: the one crate that names wasmtime.
//!
//! An [`Engine`] compiles a component once and keeps it, in memory and as native code in a directory of its own. A
//! [`LoadedFunction`] opens any number of [`Instance`]s; each has its own memory, and answers one bundle after the other.
//! Whatever a guest does, the host ends with a reply or with a [`Fault`] that names the code and, where it can be found, the row.
//!
//! The sandbox offers `flink-wasm:udf` and nothing else: no WASI, no clock, no randomness, no threads.
//!
//! This crate must not know sockets, frames' order, jobs or Flink.

mod abi;
mod cache;
mod crash;
mod description;
mod effects;
mod elements;
mod engine;
mod fault;
mod function;
mod guest;
mod heartbeat;
mod host;
mod instance;
mod limiter;
mod locate;
mod native;
mod options;
mod rate;
mod retry;
mod slots;
mod text;
mod work;

pub use crash::{Crash, CrashedItem, Held};
pub use description::{Description, Field, Parameter, SideOutput};
pub use elements::{ElementSource, Elements};
pub use engine::{Engine, EngineConfig, Loaded};
pub use fault::Fault;
pub use flink_wasm_protocol::handshake::{ErrorPolicy, FunctionKind, Limits, OnError, State, StateKind};
pub use function::LoadedFunction;
pub use instance::Instance;
pub use options::Options;
pub use rate::{FunctionLimiters, LimiterClock, LimiterUse, RateLimiters};
