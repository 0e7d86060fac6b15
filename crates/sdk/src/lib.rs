//! Write functions for Apache Flink in plain Rust. They run sandboxed, as WebAssembly components, and natively under `cargo test`.
//!
//! A function takes a row and gives a row (`#[flink_wasm::map]`) or says whether the row stays
//! (`#[flink_wasm::filter]`):
//!
//! ```
//! use flink_wasm::prelude::*;
//!
//! #[derive(Row)]
//! struct Order<'a> {
//!     id: i64,
//!     region: &'a str,
//!     amount: Option<f64>,
//! }
//!
//! #[derive(Debug, PartialEq, Row)]
//! struct Taxed {
//!     id: i64,
//!     total: f64,
//! }
//!
//! #[derive(Parameters)]
//! struct Params {
//!     /// The tax rate.
//!     #[parameter(default = 0.2)]
//!     rate: f64,
//! }
//!
//! /// Adds tax.
//! #[flink_wasm::map]
//! fn tax(order: Order<'_>, params: &Params, context: &Context) -> Result<Taxed, String> {
//!     let Some(amount) = order.amount else {
//!         return Err(format!("order {} has no amount", order.id));
//!     };
//!     if order.region.is_empty() {
//!         flink_wasm::warn!(context, "order {} has no region", order.id);
//!         context.counter_add("orders-without-region", 1);
//!     }
//!     Ok(Taxed { id: order.id, total: amount * (1.0 + params.rate) })
//! }
//!
//! // In a test: the function itself ..
//! use flink_wasm::testing::{TestContext, batch, rows, run_map};
//!
//! let context = TestContext::new();
//! let order = Order { id: 1, region: "", amount: Some(10.0) };
//! assert_eq!(tax(order, &Params { rate: 0.5 }, &context), Ok(Taxed { id: 1, total: 15.0 }));
//! assert_eq!(context.counter("orders-without-region"), 1);
//!
//! // .. or a whole batch, with the code that runs in the component.
//! let orders = batch([
//!     Order { id: 1, region: "eu", amount: Some(10.0) },
//!     Order { id: 2, region: "eu", amount: None },
//! ]);
//! let mapped = run_map::<tax>(r#"{"rate": 0.5}"#, &orders, &context)?;
//! assert_eq!(rows::<Taxed>(&mapped.rows), [Taxed { id: 1, total: 15.0 }]);
//! assert_eq!(mapped.failures[0].message, "order 2 has no amount");
//! # Ok::<(), String>(())
//! ```
//!
//! # The package of a function
//!
//! ```toml
//! [lib]
//! crate-type = ["cdylib", "rlib"] # the component, and `cargo test`
//!
//! [dependencies]
//! flink-wasm-sdk = { path = ".." }
//! ```
//!
//! One package has one function, since a component has one. It is built for `wasm32-unknown-unknown`. Code that several
//! functions share goes in a package of its own, without a function.
//!
//! # Rows
//!
//! A row is a struct with `#[derive(Row)]`. Its fields are columns, found by name. A struct may borrow from the batch (one
//! lifetime): then nothing is copied or allocated for a row. A struct with a `&'static str` can be given, and not be taken.
//!
//! | Rust | SQL |
//! |---|---|
//! | `bool` | `BOOLEAN` |
//! | `i8`, `i16`, `i32`, `i64` | `TINYINT`, `SMALLINT`, `INT`, `BIGINT` |
//! | `f32`, `f64` | `FLOAT`, `DOUBLE` |
//! | [`Decimal<P, S>`](Decimal) | `DECIMAL(P, S)` |
//! | `&str`, `String`, `Cow<str>` | `STRING`; or `CHAR(n)`, `VARCHAR(n)` |
//! | `&[u8]`, `Vec<u8>`, `Cow<[u8]>` | `BYTES`; or `BINARY(n)`, `VARBINARY(n)` |
//! | [`Date`], [`Time`] | `DATE`, `TIME(3)`; or `TIME(p)` |
//! | [`Timestamp<P>`](Timestamp), [`TimestampLtz<P>`](TimestampLtz) | `TIMESTAMP(P)`, `TIMESTAMP_LTZ(P)`; `P` is 6 when left out |
//! | `Vec<T>` | `ARRAY<T>` |
//! | `BTreeMap<K, V>`, `HashMap<K, V>`, `Vec<(K, V)>` | `MAP<K, V>` |
//! | a struct with `#[derive(Row)]` | `ROW<..>` |
//! | `Option<T>` | `T`, nullable; all others are `NOT NULL` |
//!
//! The types after "or" are chosen with `#[row(sql = "CHAR(5)")]` on the field; `#[row(rename = "order-id")]` names the
//! column. Flink does not check lengths of `CHAR(n)` and its like inside a job, and neither does the SDK.
//!
//! A single value is a row of one column all alone: `fn f(payload: &[u8]) -> Vec<u8>` gets a payload untouched and may
//! decode it as it likes. The column is named `payload` for bytes and `value` for every other type. `Option<i64>` is one
//! nullable column. `Option` of a struct is no row: a map gives exactly one row for each row.
//!
//! # Errors and panics
//!
//! A function may return `Result<_, E>` with any `E: Display`. An `Err` refuses one row, and the job's error policy
//! decides what happens with it; [`Transient`] around an error lets its retries apply. A panic ends the instance: it is for defects, and reaches the user with message, file
//! and line.
//!
//! # What a function can see
//!
//! Its row, its parameters and its [`Context`]: log, metrics, processing time and watermark. No clock, file, socket, thread or
//! random number, which is why a batch can be run again safely. There is no `async`, because the operator calls functions
//! synchronously, and nothing keeps state between rows.
//!
//! # Invariant
//!
//! What reads, calls and writes does not depend on the target: [`MapFunction`] and [`FilterFunction`] run natively as they run in a
//! component. Only the exports and [`Context`] know where they are. All unsafe code is generated by `wit_bindgen`.

/// The code of the guide is compiled with the documentation.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/synchronous.md")]
mod guide {}

extern crate self as flink_wasm;

#[doc(hidden)]
pub mod batch;
#[doc(hidden)]
pub mod bindings;
#[doc(hidden)]
pub mod cell;
mod context;
mod decimal;
#[cfg(target_arch = "wasm32")]
#[doc(hidden)]
pub mod export;
mod failure;
mod function;
mod parameters;
#[doc(hidden)]
pub mod process;
#[doc(hidden)]
pub mod row;
#[doc(hidden)]
pub mod state;
#[cfg(not(target_arch = "wasm32"))]
pub mod testing;
mod time;

pub use batch::{Batch, Cells, Column, RowFailure, Varlen};
pub use context::{Context, Level, RateLimiter};
pub use decimal::{Decimal, ParseDecimalError};
pub use failure::{Failure, Transient};
pub use flink_wasm_sdk_macros::{Outputs, Parameters, Row, State, StateValue, filter, map, process};
pub use function::{Descriptor, FilterFunction, FilterReturn, Kind, MapFunction, MapReturn};
pub use parameters::{Parameter, ParameterType, Parameters};
pub use process::{
    Collector, Effects, Elements, Key, Keyed, KeyedContext, MAX_TIMERS_PER_CALL, OpenReturn, Outputs,
    ProcessFunction, ProcessReturn, Processor, SideOutput, TimeDomain, Timer,
};
pub use row::{Field, Input, Output};
pub use state::{
    DecodeError, Decoder, ListState, MAX_STATE_DEPTH, MapKey, MapState, ReducingState, State,
    StateDescriptor, StateKind, StateValue, TypeText, ValueState, decode_state,
};
pub use time::{Date, ParseTimeError, Time, Timestamp, TimestampLtz};

/// What most functions need.
pub mod prelude {
    pub use crate::{
        Collector, Context, Date, Decimal, KeyedContext, Level, ListState, MapState, Outputs, Parameters,
        ReducingState, Row, State, StateValue, Time, TimeDomain, Timer, Timestamp, TimestampLtz, Transient,
        ValueState,
    };
}

/// What the macros expand to; no part of the interface.
#[doc(hidden)]
pub mod __rt {
    pub use wit_bindgen;

    pub use crate::batch::{Batch, Column, Columns, Nulls, Validity};
    pub use crate::bindings;
    pub use crate::cell::{
        CellReader, CellWriter, Family, ReadCell, SqlType, WriteCell, declare, same_family,
    };
    #[cfg(target_arch = "wasm32")]
    pub use crate::export;
    pub use crate::function::{FilterOutput, MapOutput};
    pub use crate::parameters::{Values, describe};
    pub use crate::row::{RowWriter, nested, row_type};
    pub use crate::state::{Binding, Handle, HandleType, Scope, describe as describe_state};
}
