//! Write functions for Apache Flink in plain Rust. They run sandboxed, as WebAssembly components, and natively under `cargo test`.
//!
//! A function takes a row and gives a row (`#[flink_wasm::map]`), says whether the row stays
//! (`#[flink_wasm::filter]`), or has state and timers (`#[flink_wasm::process]`, [below](#process-functions)):
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
//! # Process functions
//!
//! Behind a `groupBy` of the job a function may remember something of each key, be called again later, and give any number of
//! rows to several outputs (`#[flink_wasm::process]`):
//!
//! ```
//! use flink_wasm::prelude::*;
//!
//! #[derive(Debug, PartialEq, Row)]
//! struct Click {
//!     page: String,
//!     millis: i64,
//! }
//!
//! #[derive(Debug, PartialEq, Row)]
//! struct Session {
//!     user: i64,
//!     clicks: i64,
//!     favourite: Option<String>,
//! }
//!
//! /// The first output is the main one.
//! #[derive(Outputs)]
//! struct Out {
//!     sessions: Collector<Session>,
//!     late: Collector<Click>,
//! }
//!
//! #[derive(Parameters)]
//! struct Params {
//!     /// How long a user may pause, in milliseconds.
//!     #[parameter(default = 1_800_000)]
//!     gap: i64,
//! }
//!
//! #[derive(Clone, StateValue)]
//! struct Running {
//!     clicks: i64,
//!     ends: i64,
//! }
//!
//! #[derive(State)]
//! struct Sessions {
//!     #[state(ttl = "7 d")]
//!     running: ValueState<Running>,
//!     #[state]
//!     pages: MapState<String, i64>,
//!     gap: i64,
//! }
//!
//! /// Tells of a session when its user has paused.
//! #[flink_wasm::process]
//! impl Sessions {
//!     fn open(params: &Params) -> Result<Self, String> {
//!         if params.gap <= 0 {
//!             return Err(format!("`gap` is {}, it must be above 0", params.gap));
//!         }
//!         Ok(Self { running: ValueState::default(), pages: MapState::default(), gap: params.gap })
//!     }
//!
//!     fn process(&self, click: Click, ctx: &KeyedContext<i64>, out: &mut Out) {
//!         if click.millis <= ctx.watermark() {
//!             return out.late.collect(click);
//!         }
//!         let ends = click.millis + self.gap;
//!         self.running.update(|running| match running {
//!             Some(running) => Running { clicks: running.clicks + 1, ends: running.ends.max(ends) },
//!             None => Running { clicks: 1, ends },
//!         });
//!         self.pages.update(click.page, |clicks| clicks.unwrap_or(0) + 1);
//!         ctx.register_event_time_timer(ends);
//!     }
//!
//!     fn on_timer(&self, timer: Timer, ctx: &KeyedContext<i64>, out: &mut Out) {
//!         // Every click has a timer; that of the last one ends the session.
//!         let Some(running) = self.running.get().filter(|running| running.ends == timer.timestamp) else { return };
//!         let favourite = self.pages.iter().max_by_key(|(_, clicks)| *clicks).map(|(page, _)| page);
//!         out.sessions.collect(Session { user: *ctx.key(), clicks: running.clicks, favourite });
//!         self.running.clear();
//!         self.pages.clear();
//!     }
//! }
//!
//! // In a test: state and timers are kept in memory, as Flink keeps them.
//! use flink_wasm::testing::ProcessHarness;
//!
//! let click = |page: &str, millis| Click { page: page.into(), millis };
//! let mut harness = ProcessHarness::<Sessions, i64>::open(r#"{"gap": 10}"#)?;
//! harness.process_at(7, click("home", 1), 1)?;
//! harness.process_at(7, click("cart", 4), 4)?;
//! harness.process_at(7, click("cart", 9), 9)?;
//! harness.advance_watermark(18)?;
//! assert_eq!(harness.output::<Session>(), []);
//! harness.advance_watermark(19)?;
//! let session = Session { user: 7, clicks: 3, favourite: Some("cart".into()) };
//! assert_eq!(harness.output_with_timestamps::<Session>(), [(session, Some(19))]);
//! harness.process_at(7, click("home", 12), 12)?;
//! assert_eq!(harness.side_output::<Click>("late"), [(click("home", 12), Some(12))]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! **The key** is what the job's `groupBy` names: `KeyedContext<i64>` for one column, a struct with `#[derive(Row)]` for several, by
//! position; `KeyedContext<()>` for a function that does not look at it. The key's columns are columns of the row too, if it asks for them.
//!
//! **State** is what the fields with `#[state]` hold for the key that is being processed. Flink keeps it: it is part of checkpoints and
//! savepoints, and moves when the job is rescaled. `docs/state.md` has the format, and says which changes of a type go with old state.
//!
//! | | | |
//! |---|---|---|
//! | [`ValueState<T>`](ValueState) | one value | `get`, `with`, `set`, `update`, `clear` |
//! | [`ReducingState<T>`](ReducingState) | one value that others are added to | `get`, `with`, `add`, `clear` |
//! | [`ListState<T>`](ListState) | values in order | `iter`, `len`, `is_empty`, `add`, `set`, `clear` |
//! | [`MapState<K, V>`](MapState) | values under map keys | `get`, `with`, `contains`, `iter`, `keys`, `values`, `len`, `is_empty`, `insert`, `update`, `remove`, `clear` |
//!
//! Values and reducing values come with the batch. Lists and maps may be large and are fetched when they are looked at, which costs a
//! round trip to the operator; adding, inserting and removing fetch nothing. With `#[state(ttl = "1 h")]` a value ends so long after it was written last.
//! The methods take `&self`, because nothing else lasts: what a function keeps in a field of its own (a `Cell`) is lost whenever the
//! host runs a batch again in a fresh instance.
//!
//! **Timers** call `on_timer` with the key under which they were registered, once the watermark or the clock has reached them. A timer
//! registers once for each key, domain and timestamp. One that a firing timer registers at or before the watermark fires next, in order of time;
//! [`MAX_TIMERS_PER_CALL`] bounds how often.
//!
//! **Outputs.** A function with one output takes `out: &mut Collector<T>`. A side output without a sink in the job is dropped. A row takes the
//! timestamp of the row or timer that is being processed; one in the main output from a processing-time timer has none, as in Flink.
//!
//! **Rate limiters** that the job declares are asked, never waited for: `ctx.rate_limiter("api").try_acquire(1)`. Refused work goes to a
//! side output, waits in state for a processing-time timer, or fails with [`Transient`], to which the job's retries apply.
//!
//! **A batch is a transaction.** What rows and timers do is told after the last one. When one is refused, the host keeps nothing of the
//! call, runs the rows before it again, and goes on behind it as the job's error policy says.
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
//! Its row, its parameters, its [`Context`] (log, metrics, processing time, watermark and rate limiters) and, in a process function, the state
//! of its key. No clock, file, socket, thread or random number, which is why a batch can be run again safely. There is no `async`, because
//! the operator calls functions synchronously.
//!
//! # Invariant
//!
//! What reads, calls and writes does not depend on the target: [`MapFunction`], [`FilterFunction`] and [`ProcessFunction`] run natively
//! as they run in a component. Only the exports and [`Context`] know where they are. All unsafe code is generated by `wit_bindgen`.

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
