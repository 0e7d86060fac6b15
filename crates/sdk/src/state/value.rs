//! State that is one value.

use std::cell::RefCell;

use crate::batch::{Cells, Column, Varlen};
use crate::process::Effects;
use crate::state::codec::{StateValue, schema_of};
use crate::state::write::{Encoded, cell};
use crate::state::{Binding, Bound, Handle, HandleType, StateKind};

/// One value of a key, as Flink's `ValueState`.
pub struct ValueState<T> {
    bound: Bound,
    cells: RefCell<Values<T>>,
}

impl<T> Default for ValueState<T> {
    fn default() -> Self {
        Self { bound: Bound::default(), cells: RefCell::default() }
    }
}

impl<T: StateValue> ValueState<T> {
    /// The value, or `None` when there is none (any more).
    #[inline]
    pub fn get(&self) -> Option<T>
    where
        T: Clone,
    {
        self.with(|value| value.cloned())
    }

    /// Looks at the value without copying it.
    ///
    /// # Panics
    /// When `look` uses this state itself.
    #[inline]
    pub fn with<R>(&self, look: impl FnOnce(Option<&T>) -> R) -> R {
        let key = self.bound.key();
        look(self.cells.borrow_mut().read(key, &self.bound))
    }

    /// Sets the value.
    #[inline]
    pub fn set(&self, value: T) {
        let key = self.bound.key();
        self.cells.borrow_mut().write(key, Some(value));
    }

    /// Makes a new value of the old one, and gives the new one back.
    #[inline]
    pub fn update(&self, change: impl FnOnce(Option<T>) -> T) -> T
    where
        T: Clone,
    {
        let key = self.bound.key();
        // Not borrowed while `change` runs: it may look at this state.
        let old = self.cells.borrow_mut().read(key, &self.bound).cloned();
        let new = change(old);
        self.cells.borrow_mut().write(key, Some(new.clone()));
        new
    }

    /// Removes the value.
    pub fn clear(&self) {
        let key = self.bound.key();
        self.cells.borrow_mut().write(key, None);
    }
}

impl<T: StateValue> Handle for ValueState<T> {
    fn attach(&self, binding: Binding) -> Result<(), String> {
        self.bound.attach(binding)
    }

    fn begin(&self, keys: usize, values: &mut dyn Iterator<Item = Column>) {
        self.cells.borrow_mut().begin(keys, values.next());
    }

    fn tell(&self, effects: &mut dyn Effects) {
        self.cells.borrow_mut().tell(self.bound.get().index, effects);
    }
}

impl<T: StateValue> HandleType for ValueState<T> {
    const KIND: StateKind = StateKind::Value;

    fn schema() -> String {
        schema_of::<T>()
    }
}

/// The values of a batch's keys.
pub(crate) struct Values<T> {
    /// As they came, encoded.
    column: Option<Column>,
    slots: Vec<Slot<T>>,
    /// Keys whose slots are `Changed`, each once.
    changed: Vec<u32>,
    encoded: Encoded,
}

enum Slot<T> {
    Unread,
    Read(Option<T>),
    Changed(Option<T>),
}

impl<T> Default for Values<T> {
    fn default() -> Self {
        Self { column: None, slots: Vec::new(), changed: Vec::new(), encoded: Encoded::default() }
    }
}

impl<T: StateValue> Values<T> {
    /// # Panics
    /// When the column is missing, or has another number of cells.
    pub(crate) fn begin(&mut self, keys: usize, column: Option<Column>) {
        let cells = match column.as_ref().map(|column| &column.cells) {
            Some(Cells::Varlen(Varlen { offsets, .. })) => offsets.len().saturating_sub(1),
            _ => panic!("the batch brings no column for a value state"),
        };
        assert!(cells == keys, "the batch brings {cells} values of a state for {keys} keys");
        self.column = column;
        self.slots.clear();
        self.slots.resize_with(keys, || Slot::Unread);
        self.changed.clear();
    }

    #[inline]
    pub(crate) fn read(&mut self, key: usize, bound: &Bound) -> Option<&T> {
        let slot = &mut self.slots[key];
        if let Slot::Unread = slot {
            let bytes = self.column.as_ref().and_then(|column| cell(column, key));
            *slot = Slot::Read(bytes.map(|bytes| bound.decode(bytes, schema_of::<T>)));
        }
        match slot {
            Slot::Read(value) | Slot::Changed(value) => value.as_ref(),
            Slot::Unread => None,
        }
    }

    /// Takes the value out; it is to be written then.
    #[inline]
    pub(crate) fn take(&mut self, key: usize, bound: &Bound) -> Option<T> {
        self.read(key, bound);
        match &mut self.slots[key] {
            Slot::Read(value) | Slot::Changed(value) => value.take(),
            Slot::Unread => None,
        }
    }

    #[inline]
    pub(crate) fn write(&mut self, key: usize, value: Option<T>) {
        let slot = &mut self.slots[key];
        if !matches!(slot, Slot::Changed(_)) {
            self.changed.push(key as u32);
        }
        *slot = Slot::Changed(value);
    }

    pub(crate) fn tell(&mut self, state: u32, effects: &mut dyn Effects) {
        if self.changed.is_empty() {
            return;
        }
        self.changed.sort_unstable();
        for &key in &self.changed {
            match &self.slots[key as usize] {
                Slot::Changed(Some(value)) => {
                    value.encode(&mut self.encoded.data);
                    self.encoded.end_cell();
                }
                _ => self.encoded.push_null(),
            }
        }
        self.encoded.take(|column| effects.put_values(state, &self.changed, column));
    }
}
