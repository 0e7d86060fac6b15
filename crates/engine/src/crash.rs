//! What an item at fault could see, kept for whoever wants to run it again.
//!
//! The items up to the one at fault are run once more, with an ear at what the function asks of lists and maps; then those before it, for
//! what they changed. Both only when [`Options::keep_crash`](crate::Options::keep_crash) says so.

use std::cell::RefCell;
use std::rc::Rc;

use flink_wasm_diagnostic::{Diagnostic, Result};
use flink_wasm_protocol::Cell;
use flink_wasm_protocol::frame::HEADER_BYTES;
use flink_wasm_protocol::handshake::StateKind;
use flink_wasm_protocol::keyed::{Items, KeyedBundle};
use flink_wasm_protocol::reply::{ElementOp, Reply, ReplyBody, Trailer};

use crate::elements::{ElementSource, Elements};
use crate::instance::{Instance, has_ended};
use crate::slots::ValueColumn;
use crate::work::{Chosen, Work};

/// An item of a process function that did not come to anything, and what the function could see of its key.
#[derive(Clone, Debug)]
pub struct Crash {
    /// Of the bundle, in milliseconds.
    pub processing_time_ms: i64,
    /// Of the bundle, in milliseconds; the least `i64` before the first.
    pub watermark_ms: i64,
    /// The row or timer.
    pub item: CrashedItem,
    /// Its timestamp in milliseconds; the least `i64` when a row has none.
    pub timestamp_ms: i64,
    /// Cells of the key that the function reads.
    pub key: Vec<Cell>,
    /// What each state of the function held for the key before the item.
    pub states: Vec<Held>,
    /// What became of it.
    pub diagnostic: Diagnostic,
}

/// What an item is.
#[derive(Clone, Debug, PartialEq)]
pub enum CrashedItem {
    /// A row, with its cells.
    Row(Vec<Cell>),
    /// A timer of event time.
    EventTimeTimer,
    /// A timer of processing time.
    ProcessingTimeTimer,
}

/// What a state held, encoded.
#[derive(Clone, Debug, PartialEq)]
pub enum Held {
    /// A value or reducing state.
    Value(Option<Vec<u8>>),
    /// A list or map, as far as the function asked for it.
    Elements(Elements),
}

impl Instance {
    /// Gives what [`Options::keep_crash`](crate::Options::keep_crash) has kept of the last bundle: the first item at fault.
    pub fn take_crash(&mut self) -> Option<Crash> {
        self.crash.take().map(|crash| *crash)
    }

    /// Keeps the item, unless there is one already. The guest is of no use afterwards.
    pub(crate) fn keep_crash(
        &mut self,
        work: &Work<'_>,
        chosen: Chosen<'_>,
        item: u32,
        diagnostic: &Diagnostic,
    ) {
        let Work::Keyed(bundle, values) = work else { return };
        if !self.options.keep_crash || self.crash.is_some() {
            return;
        }
        // An operator that gives no state any more ends the connection anyway.
        if let Ok(crash) = self.crash_of(work, (bundle, values), chosen, item, diagnostic) {
            self.crash = Some(Box::new(crash));
        }
    }

    fn crash_of(
        &mut self,
        work: &Work<'_>,
        (bundle, values): (&KeyedBundle<'_>, &[ValueColumn]),
        chosen: Chosen<'_>,
        item: u32,
        diagnostic: &Diagnostic,
    ) -> Result<Crash> {
        let mut up_to: Vec<u32> = match chosen {
            Some(chosen) => chosen.iter().copied().filter(|other| *other <= item).collect(),
            None => (0..=item).collect(),
        };
        let at = item as usize;
        let key = bundle.keys[at];
        let mut states = self.held_before_bundle(values, key);
        self.listen(work, &up_to, key, &mut states)?;
        up_to.pop();
        if !up_to.is_empty() {
            self.apply_changes(work, &up_to, key, &mut states)?;
        }
        let function = &self.function;
        let cells = function.keyed().map(|schema| bundle.key_rows.row(&schema.key, key as usize));
        Ok(Crash {
            processing_time_ms: bundle.processing_time_ms,
            watermark_ms: bundle.watermark_ms,
            item: match &bundle.items {
                Items::Rows(rows) => CrashedItem::Row(rows.row(function.input(), at)),
                Items::EventTimeTimers => CrashedItem::EventTimeTimer,
                Items::ProcessingTimeTimers => CrashedItem::ProcessingTimeTimer,
            },
            timestamp_ms: bundle.timestamps[at],
            key: cells.unwrap_or_default(),
            states,
            diagnostic: diagnostic.clone(),
        })
    }

    fn held_before_bundle(&self, values: &[ValueColumn], key: u32) -> Vec<Held> {
        let mut columns = values.iter();
        let held = |kind: StateKind| match kind.is_value() {
            true => Held::Value(columns.next().and_then(|column| column.bytes(key as usize)).map(Vec::from)),
            false => Held::Elements(Vec::new()),
        };
        self.function.states().iter().map(|state| state.kind).map(held).collect()
    }

    /// Runs the items up to the one at fault, and notes what is answered for its key.
    fn listen(&mut self, work: &Work<'_>, items: &[u32], key: u32, states: &mut [Held]) -> Result<()> {
        if !self.function.has_elements() {
            return Ok(());
        }
        self.renew().map_err(|fault| fault.diagnostic)?;
        let deadline_ms = self.options.limits.deadline_ms;
        let guest = self.guest.as_mut().ok_or_else(has_ended)?;
        let Some(source) = guest.store.data_mut().elements.take() else { return Ok(()) };
        let ear = Rc::new(RefCell::new(Ear { source: Some(source), key, heard: Vec::new() }));
        guest.store.data_mut().elements = Some(Box::new(Listening(ear.clone())));
        // It fails, as it did.
        let _ = guest.run(&self.function, work, Some(items), deadline_ms);
        let mut ear = ear.borrow_mut();
        guest.store.data_mut().elements = ear.source.take();
        for (state, answer) in std::mem::take(&mut ear.heard) {
            let Some(Held::Elements(held)) = states.get_mut(state as usize) else { continue };
            match answer {
                Answer::One(element, value) => put(held, element, value),
                Answer::All(elements) => *held = elements,
            }
        }
        Ok(())
    }

    /// Runs the items before the one at fault, and applies what they change.
    fn apply_changes(&mut self, work: &Work<'_>, items: &[u32], key: u32, states: &mut [Held]) -> Result<()> {
        self.renew().map_err(|fault| fault.diagnostic)?;
        let deadline_ms = self.options.limits.deadline_ms;
        let guest = self.guest.as_mut().ok_or_else(has_ended)?;
        guest.run(&self.function, work, Some(items), deadline_ms)?;
        let reply = &mut guest.store.data_mut().reply;
        let frame = reply.finish(0, &Trailer::default())?.to_vec();
        let reply = Reply::parse_outputs(self.function.outputs(), &frame[HEADER_BYTES..])?;
        let ReplyBody::Process(effects) = &reply.body else { return Ok(()) };
        for change in &effects.values {
            let Some(Held::Value(held)) = states.get_mut(change.state as usize) else { continue };
            for (cell, _) in change.keys.iter().enumerate().filter(|(_, of)| **of == key) {
                *held = change.values.columns()[0].bytes(cell).map(Vec::from);
            }
        }
        for change in &effects.elements {
            let is_list = self.function.states()[change.state as usize].kind == StateKind::List;
            let Some(Held::Elements(held)) = states.get_mut(change.state as usize) else { continue };
            for (cell, (_, op)) in
                change.keys.iter().zip(&change.ops).enumerate().filter(|(_, (of, _))| **of == key)
            {
                let bytes =
                    |column: usize| change.cells.columns()[column].bytes(cell).unwrap_or_default().to_vec();
                match op {
                    ElementOp::Put if is_list => held.push((Vec::new(), bytes(1))),
                    ElementOp::Put => put(held, bytes(0), bytes(1)),
                    ElementOp::Remove => {
                        let element = bytes(0);
                        held.retain(|(other, _)| *other != element);
                    }
                    ElementOp::Clear => held.clear(),
                }
            }
        }
        Ok(())
    }
}

/// An entry of a map.
fn put(held: &mut Elements, element: Vec<u8>, value: Vec<u8>) {
    match held.iter_mut().find(|(other, _)| *other == element) {
        Some((_, old)) => *old = value,
        None => held.push((element, value)),
    }
}

enum Answer {
    One(Vec<u8>, Vec<u8>),
    All(Elements),
}

/// Notes what is answered for one key.
struct Ear {
    /// Whom to ask; `None` once the run is over.
    source: Option<Box<dyn ElementSource>>,
    key: u32,
    /// States with what they gave, in order.
    heard: Vec<(u32, Answer)>,
}

struct Listening(Rc<RefCell<Ear>>);

impl ElementSource for Listening {
    fn get(&mut self, state: u32, key: u32, element: &[u8]) -> Result<Option<Vec<u8>>> {
        let Ear { source, key: heard_key, heard } = &mut *self.0.borrow_mut();
        let value = source.as_mut().ok_or_else(has_ended)?.get(state, key, element)?;
        if let (true, Some(value)) = (key == *heard_key, &value) {
            heard.push((state, Answer::One(element.to_vec(), value.clone())));
        }
        Ok(value)
    }

    fn scan(&mut self, state: u32, key: u32) -> Result<Elements> {
        let Ear { source, key: heard_key, heard } = &mut *self.0.borrow_mut();
        let elements = source.as_mut().ok_or_else(has_ended)?.scan(state, key)?;
        if key == *heard_key {
            heard.push((state, Answer::All(elements.clone())));
        }
        Ok(elements)
    }
}
