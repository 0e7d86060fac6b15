//! Runs a component in the harness, in the sandbox of this process: what `flink-wasm test` and `flink-wasm replay` do.
//!
//! Apart from the harness because it needs wasmtime, which a function's author need not compile.

use std::sync::Arc;

use flink_wasm_diagnostic::{Code, Diagnostic, Result};
use flink_wasm_engine::{ElementSource, Instance, LimiterClock, LoadedFunction, Options, RateLimiters};
use flink_wasm_harness::{Elements, Executor, Fault};
use flink_wasm_protocol::frame::HEADER_BYTES;
use flink_wasm_protocol::handshake::Open;

/// Runs a component.
pub struct Component {
    function: Arc<LoadedFunction>,
    instance: Option<Instance>,
}

impl Component {
    /// Not open yet.
    pub fn new(function: Arc<LoadedFunction>) -> Self {
        Self { function, instance: None }
    }
}

impl Executor for Component {
    fn open(&mut self, open: &Open) -> Result<()> {
        let rate_limiters =
            RateLimiters::new(LimiterClock::ProcessingTime).connect("", &open.rate_limiters)?;
        let options =
            Options { limits: open.limits, on_error: open.on_error, rate_limiters, keep_crash: false };
        let opened = self.function.open_with(&open.parameters, options);
        self.instance = Some(opened.map_err(|fault| fault.diagnostic)?);
        Ok(())
    }

    fn run(
        &mut self,
        id: u64,
        payload: &[u8],
        elements: Box<dyn Elements>,
    ) -> std::result::Result<Vec<u8>, Fault> {
        let Some(instance) = &mut self.instance else {
            return Err(Diagnostic::new(Code::Internal, "the function is not open").into());
        };
        instance.set_element_source(Box::new(Source(elements)));
        match instance.run(id, payload) {
            Ok(frame) => Ok(frame[HEADER_BYTES..].to_vec()),
            Err(fault) => Err(Fault { diagnostic: fault.diagnostic, item: fault.row }),
        }
    }
}

/// The harness's list and map state, as the engine asks for it.
struct Source(Box<dyn Elements>);

impl ElementSource for Source {
    fn get(&mut self, state: u32, key: u32, element: &[u8]) -> Result<Option<Vec<u8>>> {
        self.0.get(state, key, element)
    }

    fn scan(&mut self, state: u32, key: u32) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
        self.0.scan(state, key)
    }
}
