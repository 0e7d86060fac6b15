//! Where a process function puts its rows.

use crate::batch::Batch;
use crate::process::Effects;
use crate::row::{Field, Output, RowWriter};

/// Collects the rows of one output. A row takes the timestamp of the row or timer that is being processed.
pub struct Collector<T: Output> {
    columns: T::Columns,
    timestamps: Vec<i64>,
    /// Of what is being processed.
    timestamp: i64,
    batch: Batch,
}

impl<T: Output> Default for Collector<T> {
    fn default() -> Self {
        Self {
            columns: T::Columns::default(),
            timestamps: Vec::new(),
            timestamp: i64::MIN,
            batch: Batch { row_count: 0, columns: Vec::new() },
        }
    }
}

impl<T: Output> Collector<T> {
    /// Puts a row out.
    #[inline]
    pub fn collect(&mut self, row: T) {
        self.collect_borrowed(&row);
    }

    /// Puts a row out that borrows for a shorter time than `T`: a `Collector<Taxed<'static>>` takes `&Taxed<'_>`.
    #[inline]
    pub fn collect_borrowed<R: Output<Columns = T::Columns>>(&mut self, row: &R) {
        row.write_row(&mut self.columns);
        self.timestamps.push(self.timestamp);
    }

    /// Sets the timestamp of the rows that follow.
    #[doc(hidden)]
    #[inline]
    pub fn begin(&mut self, timestamp: i64) {
        self.timestamp = timestamp;
    }

    /// Gives the rows out; there are none afterwards.
    #[doc(hidden)]
    pub fn emit(&mut self, output: u32, effects: &mut dyn Effects) {
        if self.timestamps.is_empty() {
            return;
        }
        self.take(|batch, timestamps| effects.emit(output, batch, timestamps));
    }

    /// Forgets the rows.
    #[doc(hidden)]
    pub fn discard(&mut self) {
        self.take(|_, _| {});
    }

    fn take(&mut self, give: impl FnOnce(&Batch, &[i64])) {
        self.batch.row_count = self.timestamps.len() as u32;
        self.columns.finish_fields(&mut self.batch.columns);
        give(&self.batch, &self.timestamps);
        self.columns.reclaim_fields(&mut self.batch.columns.drain(..));
        self.timestamps.clear();
    }
}

/// A side output, as the descriptor tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SideOutput {
    /// Its name in the job definition.
    pub name: String,
    /// The rows that it gives.
    pub fields: Vec<Field>,
}

/// The outputs of a process function: a [`Collector`] for one, or a struct of collectors with `#[derive(Outputs)]`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no output of a process function",
    note = "take `out: &mut Collector<T>`, or a struct with `#[derive(Outputs)]` whose first field is the main output and whose others are side outputs"
)]
pub trait Outputs: Default {
    /// The rows of the main output.
    fn main() -> Vec<Field>;
    /// The side outputs.
    fn sides() -> Vec<SideOutput>;
    /// Sets the timestamps of the rows that follow, in the main output and in the side outputs.
    fn begin(&mut self, main: i64, side: i64);
    /// Gives the rows out.
    fn emit(&mut self, effects: &mut dyn Effects);
    /// Forgets the rows.
    fn discard(&mut self);
}

impl<T: Output> Outputs for Collector<T> {
    fn main() -> Vec<Field> {
        T::fields()
    }

    fn sides() -> Vec<SideOutput> {
        Vec::new()
    }

    #[inline]
    fn begin(&mut self, main: i64, _side: i64) {
        Collector::begin(self, main);
    }

    fn emit(&mut self, effects: &mut dyn Effects) {
        Collector::emit(self, 0, effects);
    }

    fn discard(&mut self) {
        Collector::discard(self);
    }
}
