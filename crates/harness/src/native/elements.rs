//! List and map state for a native function: the harness's, with the changes of the items that are kept laid over it.

use std::cell::RefCell;
use std::rc::Rc;

use flink_wasm::Column;
use flink_wasm_protocol::reply::ElementOp;

use super::columns::bytes_column;
use crate::executor::Elements;

/// A change of an element.
#[derive(Clone, Debug)]
pub(super) struct Change {
    pub(super) state: u32,
    pub(super) key: u32,
    pub(super) op: ElementOp,
    pub(super) element: Vec<u8>,
    pub(super) value: Vec<u8>,
}

/// Where the elements of a bundle come from.
#[derive(Default)]
pub(super) struct Source {
    before: Option<Box<dyn Elements>>,
    pub(super) changes: Vec<Change>,
    /// For each state whether it is a map.
    is_map: Vec<bool>,
}

impl Source {
    pub(super) fn new(before: Box<dyn Elements>, is_map: Vec<bool>) -> Self {
        Self { before: Some(before), changes: Vec::new(), is_map }
    }

    fn changes_of(&self, state: u32, key: u32) -> impl DoubleEndedIterator<Item = &Change> {
        self.changes.iter().filter(move |change| (change.state, change.key) == (state, key))
    }

    fn before(&mut self) -> &mut dyn Elements {
        self.before.as_deref_mut().expect("elements are asked for while a bundle runs")
    }

    fn get(&mut self, state: u32, key: u32, element: &[u8]) -> Option<Vec<u8>> {
        for change in self.changes_of(state, key).rev() {
            match change.op {
                ElementOp::Put if change.element == element => return Some(change.value.clone()),
                ElementOp::Remove if change.element == element => return None,
                ElementOp::Clear => return None,
                _ => {}
            }
        }
        self.before().get(state, key, element).expect("the state and key are the function's")
    }

    fn scan(&mut self, state: u32, key: u32) -> Vec<(Vec<u8>, Vec<u8>)> {
        let mut all = self.before().scan(state, key).expect("the state and key are the function's");
        let is_map = self.is_map[state as usize];
        for change in self.changes_of(state, key) {
            if is_map {
                all.retain(|(element, _)| *element != change.element);
            }
            match change.op {
                ElementOp::Put => all.push((change.element.clone(), change.value.clone())),
                ElementOp::Remove => {}
                ElementOp::Clear => all.clear(),
            }
        }
        if is_map {
            all.sort();
        }
        all
    }
}

/// The source as the function holds it from bundle to bundle.
pub(super) struct Shared(pub(super) Rc<RefCell<Source>>);

impl flink_wasm::Elements for Shared {
    fn get(&self, state: u32, key: u32, element: &[u8]) -> Option<Vec<u8>> {
        self.0.borrow_mut().get(state, key, element)
    }

    fn scan(&self, state: u32, key: u32) -> (Column, Column) {
        let all = self.0.borrow_mut().scan(state, key);
        (
            bytes_column(all.iter().map(|(element, _)| Some(&element[..]))),
            bytes_column(all.iter().map(|(_, value)| Some(&value[..]))),
        )
    }
}
