//! Keyed state: what a process function remembers of a key. The handles in its struct read and write the state of the key that is
//! being processed.
//!
//! A batch brings the values of all its keys; each is decoded at most once, when it is first asked for, and each changed one is encoded
//! once, after the last item. The format stands in `docs/state.md`.

use std::cell::{Cell, OnceCell};
use std::rc::Rc;

use crate::batch::{Cells, Column, Varlen};
use crate::process::{Effects, Elements};

mod codec;
mod list;
mod map;
mod reducing;
mod value;
pub(crate) mod write;

pub use codec::{DecodeError, Decoder, MAX_STATE_DEPTH, StateValue, TypeText, decode_state, schema_of};
pub use list::ListState;
pub use map::{MapKey, MapState};
pub use reducing::ReducingState;
pub use value::ValueState;
use write::cell;

/// What Flink keeps for a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StateKind {
    /// One value.
    Value,
    /// One value, to which the function adds others.
    Reducing,
    /// A list of values.
    List,
    /// Values under keys of their own.
    Map,
}

/// A state, as the descriptor tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateDescriptor {
    /// Its name in Flink's state backend.
    pub name: String,
    /// What Flink keeps.
    pub kind: StateKind,
    /// Type and encoding, such as `v1:i64`.
    pub schema: String,
    /// Time to live after the last write, in milliseconds.
    pub ttl_ms: Option<u64>,
}

/// The struct of a process function: `#[derive(State)]`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no struct of a process function",
    note = "put `#[derive(State)]` on it; its fields with `#[state]` are the function's state"
)]
pub trait State {
    /// Names, kinds and types of its states.
    fn states() -> Vec<StateDescriptor>;

    /// Binds the handles, before the first batch.
    ///
    /// # Errors
    /// A text about the state that is not complete.
    fn attach(&self, scope: &Rc<Scope>) -> Result<(), String>;

    /// Gives every handle, in the order of [`State::states`].
    fn visit(&self, handle: &mut dyn FnMut(&dyn Handle));

    /// Starts a batch of so many keys. `values` has a column for each value and reducing state.
    fn begin(&self, keys: usize, values: &mut dyn Iterator<Item = Column>) {
        self.visit(&mut |handle| handle.begin(keys, values));
    }

    /// Tells what the batch has changed.
    fn tell(&self, effects: &mut dyn Effects) {
        self.visit(&mut |handle| handle.tell(effects));
    }
}

/// A state of a function, whatever it holds.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no state of a process function",
    label = "not a state",
    note = "fields with `#[state]` are `ValueState<T>`, `ReducingState<T>`, `ListState<T>` and `MapState<K, V>`; plain fields are what `open` made"
)]
pub trait Handle {
    /// Binds the handle, before the first batch.
    ///
    /// # Errors
    /// What is missing.
    fn attach(&self, binding: Binding) -> Result<(), String>;
    /// Starts a batch of so many keys.
    fn begin(&self, keys: usize, values: &mut dyn Iterator<Item = Column>);
    /// Tells what the batch has changed.
    fn tell(&self, effects: &mut dyn Effects);
}

/// What a type of handle stands for.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no state of a process function",
    label = "not a state",
    note = "fields with `#[state]` are `ValueState<T>`, `ReducingState<T>`, `ListState<T>` and `MapState<K, V>`; plain fields are what `open` made"
)]
pub trait HandleType: Handle {
    /// What Flink keeps.
    const KIND: StateKind;
    /// The types in it, and their encoding.
    fn schema() -> String;
}

/// Describes a state.
pub fn describe<H: HandleType>(name: &str, ttl_ms: Option<u64>) -> StateDescriptor {
    StateDescriptor { name: name.into(), kind: H::KIND, schema: H::schema(), ttl_ms }
}

/// What the states of one function share: the key that is being processed, and where lists and maps come from.
pub struct Scope {
    key: Cell<u32>,
    elements: Box<dyn Elements>,
}

/// No key is being processed.
const OUTSIDE: u32 = u32::MAX;

impl Scope {
    /// Outside of any key.
    pub(crate) fn new(elements: Box<dyn Elements>) -> Self {
        Self { key: Cell::new(OUTSIDE), elements }
    }

    #[inline]
    pub(crate) fn enter(&self, key: u32) {
        self.key.set(key);
    }

    pub(crate) fn leave(&self) {
        self.key.set(OUTSIDE);
    }

    /// The key that is being processed.
    #[inline]
    pub(crate) fn key(&self) -> u32 {
        let key = self.key.get();
        assert!(
            key != OUTSIDE,
            "state and timers belong to a key: use them in `process` and `on_timer` only"
        );
        key
    }
}

/// Which state of which function a handle is.
pub struct Binding {
    /// Shared with the other states.
    pub scope: Rc<Scope>,
    /// Its index in the descriptor.
    pub index: u32,
    /// Its name in the descriptor.
    pub name: &'static str,
}

/// The place of a [`Binding`] in a handle.
#[derive(Default)]
pub(crate) struct Bound(OnceCell<Binding>);

impl Bound {
    pub(crate) fn attach(&self, binding: Binding) -> Result<(), String> {
        self.0
            .set(binding)
            .map_err(|binding| format!("state `{}` belongs to a function already", binding.name))
    }

    #[inline]
    pub(crate) fn get(&self) -> &Binding {
        self.0.get().expect("state is there in `process` and `on_timer` only, and not in `open`")
    }

    /// The key that is being processed.
    #[inline]
    pub(crate) fn key(&self) -> usize {
        self.get().scope.key() as usize
    }

    /// The value under an element of a map, as of before the batch.
    pub(crate) fn element(&self, key: usize, element: &[u8]) -> Option<Vec<u8>> {
        let Binding { scope, index, .. } = self.get();
        scope.elements.get(*index, key as u32, element)
    }

    /// Gives all of a list or map as of before the batch: of each element its map key, empty in a list, and its value.
    ///
    /// # Panics
    /// When the columns do not go together.
    pub(crate) fn scan(&self, key: usize, mut give: impl FnMut(&[u8], &[u8])) {
        let Binding { scope, index, name } = self.get();
        let (elements, values) = scope.elements.scan(*index, key as u32);
        let cells = |column: &Column| match &column.cells {
            Cells::Varlen(Varlen { offsets, .. }) => offsets.len().saturating_sub(1),
            _ => 0,
        };
        let count = cells(&values);
        assert!(
            cells(&elements) == count,
            "state `{name}` comes with {} elements, {count} values",
            cells(&elements)
        );
        for index in 0..count {
            let (element, value) = (cell(&elements, index), cell(&values, index));
            give(element.unwrap_or_default(), value.unwrap_or_default());
        }
    }

    /// Reads a value from bytes of the backend.
    ///
    /// # Panics
    /// When they are not what the state's type says.
    #[inline]
    pub(crate) fn decode<T: StateValue>(&self, bytes: &[u8], schema: fn() -> String) -> T {
        match decode_state(bytes) {
            Ok(value) => value,
            Err(error) => self.malformed(&schema(), &error),
        }
    }

    #[cold]
    fn malformed(&self, schema: &str, error: &DecodeError) -> ! {
        panic!("state `{}` does not hold {schema}: {error}", self.get().name)
    }
}
