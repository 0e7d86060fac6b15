//! State that is one value, to which others are added.

use std::cell::{OnceCell, RefCell};

use crate::batch::Column;
use crate::process::Effects;
use crate::state::codec::{StateValue, schema_of};
use crate::state::value::Values;
use crate::state::{Binding, Bound, Handle, HandleType, StateKind};

/// One value of a key, to which others are added, as Flink's `ReducingState`: `#[state(reduce = |sum, more| sum + more)]`, or
/// [`ReducingState::new`] in `open`.
pub struct ReducingState<T> {
    bound: Bound,
    reduce: OnceCell<Reduce<T>>,
    cells: RefCell<Values<T>>,
}

type Reduce<T> = Box<dyn Fn(T, T) -> T>;

impl<T> Default for ReducingState<T> {
    fn default() -> Self {
        Self { bound: Bound::default(), reduce: OnceCell::new(), cells: RefCell::default() }
    }
}

impl<T: StateValue + 'static> ReducingState<T> {
    /// State whose values `reduce` puts together: the first argument is what there is, the second what is added.
    pub fn new(reduce: impl Fn(T, T) -> T + 'static) -> Self {
        Self { reduce: OnceCell::from(Box::new(reduce) as Reduce<T>), ..Self::default() }
    }

    /// Gives the function of the attribute to a state that `open` gave none.
    #[doc(hidden)]
    pub fn reduce_with(&self, reduce: fn(T, T) -> T) {
        self.reduce.get_or_init(|| Box::new(reduce));
    }

    /// The value, or `None` when nothing was added (or it has ended).
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

    /// Adds a value.
    #[inline]
    pub fn add(&self, value: T) {
        let key = self.bound.key();
        // Not borrowed while `reduce` runs: it may look at this state.
        let old = self.cells.borrow_mut().take(key, &self.bound);
        let new = match (old, self.reduce.get()) {
            (Some(old), Some(reduce)) => reduce(old, value),
            (_, _) => value,
        };
        self.cells.borrow_mut().write(key, Some(new));
    }

    /// Removes the value.
    pub fn clear(&self) {
        let key = self.bound.key();
        self.cells.borrow_mut().write(key, None);
    }
}

impl<T: StateValue> Handle for ReducingState<T> {
    fn attach(&self, binding: Binding) -> Result<(), String> {
        if self.reduce.get().is_none() {
            return Err(format!(
                "state `{}` has no function that puts values together: write `#[state(reduce = |all, one| ..)]`, or make it \
                 with `ReducingState::new(|all, one| ..)` in `open`",
                binding.name
            ));
        }
        self.bound.attach(binding)
    }

    fn begin(&self, keys: usize, values: &mut dyn Iterator<Item = Column>) {
        self.cells.borrow_mut().begin(keys, values.next());
    }

    fn tell(&self, effects: &mut dyn Effects) {
        self.cells.borrow_mut().tell(self.bound.get().index, effects);
    }
}

impl<T: StateValue> HandleType for ReducingState<T> {
    const KIND: StateKind = StateKind::Reducing;

    fn schema() -> String {
        schema_of::<T>()
    }
}
