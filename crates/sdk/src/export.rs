//! The exports of a component. They exist in components only; `#[map]` and `#[filter]` expand them once in a crate.

use std::cell::RefCell;

use crate::Context;
use crate::batch::{Batch, RowFailure};
use crate::bindings::common::exports::flink_wasm::udf::descriptor as exported;
use crate::bindings::common::flink_wasm::udf::context as host;
use crate::bindings::map::flink_wasm::udf::collector;
use crate::function::{Descriptor, FilterFunction, Kind, MapFunction};

/// The function of this instance, once it is open.
pub type Slot<F> = RefCell<Option<F>>;

/// Describes, after making sure that a panic is told.
pub fn describe(descriptor: fn() -> Descriptor) -> exported::Function {
    tell_panics();
    let Descriptor { name, version, kind, description, input, output, parameters } = descriptor();
    let field = |field: crate::Field| exported::Field { name: field.name, sql_type: field.sql_type };
    exported::Function {
        name,
        version,
        kind: match kind {
            Kind::Map => exported::Kind::Map,
            Kind::Filter => exported::Kind::Filter,
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
        key: Vec::new(),
        states: Vec::new(),
        side_outputs: Vec::new(),
        timers: false,
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
        $crate::__export_common!($function, $crate::MapFunction);

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
        $crate::__export_common!($function, $crate::FilterFunction);

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

/// What every function exports.
#[doc(hidden)]
#[macro_export]
macro_rules! __export_common {
    ($function:ty, $kind:path) => {
        struct Component;

        ::std::thread_local! {
            static FUNCTION: $crate::__rt::export::Slot<$function> = const { ::std::cell::RefCell::new(None) };
        }

        impl $crate::__rt::bindings::common::exports::flink_wasm::udf::descriptor::Guest for Component {
            fn describe() -> $crate::__rt::bindings::common::exports::flink_wasm::udf::descriptor::Function {
                $crate::__rt::export::describe(<$function as $kind>::describe)
            }
        }

        impl $crate::__rt::bindings::common::exports::flink_wasm::udf::lifecycle::Guest for Component {
            fn open(parameters: ::std::string::String) -> ::std::result::Result<(), ::std::string::String> {
                FUNCTION.with(|slot| {
                    $crate::__rt::export::open(slot, <$function as $kind>::open, &parameters)
                })
            }
        }

        $crate::__rt::bindings::common::export_common!(Component with_types_in $crate::__rt::bindings::common);
    };
}
