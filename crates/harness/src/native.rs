//! The function itself, natively: the code that runs in the component, without a sandbox around it.
//!
//! What a sidecar does when an item fails is done here the same way: the bundle is run again without it, from the state before the bundle,
//! so that everything is as if the item had never been there.

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
use effects::Attempt;
use elements::{Shared, Source};
use limiters::Limiters;

mod columns;
mod effects;
mod elements;
mod limiters;

/// Runs a function natively.
pub struct Native<F: ProcessFunction> {
    source: Source,
    running: Option<Running<F>>,
}

struct Running<F: ProcessFunction> {
    processor: Processor<F>,
    open: Open,
    schema: KeyedSchema,
    outputs: Vec<Schema>,
    limiters: Limiters,
}

/// An item that does not come to anything.
struct Failed {
    item: usize,
    code: Code,
    message: String,
}

/// Why an attempt ended early.
enum Stop {
    /// The function refused an item of the chosen ones.
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

impl<F: ProcessFunction> Default for Native<F> {
    fn default() -> Self {
        Self { source: Rc::new(RefCell::new(None)), running: None }
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
        let side_output =
            |side: flink_wasm::SideOutput| Ok(SideOutput { name: side.name, fields: fields(side.fields)? });
        let state = |state: flink_wasm::StateDescriptor| State {
            name: state.name,
            kind: match state.kind {
                StateKind::Value => handshake::StateKind::Value,
                StateKind::Reducing => handshake::StateKind::Reducing,
                StateKind::List => handshake::StateKind::List,
                StateKind::Map => handshake::StateKind::Map,
            },
            schema: state.schema,
            ttl_ms: state.ttl_ms,
        };
        Ok(Function {
            name,
            input: fields(input)?,
            output: fields(output)?,
            side_outputs: side_outputs.into_iter().map(side_output).collect::<Result<_>>()?,
            key: fields(key)?,
            states: states.into_iter().map(state).collect(),
        })
    }

    fn processor(&self, open: &Open) -> Result<Processor<F>> {
        let parameters = serde_json::Value::Object(open.parameters.clone()).to_string();
        Processor::open(&parameters, Box::new(Shared(self.source.clone()))).map_err(|error| {
            Diagnostic::new(Code::OpenFailed, format!("the function refused to open: {error}"))
        })
    }

    /// Runs a bundle without the items that fail, where the policy says so.
    fn run_items(
        &self,
        running: &mut Running<F>,
        bundle: &KeyedBundle<'_>,
    ) -> std::result::Result<(Attempt, Vec<Failed>), Fault> {
        let on_error = running.open.on_error;
        let mut chosen: Vec<usize> = (0..bundle.item_count()).collect();
        let mut failures: Vec<Failed> = Vec::new();
        let mut retried = vec![0; bundle.item_count()];
        loop {
            let failed = match self.attempt(running, bundle, &chosen) {
                Ok((attempt, context)) => {
                    running.limiters.charge(bundle.processing_time_ms, &context);
                    failures.sort_by_key(|failed| failed.item);
                    return Ok((attempt, failures));
                }
                Err(Stop::Defect(defect)) => return Err(defect.into()),
                Err(Stop::Refused(failure)) => {
                    let item = chosen[failure.row as usize];
                    if failure.transient && retried[item] < on_error.retries {
                        retried[item] += 1;
                        continue;
                    }
                    Failed { item, code: Code::RowFailed, message: failure.message }
                }
                Err(Stop::Panicked(message)) => {
                    let item = self.first_panic(running, bundle, &chosen)?;
                    let message = format!("the function panicked: {message}");
                    Failed { item, code: Code::FunctionTrapped, message }
                }
            };
            if on_error.policy == ErrorPolicy::Fail {
                if failed.code == Code::RowFailed {
                    return Ok((Attempt::default(), vec![failed]));
                }
                let diagnostic = Diagnostic::new(failed.code, failed.message);
                return Err(Fault { diagnostic, item: Some(failed.item as u32) });
            }
            chosen.retain(|item| *item != failed.item);
            failures.push(failed);
        }
    }

    /// The first item with which the chosen ones up to it panic.
    fn first_panic(
        &self,
        running: &mut Running<F>,
        bundle: &KeyedBundle<'_>,
        chosen: &[usize],
    ) -> Result<usize> {
        // So many run well, so many panic.
        let (mut good, mut bad) = (0, chosen.len());
        while good + 1 < bad {
            let middle = good + (bad - good) / 2;
            match self.attempt(running, bundle, &chosen[..middle]) {
                Err(Stop::Panicked(_)) => bad = middle,
                Err(Stop::Defect(defect)) => return Err(defect),
                _ => good = middle,
            }
        }
        Ok(chosen[bad - 1])
    }

    /// Runs some items from the state before the bundle. The context tells what they took from rate limiters.
    fn attempt(
        &self,
        running: &mut Running<F>,
        bundle: &KeyedBundle<'_>,
        chosen: &[usize],
    ) -> std::result::Result<(Attempt, TestContext), Stop> {
        let schema = &running.schema;
        let context = TestContext::new();
        context.set_processing_time(bundle.processing_time_ms);
        context.set_watermark(bundle.watermark_ms);
        running.limiters.grant(bundle.processing_time_ms, &context);
        let values = bundle.values.columns().iter();
        let keyed = Keyed {
            keys: chosen.iter().map(|item| bundle.keys[*item]).collect(),
            key_rows: to_native(&schema.key, &bundle.key_rows),
            values: values
                .map(|column| bytes_column((0..bundle.key_count()).map(|key| column.bytes(key))))
                .collect(),
        };
        let timestamps: Vec<i64> = chosen.iter().map(|item| bundle.timestamps[*item]).collect();
        let mut attempt = Attempt::default();
        let processor = &mut running.processor;
        let ran = match &bundle.items {
            Items::Rows(rows) => {
                let bytes = pick(&schema.input, rows, chosen)?;
                let rows = to_native(&schema.input, &BatchView::parse(&schema.input, &bytes)?);
                catch_unwind(AssertUnwindSafe(|| {
                    processor.process_batch(&rows, &timestamps, keyed, &context, &mut attempt)
                }))
            }
            timers => {
                let domain = match timers {
                    Items::ProcessingTimeTimers => TimeDomain::ProcessingTime,
                    _ => TimeDomain::EventTime,
                };
                catch_unwind(AssertUnwindSafe(|| {
                    processor.timers_batch(&timestamps, domain, keyed, &context, &mut attempt)
                }))
            }
        };
        match ran {
            Ok(Ok(())) => {
                attempt.told(&context);
                Ok((attempt, context))
            }
            Ok(Err(failure)) => Err(Stop::Refused(failure)),
            Err(panic) => {
                running.processor = self.processor(&running.open)?;
                Err(Stop::Panicked(message(panic.as_ref())))
            }
        }
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
            limiters: Limiters::new(&open.rate_limiters),
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
        let Some(mut running) = self.running.take() else {
            return Err(Diagnostic::new(Code::Internal, "the function is not open").into());
        };
        let schema = running.schema.clone();
        let bundle = KeyedBundle::parse(&schema, payload)?;
        *self.source.borrow_mut() = Some(elements);
        let ran = self.run_items(&mut running, &bundle);
        *self.source.borrow_mut() = None;
        // A fault ends the instance, as it does in the sandbox.
        let (attempt, failures) = ran?;
        let failures: Vec<(u32, Code, String)> =
            failures.into_iter().map(|failed| (failed.item as u32, failed.code, failed.message)).collect();
        let reply = attempt.reply(id, &running.outputs, &failures)?;
        self.running = Some(running);
        Ok(reply)
    }
}

/// Some rows of a batch, as a batch.
fn pick(schema: &Schema, rows: &BatchView<'_>, chosen: &[usize]) -> Result<Vec<u8>> {
    let mut writer = BatchWriter::new(schema);
    for row in chosen {
        writer.push_row(&rows.row(schema, *row))?;
    }
    let mut bytes = Vec::new();
    writer.finish(&mut bytes)?;
    Ok(bytes)
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic without a message").to_owned()
}
