//! State that is a list of values.

use std::cell::RefCell;

use crate::batch::Column;
use crate::process::Effects;
use crate::state::codec::{StateValue, schema_of_list};
use crate::state::write::ElementChanges;
use crate::state::{Binding, Bound, Handle, HandleType, StateKind};

/// A list of values of a key, as Flink's `ListState`. Adding reads nothing; the list is fetched when it is looked at, once a batch and
/// key.
pub struct ListState<T> {
    bound: Bound,
    lists: RefCell<Lists<T>>,
}

impl<T> Default for ListState<T> {
    fn default() -> Self {
        Self { bound: Bound::default(), lists: RefCell::default() }
    }
}

impl<T: StateValue> ListState<T> {
    /// The values in order. What changes while they are gone through is not seen.
    pub fn iter(&self) -> std::vec::IntoIter<T>
    where
        T: Clone,
    {
        self.with(|stored, added| [stored, added].concat()).into_iter()
    }

    /// Looks at the values without copying them: those that were there, then those that this batch added.
    #[inline]
    fn with<R>(&self, look: impl FnOnce(&[T], &[T]) -> R) -> R {
        let key = self.bound.key();
        let mut lists = self.lists.borrow_mut();
        let list = lists.read(key, &self.bound);
        look(list.stored.as_deref().unwrap_or_default(), &list.added)
    }

    /// How many values there are.
    pub fn len(&self) -> usize {
        self.with(|stored, added| stored.len() + added.len())
    }

    /// Whether there are no values.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds a value at the end.
    #[inline]
    pub fn add(&self, value: T) {
        let key = self.bound.key();
        self.lists.borrow_mut().change(key).added.push(value);
    }

    /// Puts these values in place of all.
    pub fn set(&self, values: impl IntoIterator<Item = T>) {
        let key = self.bound.key();
        // Before the list is borrowed: the iterator may look at this state.
        let values = Vec::from_iter(values);
        let mut lists = self.lists.borrow_mut();
        lists.clear(key);
        lists.change(key).added = values;
    }

    /// Removes all values.
    pub fn clear(&self) {
        let key = self.bound.key();
        self.lists.borrow_mut().clear(key);
    }
}

impl<T: StateValue> Handle for ListState<T> {
    fn attach(&self, binding: Binding) -> Result<(), String> {
        self.bound.attach(binding)
    }

    fn begin(&self, keys: usize, _values: &mut dyn Iterator<Item = Column>) {
        self.lists.borrow_mut().begin(keys);
    }

    fn tell(&self, effects: &mut dyn Effects) {
        self.lists.borrow_mut().tell(self.bound.get().index, effects);
    }
}

impl<T: StateValue> HandleType for ListState<T> {
    const KIND: StateKind = StateKind::List;

    fn schema() -> String {
        schema_of_list::<T>()
    }
}

/// The lists of a batch's keys.
struct Lists<T> {
    lists: Vec<List<T>>,
    changes: ElementChanges,
}

struct List<T> {
    /// What was there before the batch, once fetched. Empty once the batch has cleared it.
    stored: Option<Vec<T>>,
    cleared: bool,
    added: Vec<T>,
    /// Whether the key stands among the changed ones.
    changed: bool,
}

impl<T> Default for Lists<T> {
    fn default() -> Self {
        Self { lists: Vec::new(), changes: ElementChanges::default() }
    }
}

impl<T: StateValue> Lists<T> {
    fn begin(&mut self, keys: usize) {
        self.lists.clear();
        let list = || List { stored: None, cleared: false, added: Vec::new(), changed: false };
        self.lists.resize_with(keys, list);
        self.changes.begin();
    }

    fn read(&mut self, key: usize, bound: &Bound) -> &List<T> {
        let list = &mut self.lists[key];
        if list.stored.is_none() {
            let mut stored = Vec::new();
            bound.scan(key, |_, value| stored.push(bound.decode(value, schema_of_list::<T>)));
            list.stored = Some(stored);
        }
        list
    }

    #[inline]
    fn change(&mut self, key: usize) -> &mut List<T> {
        let list = &mut self.lists[key];
        self.changes.mark(key, &mut list.changed);
        list
    }

    fn clear(&mut self, key: usize) {
        let list = self.change(key);
        list.stored = Some(Vec::new());
        list.cleared = true;
        list.added.clear();
    }

    fn tell(&mut self, state: u32, effects: &mut dyn Effects) {
        let lists = &self.lists;
        self.changes.tell(state, effects, |key, change| {
            let list = &lists[key as usize];
            if list.cleared {
                change.clear(key);
            }
            for value in &list.added {
                change.put(key, |_| {}, value);
            }
        });
    }
}
