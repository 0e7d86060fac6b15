//! Process functions in tests: keyed state and timers as Flink keeps them, in memory.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use crate::batch::{Batch, Column, RowFailure};
use crate::process::{Effects, Elements, Keyed, ProcessFunction, Processor, TimeDomain};
use crate::row::{Input, Output};
use crate::state::StateKind;
use crate::state::write::{Encoded, cell};
use crate::testing::{TestContext, batch, rows};

/// Runs a process function as an operator does, with the code that runs in a component: `ProcessHarness::<Count, i64>::open("{}")`. `K` is
/// the type of the key. State and timers are kept in memory, and change only when a whole batch went well.
pub struct ProcessHarness<F: ProcessFunction, K> {
    processor: Processor<F>,
    context: TestContext,
    backend: Rc<RefCell<Backend<K>>>,
    outputs: BTreeMap<u32, Vec<(Batch, Vec<i64>)>>,
    sides: Vec<String>,
}

impl<F: ProcessFunction, K: Output + Ord + Clone + 'static> ProcessHarness<F, K> {
    /// Opens the function.
    ///
    /// # Errors
    /// When the function refuses its parameters.
    pub fn open(parameters: &str) -> Result<Self, String> {
        let descriptor = F::describe();
        let kinds = descriptor.states.iter().map(|state| (state.kind, state.ttl_ms)).collect();
        let backend = Rc::new(RefCell::new(Backend::new(kinds)));
        Ok(Self {
            processor: Processor::open(parameters, Box::new(Fetch(Rc::clone(&backend))))?,
            context: TestContext::new(),
            backend,
            outputs: BTreeMap::new(),
            sides: descriptor.side_outputs.into_iter().map(|output| output.name).collect(),
        })
    }

    /// Where logs, counters and rate limiters are.
    pub fn context(&self) -> &TestContext {
        &self.context
    }

    /// Processes a row without a timestamp, in a batch of its own.
    ///
    /// # Errors
    /// When the function refuses the row.
    pub fn process<R: Output>(&mut self, key: K, row: R) -> Result<(), RowFailure> {
        self.process_batch([(key, row, None)])
    }

    /// Processes a row that has a timestamp, in a batch of its own.
    ///
    /// # Errors
    /// When the function refuses the row.
    pub fn process_at<R: Output>(&mut self, key: K, row: R, timestamp: i64) -> Result<(), RowFailure> {
        self.process_batch([(key, row, Some(timestamp))])
    }

    /// Processes rows in one batch: of each its key, and its timestamp if it has one.
    ///
    /// # Errors
    /// The first row that the function refuses. Nothing of the batch is kept then.
    pub fn process_batch<R: Output>(
        &mut self,
        items: impl IntoIterator<Item = (K, R, Option<i64>)>,
    ) -> Result<(), RowFailure> {
        let (mut keys, mut inputs, mut timestamps) = (Vec::new(), Vec::new(), Vec::new());
        for (key, row, timestamp) in items {
            keys.push(key);
            inputs.push(row);
            timestamps.push(timestamp.unwrap_or(i64::MIN));
        }
        let inputs = batch(inputs);
        let keyed = self.backend.borrow_mut().start(keys, self.context.processing_time());
        let mut told = Told::default();
        self.processor.process_batch(&inputs, &timestamps, keyed, &self.context, &mut told)?;
        self.keep(told);
        Ok(())
    }

    /// Advances the watermark, and fires the event-time timers that it reaches.
    ///
    /// # Errors
    /// The first timer that the function refuses. Timers of that batch are gone, and nothing of it is kept.
    pub fn advance_watermark(&mut self, watermark: i64) -> Result<(), RowFailure> {
        self.context.set_watermark(watermark);
        self.fire(TimeDomain::EventTime, watermark)
    }

    /// Advances the clock, and fires the processing-time timers that it reaches.
    ///
    /// # Errors
    /// The first timer that the function refuses. Timers of that batch are gone, and nothing of it is kept.
    pub fn advance_processing_time(&mut self, millis: i64) -> Result<(), RowFailure> {
        self.context.set_processing_time(millis);
        self.fire(TimeDomain::ProcessingTime, millis)
    }

    fn fire(&mut self, domain: TimeDomain, until: i64) -> Result<(), RowFailure> {
        loop {
            let (timestamps, keys) = self.backend.borrow_mut().due(domain, until);
            if timestamps.is_empty() {
                return Ok(());
            }
            let keyed = self.backend.borrow_mut().start(keys, self.context.processing_time());
            let mut told = Told::default();
            self.processor.timers_batch(&timestamps, domain, keyed, &self.context, &mut told)?;
            self.keep(told);
        }
    }

    fn keep(&mut self, told: Told) {
        for (output, batch, timestamps) in told.rows {
            self.outputs.entry(output).or_default().push((batch, timestamps));
        }
        self.backend.borrow_mut().apply(told.values, told.elements, told.timers);
    }

    /// The timers that wait, as domain, timestamp and key.
    pub fn timers(&self) -> Vec<(TimeDomain, i64, K)> {
        self.backend.borrow().timers.iter().cloned().collect()
    }

    /// Takes the rows of the main output.
    ///
    /// # Panics
    /// When `T` is not the row of the main output.
    pub fn output<T: for<'a> Input<'a>>(&mut self) -> Vec<T> {
        self.take(0).into_iter().map(|(row, _)| row).collect()
    }

    /// Takes the rows of the main output, each with its timestamp.
    ///
    /// # Panics
    /// When `T` is not the row of the main output.
    pub fn output_with_timestamps<T: for<'a> Input<'a>>(&mut self) -> Vec<(T, Option<i64>)> {
        self.take(0)
    }

    /// Takes the rows of a side output, each with its timestamp.
    ///
    /// # Panics
    /// When there is no such output, or `T` is not its row.
    pub fn side_output<T: for<'a> Input<'a>>(&mut self, name: &str) -> Vec<(T, Option<i64>)> {
        let Some(index) = self.sides.iter().position(|side| side == name) else {
            panic!("no side output is named `{name}`, but {:?}", self.sides)
        };
        self.take(index as u32 + 1)
    }

    fn take<T: for<'a> Input<'a>>(&mut self, output: u32) -> Vec<(T, Option<i64>)> {
        let batches = self.outputs.remove(&output).unwrap_or_default();
        let mut taken = Vec::new();
        for (batch, timestamps) in batches {
            let timestamps = timestamps.into_iter().map(|millis| (millis != i64::MIN).then_some(millis));
            taken.extend(rows::<T>(&batch).into_iter().zip(timestamps));
        }
        taken
    }
}

/// Changes of one state: keys, ops, elements, values.
type ElementChanges = (u32, Vec<u32>, Vec<u8>, Column, Column);

/// What a batch told.
#[derive(Default)]
struct Told {
    rows: Vec<(u32, Batch, Vec<i64>)>,
    values: Vec<(u32, Vec<u32>, Column)>,
    elements: Vec<ElementChanges>,
    timers: Vec<(u32, i64, u8)>,
}

impl Effects for Told {
    fn emit(&mut self, output: u32, rows: &Batch, timestamps: &[i64]) {
        assert!(rows.row_count as usize == timestamps.len());
        self.rows.push((output, rows.clone(), timestamps.to_vec()));
    }

    fn put_values(&mut self, state: u32, keys: &[u32], values: &Column) {
        assert!(keys.is_sorted_by(|left, right| left < right), "keys of `put-values` rise");
        self.values.push((state, keys.to_vec(), values.clone()));
    }

    fn put_elements(&mut self, state: u32, keys: &[u32], ops: &[u8], elements: &Column, values: &Column) {
        self.elements.push((state, keys.to_vec(), ops.to_vec(), elements.clone(), values.clone()));
    }

    fn put_timers(&mut self, keys: &[u32], timestamps: &[i64], flags: &[u8]) {
        let timers = keys.iter().zip(timestamps).zip(flags);
        self.timers.extend(timers.map(|((key, timestamp), flags)| (*key, *timestamp, *flags)));
    }
}

/// Encoded bytes, and when they were written.
type Entry = (Vec<u8>, i64);

/// What is kept of one state and key. A value stands under the empty element, a list under its positions.
type Entries = BTreeMap<Vec<u8>, Entry>;

/// Keyed state and timers.
struct Backend<K> {
    /// Of each state its kind and TTL.
    kinds: Vec<(StateKind, Option<u64>)>,
    entries: BTreeMap<(K, u32), Entries>,
    timers: BTreeSet<(TimeDomain, i64, K)>,
    /// The distinct keys of the batch that runs.
    keys: Vec<K>,
    processing_time: i64,
}

impl<K: Output + Ord + Clone> Backend<K> {
    fn new(kinds: Vec<(StateKind, Option<u64>)>) -> Self {
        let (entries, timers, keys) = Default::default();
        Self { kinds, entries, timers, keys, processing_time: 0 }
    }

    /// Starts a batch whose items have these keys.
    fn start(&mut self, items: Vec<K>, processing_time: i64) -> Keyed {
        self.processing_time = processing_time;
        self.keys.clear();
        let mut indices: BTreeMap<K, u32> = BTreeMap::new();
        let mut keys = Vec::new();
        for key in items {
            let next = self.keys.len() as u32;
            let index = *indices.entry(key.clone()).or_insert(next);
            if index == next {
                self.keys.push(key);
            }
            keys.push(index);
        }
        let values = (0..)
            .zip(&self.kinds)
            .filter(|(_, (kind, _))| matches!(kind, StateKind::Value | StateKind::Reducing));
        let values = values
            .map(|(state, _)| {
                let mut column = Encoded::default();
                for key in 0..self.keys.len() as u32 {
                    match self.alive(state, key).next() {
                        Some((_, value)) => column.push(value),
                        None => column.push_null(),
                    }
                }
                column.into_column()
            })
            .collect();
        Keyed { keys, key_rows: batch(self.keys.iter().map(Borrowed)), values }
    }

    /// What a state still has for a key.
    fn alive(&self, state: u32, key: u32) -> impl Iterator<Item = (&[u8], &[u8])> {
        let ttl = self.kinds[state as usize].1;
        let now = self.processing_time;
        let entries = self.entries.get(&(self.keys[key as usize].clone(), state));
        entries
            .into_iter()
            .flatten()
            .filter(move |(_, (_, written))| ttl.is_none_or(|ttl| now < written.saturating_add_unsigned(ttl)))
            .map(|(element, (value, _))| (element.as_slice(), value.as_slice()))
    }

    /// Takes the timers that are due, in the order of time.
    fn due(&mut self, domain: TimeDomain, until: i64) -> (Vec<i64>, Vec<K>) {
        let (due, waiting) = std::mem::take(&mut self.timers)
            .into_iter()
            .partition(|(of, timestamp, _)| *of == domain && *timestamp <= until);
        self.timers = waiting;
        let due: BTreeSet<(TimeDomain, i64, K)> = due;
        due.into_iter().map(|(_, timestamp, key)| (timestamp, key)).unzip()
    }

    fn apply(
        &mut self,
        values: Vec<(u32, Vec<u32>, Column)>,
        elements: Vec<ElementChanges>,
        timers: Vec<(u32, i64, u8)>,
    ) {
        let now = self.processing_time;
        for (state, keys, column) in values {
            for (index, key) in keys.into_iter().enumerate() {
                let entries = self.entries.entry((self.keys[key as usize].clone(), state)).or_default();
                match cell(&column, index) {
                    Some(value) => entries.insert(Vec::new(), (value.to_vec(), now)),
                    None => entries.remove(&Vec::new()),
                };
            }
        }
        for (state, keys, ops, elements, values) in elements {
            let is_list = self.kinds[state as usize].0 == StateKind::List;
            for (index, key) in keys.into_iter().enumerate() {
                let entries = self.entries.entry((self.keys[key as usize].clone(), state)).or_default();
                let element = cell(&elements, index).unwrap_or_default().to_vec();
                match (ops[index], cell(&values, index)) {
                    (0, Some(value)) => {
                        let next = entries.last_key_value().map_or(0, |(last, _)| position(last) + 1);
                        let element = if is_list { next.to_be_bytes().to_vec() } else { element };
                        entries.insert(element, (value.to_vec(), now));
                    }
                    (1, None) if !is_list => drop(entries.remove(&element)),
                    (2, None) => entries.clear(),
                    (op, value) => panic!("`put-elements` has the op {op} with {value:?}"),
                }
            }
        }
        for (key, timestamp, flags) in timers {
            let domain = if flags & 1 == 1 { TimeDomain::ProcessingTime } else { TimeDomain::EventTime };
            let timer = (domain, timestamp, self.keys[key as usize].clone());
            if flags & 2 == 2 {
                self.timers.remove(&timer)
            } else {
                self.timers.insert(timer)
            };
        }
    }
}

/// The position that an element of a list stands under.
fn position(element: &[u8]) -> u64 {
    element.try_into().map_or(0, u64::from_be_bytes)
}

/// The rows of keys, without copies of them.
struct Borrowed<'a, K>(&'a K);

impl<K: Output> Output for Borrowed<'_, K> {
    type Columns = K::Columns;

    fn fields() -> Vec<crate::Field> {
        K::fields()
    }

    fn write_row(&self, columns: &mut Self::Columns) {
        self.0.write_row(columns);
    }
}

/// List and map state of a backend.
struct Fetch<K>(Rc<RefCell<Backend<K>>>);

impl<K: Output + Ord + Clone> Elements for Fetch<K> {
    fn get(&self, state: u32, key: u32, element: &[u8]) -> Option<Vec<u8>> {
        let backend = self.0.borrow();
        backend.alive(state, key).find(|(found, _)| *found == element).map(|(_, value)| value.to_vec())
    }

    fn scan(&self, state: u32, key: u32) -> (Column, Column) {
        let backend = self.0.borrow();
        let is_list = backend.kinds[state as usize].0 == StateKind::List;
        let (mut elements, mut values) = (Encoded::default(), Encoded::default());
        for (element, value) in backend.alive(state, key) {
            elements.push(if is_list { &[] } else { element });
            values.push(value);
        }
        (elements.into_column(), values.into_column())
    }
}
