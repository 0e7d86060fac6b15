//! Keyed state of all keys, with Flink's rules of time to live: `OnCreateAndWrite`, `NeverReturnExpired`; each element of a list
//! and each entry of a map lives for itself (`TtlListState`, `TtlMapState`).

use std::collections::BTreeMap;

use flink_wasm_protocol::handshake::{State, StateKind};

/// The bytes of a key: its columns as a batch of one row.
pub(crate) type Key = Vec<u8>;

/// Encoded bytes and when they were written, in milliseconds of processing time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Written {
    pub(crate) bytes: Vec<u8>,
    pub(crate) at_ms: i64,
}

/// What one state holds for one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Held {
    Value(Option<Written>),
    List(Vec<Written>),
    /// In the order of the map keys' bytes, as RocksDB has them.
    Map(BTreeMap<Vec<u8>, Written>),
}

impl Held {
    pub(crate) fn empty(kind: StateKind) -> Self {
        match kind {
            StateKind::Value | StateKind::Reducing => Held::Value(None),
            StateKind::List => Held::List(Vec::new()),
            StateKind::Map => Held::Map(BTreeMap::new()),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        match self {
            Held::Value(value) => value.is_none(),
            Held::List(elements) => elements.is_empty(),
            Held::Map(entries) => entries.is_empty(),
        }
    }
}

/// One change of a list or map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ElementChange<'a> {
    /// Puts an entry, or adds an element.
    Put { element: &'a [u8], value: &'a [u8] },
    /// Removes an entry.
    Remove { element: &'a [u8] },
    /// Removes all.
    Clear,
}

/// The state of a function.
#[derive(Clone, Debug)]
pub(crate) struct KeyedState {
    pub(crate) descriptors: Vec<State>,
    pub(crate) keys: BTreeMap<Key, Vec<Held>>,
}

impl KeyedState {
    pub(crate) fn new(descriptors: Vec<State>) -> Self {
        Self { descriptors, keys: BTreeMap::new() }
    }

    /// The value of a value or reducing state.
    pub(crate) fn value(&self, key: &[u8], state: usize, now_ms: i64) -> Option<&[u8]> {
        match self.held(key, state)? {
            Held::Value(Some(written)) if self.lives(state, written, now_ms) => Some(&written.bytes),
            _ => None,
        }
    }

    /// The value under a key of a map.
    pub(crate) fn entry(&self, key: &[u8], state: usize, element: &[u8], now_ms: i64) -> Option<&[u8]> {
        match self.held(key, state)? {
            Held::Map(entries) => {
                let written = entries.get(element).filter(|written| self.lives(state, written, now_ms))?;
                Some(&written.bytes)
            }
            _ => None,
        }
    }

    /// All of a list (elements are empty) or of a map.
    pub(crate) fn scan(&self, key: &[u8], state: usize, now_ms: i64) -> Vec<(&[u8], &[u8])> {
        let lives = |written: &Written| self.lives(state, written, now_ms);
        match self.held(key, state) {
            Some(Held::List(elements)) => {
                elements.iter().filter(|w| lives(w)).map(|w| (&[][..], &w.bytes[..])).collect()
            }
            Some(Held::Map(entries)) => {
                entries.iter().filter(|(_, w)| lives(w)).map(|(key, w)| (&key[..], &w.bytes[..])).collect()
            }
            _ => Vec::new(),
        }
    }

    /// Sets or clears a value or reducing state.
    pub(crate) fn put_value(&mut self, key: &[u8], state: usize, value: Option<&[u8]>, now_ms: i64) {
        if let Held::Value(held) = self.held_mut(key, state) {
            *held = value.map(|bytes| Written { bytes: bytes.to_vec(), at_ms: now_ms });
        }
        self.forget_empty(key);
    }

    /// Changes a list or map.
    pub(crate) fn change(&mut self, key: &[u8], state: usize, change: ElementChange<'_>, now_ms: i64) {
        let write = |value: &[u8]| Written { bytes: value.to_vec(), at_ms: now_ms };
        match (self.held_mut(key, state), change) {
            (Held::List(elements), ElementChange::Put { value, .. }) => elements.push(write(value)),
            (Held::List(elements), ElementChange::Clear) => elements.clear(),
            (Held::Map(entries), ElementChange::Put { element, value }) => {
                entries.insert(element.to_vec(), write(value));
            }
            (Held::Map(entries), ElementChange::Remove { element }) => {
                entries.remove(element);
            }
            (Held::Map(entries), ElementChange::Clear) => entries.clear(),
            // The reply was checked against the descriptors.
            (Held::Value(_), _) | (Held::List(_), ElementChange::Remove { .. }) => {}
        }
        self.forget_empty(key);
    }

    fn held(&self, key: &[u8], state: usize) -> Option<&Held> {
        self.keys.get(key)?.get(state)
    }

    fn held_mut(&mut self, key: &[u8], state: usize) -> &mut Held {
        let descriptors = &self.descriptors;
        let held = self
            .keys
            .entry(key.to_vec())
            .or_insert_with(|| descriptors.iter().map(|state| Held::empty(state.kind)).collect());
        &mut held[state]
    }

    fn forget_empty(&mut self, key: &[u8]) {
        if self.keys.get(key).is_some_and(|held| held.iter().all(Held::is_empty)) {
            self.keys.remove(key);
        }
    }

    /// `TtlUtils.expired`: dead from the very millisecond on at which the time to live is over.
    fn lives(&self, state: usize, written: &Written, now_ms: i64) -> bool {
        match self.descriptors[state].ttl_ms {
            None => true,
            Some(ttl_ms) => written.at_ms.saturating_add_unsigned(ttl_ms) > now_ms,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(kind: StateKind, ttl_ms: Option<u64>) -> KeyedState {
        KeyedState::new(vec![State { name: "s".into(), kind, schema: "v1:i64".into(), ttl_ms }])
    }

    #[test]
    fn values_live_from_their_last_write() {
        let mut values = state(StateKind::Value, Some(10));
        values.put_value(b"k", 0, Some(b"1"), 100);
        // Reading at 109 does not prolong it.
        for (now, expected) in [(100, Some(&b"1"[..])), (109, Some(b"1")), (110, None), (i64::MAX, None)] {
            assert_eq!(values.value(b"k", 0, now), expected, "{now}");
        }
        values.put_value(b"k", 0, Some(b"2"), 109);
        assert_eq!(values.value(b"k", 0, 118), Some(&b"2"[..]));
        assert_eq!(values.value(b"other", 0, 118), None);
        values.put_value(b"k", 0, None, 118);
        assert!(values.keys.is_empty(), "a key without state is forgotten");
    }

    #[test]
    fn elements_live_each_for_itself() {
        let put = |element, value| ElementChange::Put { element, value };
        let mut list = state(StateKind::List, Some(10));
        list.change(b"k", 0, put(b"", b"1"), 0);
        list.change(b"k", 0, put(b"", b"2"), 5);
        assert_eq!(list.scan(b"k", 0, 9).len(), 2);
        assert_eq!(list.scan(b"k", 0, 10), [(&b""[..], &b"2"[..])]);
        list.change(b"k", 0, ElementChange::Clear, 10);
        assert!(list.scan(b"k", 0, 10).is_empty());

        let mut map = state(StateKind::Map, Some(10));
        map.change(b"k", 0, put(b"b", b"1"), 0);
        map.change(b"k", 0, put(b"a", b"2"), 5);
        map.change(b"k", 0, put(b"b", b"3"), 7);
        assert_eq!(map.scan(b"k", 0, 14), [(&b"a"[..], &b"2"[..]), (b"b", b"3")]);
        assert_eq!(map.entry(b"k", 0, b"a", 15), None);
        assert_eq!(map.entry(b"k", 0, b"b", 15), Some(&b"3"[..]));
        map.change(b"k", 0, ElementChange::Remove { element: b"b" }, 15);
        assert_eq!(map.entry(b"k", 0, b"b", 15), None);
    }

    #[test]
    fn without_ttl_state_lives_for_ever() {
        let mut values = state(StateKind::Reducing, None);
        values.put_value(b"k", 0, Some(b"1"), 0);
        assert_eq!(values.value(b"k", 0, i64::MAX), Some(&b"1"[..]));
    }
}
