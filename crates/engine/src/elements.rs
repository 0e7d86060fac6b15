//! `elements`: list and map state, which the host asks for while the guest waits.

use std::time::Instant;

use flink_wasm_diagnostic::{Code, Diagnostic};
use wasmtime::component::{Linker, WasmList};
use wasmtime::{AsContext, Result, StoreContextMut};

use crate::abi::{AnswerColumn, ELEMENTS};
use crate::function::ticks;
use crate::host::{HostState, stop};

/// Elements with their values; in a list the elements are empty.
pub type Elements = Vec<Element>;

/// An element and its value.
type Element = (Vec<u8>, Vec<u8>);

/// Where list and map state comes from: as of before the bundle that runs.
///
/// States and keys are indices of the function's states and of the bundle's keys. An error ends the bundle, and with it the instance.
pub trait ElementSource {
    /// The value under an element of a map.
    fn get(&mut self, state: u32, key: u32, element: &[u8])
    -> flink_wasm_diagnostic::Result<Option<Vec<u8>>>;

    /// All of a list or map.
    fn scan(&mut self, state: u32, key: u32) -> flink_wasm_diagnostic::Result<Elements>;
}

/// Offers `elements`.
pub(crate) fn link(linker: &mut Linker<HostState>) -> Result<()> {
    let mut elements = linker.instance(ELEMENTS)?;
    elements.func_wrap(
        "get",
        |mut store: StoreContextMut<'_, HostState>, (state, key, element): (u32, u32, WasmList<u8>)| {
            let element = element.as_le_slice(store.as_context()).to_vec();
            Ok((ask(&mut store, state, key, |source| source.get(state, key, &element))?,))
        },
    )?;
    elements.func_wrap("scan", |mut store: StoreContextMut<'_, HostState>, (state, key): (u32, u32)| {
        let found = ask(&mut store, state, key, |source| source.scan(state, key))?;
        let column = |part: fn(&Element) -> &[u8]| AnswerColumn::bytes(found.iter().map(part));
        Ok(((column(|(element, _)| element), column(|(_, value)| value)),))
    })
}

/// Asks, and gives the guest back the time that it took.
fn ask<T>(
    store: &mut StoreContextMut<'_, HostState>,
    state: u32,
    key: u32,
    question: impl FnOnce(&mut dyn ElementSource) -> flink_wasm_diagnostic::Result<T>,
) -> Result<T> {
    let host = store.data_mut();
    let allowed = match &host.effects {
        Some(effects) => effects.check_question(state, key),
        None => Err(Diagnostic::new(Code::BadOutput, "state was asked for while no bundle was running")),
    };
    if let Err(fault) = allowed {
        return Err(stop(host, fault));
    }
    let Some(source) = &mut host.elements else {
        return Err(stop(
            host,
            Diagnostic::new(Code::Internal, "there is nobody to ask for list and map state"),
        ));
    };
    let start = Instant::now();
    let answer = question(source.as_mut());
    host.deadline += start.elapsed();
    let left_ms = host.deadline.saturating_duration_since(Instant::now()).as_millis();
    let answer = answer.map_err(|fault| {
        let error = wasmtime::Error::msg(fault.message.clone());
        // Not the guest's fault.
        host.fault = Some(fault);
        error
    });
    store.set_epoch_deadline(ticks(left_ms as u64));
    answer
}
