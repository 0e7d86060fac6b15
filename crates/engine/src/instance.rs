//! A function that is open: answers bundles, one after the other, whatever the guest does.

use std::sync::Arc;

use flink_wasm_diagnostic::{Code, Diagnostic, Result};
use flink_wasm_protocol::batch::bitmap_bytes;
use flink_wasm_protocol::handshake::{ErrorPolicy, FunctionKind};
use flink_wasm_protocol::reply::{ReplyWriter, Trailer};

use crate::elements::ElementSource;
use crate::fault::Fault;
use crate::function::LoadedFunction;
use crate::guest::{Answer, Guest, MAX_MESSAGE_BYTES};
use crate::locate::locate;
use crate::options::Options;
use crate::slots::Slots;
use crate::text::clean;
use crate::work::{Chosen, Work, aligned};

/// Memory of the reply that is kept from bundle to bundle: several times a usual one.
const KEPT_REPLY_BYTES: usize = 4 << 20;

/// An instance of a function, with its own memory; and with another one after a fault, when the job's error policy goes on.
pub struct Instance {
    function: Arc<LoadedFunction>,
    parameters: Arc<str>,
    pub(crate) options: Options,
    /// `None` once a fault has ended the instance.
    guest: Option<Guest>,
    slots: Slots,
    peak_memory_bytes: usize,
}

/// An item that does not come to anything.
struct Failed {
    item: u32,
    code: Code,
    message: String,
}

impl Instance {
    pub(crate) fn open(
        function: Arc<LoadedFunction>,
        parameters: Arc<str>,
        options: Options,
    ) -> std::result::Result<Self, Fault> {
        let guest = Guest::open(&function, &parameters, options.limits)?;
        Ok(Self {
            function,
            parameters,
            options,
            guest: Some(guest),
            slots: Slots::default(),
            peak_memory_bytes: 0,
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

    /// The most linear memory that the guest has had, in bytes.
    pub fn peak_memory_bytes(&self) -> usize {
        let now = self.guest.as_ref().map_or(0, |guest| guest.store.data().limiter.peak_bytes);
        now.max(self.peak_memory_bytes)
    }

    /// Runs the payload of a BUNDLE frame and gives the whole REPLY frame, which lives until the next call.
    ///
    /// What becomes of an item that fails is the error policy's business. A fault ends the instance:
    /// FW0503 and FW0508 when the payload is no bundle of the function; for the policy `fail`, and where the item at fault can't be
    /// told, FW0504 trap, FW0505 deadline, FW0506 memory, FW0510 and FW0511 for what the function put out, FW0514 for a state value.
    pub fn run(&mut self, id: u64, payload: &[u8]) -> std::result::Result<&[u8], Fault> {
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
        let (answer, failures) = self.run_items(&work)?;
        Ok(self.finish(id, &work, answer, failures)?)
    }

    /// Runs the items of a bundle, without those that fail where the policy says so.
    fn run_items(&mut self, work: &Work<'_>) -> std::result::Result<(Answer, Vec<Failed>), Fault> {
        let mut chosen: Option<Vec<u32>> = None;
        let mut failures = Vec::new();
        // What `open` has logged is told once, however often the items are run.
        let first = self.guest.as_mut().map(|guest| std::mem::take(&mut guest.store.data_mut().trailer));
        let first = first.unwrap_or_default();
        loop {
            let failed = match self.attempt(work, chosen.as_deref(), &first) {
                Ok(mut answer) => {
                    let refused = |failure: crate::abi::RowFailure| Failed {
                        item: failure.row,
                        code: Code::RowFailed,
                        message: clean(&failure.message, MAX_MESSAGE_BYTES),
                    };
                    let refused: Vec<Failed> = answer.failures.drain(..).map(refused).collect();
                    let goes_on = matches!(work, Work::Keyed(..))
                        && !refused.is_empty()
                        && self.options.on_error.policy != ErrorPolicy::Fail;
                    if !goes_on {
                        failures.extend(refused);
                        failures.sort_by_key(|failed: &Failed| failed.item);
                        return Ok((answer, failures));
                    }
                    refused
                }
                Err(diagnostic) => vec![self.fault(work, chosen.as_deref(), diagnostic)?],
            };
            let left = chosen.take().unwrap_or_else(|| (0..work.item_count() as u32).collect());
            let is_left = |item: &u32| failed.iter().all(|failed| failed.item != *item);
            chosen = Some(left.into_iter().filter(is_left).collect());
            failures.extend(failed);
        }
    }

    /// Runs some items from the state before the bundle.
    fn attempt(&mut self, work: &Work<'_>, chosen: Chosen<'_>, first: &Trailer) -> Result<Answer> {
        let guest = self.guest.as_mut().ok_or_else(has_ended)?;
        guest.store.data_mut().trailer.clone_from(first);
        guest.run(&self.function, work, chosen, self.options.limits.deadline_ms)
    }

    /// Finds the item at fault, and has a fresh guest where the policy goes on without it.
    fn fault(
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
    fn renew(&mut self) -> std::result::Result<(), Fault> {
        let mut guest = Guest::open(&self.function, &self.parameters, self.options.limits)?;
        if let Some(old) = &mut self.guest {
            let (old, new) = (old.store.data_mut(), guest.store.data_mut());
            self.peak_memory_bytes = self.peak_memory_bytes.max(old.limiter.peak_bytes);
            new.elements = old.elements.take();
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
        let guest = self.guest.as_mut()?;
        guest.run(&self.function, work, Some(items), deadline_ms).err().map(|diagnostic| diagnostic.code)
    }

    /// Ends the reply, and keeps what the bundle has changed.
    fn finish(&mut self, id: u64, work: &Work<'_>, answer: Answer, failures: Vec<Failed>) -> Result<()> {
        let guest = self.guest.as_mut().ok_or_else(has_ended)?;
        let state = guest.store.data_mut();
        // Under `fail` a process function's refusal ends the job: nothing else of the bundle counts.
        let is_refused = self.options.on_error.policy == ErrorPolicy::Fail
            && self.function.description().kind == FunctionKind::Process
            && !failures.is_empty();
        if is_refused {
            state.reply.begin(FunctionKind::Process);
        }
        if let Some(keep) = answer.keep {
            put_keep(&mut state.reply, work.item_count(), &keep, &failures)?;
        }
        for failed in &failures {
            state.reply.failure(failed.item, failed.code, &failed.message)?;
        }
        let trailer = std::mem::take(&mut state.trailer);
        state.reply.finish(id, &trailer)?;
        if let (Some(effects), Work::Keyed(bundle, _), false) = (state.effects.take(), work, is_refused) {
            self.slots.apply(&bundle.slots, effects.values);
        }
        Ok(())
    }
}

/// Puts the bits of the rows that the filter got where they are in the bundle. Rows that trapped were not given again.
fn put_keep(reply: &mut ReplyWriter, row_count: usize, keep: &[u8], failures: &[Failed]) -> Result<()> {
    let left_out: Vec<u32> = failures
        .iter()
        .filter(|failed| failed.code != Code::RowFailed)
        .map(|failed| failed.item)
        .collect();
    if left_out.is_empty() {
        return reply.keep(row_count, keep);
    }
    let mut bitmap = vec![0; bitmap_bytes(row_count)];
    let given = (0..row_count).filter(|row| left_out.binary_search(&(*row as u32)).is_err());
    for (bit, row) in given.enumerate() {
        if flink_wasm_protocol::batch::bit(keep, bit) {
            bitmap[row / 8] |= 1 << (row % 8);
        }
    }
    reply.keep(row_count, &bitmap)
}

fn has_ended() -> Diagnostic {
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
