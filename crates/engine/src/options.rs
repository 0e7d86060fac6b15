//! What a job says about one function beside its parameters.

use flink_wasm_diagnostic::{Code, Diagnostic, Result};
use flink_wasm_protocol::handshake::{Limits, OnError};
use flink_wasm_protocol::limits::{MAX_DEADLINE_MS, MAX_MEMORY_BYTES, MAX_RETRIES, MAX_STATE_VALUE_BYTES};

use crate::rate::FunctionLimiters;

/// How an instance is to be run.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// What it may use.
    pub limits: Limits,
    /// What becomes of items that fail.
    pub on_error: OnError,
    /// The rate limiters that the function may ask.
    pub rate_limiters: FunctionLimiters,
    /// Whether an item at fault is kept with what its function could see, for [`Instance::take_crash`](crate::Instance::take_crash).
    /// It costs two more runs of the items before it.
    pub keep_crash: bool,
}

impl Options {
    /// FW0503 when they are above what the engine gives.
    pub(crate) fn check(&self) -> Result<()> {
        let Limits { memory_bytes, deadline_ms, state_value_bytes } = self.limits;
        let refused = |message: String| Err(Diagnostic::new(Code::ProtocolViolation, message));
        if memory_bytes > MAX_MEMORY_BYTES || deadline_ms > MAX_DEADLINE_MS || deadline_ms == 0 {
            return refused(format!(
                "limits of {memory_bytes} bytes and {deadline_ms} ms, at most {MAX_MEMORY_BYTES} bytes and 1 to {MAX_DEADLINE_MS} ms are given"
            ));
        }
        if state_value_bytes > MAX_STATE_VALUE_BYTES {
            return refused(format!(
                "a limit of {state_value_bytes} bytes for a state value, at most {MAX_STATE_VALUE_BYTES} are given"
            ));
        }
        if self.on_error.retries > MAX_RETRIES {
            return refused(format!("{} retries, at most {MAX_RETRIES} are given", self.on_error.retries));
        }
        Ok(())
    }
}
