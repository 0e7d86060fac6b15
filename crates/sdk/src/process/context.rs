//! What a process function sees beside its row.

use std::cell::{Cell, RefCell};
use std::ops::Deref;
use std::rc::Rc;

use crate::Context;
use crate::process::timers::Timers;
use crate::state::Scope;

/// Which time a timer goes by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TimeDomain {
    /// The watermark.
    #[default]
    EventTime,
    /// The clock of the task manager.
    ProcessingTime,
}

/// A timer that fired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timer {
    /// For when it was registered, in milliseconds since the epoch.
    pub timestamp: i64,
    /// Which time it goes by.
    pub domain: TimeDomain,
}

/// The host as a process function sees it: everything of [`Context`], and the key, the timestamp and the timers of the row or
/// timer that is being processed.
pub struct KeyedContext<K> {
    pub(crate) host: Context,
    pub(crate) keys: Vec<K>,
    pub(crate) scope: Rc<Scope>,
    pub(crate) timestamp: Cell<i64>,
    pub(crate) timers: Rc<RefCell<Timers>>,
    /// Whether the function has `on_timer`.
    pub(crate) may_register: bool,
}

impl<K> Deref for KeyedContext<K> {
    type Target = Context;

    fn deref(&self) -> &Context {
        &self.host
    }
}

impl<K> KeyedContext<K> {
    /// The key, as `groupBy` of the job names it.
    #[inline]
    pub fn key(&self) -> &K {
        &self.keys[self.scope.key() as usize]
    }

    /// The timestamp of the row, in milliseconds since the epoch, if it has one; or that of the timer.
    #[inline]
    pub fn timestamp(&self) -> Option<i64> {
        let timestamp = self.timestamp.get();
        (timestamp != i64::MIN).then_some(timestamp)
    }

    /// Lets `on_timer` be called for this key once the watermark reaches `timestamp` (milliseconds since the epoch). A timer
    /// is registered once, however often it is asked for.
    ///
    /// # Panics
    /// When the function has no `on_timer`.
    pub fn register_event_time_timer(&self, timestamp: i64) {
        self.register(timestamp, TimeDomain::EventTime);
    }

    /// Lets `on_timer` be called for this key once the clock reaches `timestamp` (milliseconds since the epoch).
    ///
    /// # Panics
    /// When the function has no `on_timer`.
    pub fn register_processing_time_timer(&self, timestamp: i64) {
        self.register(timestamp, TimeDomain::ProcessingTime);
    }

    /// Takes an event-time timer of this key back, if there is one.
    pub fn delete_event_time_timer(&self, timestamp: i64) {
        self.timers.borrow_mut().delete(self.scope.key(), timestamp, TimeDomain::EventTime);
    }

    /// Takes a processing-time timer of this key back, if there is one.
    pub fn delete_processing_time_timer(&self, timestamp: i64) {
        self.timers.borrow_mut().delete(self.scope.key(), timestamp, TimeDomain::ProcessingTime);
    }

    fn register(&self, timestamp: i64, domain: TimeDomain) {
        assert!(
            self.may_register,
            "a timer is registered, and the function has no `on_timer`: write `fn on_timer(&self, timer: Timer, ..)`"
        );
        self.timers.borrow_mut().register(self.scope.key(), timestamp, domain);
    }
}
