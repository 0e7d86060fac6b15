//! What runs a function: a component in the sandbox, or the function itself natively. The harness is to them what the operator is to
//! the sidecar, and speaks to both in the frames of `docs/protocol.md`.

use flink_wasm_diagnostic::{Diagnostic, Result};
use flink_wasm_protocol::handshake::Open;

/// Runs the bundles of one function.
pub trait Executor {
    /// Starts a fresh instance: first of all, and after each restore.
    fn open(&mut self, open: &Open) -> Result<()>;

    /// Runs the payload of a BUNDLE frame, in which every key is fresh, and gives the payload of the REPLY.
    fn run(
        &mut self,
        id: u64,
        payload: &[u8],
        elements: Box<dyn Elements>,
    ) -> std::result::Result<Vec<u8>, Fault>;
}

/// List and map state as of before the bundle that runs; `state` is an index of OPEN's states, `key` one of the bundle's keys.
pub trait Elements {
    /// The value under a key of a map.
    fn get(&mut self, state: u32, key: u32, element: &[u8]) -> Result<Option<Vec<u8>>>;

    /// All of a list (elements are empty) or of a map.
    fn scan(&mut self, state: u32, key: u32) -> Result<Vec<(Vec<u8>, Vec<u8>)>>;
}

/// The end of an instance.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    /// What happened.
    pub diagnostic: Diagnostic,
    /// Index in the bundle of the item at fault, when it can be pinned on one.
    pub item: Option<u32>,
}

impl From<Diagnostic> for Fault {
    fn from(diagnostic: Diagnostic) -> Self {
        Self { diagnostic, item: None }
    }
}
