//! Runs a process function over batches.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use crate::Context;
use crate::batch::{Batch, RowFailure};
use crate::failure::Failure;
use crate::process::timers::{MAX_TIMERS_PER_CALL, Timers};
use crate::process::{
    Effects, Elements, Key, Keyed, KeyedContext, Outputs, ProcessFunction, TimeDomain, Timer,
};
use crate::row::Input;
use crate::state::Scope;

/// An open process function with its buffers, which are kept from batch to batch. What an item does is told to
/// the [`Effects`] after the last one; nothing is when one fails.
pub struct Processor<F: ProcessFunction> {
    function: F,
    outputs: F::Outputs,
    scope: Rc<Scope>,
    timers: Rc<RefCell<Timers>>,
}

impl<F: ProcessFunction> Processor<F> {
    /// Opens the function. `elements` is where list and map state come from.
    ///
    /// # Errors
    /// A text about the parameter or state that does not fit.
    pub fn open(parameters: &str, elements: Box<dyn Elements>) -> Result<Self, String> {
        let function = F::open(parameters)?;
        let scope = Rc::new(Scope::new(elements));
        function.attach(&scope)?;
        Ok(Self { function, outputs: F::Outputs::default(), scope, timers: Rc::default() })
    }

    /// Runs over rows.
    ///
    /// # Errors
    /// The first row that the function refuses.
    ///
    /// # Panics
    /// When the batch does not fit the descriptor, or the function panics.
    pub fn process_batch(
        &mut self,
        rows: &Batch,
        timestamps: &[i64],
        keyed: Keyed,
        host: &Context,
        effects: &mut dyn Effects,
    ) -> Result<(), RowFailure> {
        check_items(timestamps, &keyed);
        let Keyed { keys, key_rows, mut values } = keyed;
        assert!(
            rows.row_count as usize == keys.len(),
            "the batch has {} keys for {} rows",
            keys.len(),
            rows.row_count
        );
        let columns = <F::Row<'_> as Input<'_>>::columns(rows);
        self.function.begin(key_rows.row_count as usize, &mut values.drain(..));
        let context = self.context::<F::Key<'_>>(&key_rows, host);
        for (row, (&key, &timestamp)) in (0_u32..).zip(keys.iter().zip(timestamps)) {
            self.scope.enter(key);
            context.timestamp.set(timestamp);
            self.outputs.begin(timestamp, timestamp);
            let input = F::Row::read_row(&columns, row as usize);
            let result = self.function.process_row(input, &context, &mut self.outputs);
            if let Err(failure) = result {
                return Err(self.fail(failure, row));
            }
        }
        self.tell(effects);
        Ok(())
    }

    /// Runs over timers of one domain, and over those that they register at or before the watermark or the processing time.
    ///
    /// # Errors
    /// The first timer that the function refuses, or that leads to such a timer or to too many.
    ///
    /// # Panics
    /// When the batch does not fit the descriptor, or the function panics.
    pub fn timers_batch(
        &mut self,
        timestamps: &[i64],
        domain: TimeDomain,
        keyed: Keyed,
        host: &Context,
        effects: &mut dyn Effects,
    ) -> Result<(), RowFailure> {
        check_items(timestamps, &keyed);
        let Keyed { keys, key_rows, mut values } = keyed;
        self.function.begin(key_rows.row_count as usize, &mut values.drain(..));
        let context = self.context::<F::Key<'_>>(&key_rows, host);
        let until = match domain {
            TimeDomain::EventTime => host.watermark(),
            TimeDomain::ProcessingTime => host.processing_time(),
        };
        self.timers.borrow_mut().fire(domain, until, timestamps, &keys);
        loop {
            let Some(due) = self.timers.borrow_mut().next() else { break };
            if due.beyond_limit {
                return Err(self.fail(endless(due.timestamp, domain), due.origin));
            }
            self.scope.enter(due.key);
            context.timestamp.set(due.timestamp);
            // As in Flink, where a processing-time timer erases the timestamp of the main output only.
            let main = if domain == TimeDomain::EventTime { due.timestamp } else { i64::MIN };
            self.outputs.begin(main, due.timestamp);
            let timer = Timer { timestamp: due.timestamp, domain };
            let result = self.function.fire_timer(timer, &context, &mut self.outputs);
            if let Err(failure) = result {
                return Err(self.fail(failure, due.origin));
            }
        }
        self.tell(effects);
        Ok(())
    }

    fn context<'a, K: Key<'a>>(&self, key_rows: &'a Batch, host: &Context) -> KeyedContext<K> {
        KeyedContext {
            host: host.clone(),
            keys: K::read(key_rows),
            scope: Rc::clone(&self.scope),
            timestamp: Cell::new(i64::MIN),
            timers: Rc::clone(&self.timers),
            may_register: F::TIMERS,
        }
    }

    fn tell(&mut self, effects: &mut dyn Effects) {
        self.scope.leave();
        self.outputs.emit(effects);
        self.function.tell(effects);
        let mut timers = self.timers.borrow_mut();
        if !timers.keys.is_empty() {
            effects.put_timers(&timers.keys, &timers.timestamps, &timers.flags);
        }
        timers.clear();
    }

    #[cold]
    fn fail(&mut self, failure: Failure, item: u32) -> RowFailure {
        self.scope.leave();
        self.outputs.discard();
        self.timers.borrow_mut().clear();
        failure.at(item)
    }
}

/// # Panics
/// When items, their timestamps and keys do not go together.
fn check_items(timestamps: &[i64], keyed: &Keyed) {
    let (items, keys) = (keyed.keys.len(), keyed.key_rows.row_count);
    assert!(timestamps.len() == items, "the batch has {} timestamps for {items} items", timestamps.len());
    if let Some(key) = keyed.keys.iter().find(|key| **key >= keys) {
        panic!("an item of the batch has key {key} of {keys}");
    }
}

fn endless(timestamp: i64, domain: TimeDomain) -> Failure {
    let time = match domain {
        TimeDomain::EventTime => "the watermark",
        TimeDomain::ProcessingTime => "the processing time",
    };
    Failure::from(format!(
        "timers fire without end: more than {MAX_TIMERS_PER_CALL} (MAX_TIMERS_PER_CALL) were registered at or before \
         {time}, the last one for {timestamp}; register the next timer behind it"
    ))
}
