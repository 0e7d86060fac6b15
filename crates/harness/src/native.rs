//! The function itself, natively: the code that runs in the component, without a sandbox around it.
//!
//! What a sidecar does when an item fails is done here the same way (`docs/process-functions.md`): the items before it are run again and
//! kept, and the rest goes on behind it, from the state that they left.

use std::any::Any;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use flink_wasm::testing::TestContext;
use flink_wasm::{Descriptor, Keyed, ProcessFunction, Processor, RowFailure, StateKind, TimeDomain};
use flink_wasm_diagnostic::{Code, Diagnostic, Result};
use flink_wasm_protocol::handshake::{self, ErrorPolicy, Open, State};
use flink_wasm_protocol::keyed::{Items, KeyedBundle, KeyedSchema};
use flink_wasm_protocol::schema::RowField;
use flink_wasm_protocol::{BatchView, BatchWriter, DataType, Schema};

use crate::executor::{Elements, Executor, Fault};
use crate::function::{Function, SideOutput};
use columns::{bytes_column, to_native};
use effects::{Attempt, Kept};
use elements::Source;

mod columns;
mod effects;
mod elements;

/// Runs a function natively.
pub struct Native<F: ProcessFunction> {
    source: Rc<RefCell<Source>>,
    running: Option<Running<F>>,
}

struct Running<F: ProcessFunction> {
    processor: Processor<F>,
    open: Open,
    schema: KeyedSchema,
    outputs: Vec<Schema>,
}

impl<F: ProcessFunction> Default for Native<F> {
    fn default() -> Self {
        Self { source: Rc::default(), running: None }
    }
}

impl<F: ProcessFunction> Native<F> {
    /// What the harness must know of the function. FW0309 when a SQL type of a field is none.
    pub fn function() -> Result<Function> {
        let Descriptor { name, input, output, key, states, side_outputs, .. } = F::describe();
        let fields = |fields: Vec<flink_wasm::Field>| {
            let field = |field: flink_wasm::Field| {
                Ok(RowField { name: field.name, data_type: DataType::parse(&field.sql_type)? })
            };
            fields.into_iter().map(field).collect::<Result<Vec<_>>>()
        };
        let side_output = |side: flink_wasm::SideOutput| {
            Ok(SideOutput { name: side.name, fields: fields(side.fields)? })
        };
        Ok(Function {
            name,
            input: fields(input)?,
            output: fields(output)?,
            side_outputs: side_outputs.into_iter().map(side_output).collect::<Result<_>>()?,
            key: fields(key)?,
            states: states
                .into_iter()
                .map(|state| State {
                    name: state.name,
                    kind: match state.kind {
                        StateKind::Value => handshake::StateKind::Value,
                        StateKind::Reducing => handshake::StateKind::Reducing,
                        StateKind::List => handshake::StateKind::List,
                        StateKind::Map => handshake::StateKind::Map,
                    },
                    schema: state.schema,
                    ttl_ms: state.ttl_ms,
                })
                .collect(),
        })
    }

    fn processor(&self, open: &Open) -> Result<Processor<F>> {
        let parameters = serde_json::Value::Object(open.parameters.clone()).to_string();
        let elements = elements::Shared(self.source.clone());
        Processor::open(&parameters, Box::new(elements)).map_err(|error| {
            Diagnostic::new(Code::OpenFailed, format!("the function refused to open: {error}"))
        })
    }
}

impl<F: ProcessFunction> Executor for Native<F> {
    fn open(&mut self, open: &Open) -> Result<()> {
        let outputs = std::iter::once(&open.output).chain(open.side_outputs.iter().map(|side| &side.types));
        let value_states = open.states.iter().filter(|state| state.kind.is_value()).count();
        self.running = Some(Running {
            processor: self.processor(open)?,
            schema: KeyedSchema::new(Schema::parse(&open.input)?, Schema::parse(&open.key)?, value_states)?,
            outputs: outputs.map(|types| Schema::parse(types)).collect::<Result<_>>()?,
            open: open.clone(),
        });
        Ok(())
    }

    fn run(
        &mut self,
        id: u64,
        payload: &[u8],
        elements: Box<dyn Elements>,
    ) -> std::result::Result<Vec<u8>, Fault> {
        let Some(running) = self.running.take() else {
            return Err(Diagnostic::new(Code::Internal, "the function is not open").into());
        };
        let schema = running.schema.clone();
        let bundle = KeyedBundle::parse(&schema, payload)?;
        let map_states = |state: &State| state.kind == handshake::StateKind::Map;
        *self.source.borrow_mut() =
            Source::new(elements, running.open.states.iter().map(map_states).collect());
        let mut run = Run { native: self, running, kept: Kept::new(&schema, &bundle), bundle: &bundle };
        let result = run.items();
        let Run { running, kept, .. } = run;
        // A fault ends the instance, as it does in the sandbox.
        result?;
        let reply = kept.reply(id, &running.outputs, &self.source.borrow());
        self.running = Some(running);
        Ok(reply?)
    }
}

/// One bundle.
struct Run<'a, F: ProcessFunction> {
    native: &'a Native<F>,
    running: Running<F>,
    kept: Kept,
    bundle: &'a KeyedBundle<'a>,
}

/// Why an attempt ended early.
enum Stop {
    /// The function refused an item.
    Refused(RowFailure),
    /// It panicked.
    Panicked(String),
    /// A defect.
    Defect(Diagnostic),
}

impl From<Diagnostic> for Stop {
    fn from(defect: Diagnostic) -> Self {
        Stop::Defect(defect)
    }
}

impl<F: ProcessFunction> Run<'_, F> {
    fn items(&mut self) -> std::result::Result<(), Fault> {
        let (mut start, end) = (0, self.bundle.item_count());
        while start < end {
            let (item, code, message, transient) = match self.attempt(start, end) {
                Ok(attempt) => {
                    self.kept.keep(attempt, &self.running.open.states, &self.native.source);
                    return Ok(());
                }
                Err(Stop::Defect(defect)) => return Err(defect.into()),
                Err(Stop::Refused(failure)) => {
                    let item = start + failure.row as usize;
                    (item, Code::RowFailed, failure.message, failure.transient)
                }
                Err(Stop::Panicked(message)) => {
                    let item = self.first_panic(start, end)?;
                    (item, Code::FunctionTrapped, format!("the function panicked: {message}"), false)
                }
            };
            let on_error = self.running.open.on_error;
            let retries = if transient { on_error.retries } else { 0 };
            if on_error.policy == ErrorPolicy::Fail && retries == 0 {
                if code == Code::RowFailed {
                    self.kept.fail_all(item as u32, message, &self.native.source);
                    return Ok(());
                }
                return Err(Fault { diagnostic: Diagnostic::new(code, message), item: Some(item as u32) });
            }
            self.must(start, item)?;
            let mut last = (code, message);
            let mut has_passed = false;
            for _ in 0..retries {
                match self.attempt(item, item + 1) {
                    Ok(attempt) => {
                        self.kept.keep(attempt, &self.running.open.states, &self.native.source);
                        has_passed = true;
                    }
                    Err(Stop::Refused(failure)) => {
                        last = (Code::RowFailed, failure.message);
                        if failure.transient {
                            continue;
                        }
                    }
                    Err(Stop::Panicked(message)) => {
                        last = (Code::FunctionTrapped, format!("the function panicked: {message}"));
                    }
                    Err(Stop::Defect(defect)) => return Err(defect.into()),
                }
                break;
            }
            if !has_passed {
                if on_error.policy == ErrorPolicy::Fail {
                    self.kept.fail_all(item as u32, last.1, &self.native.source);
                    return Ok(());
                }
                self.kept.failures.push((item as u32, last.0, last.1));
            }
            start = item + 1;
        }
        Ok(())
    }

    /// Runs items that have gone well before, and keeps what they do.
    fn must(&mut self, start: usize, end: usize) -> Result<()> {
        if start == end {
            return Ok(());
        }
        match self.attempt(start, end) {
            Ok(attempt) => {
                self.kept.keep(attempt, &self.running.open.states, &self.native.source);
                Ok(())
            }
            Err(Stop::Defect(defect)) => Err(defect),
            Err(_) => Err(Diagnostic::new(Code::Internal, "the function does not do the same again")),
        }
    }

    /// The first item whose prefix panics.
    fn first_panic(&mut self, start: usize, end: usize) -> Result<usize> {
        // `good` items run well, `bad` items panic.
        let (mut good, mut bad) = (start, end);
        while good + 1 < bad {
            let middle = good + (bad - good) / 2;
            match self.attempt(start, middle) {
                Err(Stop::Panicked(_)) => bad = middle,
                Err(Stop::Defect(defect)) => return Err(defect),
                _ => good = middle,
            }
        }
        Ok(bad - 1)
    }

    /// Runs some items from the state that the kept ones left.
    fn attempt(&mut self, start: usize, end: usize) -> std::result::Result<Attempt, Stop> {
        let (bundle, schema) = (self.bundle, &self.running.schema);
        let context = TestContext::new();
        context.set_processing_time(bundle.processing_time_ms);
        context.set_watermark(bundle.watermark_ms);
        let values = self.kept.values.iter();
        let keyed = Keyed {
            keys: bundle.keys[start..end].to_vec(),
            key_rows: to_native(&schema.key, &bundle.key_rows),
            values: values.map(|cells| bytes_column(cells.iter().map(Option::as_deref))).collect(),
        };
        let timestamps = &bundle.timestamps[start..end];
        let mut attempt = Attempt::default();
        let processor = &mut self.running.processor;
        let ran = match &bundle.items {
            Items::Rows(rows) => {
                let bytes = slice(&schema.input, rows, start, end)?;
                let rows = to_native(&schema.input, &BatchView::parse(&schema.input, &bytes)?);
                catch_unwind(AssertUnwindSafe(|| {
                    processor.process_batch(&rows, timestamps, keyed, &context, &mut attempt)
                }))
            }
            timers => {
                let domain = match timers {
                    Items::ProcessingTimeTimers => TimeDomain::ProcessingTime,
                    _ => TimeDomain::EventTime,
                };
                catch_unwind(AssertUnwindSafe(|| {
                    processor.timers_batch(timestamps, domain, keyed, &context, &mut attempt)
                }))
            }
        };
        match ran {
            Ok(Ok(())) => {
                attempt.told(&context);
                Ok(attempt)
            }
            Ok(Err(failure)) => Err(Stop::Refused(failure)),
            Err(panic) => {
                self.running.processor = self.native.processor(&self.running.open)?;
                Err(Stop::Panicked(message(panic.as_ref())))
            }
        }
    }
}

/// Some rows of a batch, as a batch.
fn slice(schema: &Schema, rows: &BatchView<'_>, start: usize, end: usize) -> Result<Vec<u8>> {
    let mut writer = BatchWriter::new(schema);
    for row in start..end {
        writer.push_row(&rows.row(schema, row))?;
    }
    let mut bytes = Vec::new();
    writer.finish(&mut bytes)?;
    Ok(bytes)
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic without a message").to_owned()
}
