//! A component, compiled, linked and described.

use std::sync::Arc;

use flink_wasm_diagnostic::{Code, Diagnostic, Result};
use flink_wasm_protocol::Schema;
use flink_wasm_protocol::handshake::{FunctionKind, Limits, State};
use flink_wasm_protocol::keyed::KeyedSchema;
use flink_wasm_protocol::limits::{MAX_FRAME_BYTES, MAX_MEMORY_BYTES};
use wasmtime::Store;
use wasmtime::component::{Component, ComponentExportIndex, Func, InstancePre};

use crate::abi::{DESCRIPTOR, FunctionRecord, LIFECYCLE, MAPPER, PREDICATE, PROCESSOR};
use crate::description::Description;
use crate::engine::{Engine, TICK};
use crate::fault::{Fault, classify};
use crate::host::HostState;
use crate::instance::Instance;
use crate::options::Options;

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
    /// The main output, then the side outputs.
    outputs: Arc<[Schema]>,
    /// Of a process function.
    keyed: Option<KeyedSchema>,
    states: Arc<[State]>,
}

struct Exports {
    describe: ComponentExportIndex,
    open: ComponentExportIndex,
    /// `map-batch`, `filter-batch` or `process-batch`.
    run: ComponentExportIndex,
    /// `timers-batch` of a process function.
    timers: Option<ComponentExportIndex>,
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
                .or_else(|| find(PROCESSOR, "process-batch"))
                .ok_or_else(|| missing(&format!("{MAPPER}, {PREDICATE} or {PROCESSOR}")))?,
            timers: find(PROCESSOR, "timers-batch"),
        };
        let kind = if find(MAPPER, "map-batch").is_some() {
            FunctionKind::Map
        } else if find(PREDICATE, "filter-batch").is_some() {
            FunctionKind::Filter
        } else {
            FunctionKind::Process
        };
        let description = match known {
            Some(description) => description,
            None => describe(&engine, &pre, &exports.describe)?,
        };
        if kind != description.kind {
            return Err(Diagnostic::new(
                Code::BadDescriptor,
                format!(
                    "the component describes itself as {:?} and exports what a {kind:?} does",
                    description.kind
                ),
            ));
        }
        let types = |fields: Vec<flink_wasm_protocol::RowField>| {
            Schema::new(fields.into_iter().map(|field| field.data_type).collect())
        };
        let input = types(description.input_fields()?)?;
        let mut outputs = vec![types(description.output_fields()?)?];
        for side_output in &description.side_outputs {
            outputs.push(types(side_output.row_fields()?)?);
        }
        let keyed = match kind {
            FunctionKind::Process => {
                let values = description.states.iter().filter(|state| state.kind.is_value()).count();
                Some(KeyedSchema::new(input.clone(), types(description.key_fields()?)?, values)?)
            }
            FunctionKind::Map | FunctionKind::Filter => None,
        };
        let states = description.states.as_slice().into();
        Ok(Self {
            engine,
            sha256: sha256.to_owned(),
            pre,
            exports,
            description,
            input: Arc::new(input),
            outputs: outputs.into(),
            keyed,
            states,
        })
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

    /// Types of the rows that come out of the main output; none for a filter.
    pub fn output(&self) -> &Schema {
        &self.outputs[0]
    }

    /// The main output, then the side outputs of a process function.
    pub fn outputs(&self) -> &Arc<[Schema]> {
        &self.outputs
    }

    /// How the bundles of a process function are read.
    pub fn keyed(&self) -> Option<&KeyedSchema> {
        self.keyed.as_ref()
    }

    /// The states of a process function.
    pub(crate) fn states(&self) -> &Arc<[State]> {
        &self.states
    }

    /// Whether the function has list or map state, for which a running bundle asks.
    pub fn has_elements(&self) -> bool {
        self.states.iter().any(|state| !state.kind.is_value())
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
        self.open_with(parameters, Options { limits, ..Options::default() })
    }

    /// As [`LoadedFunction::open`], with all that OPEN can say.
    pub fn open_with(
        self: &Arc<Self>,
        parameters: &serde_json::Map<String, serde_json::Value>,
        options: Options,
    ) -> std::result::Result<Instance, Fault> {
        options.check()?;
        let parameters = serde_json::Value::Object(parameters.clone()).to_string();
        Instance::open(self.clone(), parameters.into(), options)
    }

    /// A store with a fresh instance in it, and its functions.
    pub(crate) fn instantiate(&self, limits: Limits) -> Result<(Store<HostState>, Functions)> {
        let mut store = store(&self.engine, limits);
        let instance =
            self.pre.instantiate(&mut store).map_err(|error| fault_of(&error, &mut store, limits))?;
        let mut function = |index: &ComponentExportIndex| {
            instance
                .get_func(&mut store, index)
                .ok_or_else(|| Diagnostic::new(Code::Internal, "an export is gone"))
        };
        let functions = Functions {
            open: function(&self.exports.open)?,
            run: function(&self.exports.run)?,
            timers: self.exports.timers.as_ref().map(function).transpose()?,
        };
        Ok((store, functions))
    }
}

/// What an instance exports.
pub(crate) struct Functions {
    pub(crate) open: Func,
    /// The one that takes batches of rows.
    pub(crate) run: Func,
    /// The one that takes batches of timers.
    pub(crate) timers: Option<Func>,
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
    let limits =
        Limits { memory_bytes: MAX_MEMORY_BYTES, deadline_ms: DESCRIBE_DEADLINE_MS, ..Limits::default() };
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
