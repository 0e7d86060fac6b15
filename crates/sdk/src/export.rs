//! The exports of a component. They exist in components only; `#[map]`, `#[filter]` and `#[process]` expand them once in a crate.

use std::cell::RefCell;

use crate::Context;
use crate::batch::{Batch, Column, RowFailure};
use crate::bindings::common::exports::flink_wasm::udf::descriptor as exported;
use crate::bindings::common::flink_wasm::udf::context as host;
use crate::bindings::map::flink_wasm::udf::collector;
use crate::bindings::process::exports::flink_wasm::udf::processor;
use crate::bindings::process::flink_wasm::udf::{effects, elements};
use crate::function::{Descriptor, FilterFunction, Kind, MapFunction};
use crate::process::{Effects, Elements, Keyed, ProcessFunction, Processor, TimeDomain};
use crate::state::StateKind;

/// The function of this instance, once it is open.
pub type Slot<F> = RefCell<Option<F>>;

/// Describes, after making sure that a panic is told.
pub fn describe(descriptor: fn() -> Descriptor) -> exported::Function {
    tell_panics();
    let Descriptor {
        name,
        version,
        kind,
        description,
        input,
        output,
        parameters,
        key,
        states,
        side_outputs,
        timers,
    } = descriptor();
    let field = |field: crate::Field| exported::Field { name: field.name, sql_type: field.sql_type };
    exported::Function {
        name,
        version,
        kind: match kind {
            Kind::Map => exported::Kind::Map,
            Kind::Filter => exported::Kind::Filter,
            Kind::Process => exported::Kind::Process,
        },
        description,
        input: input.into_iter().map(field).collect(),
        output: output.into_iter().map(field).collect(),
        parameters: parameters
            .into_iter()
            .map(|parameter| exported::Parameter {
                name: parameter.name,
                sql_type: parameter.sql_type,
                default_json: parameter.default_json,
                description: parameter.description,
            })
            .collect(),
        key: key.into_iter().map(field).collect(),
        states: states
            .into_iter()
            .map(|state| exported::State {
                name: state.name,
                kind: match state.kind {
                    StateKind::Value => exported::StateKind::Value,
                    StateKind::Reducing => exported::StateKind::Reducing,
                    StateKind::List => exported::StateKind::List,
                    StateKind::Map => exported::StateKind::Map,
                },
                schema: state.schema,
                ttl_ms: state.ttl_ms,
            })
            .collect(),
        side_outputs: side_outputs
            .into_iter()
            .map(|output| exported::SideOutput {
                name: output.name,
                fields: output.fields.into_iter().map(field).collect(),
            })
            .collect(),
        timers,
    }
}

/// Opens the function, after making sure that a panic is told.
pub fn open<F>(
    slot: &Slot<F>,
    opened: fn(&str) -> Result<F, String>,
    parameters: &str,
) -> Result<(), String> {
    tell_panics();
    *slot.borrow_mut() = Some(opened(parameters)?);
    Ok(())
}

/// Runs a map over a batch.
pub fn map_batch<F: MapFunction>(slot: &Slot<F>, rows: &Batch) -> Vec<RowFailure> {
    with(slot, |function| {
        function.map_batch(rows, &Context::host(), &mut |rows, origin| collector::emit(0, rows, origin))
    })
}

/// Runs a filter over a batch.
pub fn filter_batch<F: FilterFunction>(slot: &Slot<F>, rows: &Batch) -> (Vec<u8>, Vec<RowFailure>) {
    with(slot, |function| function.filter_batch(rows, &Context::host()))
}

/// Opens a process function.
pub fn open_processor<F: ProcessFunction>(parameters: &str) -> Result<Processor<F>, String> {
    Processor::open(parameters, Box::new(Host))
}

/// Runs a process function over rows.
pub fn process_batch<F: ProcessFunction>(
    slot: &Slot<Processor<F>>,
    rows: &Batch,
    timestamps: &[i64],
    keyed: processor::Keyed,
) -> Result<(), RowFailure> {
    with(slot, |function| function.process_batch(rows, timestamps, taken(keyed), &Context::host(), &mut Host))
}

/// Runs a process function over timers.
pub fn timers_batch<F: ProcessFunction>(
    slot: &Slot<Processor<F>>,
    timestamps: &[i64],
    processing_time: bool,
    keyed: processor::Keyed,
) -> Result<(), RowFailure> {
    let domain = if processing_time { TimeDomain::ProcessingTime } else { TimeDomain::EventTime };
    with(slot, |function| {
        function.timers_batch(timestamps, domain, taken(keyed), &Context::host(), &mut Host)
    })
}

fn taken(keyed: processor::Keyed) -> Keyed {
    let processor::Keyed { keys, key_rows, values } = keyed;
    Keyed { keys, key_rows, values }
}

/// Effects and elements of the host.
struct Host;

impl Effects for Host {
    fn emit(&mut self, output: u32, rows: &Batch, timestamps: &[i64]) {
        effects::emit(output, rows, timestamps);
    }

    fn put_values(&mut self, state: u32, keys: &[u32], values: &Column) {
        effects::put_values(state, keys, values);
    }

    fn put_elements(&mut self, state: u32, keys: &[u32], ops: &[u8], elements: &Column, values: &Column) {
        effects::put_elements(state, keys, ops, elements, values);
    }

    fn put_timers(&mut self, keys: &[u32], timestamps: &[i64], flags: &[u8]) {
        effects::put_timers(keys, timestamps, flags);
    }
}

impl Elements for Host {
    fn get(&self, state: u32, key: u32, element: &[u8]) -> Option<Vec<u8>> {
        elements::get(state, key, element)
    }

    fn scan(&self, state: u32, key: u32) -> (Column, Column) {
        elements::scan(state, key)
    }
}

fn with<F, T>(slot: &Slot<F>, run: impl FnOnce(&mut F) -> T) -> T {
    match &mut *slot.borrow_mut() {
        Some(function) => run(function),
        None => panic!("a batch came before `open`"),
    }
}

/// Sends message and place of a panic to the host; the trap that follows has neither.
fn tell_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let message = panic.payload_as_str().unwrap_or("a panic without a message");
        match panic.location() {
            Some(place) => host::panicked(&format!("{message}, at {place}")),
            None => host::panicked(message),
        }
    }));
}

/// Exports a map function.
#[doc(hidden)]
#[macro_export]
macro_rules! __export_map {
    ($function:ty) => {
        $crate::__export_common!($function, $crate::MapFunction, $function, <$function as $crate::MapFunction>::open);

        impl $crate::__rt::bindings::map::exports::flink_wasm::udf::mapper::Guest for Component {
            fn map_batch(rows: $crate::Batch) -> ::std::vec::Vec<$crate::RowFailure> {
                FUNCTION.with(|slot| $crate::__rt::export::map_batch(slot, &rows))
            }
        }

        $crate::__rt::bindings::map::export_map!(Component with_types_in $crate::__rt::bindings::map);
    };
}

/// Exports a filter function.
#[doc(hidden)]
#[macro_export]
macro_rules! __export_filter {
    ($function:ty) => {
        $crate::__export_common!($function, $crate::FilterFunction, $function, <$function as $crate::FilterFunction>::open);

        impl $crate::__rt::bindings::filter::exports::flink_wasm::udf::predicate::Guest for Component {
            fn filter_batch(
                rows: $crate::Batch,
            ) -> (::std::vec::Vec<u8>, ::std::vec::Vec<$crate::RowFailure>) {
                FUNCTION.with(|slot| $crate::__rt::export::filter_batch(slot, &rows))
            }
        }

        $crate::__rt::bindings::filter::export_filter!(Component with_types_in $crate::__rt::bindings::filter);
    };
}

/// Exports a process function.
#[doc(hidden)]
#[macro_export]
macro_rules! __export_process {
    ($function:ty) => {
        $crate::__export_common!(
            $function,
            $crate::ProcessFunction,
            $crate::Processor<$function>,
            $crate::__rt::export::open_processor::<$function>
        );

        impl $crate::__rt::bindings::process::exports::flink_wasm::udf::processor::Guest for Component {
            fn process_batch(
                rows: $crate::Batch,
                timestamps: ::std::vec::Vec<i64>,
                keyed: $crate::__rt::bindings::process::exports::flink_wasm::udf::processor::Keyed,
            ) -> ::std::result::Result<(), $crate::RowFailure> {
                FUNCTION.with(|slot| $crate::__rt::export::process_batch(slot, &rows, &timestamps, keyed))
            }

            fn timers_batch(
                timestamps: ::std::vec::Vec<i64>,
                processing_time: bool,
                keyed: $crate::__rt::bindings::process::exports::flink_wasm::udf::processor::Keyed,
            ) -> ::std::result::Result<(), $crate::RowFailure> {
                FUNCTION.with(|slot| {
                    $crate::__rt::export::timers_batch(slot, &timestamps, processing_time, keyed)
                })
            }
        }

        $crate::__rt::bindings::process::export_process!(Component with_types_in $crate::__rt::bindings::process);
    };
}

/// What every function exports.
#[doc(hidden)]
#[macro_export]
macro_rules! __export_common {
    ($function:ty, $kind:path, $opened:ty, $open:expr) => {
        struct Component;

        ::std::thread_local! {
            static FUNCTION: $crate::__rt::export::Slot<$opened> = const { ::std::cell::RefCell::new(None) };
        }

        impl $crate::__rt::bindings::common::exports::flink_wasm::udf::descriptor::Guest for Component {
            fn describe() -> $crate::__rt::bindings::common::exports::flink_wasm::udf::descriptor::Function {
                $crate::__rt::export::describe(<$function as $kind>::describe)
            }
        }

        impl $crate::__rt::bindings::common::exports::flink_wasm::udf::lifecycle::Guest for Component {
            fn open(parameters: ::std::string::String) -> ::std::result::Result<(), ::std::string::String> {
                FUNCTION.with(|slot| $crate::__rt::export::open(slot, $open, &parameters))
            }
        }

        $crate::__rt::bindings::common::export_common!(Component with_types_in $crate::__rt::bindings::common);
    };
}
