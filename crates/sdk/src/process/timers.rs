//! The timers of a batch: those that it registers and deletes, and those that fire in it.

use std::collections::{BTreeMap, BTreeSet};

use crate::process::TimeDomain;

/// Firings of one call beyond the timers that it was given. A timer that registers itself again at the same watermark
/// would otherwise never end.
pub const MAX_TIMERS_PER_CALL: u32 = 100_000;

/// Flags of `put-timers`.
const PROCESSING_TIME: u8 = 1;
const DELETE: u8 = 2;

/// What a batch does with timers.
#[derive(Default)]
pub(crate) struct Timers {
    /// What the host is told, in order.
    pub(crate) keys: Vec<u32>,
    pub(crate) timestamps: Vec<i64>,
    pub(crate) flags: Vec<u8>,
    firing: Option<Firing>,
}

impl Timers {
    /// Registers a timer: in this call, when it is due while timers fire.
    pub(crate) fn register(&mut self, key: u32, timestamp: i64, domain: TimeDomain) {
        match &mut self.firing {
            Some(firing) if firing.is_due(timestamp, domain) => firing.register(key, timestamp),
            _ => self.tell(key, timestamp, domain, 0),
        }
    }

    /// Deletes a timer. The host is told of those that this call does not know, because it may have given this call
    /// a part of what fired.
    pub(crate) fn delete(&mut self, key: u32, timestamp: i64, domain: TimeDomain) {
        if let Some(firing) = &mut self.firing
            && firing.is_due(timestamp, domain)
            && firing.delete(key, timestamp)
        {
            return;
        }
        self.tell(key, timestamp, domain, DELETE);
    }

    fn tell(&mut self, key: u32, timestamp: i64, domain: TimeDomain, flags: u8) {
        self.keys.push(key);
        self.timestamps.push(timestamp);
        self.flags.push(flags | if domain == TimeDomain::ProcessingTime { PROCESSING_TIME } else { 0 });
    }

    /// Starts a call that fires timers of one domain up to `until`.
    pub(crate) fn fire(&mut self, domain: TimeDomain, until: i64, timestamps: &[i64], keys: &[u32]) {
        let given = timestamps.iter().copied().zip(keys.iter().copied()).collect();
        self.firing = Some(Firing { domain, until, given, ..Firing::default() });
    }

    /// The next timer to fire.
    pub(crate) fn next(&mut self) -> Option<Due> {
        self.firing.as_mut()?.next()
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        self.keys.clear();
        self.timestamps.clear();
        self.flags.clear();
        self.firing = None;
    }
}

/// A timer whose turn has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Due {
    pub(crate) timestamp: i64,
    pub(crate) key: u32,
    /// The index of the given timer that it is, or that led to it.
    pub(crate) origin: u32,
    /// Whether the call's timers are more than [`MAX_TIMERS_PER_CALL`].
    pub(crate) beyond_limit: bool,
}

/// Timers that fire in one call: those that were given, and those that firing ones registered.
#[derive(Default)]
struct Firing {
    domain: TimeDomain,
    until: i64,
    given: Vec<(i64, u32)>,
    /// How many of `given` had their turn.
    fired: usize,
    /// Where in `given` a timer is; made when a firing timer first asks.
    places: Option<BTreeMap<(i64, u32), usize>>,
    deleted: BTreeSet<usize>,
    /// Registered in this call, with their origin.
    added: BTreeMap<(i64, u32), u32>,
    added_fired: u32,
    /// Of the timer that is firing.
    origin: u32,
}

impl Firing {
    fn is_due(&self, timestamp: i64, domain: TimeDomain) -> bool {
        domain == self.domain && timestamp <= self.until
    }

    /// The place of a given timer that has not fired yet.
    fn waiting(&mut self, timer: (i64, u32)) -> Option<usize> {
        let given = &self.given;
        let places = self
            .places
            .get_or_insert_with(|| given.iter().enumerate().map(|(place, timer)| (*timer, place)).collect());
        places.get(&timer).copied().filter(|place| *place >= self.fired)
    }

    fn register(&mut self, key: u32, timestamp: i64) {
        match self.waiting((timestamp, key)) {
            Some(place) => {
                self.deleted.remove(&place);
            }
            None => {
                self.added.entry((timestamp, key)).or_insert(self.origin);
            }
        }
    }

    /// Whether there was such a timer.
    fn delete(&mut self, key: u32, timestamp: i64) -> bool {
        match self.waiting((timestamp, key)) {
            Some(place) => {
                self.deleted.insert(place);
                true
            }
            None => self.added.remove(&(timestamp, key)).is_some(),
        }
    }

    fn next(&mut self) -> Option<Due> {
        while self.deleted.remove(&self.fired) {
            self.fired += 1;
        }
        let given = self.given.get(self.fired).copied();
        if let Some(added) = self.added.first_entry()
            && given.is_none_or(|given| added.key().0 < given.0)
        {
            let ((timestamp, key), origin) = added.remove_entry();
            self.added_fired += 1;
            self.origin = origin;
            return Some(Due {
                timestamp,
                key,
                origin,
                beyond_limit: self.added_fired > MAX_TIMERS_PER_CALL,
            });
        }
        let (timestamp, key) = given?;
        self.origin = self.fired as u32;
        self.fired += 1;
        Some(Due { timestamp, key, origin: self.origin, beyond_limit: false })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENT: TimeDomain = TimeDomain::EventTime;

    /// Fires the given timers up to 100; `act` gets each and may register and delete.
    fn run(given: &[(i64, u32)], mut act: impl FnMut(&mut Timers, Due)) -> (Vec<(i64, u32, u32)>, Timers) {
        let (timestamps, keys): (Vec<i64>, Vec<u32>) = given.iter().copied().unzip();
        let mut timers = Timers::default();
        timers.fire(EVENT, 100, &timestamps, &keys);
        let mut fired = Vec::new();
        while let Some(due) = timers.next() {
            fired.push((due.timestamp, due.key, due.origin));
            act(&mut timers, due);
        }
        (fired, timers)
    }

    #[test]
    fn a_due_timer_fires_in_its_place() {
        let (fired, timers) = run(&[(10, 0), (30, 1), (50, 0)], |timers, due| {
            if due.timestamp == 10 {
                for timestamp in [40, 20, 5, 100, 101] {
                    timers.register(0, timestamp, EVENT);
                }
                timers.register(7, 20, TimeDomain::ProcessingTime);
            }
        });
        assert_eq!(
            fired,
            [(10, 0, 0), (5, 0, 0), (20, 0, 0), (30, 1, 1), (40, 0, 0), (50, 0, 2), (100, 0, 0)]
        );
        assert_eq!((timers.keys, timers.timestamps, timers.flags), (vec![0, 7], vec![101, 20], vec![0, 1]));
    }

    #[test]
    fn a_timer_is_registered_once() {
        let (fired, _) = run(&[(10, 0), (30, 1)], |timers, due| {
            if due.timestamp == 10 {
                for (key, timestamp) in [(1, 30), (0, 30), (0, 30)] {
                    timers.register(key, timestamp, EVENT);
                }
            }
        });
        assert_eq!(fired, [(10, 0, 0), (30, 1, 1), (30, 0, 0)]);
    }

    #[test]
    fn a_deleted_timer_does_not_fire() {
        let (fired, timers) = run(&[(10, 0), (20, 0), (30, 1), (40, 0)], |timers, due| {
            if due.timestamp == 10 {
                timers.register(0, 50, EVENT);
                timers.delete(0, 50, EVENT);
                timers.delete(0, 20, EVENT);
                timers.delete(1, 30, EVENT);
                timers.register(1, 30, EVENT);
                // Not known here: fired already, of the future, and of a part that another call gets.
                for timestamp in [10, 200, 60] {
                    timers.delete(0, timestamp, EVENT);
                }
            }
        });
        assert_eq!(fired, [(10, 0, 0), (30, 1, 2), (40, 0, 3)]);
        assert_eq!((timers.timestamps, timers.flags), (vec![10, 200, 60], vec![2, 2, 2]));
    }

    #[test]
    fn a_timer_without_end_meets_the_limit() {
        let mut beyond = None;
        let mut timers = Timers::default();
        timers.fire(EVENT, 100, &[1, 2], &[0, 1]);
        while let Some(due) = timers.next() {
            if due.beyond_limit {
                beyond = Some(due);
                break;
            }
            if due.key == 1 {
                timers.register(1, 2, EVENT);
            }
        }
        assert_eq!(beyond.map(|due| (due.timestamp, due.key, due.origin)), Some((2, 1, 1)));
    }
}
