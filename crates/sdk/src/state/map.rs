//! State that is a map.

use std::borrow::Borrow;
use std::cell::RefCell;
use std::collections::BTreeMap;

use crate::batch::Column;
use crate::process::Effects;
use crate::state::codec::{StateValue, schema_of_map};
use crate::state::write::ElementChanges;
use crate::state::{Binding, Bound, Handle, HandleType, StateKind};

/// A map of a key, as Flink's `MapState`. An element is fetched when it is looked at, once a batch; going through the map
/// fetches all of it.
pub struct MapState<K, V> {
    bound: Bound,
    maps: RefCell<Maps<K, V>>,
}

impl<K, V> Default for MapState<K, V> {
    fn default() -> Self {
        Self { bound: Bound::default(), maps: RefCell::default() }
    }
}

impl<K: StateValue + Ord, V: StateValue> MapState<K, V> {
    /// The value under a map key.
    #[inline]
    pub fn get<Q: MapKey<K> + ?Sized>(&self, map_key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
        V: Clone,
    {
        self.with(map_key, |value| value.cloned())
    }

    /// Looks at the value under a map key without copying it.
    ///
    /// # Panics
    /// When `look` uses this state itself.
    #[inline]
    pub fn with<Q: MapKey<K> + ?Sized, R>(&self, map_key: &Q, look: impl FnOnce(Option<&V>) -> R) -> R
    where
        K: Borrow<Q>,
    {
        let key = self.bound.key();
        look(self.maps.borrow_mut().read(key, map_key, &self.bound))
    }

    /// Whether there is a value under a map key.
    pub fn contains<Q: MapKey<K> + ?Sized>(&self, map_key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.with(map_key, |value| value.is_some())
    }

    /// Sets the value under a map key.
    #[inline]
    pub fn insert(&self, map_key: K, value: V) {
        let key = self.bound.key();
        self.maps.borrow_mut().write(key, map_key, Some(value));
    }

    /// Makes a new value of the old one under a map key, and gives the new one back.
    pub fn update(&self, map_key: K, change: impl FnOnce(Option<V>) -> V) -> V
    where
        K: Clone,
        V: Clone,
    {
        let key = self.bound.key();
        // Not borrowed while `change` runs: it may look at this state.
        let old = self.maps.borrow_mut().read(key, &map_key, &self.bound).cloned();
        let new = change(old);
        self.maps.borrow_mut().write(key, map_key, Some(new.clone()));
        new
    }

    /// Removes the value under a map key, if there is one.
    pub fn remove<Q: MapKey<K> + ?Sized>(&self, map_key: &Q)
    where
        K: Borrow<Q>,
    {
        let key = self.bound.key();
        self.maps.borrow_mut().write(key, map_key.to_owned(), None);
    }

    /// The map keys with their values, map keys rising. What changes while they are gone through is not seen.
    pub fn iter(&self) -> std::vec::IntoIter<(K, V)>
    where
        K: Clone,
        V: Clone,
    {
        self.collect(|map_key, value| (map_key.clone(), value.clone()))
    }

    /// The map keys, rising.
    pub fn keys(&self) -> std::vec::IntoIter<K>
    where
        K: Clone,
    {
        self.collect(|map_key, _| map_key.clone())
    }

    /// The values, in the order of their map keys.
    pub fn values(&self) -> std::vec::IntoIter<V>
    where
        V: Clone,
    {
        self.collect(|_, value| value.clone())
    }

    /// How many map keys there are. Fetches all of the map.
    pub fn len(&self) -> usize {
        self.collect(|_, _| ()).len()
    }

    /// Whether there is no map key. Fetches all of the map.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Removes everything.
    pub fn clear(&self) {
        let key = self.bound.key();
        self.maps.borrow_mut().clear(key);
    }

    fn collect<T>(&self, mut element: impl FnMut(&K, &V) -> T) -> std::vec::IntoIter<T> {
        let key = self.bound.key();
        let mut maps = self.maps.borrow_mut();
        let known = &maps.read_all(key, &self.bound).known;
        let present = known.iter().filter_map(|(map_key, entry)| Some((map_key, entry.value.as_ref()?)));
        Vec::from_iter(present.map(|(map_key, value)| element(map_key, value))).into_iter()
    }
}

/// What a map with keys `K` can be asked by: `&K`, or what it borrows as, such as `&str` for `String`.
pub trait MapKey<K>: Ord + ToOwned<Owned = K> {}

impl<K, Q: Ord + ToOwned<Owned = K> + ?Sized> MapKey<K> for Q {}

impl<K: StateValue + Ord, V: StateValue> Handle for MapState<K, V> {
    fn attach(&self, binding: Binding) -> Result<(), String> {
        self.bound.attach(binding)
    }

    fn begin(&self, keys: usize, _values: &mut dyn Iterator<Item = Column>) {
        self.maps.borrow_mut().begin(keys);
    }

    fn tell(&self, effects: &mut dyn Effects) {
        self.maps.borrow_mut().tell(self.bound.get().index, effects);
    }
}

impl<K: StateValue + Ord, V: StateValue> HandleType for MapState<K, V> {
    const KIND: StateKind = StateKind::Map;

    fn schema() -> String {
        schema_of_map::<K, V>()
    }
}

/// The maps of a batch's keys.
struct Maps<K, V> {
    maps: Vec<Map<K, V>>,
    changes: ElementChanges,
    /// A map key while it is asked for.
    encoded: Vec<u8>,
}

struct Map<K, V> {
    /// What was fetched or changed.
    known: BTreeMap<K, Entry<V>>,
    /// Whether what is not known is not there.
    complete: bool,
    cleared: bool,
    /// Whether the key stands among the changed ones.
    changed: bool,
}

struct Entry<V> {
    value: Option<V>,
    changed: bool,
}

impl<K, V> Default for Maps<K, V> {
    fn default() -> Self {
        Self { maps: Vec::new(), changes: ElementChanges::default(), encoded: Vec::new() }
    }
}

impl<K: StateValue + Ord, V: StateValue> Maps<K, V> {
    fn begin(&mut self, keys: usize) {
        self.maps.clear();
        let map = || Map { known: BTreeMap::new(), complete: false, cleared: false, changed: false };
        self.maps.resize_with(keys, map);
        self.changes.begin();
    }

    fn read<Q: MapKey<K> + ?Sized>(&mut self, key: usize, map_key: &Q, bound: &Bound) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        let map = &mut self.maps[key];
        if !map.complete && !map.known.contains_key(map_key) {
            let map_key = map_key.to_owned();
            self.encoded.clear();
            map_key.encode(&mut self.encoded);
            let value = bound.element(key, &self.encoded);
            let value = value.map(|value| bound.decode(&value, schema_of_map::<K, V>));
            map.known.insert(map_key, Entry { value, changed: false });
        }
        map.known.get(map_key)?.value.as_ref()
    }

    fn read_all(&mut self, key: usize, bound: &Bound) -> &Map<K, V> {
        let map = &mut self.maps[key];
        if !map.complete {
            let Map { known, complete, .. } = map;
            bound.scan(key, |map_key, value| {
                let map_key = bound.decode(map_key, schema_of_map::<K, V>);
                // What is known already may have changed since.
                known.entry(map_key).or_insert_with(|| {
                    let value = Some(bound.decode(value, schema_of_map::<K, V>));
                    Entry { value, changed: false }
                });
            });
            *complete = true;
        }
        map
    }

    #[inline]
    fn write(&mut self, key: usize, map_key: K, value: Option<V>) {
        let map = &mut self.maps[key];
        self.changes.mark(key, &mut map.changed);
        map.known.insert(map_key, Entry { value, changed: true });
    }

    fn clear(&mut self, key: usize) {
        let map = &mut self.maps[key];
        self.changes.mark(key, &mut map.changed);
        map.known.clear();
        (map.complete, map.cleared) = (true, true);
    }

    fn tell(&mut self, state: u32, effects: &mut dyn Effects) {
        let maps = &self.maps;
        self.changes.tell(state, effects, |key, change| {
            let map = &maps[key as usize];
            if map.cleared {
                change.clear(key);
            }
            for (map_key, entry) in map.known.iter().filter(|(_, entry)| entry.changed) {
                match &entry.value {
                    Some(value) => change.put(key, |data| map_key.encode(data), value),
                    // Nothing is left of what was there.
                    None if map.cleared => {}
                    None => change.remove(key, |data| map_key.encode(data)),
                }
            }
        });
    }
}
