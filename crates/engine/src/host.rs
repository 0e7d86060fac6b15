//! The host's side of `wit/`: what a guest can call, and what the host keeps for one instance. What only process functions
//! can call stands in `effects` and `elements`.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use flink_wasm_diagnostic::{Code, Diagnostic};
use flink_wasm_protocol::Schema;
use flink_wasm_protocol::limits::{
    MAX_LOG_LINE_BYTES, MAX_LOG_LINES, MAX_METRIC_NAME_BYTES, MAX_METRIC_NAMES,
};
use flink_wasm_protocol::reply::{LogLevel, LogLine, ReplyWriter, Trailer};
use wasmtime::component::{Linker, WasmList, WasmStr};
use wasmtime::{AsContext, Result, StoreContextMut};

use crate::abi::{BatchFromGuest, COLLECTOR, CONTEXT, Level};
use crate::effects::{self, Effects};
use crate::elements::{self, ElementSource};
use crate::limiter::Limiter;
use crate::rate::Requests;
use crate::text::{clean, clean_lines};

/// A panic's message is shown to people; assertions print both sides.
const MAX_PANIC_BYTES: usize = 8 << 10;

/// A limiter's name as it is looked for; a longer one is unknown.
const MAX_LIMITER_NAME_BYTES: usize = 1 << 10;

/// What the host keeps for one instance.
pub(crate) struct HostState {
    pub(crate) limiter: Limiter,
    pub(crate) processing_time_ms: i64,
    pub(crate) watermark_ms: i64,
    /// What the guest told just before it traps.
    pub(crate) panic: Option<String>,
    /// Why a host function stopped the guest.
    pub(crate) fault: Option<Diagnostic>,
    /// Where output goes while a bundle runs.
    pub(crate) output: Option<Output>,
    /// Where the effects of a process function go while a bundle runs.
    pub(crate) effects: Option<Effects>,
    /// Whom to ask for list and map state.
    pub(crate) elements: Option<Box<dyn ElementSource>>,
    /// What was asked of rate limiters.
    pub(crate) requests: Requests,
    /// When the guest ends; later by the time that it waits for its host.
    pub(crate) deadline: Instant,
    pub(crate) reply: ReplyWriter,
    pub(crate) trailer: Trailer,
    pub(crate) metric_names: MetricNames,
}

/// The names of counters and gauges that a function has used. They outlive an instance that ended with a fault.
#[derive(Debug, Default)]
pub(crate) struct MetricNames {
    names: BTreeSet<String>,
    has_told_of_limit: bool,
}

/// The main output of a map while a bundle runs.
pub(crate) struct Output {
    /// The function's outputs, of which a map has one.
    pub(crate) schema: Arc<[Schema]>,
    /// Rows that the guest gets.
    pub(crate) input_rows: usize,
    /// Their indices in the bundle, when the guest does not get all of it.
    pub(crate) items: Option<Vec<u32>>,
    /// The origin after the last one.
    pub(crate) next_origin: u32,
    /// All origins so far.
    pub(crate) origins: Vec<u32>,
}

impl HostState {
    pub(crate) fn new(memory_bytes: u64) -> Self {
        Self {
            limiter: Limiter::new(memory_bytes),
            processing_time_ms: 0,
            watermark_ms: i64::MIN,
            panic: None,
            fault: None,
            output: None,
            effects: None,
            elements: None,
            requests: Requests::default(),
            deadline: Instant::now(),
            reply: ReplyWriter::default(),
            trailer: Trailer::default(),
            metric_names: MetricNames::default(),
        }
    }

    fn log(&mut self, level: LogLevel, message: String) {
        if self.trailer.logs.len() < MAX_LOG_LINES {
            self.trailer.logs.push(LogLine { level, message });
        } else {
            self.trailer.dropped_logs += 1;
        }
    }

    /// The name, or `None` when this instance has too many.
    fn metric(&mut self, name: String) -> Option<String> {
        let known = &mut self.metric_names;
        if known.names.contains(&name) {
            return Some(name);
        }
        if known.names.len() < MAX_METRIC_NAMES {
            known.names.insert(name.clone());
            return Some(name);
        }
        if !known.has_told_of_limit {
            known.has_told_of_limit = true;
            self.log(
                LogLevel::Warn,
                format!("metrics above the limit of {MAX_METRIC_NAMES} names are dropped"),
            );
        }
        None
    }
}

/// A linker that offers `flink-wasm:udf` and nothing else.
pub(crate) fn linker(engine: &wasmtime::Engine) -> Result<Linker<HostState>> {
    let mut linker = Linker::new(engine);
    let mut context = linker.instance(CONTEXT)?;
    context.func_wrap(
        "log",
        |mut store: StoreContextMut<'_, HostState>, (level, message): (Level, WasmStr)| {
            if store.data().trailer.logs.len() == MAX_LOG_LINES {
                store.data_mut().trailer.dropped_logs += 1;
                return Ok(());
            }
            let message = clean(&message.to_str(&store)?, MAX_LOG_LINE_BYTES);
            store.data_mut().log(log_level(level), message);
            Ok(())
        },
    )?;
    context.func_wrap("panicked", |mut store: StoreContextMut<'_, HostState>, (message,): (WasmStr,)| {
        let message = clean_lines(&message.to_str(&store)?, MAX_PANIC_BYTES);
        // A panic while panicking hides nothing: the first is the cause.
        store.data_mut().panic.get_or_insert(message);
        Ok(())
    })?;
    context.func_wrap("processing-time", |store: StoreContextMut<'_, HostState>, (): ()| {
        Ok((store.data().processing_time_ms,))
    })?;
    context.func_wrap("watermark", |store: StoreContextMut<'_, HostState>, (): ()| {
        Ok((store.data().watermark_ms,))
    })?;
    context.func_wrap(
        "counter-add",
        |mut store: StoreContextMut<'_, HostState>, (name, delta): (WasmStr, u64)| {
            let name = clean(&name.to_str(&store)?, MAX_METRIC_NAME_BYTES);
            let state = store.data_mut();
            if let Some(name) = state.metric(name) {
                let counter = state.trailer.counters.entry(name).or_default();
                *counter = counter.saturating_add(delta);
            }
            Ok(())
        },
    )?;
    context.func_wrap(
        "gauge-set",
        |mut store: StoreContextMut<'_, HostState>, (name, value): (WasmStr, f64)| {
            let name = clean(&name.to_str(&store)?, MAX_METRIC_NAME_BYTES);
            let state = store.data_mut();
            // JSON has no NaN and no infinities.
            if value.is_finite()
                && let Some(name) = state.metric(name)
            {
                state.trailer.gauges.insert(name, value);
            }
            Ok(())
        },
    )?;
    context.func_wrap(
        "try-acquire",
        |mut store: StoreContextMut<'_, HostState>, (limiter, permits): (WasmStr, u32)| {
            let limiter = clean(&limiter.to_str(&store)?, MAX_LIMITER_NAME_BYTES);
            let state = store.data_mut();
            let answer = state.requests.try_acquire(&limiter, permits, state.processing_time_ms);
            Ok((answer.map_err(|fault| stop(state, fault))?,))
        },
    )?;
    linker.instance(COLLECTOR)?.func_wrap("emit", emit)?;
    effects::link(&mut linker)?;
    elements::link(&mut linker)?;
    Ok(linker)
}

fn log_level(level: Level) -> LogLevel {
    match level {
        Level::Trace => LogLevel::Trace,
        Level::Debug => LogLevel::Debug,
        Level::Info => LogLevel::Info,
        Level::Warn => LogLevel::Warn,
        Level::Error => LogLevel::Error,
    }
}

/// `collector.emit`: copies the guest's columns into the reply, once, and checks them there.
fn emit(
    mut store: StoreContextMut<'_, HostState>,
    (output, rows, origin): (u32, BatchFromGuest, WasmList<u32>),
) -> Result<()> {
    // The reply and the guest's memory are both borrowed from the store; so the reply steps out of it.
    let state = store.data_mut();
    let mut reply = std::mem::take(&mut state.reply);
    let mut target = state.output.take();
    let result = match &mut target {
        Some(target) => {
            let context = store.as_context();
            let origin = origin.as_le_slice(&context);
            target.accept(output, rows.row_count as usize, origin).and_then(|()| {
                let columns = rows.columns(&target.schema[0], &context)?;
                let of_bundle: Vec<u32>;
                let origin = match &target.items {
                    Some(items) => {
                        of_bundle = origin.iter().map(|origin| items[*origin as usize]).collect();
                        &of_bundle
                    }
                    None => origin,
                };
                reply.emission(&target.schema[0], output, rows.row_count as usize, origin, &columns)
            })
        }
        None => Err(Diagnostic::new(Code::BadOutput, "rows were put out while no bundle was running")),
    };
    let state = store.data_mut();
    state.reply = reply;
    state.output = target;
    result.map_err(|fault| stop(state, fault))
}

/// Ends the guest because of what it gave the host.
pub(crate) fn stop(state: &mut HostState, fault: Diagnostic) -> wasmtime::Error {
    let error = wasmtime::Error::msg(fault.message.clone());
    state.fault = Some(as_bad_output(fault));
    error
}

/// What breaks the protocol in a guest's output is the guest's fault, not the operator's.
pub(crate) fn as_bad_output(mut fault: Diagnostic) -> Diagnostic {
    if matches!(fault.code, Code::ProtocolViolation | Code::SchemaViolated) {
        fault.code = Code::BadOutput;
    }
    fault
}

impl Output {
    /// Checks what is known before the rows are looked at.
    fn accept(&mut self, output: u32, row_count: usize, origin: &[u32]) -> flink_wasm_diagnostic::Result<()> {
        let bad = |message: String| Err(Diagnostic::new(Code::BadOutput, message));
        if output != 0 {
            return bad(format!("rows for output {output}, a map has only output 0"));
        }
        if origin.len() != row_count {
            return bad(format!("{} origins for {row_count} rows", origin.len()));
        }
        let is_rising = origin.windows(2).fold(true, |rising, pair| rising & (pair[0] < pair[1]));
        let (Some(first), Some(last)) = (origin.first(), origin.last()) else { return Ok(()) };
        if !is_rising || *first < self.next_origin || *last as usize >= self.input_rows {
            return bad(format!(
                "origins of a map must rise from row to row and stay below {}",
                self.input_rows
            ));
        }
        self.next_origin = last + 1;
        self.origins.extend_from_slice(origin);
        Ok(())
    }
}
