//! Functions in the sandbox: an addition of flink-wasm.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Object, Sink, records};

/// What becomes of a row, or a timer, that a function failed on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorPolicy {
    /// The job fails.
    #[default]
    Fail,
    /// The row is dropped and counted.
    Skip,
    /// The row goes to a sink, with the error.
    DeadLetter,
}

/// Who shares a rate limiter's permits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LimiterScope {
    /// All subtasks of a sidecar, that is of a task manager: each sidecar has the whole rate.
    #[default]
    Sidecar,
    /// The job: each subtask has its share.
    Job,
}

records! {
    /// A function in the sandbox.
    pub struct Function {
        /// Path of the component, from the job definition's folder, or its digest, `sha256:` and 64 hex digits.
        component: String,
        /// Values for the function's parameters.
        parameters: Object,
        /// Limits on each instance.
        limits: Option<Limits>,
        /// What becomes of rows that it fails on; a policy's name stands for the object with this policy.
        on_error: Option<OnError>,
        /// Token buckets that it may ask for permits.
        rate_limiters: Option<Vec<RateLimiter>>,
    }

    /// Limits on an instance of a function.
    pub struct Limits {
        /// Linear memory in bytes; 64 MiB when absent.
        memory_bytes: Option<u64>,
        /// Time for one bundle of rows in milliseconds; 10 000 when absent.
        deadline_ms: Option<u64>,
        /// Encoded bytes of one state value; 1 MiB when absent.
        state_value_bytes: Option<u64>,
    }

    /// What becomes of rows that a function fails on.
    pub struct OnError {
        /// `fail`, `skip` or `dead-letter`.
        policy: ErrorPolicy,
        /// How often a row is tried again when the function calls its failure transient.
        retries: u32,
        /// Where dead letters go.
        sink: Option<Sink>,
    }

    /// A token bucket; it starts full.
    pub struct RateLimiter {
        /// The name by which the function asks for it.
        name: String,
        /// Permits a second.
        rate: f64,
        /// Most permits that it holds.
        burst: u32,
        /// Who shares the permits.
        scope: LimiterScope,
        /// Further buckets, all of which must grant too.
        tiers: Option<Vec<LimiterTier>>,
    }

    /// A bucket behind a rate limiter.
    pub struct LimiterTier {
        /// For metrics and messages.
        name: String,
        /// Permits a second.
        rate: f64,
        /// Most permits that it holds.
        burst: u32,
    }
}
