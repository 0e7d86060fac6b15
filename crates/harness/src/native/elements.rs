//! List and map state for a native function.

use std::cell::RefCell;
use std::rc::Rc;

use flink_wasm::Column;

use super::columns::bytes_column;
use crate::executor::Elements;

/// Where the elements of the bundle that runs come from.
pub(super) type Source = Rc<RefCell<Option<Box<dyn Elements>>>>;

/// The source as the function holds it from bundle to bundle.
pub(super) struct Shared(pub(super) Source);

impl Shared {
    /// # Panics
    /// When no bundle runs, or the function has no such list or map: then the SDK has a defect.
    fn ask<T>(&self, question: impl FnOnce(&mut dyn Elements) -> flink_wasm_diagnostic::Result<T>) -> T {
        let mut source = self.0.borrow_mut();
        let source = source.as_deref_mut().expect("a bundle runs");
        question(source).expect("the list or map is the function's")
    }
}

impl flink_wasm::Elements for Shared {
    fn get(&self, state: u32, key: u32, element: &[u8]) -> Option<Vec<u8>> {
        self.ask(|source| source.get(state, key, element))
    }

    fn scan(&self, state: u32, key: u32) -> (Column, Column) {
        let all = self.ask(|source| source.scan(state, key));
        (
            bytes_column(all.iter().map(|(element, _)| Some(&element[..]))),
            bytes_column(all.iter().map(|(_, value)| Some(&value[..]))),
        )
    }
}
