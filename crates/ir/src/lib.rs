//! The job definition: what FlinkDotnet clients write as JSON and `flink-wasm` runs.
//!
//! Every generation of that JSON is read tolerantly into one set of types ([`parse`]) and written back in one
//! canonical form ([`JobDefinition::to_json`]). Problems carry a JSON pointer and, through [`place`], line and column.
//! This crate must not know how a job runs: which parts are supported, and what expressions mean, is the business of
//! `flink-wasm-plan`.

mod descriptor;
mod limits;
mod position;
mod read;
mod schema;
mod text;
mod types;
mod write;

pub use descriptor::{Field, FunctionDescriptor, FunctionKind, Parameter, SideOutput, State, StateKind};
pub use limits::{
    DEFAULT_DEADLINE_MS, DEFAULT_MEMORY_BYTES, DEFAULT_STATE_VALUE_BYTES, MAX_DEADLINE_MS, MAX_DEPTH,
    MAX_JOB_BYTES, MAX_LIMITER_NAME_BYTES, MAX_LIMITER_TIERS, MAX_MEMORY_BYTES, MAX_OPERATIONS,
    MAX_RATE_LIMITERS, MAX_RETRIES, MAX_STATE_VALUE_BYTES, MIN_MEMORY_BYTES,
};
pub use position::{locate, place, pointer_segment};
pub use read::{Parsed, parse};
pub use schema::job_schema;
pub use types::*;
