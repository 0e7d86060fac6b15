//! A function that is open: answers bundles, one after the other, whatever the guest does.

use std::sync::Arc;

use flink_wasm_diagnostic::{Code, Diagnostic, Result};
use flink_wasm_protocol::batch::{bit, bitmap_bytes};
use flink_wasm_protocol::handshake::{ErrorPolicy, FunctionKind, OnError};
use flink_wasm_protocol::reply::{ReplyWriter, Trailer};

use crate::abi::RowFailure;
use crate::crash::Crash;
use crate::elements::ElementSource;
use crate::fault::Fault;
use crate::function::LoadedFunction;
use crate::guest::{Answer, Guest, MAX_MESSAGE_BYTES};
use crate::heartbeat::Heartbeat;
use crate::locate::locate;
use crate::options::Options;
use crate::rate::{LimiterUse, Requests};
use crate::slots::Slots;
use crate::text::clean;
use crate::work::{Chosen, Work, aligned};

/// Memory of the reply that is kept from bundle to bundle: several times a usual one.
const KEPT_REPLY_BYTES: usize = 4 << 20;

/// An instance of a function, with its own memory; and with another one after a fault, when the job's error policy goes on.
pub struct Instance {
    pub(crate) function: Arc<LoadedFunction>,
    parameters: Arc<str>,
    pub(crate) options: Options,
    /// `None` once a fault has ended the instance.
    pub(crate) guest: Option<Guest>,
    slots: Slots,
    heartbeat: Heartbeat,
    peak_memory_bytes: usize,
    limiter_use: Vec<LimiterUse>,
    failure_codes: Vec<Code>,
    pub(crate) crash: Option<Box<Crash>>,
}

/// An item that does not come to anything.
pub(crate) struct Failed {
    pub(crate) item: u32,
    pub(crate) code: Code,
    pub(crate) message: String,
}

impl Failed {
    pub(crate) fn refused(failure: &RowFailure) -> Self {
        let message = clean(&failure.message, MAX_MESSAGE_BYTES);
        Self { item: failure.row, code: Code::RowFailed, message }
    }
}

/// What is left of a bundle.
pub(crate) struct Outcome {
    /// The items that the guest got; `None` for all.
    pub(crate) chosen: Option<Vec<u32>>,
    /// Of a filter: a bitmap over these items.
    pub(crate) keep: Option<Vec<u8>>,
    pub(crate) failures: Vec<Failed>,
}

impl Instance {
    pub(crate) fn open(
        function: Arc<LoadedFunction>,
        parameters: Arc<str>,
        options: Options,
    ) -> std::result::Result<Self, Fault> {
        let mut guest = Guest::open(&function, &parameters, options.limits)?;
        guest.store.data_mut().requests = Requests::new(options.rate_limiters.clone());
        Ok(Self {
            function,
            parameters,
            options,
            guest: Some(guest),
            slots: Slots::default(),
            heartbeat: Heartbeat::none(),
            peak_memory_bytes: 0,
            limiter_use: Vec::new(),
            failure_codes: Vec::new(),
            crash: None,
        })
    }

    /// The component behind the instance.
    pub fn function(&self) -> &Arc<LoadedFunction> {
        &self.function
    }

    /// Whom the function's questions for list and map state go to. Without one they are FW0009.
    pub fn set_element_source(&mut self, source: Box<dyn ElementSource>) {
        if let Some(guest) = &mut self.guest {
            guest.store.data_mut().elements = Some(source);
        }
    }

    /// Who is told, by the bundle's id, that a bundle's items are still being run again.
    pub fn set_heartbeat(&mut self, listener: Box<dyn FnMut(u64)>) {
        self.heartbeat.listen(listener);
    }

    /// The most linear memory that the guest has had, in bytes.
    pub fn peak_memory_bytes(&self) -> usize {
        let now = self.guest.as_ref().map_or(0, |guest| guest.store.data().limiter.peak_bytes);
        now.max(self.peak_memory_bytes)
    }

    /// What the last bundle got from rate limiters.
    pub fn limiter_use(&self) -> &[LimiterUse] {
        &self.limiter_use
    }

    /// Why items of the last bundle have failed.
    pub fn failure_codes(&self) -> &[Code] {
        &self.failure_codes
    }

    /// Runs the payload of a BUNDLE frame and gives the whole REPLY frame, which lives until the next call.
    ///
    /// What becomes of an item that fails is the error policy's business. A fault ends the instance:
    /// FW0503 and FW0508 when the payload is no bundle of the function; for the policy `fail`, and where the item at fault can't be
    /// told, FW0504 trap, FW0505 deadline, FW0506 memory, FW0510 and FW0511 for what the function put out, FW0514 for a state value.
    pub fn run(&mut self, id: u64, payload: &[u8]) -> std::result::Result<&[u8], Fault> {
        self.heartbeat.begin(id);
        let result = self.run_bundle(id, payload);
        if let Err(fault) = result {
            self.guest = None;
            return Err(fault);
        }
        match &self.guest {
            Some(guest) => Ok(guest.store.data().reply.frame()),
            None => Err(Fault::from(has_ended())),
        }
    }

    fn run_bundle(&mut self, id: u64, payload: &[u8]) -> std::result::Result<(), Fault> {
        let function = self.function.clone();
        let guest = self.guest.as_mut().ok_or_else(has_ended)?;
        guest.store.data_mut().reply.shrink(KEPT_REPLY_BYTES);
        // Only callers other than the sidecar have a payload that does not lie on a multiple of 8 bytes.
        let copy;
        let payload = match payload.as_ptr().align_offset(8) {
            0 => payload,
            _ => {
                copy = aligned(payload);
                &bytemuck::cast_slice(&copy)[..payload.len()]
            }
        };
        let mut work = Work::parse(&function, payload)?;
        if let Work::Keyed(bundle, values) = &mut work {
            self.slots.prepare(bundle)?;
            *values = self.slots.columns(&bundle.slots, bundle.values.columns().len());
        }
        let outcome = self.run_items(&work)?;
        Ok(self.finish(id, &work, outcome)?)
    }

    /// Runs the items of a bundle, without those that fail where the policy says so.
    ///
    /// A process function's call ends with its first failure, and a trap ends any; the items that are left are then run from the state
    /// before the bundle, so that what comes of them is what would have come without the others.
    fn run_items(&mut self, work: &Work<'_>) -> std::result::Result<Outcome, Fault> {
        let OnError { policy, retries } = self.options.on_error;
        let mut chosen: Option<Vec<u32>> = None;
        let mut failures: Vec<Failed> = Vec::new();
        let mut tried = (u32::MAX, 0);
        // What `open` has logged is told once, however often the items are run.
        let first = self.guest.as_mut().map(|guest| std::mem::take(&mut guest.store.data_mut().trailer));
        let first = first.unwrap_or_default();
        loop {
            let failed = match self.attempt(work, chosen.as_deref(), &first) {
                Ok(answer) => {
                    let Some(failure) = answer.failures.first() else {
                        failures.sort_by_key(|failed| failed.item);
                        return Ok(Outcome { chosen, keep: answer.keep, failures });
                    };
                    if !matches!(work, Work::Keyed(..)) {
                        return self.retry_rows(work, chosen, answer, failures);
                    }
                    let item = failure.row;
                    tried = if tried.0 == item { tried } else { (item, 0) };
                    let is_retried = failure.transient && tried.1 < retries;
                    if !is_retried && policy == ErrorPolicy::Fail {
                        return Ok(Outcome { chosen, keep: None, failures: vec![Failed::refused(failure)] });
                    }
                    self.forget_requests_of(work, chosen.as_deref(), item)?;
                    if is_retried {
                        tried.1 += 1;
                        continue;
                    }
                    Failed::refused(failure)
                }
                Err(diagnostic) => {
                    let failed = self.fault(work, chosen.as_deref(), diagnostic)?;
                    self.forget_requests_of(work, chosen.as_deref(), failed.item)?;
                    failed
                }
            };
            let left = chosen.take().unwrap_or_else(|| (0..work.item_count() as u32).collect());
            chosen = Some(left.into_iter().filter(|item| *item != failed.item).collect());
            failures.push(failed);
        }
    }

    /// Whether this bundle has asked rate limiters.
    pub(crate) fn has_requests(&self) -> bool {
        self.guest.as_ref().is_some_and(|guest| !guest.store.data().requests.is_empty())
    }

    /// Gives back what an item, and those behind it, got from rate limiters: the items before it are run to see what they got.
    fn forget_requests_of(
        &mut self,
        work: &Work<'_>,
        chosen: Chosen<'_>,
        item: u32,
    ) -> std::result::Result<(), Fault> {
        if !self.has_requests() {
            return Ok(());
        }
        let before: Vec<u32> = match chosen {
            Some(chosen) => chosen.iter().copied().filter(|other| *other < item).collect(),
            None => (0..item).collect(),
        };
        self.heartbeat.beat();
        let deadline_ms = self.options.limits.deadline_ms;
        let guest = self.guest.as_mut().ok_or_else(has_ended)?;
        guest.run(&self.function, work, Some(&before), deadline_ms)?;
        let requests = &mut guest.store.data_mut().requests;
        requests.cut(requests.count());
        Ok(())
    }

    /// Runs some items from the state before the bundle.
    pub(crate) fn attempt(&mut self, work: &Work<'_>, chosen: Chosen<'_>, first: &Trailer) -> Result<Answer> {
        self.heartbeat.beat();
        let guest = self.guest.as_mut().ok_or_else(has_ended)?;
        guest.store.data_mut().trailer.clone_from(first);
        guest.run(&self.function, work, chosen, self.options.limits.deadline_ms)
    }

    /// Finds the item at fault, and has a fresh guest where the policy goes on without it.
    pub(crate) fn fault(
        &mut self,
        work: &Work<'_>,
        chosen: Chosen<'_>,
        diagnostic: Diagnostic,
    ) -> std::result::Result<Failed, Fault> {
        let all: Vec<u32>;
        let items = match chosen {
            Some(chosen) => chosen,
            None => {
                all = (0..work.item_count() as u32).collect();
                &all
            }
        };
        let item = locate(self, work, items, &diagnostic);
        if let Some(item) = item {
            self.keep_crash(work, chosen, item, &diagnostic);
        }
        match item {
            Some(item) if self.options.on_error.policy != ErrorPolicy::Fail => {
                self.renew()?;
                Ok(Failed {
                    item,
                    code: diagnostic.code,
                    message: clean(&diagnostic.message, MAX_MESSAGE_BYTES),
                })
            }
            row => Err(Fault { diagnostic, row }),
        }
    }

    /// A fresh guest, with what outlives the old one.
    pub(crate) fn renew(&mut self) -> std::result::Result<(), Fault> {
        let mut guest = Guest::open(&self.function, &self.parameters, self.options.limits)?;
        if let Some(old) = &mut self.guest {
            let (old, new) = (old.store.data_mut(), guest.store.data_mut());
            self.peak_memory_bytes = self.peak_memory_bytes.max(old.limiter.peak_bytes);
            new.elements = old.elements.take();
            new.requests = std::mem::take(&mut old.requests);
            new.metric_names = std::mem::take(&mut old.metric_names);
        }
        self.guest = Some(guest);
        Ok(())
    }

    /// Runs some items for the sake of their fault alone.
    pub(crate) fn probe(&mut self, work: &Work<'_>, items: &[u32], deadline_ms: u64) -> Option<Code> {
        if let Err(fault) = self.renew() {
            return Some(fault.diagnostic.code);
        }
        self.heartbeat.beat();
        let guest = self.guest.as_mut()?;
        guest.run(&self.function, work, Some(items), deadline_ms).err().map(|diagnostic| diagnostic.code)
    }

    /// Ends the reply, and keeps what the bundle has changed.
    fn finish(&mut self, id: u64, work: &Work<'_>, outcome: Outcome) -> Result<()> {
        let guest = self.guest.as_mut().ok_or_else(has_ended)?;
        let state = guest.store.data_mut();
        // Under `fail` a process function's refusal ends the job: nothing else of the bundle counts.
        let is_refused = self.options.on_error.policy == ErrorPolicy::Fail
            && self.function.description().kind == FunctionKind::Process
            && !outcome.failures.is_empty();
        if is_refused {
            state.reply.begin(FunctionKind::Process);
        }
        if let Some(keep) = &outcome.keep {
            put_keep(&mut state.reply, work.item_count(), keep, outcome.chosen.as_deref())?;
        }
        for failed in &outcome.failures {
            state.reply.failure(failed.item, failed.code, &failed.message)?;
        }
        let trailer = std::mem::take(&mut state.trailer);
        state.reply.finish(id, &trailer)?;
        self.limiter_use = state.requests.finish();
        self.failure_codes = outcome.failures.iter().map(|failed| failed.code).collect();
        if let (Some(effects), Work::Keyed(bundle, _), false) = (state.effects.take(), work, is_refused) {
            self.slots.apply(&bundle.slots, effects.values);
        }
        Ok(())
    }
}

/// Puts the bits of the rows that the filter got where they are in the bundle.
fn put_keep(reply: &mut ReplyWriter, row_count: usize, keep: &[u8], chosen: Chosen<'_>) -> Result<()> {
    let Some(chosen) = chosen else { return reply.keep(row_count, keep) };
    let mut bitmap = vec![0; bitmap_bytes(row_count)];
    for (at, row) in chosen.iter().enumerate() {
        if bit(keep, at) {
            bitmap[*row as usize / 8] |= 1 << (row % 8);
        }
    }
    reply.keep(row_count, &bitmap)
}

pub(crate) fn has_ended() -> Diagnostic {
    Diagnostic::new(Code::Internal, "the instance has ended with an earlier fault")
}

impl std::fmt::Debug for Instance {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Instance")
            .field("function", &self.function)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}
