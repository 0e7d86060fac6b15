//! A component, compiled, linked and described.

use std::sync::Arc;

use flink_wasm_diagnostic::{Code, Diagnostic, Result};
use flink_wasm_protocol::Schema;
use flink_wasm_protocol::handshake::{FunctionKind, Limits};
use flink_wasm_protocol::limits::{MAX_DEADLINE_MS, MAX_FRAME_BYTES, MAX_MEMORY_BYTES};
use wasmtime::Store;
use wasmtime::component::{Component, ComponentExportIndex, Func, InstancePre};

use crate::abi::{DESCRIPTOR, FunctionRecord, LIFECYCLE, MAPPER, PREDICATE};
use crate::description::Description;
use crate::engine::{Engine, TICK};
use crate::fault::{Fault, classify};
use crate::host::HostState;
use crate::instance::Instance;

/// Time to instantiate a component and ask it what it is; both take microseconds.
const DESCRIBE_DEADLINE_MS: u64 = 2_000;

/// A component that can be opened.
pub struct LoadedFunction {
    /// Keeps the engine's clock going.
    engine: Engine,
    sha256: String,
    pre: InstancePre<HostState>,
    exports: Exports,
    description: Description,
    input: Arc<Schema>,
    output: Arc<Schema>,
}

struct Exports {
    describe: ComponentExportIndex,
    open: ComponentExportIndex,
    /// `map-batch` or `filter-batch`.
    run: ComponentExportIndex,
}

impl LoadedFunction {
    /// Asks the component for its description, unless an earlier answer is at hand.
    pub(crate) fn new(
        engine: Engine,
        sha256: &str,
        component: &Component,
        known: Option<Description>,
    ) -> Result<Self> {
        let pre = engine.linker().instantiate_pre(component).map_err(|error| {
            Diagnostic::new(
                Code::ForeignImport,
                format!("the component asks for what the sandbox does not offer: {error:#}"),
            )
        })?;
        let find = |interface: &str, name: &str| {
            let interface = component.get_export_index(None, interface)?;
            component.get_export_index(Some(&interface), name)
        };
        let missing =
            |what: &str| Diagnostic::new(Code::WrongExports, format!("the component does not export {what}"));
        let exports = Exports {
            describe: find(DESCRIPTOR, "describe").ok_or_else(|| missing(DESCRIPTOR))?,
            open: find(LIFECYCLE, "open").ok_or_else(|| missing(LIFECYCLE))?,
            run: find(MAPPER, "map-batch")
                .or_else(|| find(PREDICATE, "filter-batch"))
                .ok_or_else(|| missing(&format!("{MAPPER} or {PREDICATE}")))?,
        };
        let is_map = find(MAPPER, "map-batch").is_some();
        let description = match known {
            Some(description) => description,
            None => describe(&engine, &pre, &exports.describe)?,
        };
        if is_map != (description.kind == FunctionKind::Map) {
            return Err(Diagnostic::new(
                Code::BadDescriptor,
                format!("the component describes itself as {:?} and exports the other", description.kind),
            ));
        }
        let types = |fields: Vec<flink_wasm_protocol::RowField>| {
            Schema::new(fields.into_iter().map(|field| field.data_type).collect()).map(Arc::new)
        };
        let (input, output) = (types(description.input_fields()?)?, types(description.output_fields()?)?);
        Ok(Self { engine, sha256: sha256.to_owned(), pre, exports, description, input, output })
    }

    /// SHA-256 of the component, 64 hex digits.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// What the component says of itself.
    pub fn description(&self) -> &Description {
        &self.description
    }

    /// Types of the rows that go in.
    pub fn input(&self) -> &Arc<Schema> {
        &self.input
    }

    /// Types of the rows that come out; none for a filter.
    pub fn output(&self) -> &Arc<Schema> {
        &self.output
    }

    /// Opens an instance with its own memory.
    ///
    /// FW0509 when the function's `open` refuses the parameters; FW0504 to FW0506 as for a bundle; FW0503 when the limits are
    /// above what the engine gives.
    pub fn open(
        self: &Arc<Self>,
        parameters: &serde_json::Map<String, serde_json::Value>,
        limits: Limits,
    ) -> std::result::Result<Instance, Fault> {
        if limits.memory_bytes > MAX_MEMORY_BYTES
            || limits.deadline_ms > MAX_DEADLINE_MS
            || limits.deadline_ms == 0
        {
            return Err(Fault::from(Diagnostic::new(
                Code::ProtocolViolation,
                format!(
                    "limits of {} bytes and {} ms, at most {MAX_MEMORY_BYTES} bytes and 1 to {MAX_DEADLINE_MS} ms are given",
                    limits.memory_bytes, limits.deadline_ms
                ),
            )));
        }
        let parameters = serde_json::Value::Object(parameters.clone()).to_string();
        Instance::open(self.clone(), parameters.into(), limits)
    }

    /// A store with a fresh instance in it, and its two functions: `open` and the one that takes batches.
    pub(crate) fn instantiate(&self, limits: Limits) -> Result<(Store<HostState>, Func, Func)> {
        let mut store = store(&self.engine, limits);
        let instance =
            self.pre.instantiate(&mut store).map_err(|error| fault_of(&error, &mut store, limits))?;
        let mut function = |index: &ComponentExportIndex| {
            instance
                .get_func(&mut store, index)
                .ok_or_else(|| Diagnostic::new(Code::Internal, "an export is gone"))
        };
        let (open, run) = (function(&self.exports.open)?, function(&self.exports.run)?);
        Ok((store, open, run))
    }
}

fn store(engine: &Engine, limits: Limits) -> Store<HostState> {
    let mut store = Store::new(engine.wasmtime(), HostState::new(limits.memory_bytes));
    store.limiter(|state| &mut state.limiter);
    // What one call may make the host copy: a frame's worth.
    store.set_hostcall_fuel(MAX_FRAME_BYTES);
    // The interface has no resources.
    store.set_max_component_handles(0);
    store.epoch_deadline_trap();
    store.set_epoch_deadline(ticks(limits.deadline_ms));
    store
}

/// Steps of the clock until the deadline; the step under way does not count.
pub(crate) fn ticks(deadline_ms: u64) -> u64 {
    deadline_ms.div_ceil(TICK.as_millis() as u64) + 1
}

pub(crate) fn fault_of(error: &wasmtime::Error, store: &mut Store<HostState>, limits: Limits) -> Diagnostic {
    classify(error, store.data_mut(), limits.deadline_ms, limits.memory_bytes)
}

fn describe(
    engine: &Engine,
    pre: &InstancePre<HostState>,
    index: &ComponentExportIndex,
) -> Result<Description> {
    let limits = Limits { memory_bytes: MAX_MEMORY_BYTES, deadline_ms: DESCRIBE_DEADLINE_MS };
    let mut store = store(engine, limits);
    let record = pre.instantiate(&mut store).and_then(|instance| {
        let describe = instance.get_typed_func::<(), (FunctionRecord,)>(&mut store, index)?;
        describe.call(&mut store, ())
    });
    match record {
        Ok((record,)) => Description::from_record(record),
        Err(error) => {
            let fault = fault_of(&error, &mut store, limits);
            Err(Diagnostic {
                message: format!("while the component described itself, {}", fault.message),
                ..fault
            })
        }
    }
}

impl std::fmt::Debug for LoadedFunction {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("LoadedFunction")
            .field("sha256", &self.sha256)
            .field("name", &self.description.name)
            .finish()
    }
}
