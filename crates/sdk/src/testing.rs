//! For tests, natively only: a context in memory, and functions run over batches with the code that runs in a component.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::Deref;
use std::rc::Rc;

use crate::batch::{Batch, RowFailure};
use crate::function::{FilterFunction, MapFunction, MapOutput};
use crate::row::{Input, Output};
use crate::{Context, Level};

mod process;

pub use process::ProcessHarness;

/// What a [`Context`] holds natively.
#[derive(Debug)]
pub(crate) struct Memory {
    pub(crate) logs: Vec<(Level, String)>,
    pub(crate) counters: BTreeMap<String, u64>,
    pub(crate) gauges: BTreeMap<String, f64>,
    pub(crate) processing_time: i64,
    pub(crate) watermark: i64,
    /// What is left of each rate limiter.
    pub(crate) permits: BTreeMap<String, u32>,
}

/// A context whose logs, counters and gauges can be read, and whose times can be set. Give `&context` to a function.
#[derive(Debug)]
pub struct TestContext {
    context: Context,
}

impl Default for TestContext {
    /// At processing time 0, before the first watermark.
    fn default() -> Self {
        let (logs, counters, gauges, permits) = Default::default();
        let memory = Memory { logs, counters, gauges, processing_time: 0, watermark: i64::MIN, permits };
        Self { context: Context { memory: Rc::new(RefCell::new(memory)) } }
    }
}

impl TestContext {
    /// The same as `default()`.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the processing time, in milliseconds since the epoch.
    pub fn set_processing_time(&self, millis: i64) {
        self.context.memory.borrow_mut().processing_time = millis;
    }

    /// Sets the watermark, in milliseconds since the epoch.
    pub fn set_watermark(&self, millis: i64) {
        self.context.memory.borrow_mut().watermark = millis;
    }

    /// Gives a rate limiter so many permits. It is not filled up by time.
    pub fn set_permits(&self, limiter: &str, permits: u32) {
        self.context.memory.borrow_mut().permits.insert(limiter.into(), permits);
    }

    /// What is left of a rate limiter's permits.
    pub fn permits(&self, limiter: &str) -> Option<u32> {
        self.context.memory.borrow().permits.get(limiter).copied()
    }

    /// The lines that were logged.
    pub fn logs(&self) -> Vec<(Level, String)> {
        self.context.memory.borrow().logs.clone()
    }

    /// The value of a counter; 0 when it was never added to.
    pub fn counter(&self, name: &str) -> u64 {
        self.context.memory.borrow().counters.get(name).copied().unwrap_or_default()
    }

    /// All counters that were added to.
    pub fn counters(&self) -> BTreeMap<String, u64> {
        self.context.memory.borrow().counters.clone()
    }

    /// All gauges that were set.
    pub fn gauges(&self) -> BTreeMap<String, f64> {
        self.context.memory.borrow().gauges.clone()
    }

    /// The value of a gauge, if it was set.
    pub fn gauge(&self, name: &str) -> Option<f64> {
        self.context.memory.borrow().gauges.get(name).copied()
    }
}

impl Deref for TestContext {
    type Target = Context;

    fn deref(&self) -> &Context {
        &self.context
    }
}

/// A batch of rows.
pub fn batch<T: Output>(rows: impl IntoIterator<Item = T>) -> Batch {
    let mut output = MapOutput::<T::Columns>::default();
    for row in rows {
        output.push(&row, 0);
    }
    let mut result = None;
    output.emit(&mut |batch, _| result = Some(batch.clone()));
    result.unwrap_or(Batch { row_count: 0, columns: Vec::new() })
}

/// The rows of a batch.
///
/// # Panics
/// When the batch does not have the columns of `T`.
pub fn rows<'a, T: Input<'a>>(batch: &'a Batch) -> Vec<T> {
    let columns = T::columns(batch);
    (0..batch.row_count as usize).map(|index| T::read_row(&columns, index)).collect()
}

/// What a map gave for a batch.
#[derive(Clone, Debug, PartialEq)]
pub struct Mapped {
    /// The output rows.
    pub rows: Batch,
    /// For each output row, the index of the input row.
    pub origin: Vec<u32>,
    /// The input rows that failed.
    pub failures: Vec<RowFailure>,
}

/// Opens a map function and runs it over a batch: `run_map::<tax>("{}", &rows, &context)`.
///
/// # Errors
/// When the function refuses its parameters.
pub fn run_map<F: MapFunction>(parameters: &str, rows: &Batch, context: &Context) -> Result<Mapped, String> {
    let mut mapped = Mapped {
        rows: Batch { row_count: 0, columns: Vec::new() },
        origin: Vec::new(),
        failures: Vec::new(),
    };
    let mut function = F::open(parameters)?;
    mapped.failures = function.map_batch(rows, context, &mut |rows, origin| {
        mapped.rows = rows.clone();
        mapped.origin = origin.to_vec();
    });
    Ok(mapped)
}

/// What a filter said about a batch.
#[derive(Clone, Debug, PartialEq)]
pub struct Filtered {
    /// For each input row, whether it is kept.
    pub keep: Vec<bool>,
    /// The input rows that failed.
    pub failures: Vec<RowFailure>,
}

/// Opens a filter function and runs it over a batch.
///
/// # Errors
/// When the function refuses its parameters.
pub fn run_filter<F: FilterFunction>(
    parameters: &str,
    rows: &Batch,
    context: &Context,
) -> Result<Filtered, String> {
    let (bits, failures) = F::open(parameters)?.filter_batch(rows, context);
    let keep = (0..rows.row_count as usize).map(|row| bits[row / 8] >> (row % 8) & 1 == 1).collect();
    Ok(Filtered { keep, failures })
}
