//! Process functions: what `#[process]` makes of an `impl`. Nothing here depends on the target, so that native code runs
//! the very same code as a component.

use crate::batch::{Batch, Column};
use crate::failure::Failure;
use crate::function::Descriptor;
use crate::row::{Field, Input};
use crate::state::State;

mod context;
mod outputs;
mod processor;
mod timers;

pub use context::{KeyedContext, TimeDomain, Timer};
pub use outputs::{Collector, Outputs, SideOutput};
pub use processor::Processor;
pub use timers::MAX_TIMERS_PER_CALL;

/// A function over the rows and timers of keys, with state; written by `#[flink_wasm::process]`. A [`Processor`] runs it
/// over batches.
pub trait ProcessFunction: State + Sized {
    /// The key that it reads.
    type Key<'a>: Key<'a>;
    /// The row that it takes.
    type Row<'a>: Input<'a>;
    /// Where it puts rows.
    type Outputs: Outputs;

    /// Whether it has `on_timer`: only then it may register timers.
    const TIMERS: bool;

    /// What the function says of itself.
    fn describe() -> Descriptor;

    /// A function with these parameters, a JSON object.
    ///
    /// # Errors
    /// A text about the parameter that does not fit, or the function's own.
    fn open(parameters: &str) -> Result<Self, String>;

    /// Takes a row.
    ///
    /// # Errors
    /// Why the function refuses the row.
    fn process_row<'a>(
        &self,
        row: Self::Row<'a>,
        context: &KeyedContext<Self::Key<'a>>,
        out: &mut Self::Outputs,
    ) -> Result<(), Failure>;

    /// Takes a timer that fired.
    ///
    /// # Errors
    /// Why the function refuses the timer.
    fn fire_timer<'a>(
        &self,
        timer: Timer,
        context: &KeyedContext<Self::Key<'a>>,
        out: &mut Self::Outputs,
    ) -> Result<(), Failure>;
}

/// The keys of a batch, and what the state has for each.
#[derive(Clone, Debug, PartialEq)]
pub struct Keyed {
    /// For each row or timer the index of its key.
    pub keys: Vec<u32>,
    /// One row for each distinct key.
    pub key_rows: Batch,
    /// For each value and reducing state a column of encoded values, one cell for each distinct key.
    pub values: Vec<Column>,
}

/// Where a batch tells what it does, after its last item: the interface `effects` of `wit/host.wit`.
pub trait Effects {
    /// Rows of an output, 0 being the main one; each with a timestamp, the least i64 for none.
    fn emit(&mut self, output: u32, rows: &Batch, timestamps: &[i64]);
    /// New values of a value or reducing state.
    fn put_values(&mut self, state: u32, keys: &[u32], values: &Column);
    /// Changes of a list or map state.
    fn put_elements(&mut self, state: u32, keys: &[u32], ops: &[u8], elements: &Column, values: &Column);
    /// Timers to register or delete.
    fn put_timers(&mut self, keys: &[u32], timestamps: &[i64], flags: &[u8]);
}

/// Where list and map state come from while a batch runs: the interface `elements` of `wit/host.wit`.
pub trait Elements {
    /// The value under a key of a map.
    fn get(&self, state: u32, key: u32, element: &[u8]) -> Option<Vec<u8>>;
    /// All of a list or map: map keys, and values.
    fn scan(&self, state: u32, key: u32) -> (Column, Column);
}

/// A type that a function can have as its key: a row as [`Input`] has them, or `()` when the function does not look at it.
#[diagnostic::on_unimplemented(
    message = "a process function can't have `{Self}` as its key",
    label = "not a key",
    note = "a key is a single value such as `i64` or `String`, or a struct with `#[derive(Row)]` for several columns; `KeyedContext<()>` reads none"
)]
pub trait Key<'a>: Sized {
    /// The columns of the key.
    fn fields() -> Vec<Field>;

    /// The keys of a batch.
    ///
    /// # Panics
    /// When the batch does not have the columns of this key.
    fn read(rows: &'a Batch) -> Vec<Self>;
}

impl<'a, T: Input<'a>> Key<'a> for T {
    fn fields() -> Vec<Field> {
        T::fields()
    }

    fn read(rows: &'a Batch) -> Vec<Self> {
        let columns = T::columns(rows);
        (0..rows.row_count as usize).map(|index| T::read_row(&columns, index)).collect()
    }
}

impl<'a> Key<'a> for () {
    fn fields() -> Vec<Field> {
        Vec::new()
    }

    fn read(rows: &'a Batch) -> Vec<Self> {
        vec![(); rows.row_count as usize]
    }
}

/// What `process` and `on_timer` may return: nothing, or a `Result` with nothing and an error that can be displayed.
#[diagnostic::on_unimplemented(
    message = "a process function can't return `{Self}`",
    label = "neither `()` nor `Result<(), E>`",
    note = "rows go to the outputs: `out.collect(row)`; return nothing, or `Result<(), E>` with any `E: Display`"
)]
pub trait ProcessReturn {
    /// Nothing, or why the row or timer is refused.
    ///
    /// # Errors
    /// The function's own error.
    fn into_result(self) -> Result<(), Failure>;
}

impl ProcessReturn for () {
    #[inline]
    fn into_result(self) -> Result<(), Failure> {
        Ok(())
    }
}

impl<E: Into<Failure>> ProcessReturn for Result<(), E> {
    #[inline]
    fn into_result(self) -> Result<(), Failure> {
        self.map_err(E::into)
    }
}

/// What `open` may return: the function, or a `Result` with it and an error that can be displayed.
#[diagnostic::on_unimplemented(
    message = "`open` can't return `{Self}`",
    label = "neither `Self` nor `Result<Self, E>`",
    note = "return the function itself, or `Result<Self, E>` with any `E: Display`"
)]
pub trait OpenReturn<F> {
    /// The function, or why there is none.
    ///
    /// # Errors
    /// The function's own error as a text.
    fn into_function(self) -> Result<F, String>;
}

impl<F: State> OpenReturn<F> for F {
    fn into_function(self) -> Result<F, String> {
        Ok(self)
    }
}

impl<F: State, E: std::fmt::Display> OpenReturn<F> for Result<F, E> {
    fn into_function(self) -> Result<F, String> {
        self.map_err(|error| error.to_string())
    }
}
