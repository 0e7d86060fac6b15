//! The timers of all keys in one domain: `InternalTimerServiceImpl` of Flink with one namespace.
//!
//! A key has one timer at a timestamp, however often it is registered. Timers fire in the order of their timestamps; those of the same
//! timestamp in the order in which they were registered, of which Flink itself promises nothing.

use std::collections::BTreeMap;

use crate::state::Key;

/// Timers of event time, or of processing time.
#[derive(Clone, Debug, Default)]
pub(crate) struct Timers {
    /// By timestamp and order of registration.
    queue: BTreeMap<(i64, u64), Key>,
    /// By key and timestamp: the order of registration.
    keys: BTreeMap<Key, BTreeMap<i64, u64>>,
    registered: u64,
}

impl Timers {
    /// Registers a timer; nothing when the key has it already.
    pub(crate) fn register(&mut self, key: &[u8], timestamp: i64) {
        let of_key = self.keys.entry(key.to_vec()).or_default();
        if let std::collections::btree_map::Entry::Vacant(vacant) = of_key.entry(timestamp) {
            vacant.insert(self.registered);
            self.queue.insert((timestamp, self.registered), key.to_vec());
            self.registered += 1;
        }
    }

    /// Deletes a timer; nothing when the key does not have it.
    pub(crate) fn delete(&mut self, key: &[u8], timestamp: i64) {
        let Some(of_key) = self.keys.get_mut(key) else { return };
        let Some(order) = of_key.remove(&timestamp) else { return };
        if of_key.is_empty() {
            self.keys.remove(key);
        }
        self.queue.remove(&(timestamp, order));
    }

    /// Takes out every timer at or before `until`, in firing order.
    pub(crate) fn take_due(&mut self, until: i64) -> Vec<(Key, i64)> {
        let mut due = Vec::new();
        while let Some((&(timestamp, order), _)) = self.queue.first_key_value()
            && timestamp <= until
        {
            let key = self.queue.remove(&(timestamp, order)).unwrap_or_default();
            if let Some(of_key) = self.keys.get_mut(&key) {
                of_key.remove(&timestamp);
                if of_key.is_empty() {
                    self.keys.remove(&key);
                }
            }
            due.push((key, timestamp));
        }
        due
    }

    /// The timestamps of a key's timers, in order.
    pub(crate) fn of_key(&self, key: &[u8]) -> Vec<i64> {
        self.keys.get(key).map(|timers| timers.keys().copied().collect()).unwrap_or_default()
    }

    /// All timers in firing order.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&Key, i64)> {
        self.queue.iter().map(|((timestamp, _), key)| (key, *timestamp))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timers_fire_once_and_in_order() {
        let mut timers = Timers::default();
        for (key, timestamp) in [(b"b", 5), (b"a", 5), (b"a", 3), (b"b", 5), (b"c", 9), (b"a", 7)] {
            timers.register(key, timestamp);
        }
        timers.delete(b"a", 7);
        timers.delete(b"a", 8);
        timers.delete(b"d", 8);
        assert_eq!(timers.of_key(b"a"), [3, 5]);
        let due = |timers: &mut Timers, until| {
            let due = timers.take_due(until).into_iter();
            due.map(|(key, timestamp)| (String::from_utf8(key).unwrap(), timestamp)).collect::<Vec<_>>()
        };
        assert_eq!(due(&mut timers, 2), []);
        assert_eq!(due(&mut timers, 5), [("a".into(), 3), ("b".into(), 5), ("a".into(), 5)]);
        assert_eq!(due(&mut timers, 5), []);
        // A timer that has fired may be registered again.
        timers.register(b"b", 5);
        assert_eq!(due(&mut timers, i64::MAX), [("b".into(), 5), ("c".into(), 9)]);
        assert!(timers.keys.is_empty() && timers.all().next().is_none());
    }
}
