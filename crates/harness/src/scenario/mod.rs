//! Scenarios: rows, time and snapshots that go into a process function, and what is to come of them. `docs/testing.md` describes the
//! format.

use flink_wasm_protocol::handshake::{Limits, OnError, RateLimiter};
use serde_json::{Map, Value};

mod node;
mod read;
mod run;

pub use read::{parameters, read};
pub use run::{Difference, Outcome, run};

/// A file of scenarios, checked against a function.
#[derive(Clone, Debug)]
pub struct Scenarios {
    /// The columns by which rows are grouped; empty for those named as the function's key.
    pub key: Vec<String>,
    /// What becomes of rows that fail.
    pub on_error: OnError,
    /// What the function may ask for permits.
    pub rate_limiters: Vec<RateLimiter>,
    /// What the instance may use.
    pub limits: Limits,
    /// The scenarios.
    pub scenarios: Vec<Scenario>,
}

/// Steps for a fresh harness.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Says what the scenario shows.
    pub name: String,
    /// What happens, in order.
    pub steps: Vec<Step>,
    /// Where it stands in the file, as a JSON pointer.
    pub pointer: String,
}

/// One step, and where it stands in the file.
#[derive(Clone, Debug)]
pub struct Step {
    /// JSON pointer.
    pub pointer: String,
    /// What happens.
    pub action: Action,
}

/// What happens in a step.
#[derive(Clone, Debug)]
pub enum Action {
    /// Rows come.
    Rows {
        /// The rows.
        rows: Vec<Value>,
        /// The timestamp of all of them, if they have one.
        timestamp: Option<i64>,
        /// The key, when rows do not hold it.
        key: Option<Vec<Value>>,
    },
    /// The watermark advances to this many milliseconds.
    Watermark(i64),
    /// The clock advances to this many milliseconds.
    Clock(i64),
    /// A snapshot is taken, as at a checkpoint.
    Snapshot,
    /// The function starts again from the last snapshot.
    Restore,
    /// These rows have come out of each output since the last such step, and none of the outputs that are not named.
    Expect(Vec<(String, Value)>),
    /// These rows and timers have failed since the last such step.
    Failures(Value),
    /// The job has failed with a message that has this part.
    Error(String),
    /// A state holds this.
    State {
        /// Its name.
        name: String,
        /// The key.
        key: Vec<Value>,
        /// What it holds; null for nothing.
        is: Value,
    },
    /// A key has these timers.
    Timers {
        /// The key.
        key: Vec<Value>,
        /// Timestamps of event time.
        event_time: Vec<i64>,
        /// Timestamps of processing time.
        processing_time: Vec<i64>,
    },
    /// Counters of the function have these values.
    Counters(Map<String, Value>),
}
