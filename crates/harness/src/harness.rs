//! The harness: what Flink's keyed process operator does around a function, under a clock and a watermark that the caller moves.
//!
//! From Flink: `KeyedProcessOperator` (timestamps of outputs, which the function itself tells), `InternalTimerServiceImpl` (timers fire
//! while the watermark advances, again and again until none is due, and before the watermark goes on), `StatusWatermarkValve` (a watermark
//! that does not rise is ignored). After a restore the watermark is unknown again, as no snapshot holds it.

use std::collections::BTreeMap;
use std::sync::Arc;

use flink_wasm_diagnostic::{Code, Diagnostic, Result};
use flink_wasm_protocol::handshake::{ErrorPolicy, Open};
use flink_wasm_protocol::json;
use flink_wasm_protocol::limits::MAX_SLOTS;
use flink_wasm_protocol::reply::{
    Effects, ElementOp, LogLine, Reply, ReplyBody, TIMER_DELETE, TIMER_PROCESSING_TIME,
};
use serde_json::{Value, json};

use crate::bundle::{self, ElementsOf, Item, Mode, Schemas, Times};
use crate::executor::{Executor, Fault};
use crate::function::{Function, Grouping, Settings};
use crate::snapshot::{self, Contents};
use crate::state::{ElementChange, Key, KeyedState};
use crate::values;

/// Bundles of timers at one watermark, or one step of the clock. Above it timers register each other without end.
pub const MAX_TIMER_ROUNDS: usize = 10_000;

/// A row that the function put out.
#[derive(Clone, Debug, PartialEq)]
pub struct OutputRow {
    /// The row.
    pub row: Value,
    /// Its timestamp in milliseconds, if it has one.
    pub timestamp: Option<i64>,
}

/// A row or timer that failed, under the policies `skip` and `dead-letter`.
#[derive(Clone, Debug, PartialEq)]
pub struct Failed {
    /// The row; of a timer its key, time and domain, as a dead letter has them.
    pub row: Value,
    /// FW0507 when the function refused it.
    pub code: Code,
    /// Why.
    pub message: String,
}

/// The registered timers of a key, as timestamps in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TimersOfKey {
    /// Of event time.
    pub event_time: Vec<i64>,
    /// Of processing time.
    pub processing_time: Vec<i64>,
}

/// One process function under virtual time.
pub struct Harness {
    function: Function,
    open: Open,
    bundle_rows: usize,
    grouping: Grouping,
    schemas: Schemas,
    executor: Box<dyn Executor>,
    bundles: u64,
    contents: Contents,
    times: Times,
    pending: Vec<Item>,
    /// Rows that were put out and not taken, of each output, with the number of snapshots before them.
    outputs: Vec<Vec<(u64, OutputRow)>>,
    failed_rows: Vec<(u64, Failed)>,
    snapshots: u64,
    counters: BTreeMap<String, u64>,
    gauges: BTreeMap<String, f64>,
    logs: Vec<LogLine>,
    /// Why the job has failed.
    failure: Option<Diagnostic>,
}

impl Harness {
    /// Opens the function. Errors are those of the executor's `open`, and of settings that do not fit the function.
    pub fn new(function: Function, settings: &Settings, executor: Box<dyn Executor>) -> Result<Self> {
        let grouping = Grouping::new(&function, settings)?;
        Self::with_grouping(function, settings, grouping, executor)
    }

    pub(crate) fn with_grouping(
        function: Function,
        settings: &Settings,
        grouping: Grouping,
        mut executor: Box<dyn Executor>,
    ) -> Result<Self> {
        let schemas = Schemas::new(&function)?;
        let open = function.open(settings);
        executor.open(&open)?;
        Ok(Self {
            open,
            bundle_rows: settings.bundle_rows.max(1),
            grouping,
            executor,
            bundles: 0,
            contents: Contents::empty(&function.states),
            times: Times { processing_time_ms: 0, watermark_ms: i64::MIN },
            pending: Vec::new(),
            outputs: vec![Vec::new(); schemas.outputs.len()],
            failed_rows: Vec::new(),
            snapshots: 0,
            counters: BTreeMap::new(),
            gauges: BTreeMap::new(),
            logs: Vec::new(),
            failure: None,
            schemas,
            function,
        })
    }

    /// The function.
    pub fn function(&self) -> &Function {
        &self.function
    }

    /// Takes a row, a JSON object; the timestamp is in milliseconds. Rows run when a bundle is full, and before all else that is asked.
    ///
    /// FW0508 when the row does not fit the function's input; the function's own failure when the job fails of it.
    pub fn push(&mut self, row: &Value, timestamp: Option<i64>) -> Result<()> {
        let key = self.grouping.of_row(row)?;
        self.push_item(key, row, timestamp)
    }

    /// As [`Harness::push`] for a function whose rows do not hold the key.
    pub fn push_with_key(&mut self, key: &[Value], row: &Value, timestamp: Option<i64>) -> Result<()> {
        let key = self.grouping.of_values(key)?;
        self.push_item(key, row, timestamp)
    }

    fn push_item(&mut self, key: Key, row: &Value, timestamp: Option<i64>) -> Result<()> {
        self.check_running()?;
        let cells = self.function.input_cells(row)?;
        self.pending.push(Item { key, timestamp: timestamp.unwrap_or(i64::MIN), cells });
        if self.pending.len() >= self.bundle_rows { self.flush() } else { Ok(()) }
    }

    /// Runs the rows that wait for a full bundle.
    pub fn flush(&mut self) -> Result<()> {
        self.check_running()?;
        let items = std::mem::take(&mut self.pending);
        if !items.is_empty() {
            self.run(Mode::Rows, items)?;
        }
        // A timer that is due when it is registered fires as soon as the clock's thread gets to it.
        self.fire(Mode::ProcessingTimeTimers)
    }

    /// Moves the watermark and fires the timers that it reaches. A watermark that does not rise is ignored.
    pub fn advance_watermark(&mut self, watermark_ms: i64) -> Result<()> {
        self.flush()?;
        if watermark_ms > self.times.watermark_ms {
            self.times.watermark_ms = watermark_ms;
            self.fire(Mode::EventTimeTimers)?;
        }
        Ok(())
    }

    /// Moves the clock and fires the timers that it reaches. A clock does not go back.
    pub fn advance_processing_time(&mut self, processing_time_ms: i64) -> Result<()> {
        self.flush()?;
        self.times.processing_time_ms = self.times.processing_time_ms.max(processing_time_ms);
        self.fire(Mode::ProcessingTimeTimers)
    }

    /// State and timers of all keys.
    pub fn snapshot(&mut self) -> Result<Vec<u8>> {
        self.flush()?;
        self.snapshots += 1;
        snapshot::write(&self.function.name, &self.key_types(), &self.contents)
    }

    /// Starts the function again with what [`Harness::snapshot`] returned, of this harness or another, maybe with an earlier version of the
    /// function. What was put out since this harness's last snapshot and not taken is dropped, as an exactly-once sink drops it.
    ///
    /// FW0606 when a state has another type than in the snapshot.
    pub fn restore(&mut self, snapshot: &[u8]) -> Result<()> {
        let contents = snapshot::read(snapshot, &self.key_types(), &self.function.states)?;
        self.restart(contents)
    }

    /// Starts the function again without state, as a job does that has no checkpoint yet.
    pub fn restart_empty(&mut self) -> Result<()> {
        self.restart(Contents::empty(&self.function.states))
    }

    fn restart(&mut self, contents: Contents) -> Result<()> {
        self.pending.clear();
        self.contents = contents;
        self.failure = None;
        self.times.watermark_ms = i64::MIN;
        for output in &mut self.outputs {
            output.retain(|(snapshots, _)| *snapshots < self.snapshots);
        }
        self.failed_rows.retain(|(snapshots, _)| *snapshots < self.snapshots);
        self.counters.clear();
        self.gauges.clear();
        self.executor.open(&self.open)?;
        self.fire(Mode::ProcessingTimeTimers)
    }

    /// Takes the rows of an output: `output`, or a side output's name. FW0101 when there is no such output.
    pub fn output(&mut self, name: &str) -> Result<Vec<OutputRow>> {
        let index = self.function.output_index(name)?;
        self.flush()?;
        Ok(std::mem::take(&mut self.outputs[index]).into_iter().map(|(_, row)| row).collect())
    }

    /// Takes the rows and timers that failed.
    pub fn failed_rows(&mut self) -> Result<Vec<Failed>> {
        self.flush()?;
        Ok(std::mem::take(&mut self.failed_rows).into_iter().map(|(_, failed)| failed).collect())
    }

    /// What a state holds for a key, as JSON; null when it holds nothing. `docs/testing.md` says how types are shown.
    pub fn state(&mut self, name: &str, key: &[Value]) -> Result<Value> {
        let index = self.function.state_index(name)?;
        let key = self.grouping.of_values(key)?;
        self.flush()?;
        let (state, now) = (&self.contents.state, self.times.processing_time_ms);
        let value = state.value(&key, index, now);
        values::to_json(&self.function.states[index], value, &state.scan(&key, index, now))
    }

    /// The keys that have state, as lists of values.
    pub fn keys(&mut self) -> Result<Vec<Value>> {
        self.flush()?;
        let keys = self.contents.state.keys.keys();
        keys.map(|key| match self.grouping.to_json(key)? {
            Value::Object(values) => Ok(values.into_iter().map(|(_, value)| value).collect()),
            other => Ok(other),
        })
        .collect()
    }

    /// The timers of a key.
    pub fn timers(&mut self, key: &[Value]) -> Result<TimersOfKey> {
        let key = self.grouping.of_values(key)?;
        self.flush()?;
        Ok(TimersOfKey {
            event_time: self.contents.event_time.of_key(&key),
            processing_time: self.contents.processing_time.of_key(&key),
        })
    }

    /// The function's counters since it was started.
    pub fn counters(&mut self) -> Result<&BTreeMap<String, u64>> {
        self.flush()?;
        Ok(&self.counters)
    }

    /// The function's gauges since it was started.
    pub fn gauges(&mut self) -> Result<&BTreeMap<String, f64>> {
        self.flush()?;
        Ok(&self.gauges)
    }

    /// Takes what the function has logged.
    pub fn take_logs(&mut self) -> Vec<LogLine> {
        std::mem::take(&mut self.logs)
    }

    /// Runs one row or timer at these times, with what `fill` puts into the state of its key.
    pub(crate) fn run_one(
        &mut self,
        times: Times,
        mode: Mode,
        item: Item,
        fill: impl FnOnce(&mut KeyedState),
    ) -> Result<()> {
        self.times = times;
        fill(Arc::make_mut(&mut self.contents.state));
        self.run(mode, vec![item])
    }

    /// Why the job has failed, if it has. Only a restore helps then.
    pub fn failure(&self) -> Option<&Diagnostic> {
        self.failure.as_ref()
    }

    fn check_running(&self) -> Result<()> {
        self.failure.clone().map_or(Ok(()), Err)
    }

    fn key_types(&self) -> Vec<String> {
        self.grouping.fields.iter().map(|field| field.data_type.to_string()).collect()
    }

    /// Fires what is due until nothing is: an answer may register more.
    fn fire(&mut self, mode: Mode) -> Result<()> {
        for _ in 0..MAX_TIMER_ROUNDS {
            let due = match mode {
                Mode::EventTimeTimers => self.contents.event_time.take_due(self.times.watermark_ms),
                _ => self.contents.processing_time.take_due(self.times.processing_time_ms),
            };
            if due.is_empty() {
                return Ok(());
            }
            let item = |(key, timestamp)| Item { key, timestamp, cells: Vec::new() };
            let items: Vec<Item> = due.into_iter().map(item).collect();
            // As many distinct keys as there are slots.
            for items in items.chunks(MAX_SLOTS) {
                self.run(mode, items.to_vec())?;
            }
        }
        self.fail(Diagnostic::new(
            Code::TimerLoop,
            format!("after {MAX_TIMER_ROUNDS} bundles of timers there are still some at or before the time that fired the first"),
        ))
    }

    fn run(&mut self, mode: Mode, items: Vec<Item>) -> Result<()> {
        let (keys, of_items) = bundle::distinct(&items);
        let state = &self.contents.state;
        let payload = bundle::encode(
            &self.schemas,
            &self.grouping,
            state,
            self.times,
            mode,
            &items,
            (&keys, &of_items),
        )?;
        self.bundles += 1;
        let now_ms = self.times.processing_time_ms;
        let elements = ElementsOf { state: state.clone(), keys: keys.clone(), now_ms };
        let reply = match self.executor.run(self.bundles, &payload, Box::new(elements)) {
            Ok(reply) => reply,
            Err(Fault { diagnostic, item }) => {
                let item = item.and_then(|item| items.get(item as usize));
                let row = item.map(|item| self.describe(mode, item)).transpose()?;
                return self.fail(match row {
                    Some(row) => diagnostic.note(format!("row: {row}")),
                    None => diagnostic,
                });
            }
        };
        let reply = Reply::parse_outputs(&self.schemas.outputs, &reply)?;
        for failure in &reply.failures {
            let Some(item) = items.get(failure.row as usize) else {
                return Err(violation(format!("row {} of {} has failed", failure.row, items.len())));
            };
            let row = self.describe(mode, item)?;
            if self.open.on_error.policy == ErrorPolicy::Fail {
                return self.fail(Diagnostic::new(failure.code, failure.message).note(format!("row: {row}")));
            }
            let failed = Failed { row, code: failure.code, message: failure.message.to_owned() };
            self.failed_rows.push((self.snapshots, failed));
        }
        let ReplyBody::Process(effects) = &reply.body else {
            return Err(violation("the reply is not that of a process function".into()));
        };
        self.apply(effects, &keys)?;
        for (name, delta) in reply.trailer.counters {
            let counter = self.counters.entry(name).or_default();
            *counter = counter.saturating_add(delta);
        }
        self.gauges.extend(reply.trailer.gauges);
        self.logs.extend(reply.trailer.logs);
        Ok(())
    }

    /// Applies a reply in the operator's order: state, timers, rows.
    fn apply(&mut self, effects: &Effects<'_>, keys: &[Key]) -> Result<()> {
        let now = self.times.processing_time_ms;
        let key = |index: u32| {
            let key = keys.get(index as usize);
            key.ok_or_else(|| violation(format!("a change of key {index} of {}", keys.len())))
        };
        let held = Arc::make_mut(&mut self.contents.state);
        let states = self.function.states.len();
        let check_state = |state: u32| match (state as usize) < states {
            true => Ok(state as usize),
            false => Err(violation(format!("a change of state {state} of {states}"))),
        };
        for change in &effects.values {
            let state = check_state(change.state)?;
            for (cell, index) in change.keys.iter().enumerate() {
                let value = change.values.columns()[0].bytes(cell);
                held.put_value(key(*index)?, state, value, now);
            }
        }
        for change in &effects.elements {
            let state = check_state(change.state)?;
            let [elements, values] = change.cells.columns() else { continue };
            for (cell, (index, op)) in change.keys.iter().zip(&change.ops).enumerate() {
                let element = elements.bytes(cell).unwrap_or_default();
                let change = match op {
                    ElementOp::Put => {
                        ElementChange::Put { element, value: values.bytes(cell).unwrap_or_default() }
                    }
                    ElementOp::Remove => ElementChange::Remove { element },
                    ElementOp::Clear => ElementChange::Clear,
                };
                held.change(key(*index)?, state, change, now);
            }
        }
        let timers = &effects.timers;
        for ((index, timestamp), flags) in timers.keys.iter().zip(&timers.timestamps).zip(&timers.flags) {
            let domain = match flags & TIMER_PROCESSING_TIME {
                0 => &mut self.contents.event_time,
                _ => &mut self.contents.processing_time,
            };
            match flags & TIMER_DELETE {
                0 => domain.register(key(*index)?, *timestamp),
                _ => domain.delete(key(*index)?, *timestamp),
            }
        }
        for effect in &effects.rows {
            let output = effect.output as usize;
            let rows = json::batch_to_rows(self.function.output_fields(output), &effect.rows)?;
            for (row, timestamp) in rows.into_iter().zip(&effect.timestamps) {
                let timestamp = Some(*timestamp).filter(|timestamp| *timestamp != i64::MIN);
                self.outputs[output].push((self.snapshots, OutputRow { row, timestamp }));
            }
        }
        Ok(())
    }

    /// An item as a dead letter has it.
    fn describe(&self, mode: Mode, item: &Item) -> Result<Value> {
        let timer = |domain: &str| {
            Ok(json!({ "key": self.grouping.to_json(&item.key)?, "timer": item.timestamp, "domain": domain }))
        };
        match mode {
            Mode::Rows => Ok(json::cells_to_row(&self.function.input, &item.cells)),
            Mode::EventTimeTimers => timer("event-time"),
            Mode::ProcessingTimeTimers => timer("processing-time"),
        }
    }

    fn fail(&mut self, failure: Diagnostic) -> Result<()> {
        self.pending.clear();
        self.failure = Some(failure.clone());
        Err(failure)
    }
}

fn violation(message: String) -> Diagnostic {
    Diagnostic::new(Code::ProtocolViolation, message)
}
