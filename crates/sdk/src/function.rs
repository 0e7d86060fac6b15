//! Functions over batches: what `#[map]` and `#[filter]` make of a plain `fn`. Nothing here depends on the target, so that
//! native code runs the very same code as a component.

use crate::Context;
use crate::batch::{Batch, Bitmap, RowFailure};
use crate::failure::Failure;
use crate::parameters::Parameter;
use crate::process::SideOutput;
use crate::row::{Field, Output, RowWriter};
use crate::state::StateDescriptor;

/// What a function does with a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One row in, one row out.
    Map,
    /// One row in, yes or no out.
    Filter,
    /// Rows and timers of keys in, any number of rows out, with state.
    Process,
}

/// What a function says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Descriptor {
    /// The function's name.
    pub name: String,
    /// The version of its package.
    pub version: String,
    /// What it does with a row.
    pub kind: Kind,
    /// For people.
    pub description: String,
    /// The row that it takes.
    pub input: Vec<Field>,
    /// The row that it gives; empty for a filter.
    pub output: Vec<Field>,
    /// What a job can set.
    pub parameters: Vec<Parameter>,
    /// What follows is empty, or false, unless the kind is `Process`. The key that it reads.
    pub key: Vec<Field>,
    /// What it remembers of a key.
    pub states: Vec<StateDescriptor>,
    /// Its outputs beside the main one.
    pub side_outputs: Vec<SideOutput>,
    /// Whether it may register timers.
    pub timers: bool,
}

/// A map function over batches; written by `#[flink_wasm::map]`.
pub trait MapFunction: Sized {
    /// What the function says of itself.
    fn describe() -> Descriptor;

    /// A function with these parameters, a JSON object.
    ///
    /// # Errors
    /// A text about the parameter that does not fit.
    fn open(parameters: &str) -> Result<Self, String>;

    /// Runs over the rows of a batch. `emit` gets the rows and, for each, the index of the row that it comes from; it is
    /// called once. Gives the rows that failed.
    ///
    /// # Panics
    /// When the batch does not fit the descriptor's input, or the function panics.
    fn map_batch(
        &mut self,
        rows: &Batch,
        context: &Context,
        emit: &mut dyn FnMut(&Batch, &[u32]),
    ) -> Vec<RowFailure>;
}

/// A filter function over batches; written by `#[flink_wasm::filter]`.
pub trait FilterFunction: Sized {
    /// What the function says of itself.
    fn describe() -> Descriptor;

    /// A function with these parameters, a JSON object.
    ///
    /// # Errors
    /// A text about the parameter that does not fit.
    fn open(parameters: &str) -> Result<Self, String>;

    /// Runs over the rows of a batch. Gives a bitmap of the rows to keep, least significant bit first, and the rows that
    /// failed, which are not kept.
    ///
    /// # Panics
    /// When the batch does not fit the descriptor's input, or the function panics.
    fn filter_batch(&mut self, rows: &Batch, context: &Context) -> (Vec<u8>, Vec<RowFailure>);
}

/// What a map may return: a row, or a `Result` with a row and an error that can be displayed.
#[diagnostic::on_unimplemented(
    message = "a map can't return `{Self}`",
    label = "neither a row nor a `Result` with a row",
    note = "return a struct with `#[derive(Row)]`, a single value such as `i64`, `String` or `Vec<u8>`, or a `Result` of these",
    note = "a map gives exactly one row for each row; a filter leaves rows out: `#[flink_wasm::filter]`"
)]
pub trait MapReturn {
    /// The row.
    type Row: Output;

    /// The row, or why there is none.
    ///
    /// # Errors
    /// The function's own error.
    fn into_row(self) -> Result<Self::Row, Failure>;
}

impl<T: Output> MapReturn for T {
    type Row = T;

    #[inline]
    fn into_row(self) -> Result<T, Failure> {
        Ok(self)
    }
}

impl<T: Output, E: Into<Failure>> MapReturn for Result<T, E> {
    type Row = T;

    #[inline]
    fn into_row(self) -> Result<T, Failure> {
        self.map_err(E::into)
    }
}

/// What a filter may return: `bool`, or a `Result` with a `bool` and an error that can be displayed.
#[diagnostic::on_unimplemented(
    message = "a filter can't return `{Self}`",
    label = "neither `bool` nor `Result<bool, E>`",
    note = "return `bool`: whether the row is kept; or `Result<bool, E>` with any `E: Display`"
)]
pub trait FilterReturn {
    /// Whether to keep the row, or why that is not known.
    ///
    /// # Errors
    /// The function's own error.
    fn into_keep(self) -> Result<bool, Failure>;
}

impl FilterReturn for bool {
    #[inline]
    fn into_keep(self) -> Result<bool, Failure> {
        Ok(self)
    }
}

impl<E: Into<Failure>> FilterReturn for Result<bool, E> {
    #[inline]
    fn into_keep(self) -> Result<bool, Failure> {
        self.map_err(E::into)
    }
}

/// The rows that a map gives for a batch. Buffers are kept from batch to batch. Generic over the writers and not over the
/// row: they are the same for every lifetime of a row.
pub struct MapOutput<W> {
    columns: W,
    origin: Vec<u32>,
    batch: Batch,
}

impl<W: RowWriter> Default for MapOutput<W> {
    fn default() -> Self {
        Self { columns: W::default(), origin: Vec::new(), batch: Batch { row_count: 0, columns: Vec::new() } }
    }
}

impl<W: RowWriter> MapOutput<W> {
    /// Adds a row that comes from row `origin` of the input.
    #[inline]
    pub fn push<T: Output<Columns = W>>(&mut self, row: &T, origin: u32) {
        row.write_row(&mut self.columns);
        self.origin.push(origin);
    }

    /// Gives the rows out.
    pub fn emit(&mut self, emit: &mut dyn FnMut(&Batch, &[u32])) {
        self.batch.row_count = self.origin.len() as u32;
        self.columns.finish_fields(&mut self.batch.columns);
        emit(&self.batch, &self.origin);
        self.columns.reclaim_fields(&mut self.batch.columns.drain(..));
        self.origin.clear();
    }
}

/// The answers of a filter for a batch.
#[derive(Default)]
pub struct FilterOutput {
    keep: Bitmap,
}

impl FilterOutput {
    /// Adds the answer for the next row.
    #[inline]
    pub fn push(&mut self, keep: bool) {
        self.keep.push(keep);
    }

    /// The bitmap.
    pub fn finish(mut self) -> Vec<u8> {
        self.keep.take()
    }
}
