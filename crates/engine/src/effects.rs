//! `effects`: what a process function does, checked as it is told, and kept until the whole bundle went well.

use std::sync::Arc;

use flink_wasm_diagnostic::{Code, Diagnostic};
use flink_wasm_protocol::Schema;
use flink_wasm_protocol::batch::{ColumnView, RawColumn};
use flink_wasm_protocol::handshake::{State, StateKind};
use flink_wasm_protocol::limits::MAX_CHANGES;
use flink_wasm_protocol::reply::{ElementOp, ReplyWriter};
use wasmtime::component::{Linker, WasmList};
use wasmtime::{AsContext, Result, StoreContextMut};

use crate::abi::{BatchFromGuest, ColumnFromGuest, EFFECTS};
use crate::function::LoadedFunction;
use crate::host::{HostState, stop};

/// What a process function may do while a bundle runs, and what it has done to values.
pub(crate) struct Effects {
    /// The main output, then the side outputs.
    outputs: Arc<[Schema]>,
    states: Arc<[State]>,
    has_timers: bool,
    state_value_bytes: u64,
    /// Distinct keys of the bundle.
    key_count: usize,
    /// For each state whether its changes were told.
    is_told: Vec<bool>,
    has_told_timers: bool,
    /// New values, for the slots.
    pub(crate) values: Vec<ValueChange>,
}

/// New values of one state.
pub(crate) struct ValueChange {
    /// Index among the value and reducing states.
    pub(crate) column: usize,
    /// Indices of the bundle's keys with what they have now.
    pub(crate) values: Vec<(u32, Option<Box<[u8]>>)>,
}

type Checked<T> = flink_wasm_diagnostic::Result<T>;

fn bad<T>(message: String) -> Checked<T> {
    Err(Diagnostic::new(Code::BadOutput, message))
}

impl Effects {
    pub(crate) fn new(function: &LoadedFunction, key_count: usize, state_value_bytes: u64) -> Self {
        let states = function.states().clone();
        Self {
            outputs: function.outputs().clone(),
            is_told: vec![false; states.len()],
            states,
            has_timers: function.description().timers,
            state_value_bytes,
            key_count,
            has_told_timers: false,
            values: Vec::new(),
        }
    }

    /// The state with this index, whose changes are told for the first time.
    fn state(&mut self, index: u32, wants_values: bool) -> Checked<&State> {
        let at = index as usize;
        let Some(state) = self.states.get(at) else {
            return bad(format!("a change of state {index}, there are {}", self.states.len()));
        };
        if state.kind.is_value() != wants_values {
            return bad(format!(
                "a change of state `{}` as of another kind than {:?}",
                state.name, state.kind
            ));
        }
        if std::mem::replace(&mut self.is_told[at], true) {
            return bad(format!("changes of state `{}` were told twice", state.name));
        }
        Ok(state)
    }

    /// Whether the guest may ask for elements of this state and key.
    pub(crate) fn check_question(&self, state: u32, key: u32) -> Checked<()> {
        match self.states.get(state as usize) {
            Some(state) if !state.kind.is_value() => {}
            _ => return bad(format!("elements of state {state}, which is neither list nor map")),
        }
        self.check_keys("elements", &[key])
    }

    fn check_keys(&self, what: &str, keys: &[u32]) -> Checked<()> {
        match keys.iter().find(|key| **key as usize >= self.key_count) {
            Some(key) => bad(format!("{what} of key {key}, the bundle has {}", self.key_count)),
            None => Ok(()),
        }
    }

    fn check_size(&self, state: u32, what: &str, cells: &ColumnView<'_>) -> Checked<()> {
        let limit = self.state_value_bytes;
        let sizes = (0..cells.cell_count).map(|cell| cells.bytes(cell).map_or(0, <[u8]>::len));
        match sizes.max() {
            Some(most) if most as u64 > limit => Err(Diagnostic::new(
                Code::StateTooLarge,
                format!(
                    "{what} of state `{}` has {most} bytes, its limit is {limit}",
                    self.states[state as usize].name
                ),
            )
            .help("keep less for each key, or raise `limits.stateValueBytes` of the function")),
            _ => Ok(()),
        }
    }

    fn put_values(
        &mut self,
        reply: &mut ReplyWriter,
        state: u32,
        keys: &[u32],
        values: &ColumnView<'_>,
    ) -> Checked<()> {
        self.state(state, true)?;
        self.check_keys("a value", keys)?;
        if !keys.is_sorted_by(|one, next| one < next) {
            return bad("the keys of new values do not rise".into());
        }
        self.check_size(state, "a value", values)?;
        reply.values(state, keys, raw(values))?;
        let column = self.states[..state as usize].iter().filter(|state| state.kind.is_value()).count();
        let value = |(cell, key): (usize, &u32)| (*key, values.bytes(cell).map(Box::from));
        self.values.push(ValueChange { column, values: keys.iter().enumerate().map(value).collect() });
        Ok(())
    }

    fn put_elements(
        &mut self,
        reply: &mut ReplyWriter,
        (state, keys, ops): (u32, &[u32], &[u8]),
        elements: &ColumnView<'_>,
        values: &ColumnView<'_>,
    ) -> Checked<()> {
        let kind = self.state(state, false)?.kind;
        self.check_keys("an element", keys)?;
        if ops.len() != keys.len() || keys.len() > MAX_CHANGES {
            return bad(format!(
                "{} operations on elements for {} keys; at most {MAX_CHANGES} are taken",
                ops.len(),
                keys.len()
            ));
        }
        for (cell, number) in ops.iter().enumerate() {
            let is_right = match ElementOp::from_u8(*number) {
                Some(ElementOp::Put) => values.bytes(cell).is_some(),
                Some(ElementOp::Remove) => kind == StateKind::Map && values.bytes(cell).is_none(),
                Some(ElementOp::Clear) => values.bytes(cell).is_none(),
                None => false,
            };
            if !is_right {
                return bad(format!(
                    "operation {number} on an element of a {kind:?} state does not fit its value"
                ));
            }
        }
        self.check_size(state, "an element", elements)?;
        self.check_size(state, "an element", values)?;
        reply.elements(state, keys, ops, raw(elements), raw(values))
    }

    fn put_timers(
        &mut self,
        reply: &mut ReplyWriter,
        keys: &[u32],
        timestamps: &[i64],
        flags: &[u8],
    ) -> Checked<()> {
        if !self.has_timers {
            return bad("a timer of a function that describes itself as one without".into());
        }
        if std::mem::replace(&mut self.has_told_timers, true) {
            return bad("timers were told twice".into());
        }
        self.check_keys("a timer", keys)?;
        reply.timers(keys, timestamps, flags)
    }
}

fn raw<'a>(column: &ColumnView<'a>) -> RawColumn<'a> {
    RawColumn { validity: column.validity, cells: column.cells }
}

/// Offers `effects`.
pub(crate) fn link(linker: &mut Linker<HostState>) -> Result<()> {
    let mut effects = linker.instance(EFFECTS)?;
    effects.func_wrap("emit", emit)?;
    effects.func_wrap(
        "put-values",
        |mut store: StoreContextMut<'_, HostState>,
         (state, keys, values): (u32, WasmList<u32>, ColumnFromGuest)| {
            run(&mut store, |effects, reply, store| {
                let keys = keys.as_le_slice(store);
                let values = values.bytes(keys.len(), "values", store)?;
                effects.put_values(reply, state, keys, &values)
            })
        },
    )?;
    effects.func_wrap("put-elements", put_elements)?;
    effects.func_wrap(
        "put-timers",
        |mut store: StoreContextMut<'_, HostState>,
         (keys, timestamps, flags): (WasmList<u32>, WasmList<i64>, WasmList<u8>)| {
            run(&mut store, |effects, reply, store| {
                let (keys, flags) = (keys.as_le_slice(store), flags.as_le_slice(store));
                effects.put_timers(reply, keys, timestamps.as_le_slice(store), flags)
            })
        },
    )
}

fn emit(
    mut store: StoreContextMut<'_, HostState>,
    (output, rows, timestamps): (u32, BatchFromGuest, WasmList<i64>),
) -> Result<()> {
    run(&mut store, |effects, reply, store| {
        let Some(schema) = effects.outputs.get(output as usize) else {
            return bad(format!("rows for output {output}, there are {}", effects.outputs.len()));
        };
        let columns = rows.columns(schema, store)?;
        reply.effect(schema, output, rows.row_count as usize, timestamps.as_le_slice(store), &columns)
    })
}

fn put_elements(
    mut store: StoreContextMut<'_, HostState>,
    (state, keys, ops, elements, values): (
        u32,
        WasmList<u32>,
        WasmList<u8>,
        ColumnFromGuest,
        ColumnFromGuest,
    ),
) -> Result<()> {
    run(&mut store, |effects, reply, store| {
        let (keys, ops) = (keys.as_le_slice(store), ops.as_le_slice(store));
        let elements = elements.bytes(keys.len(), "elements", store)?;
        let values = values.bytes(keys.len(), "values of elements", store)?;
        effects.put_elements(reply, (state, keys, ops), &elements, &values)
    })
}

/// Runs with what is borrowed from the store, of which the guest's memory is a part; so the others step out of it.
fn run(
    store: &mut StoreContextMut<'_, HostState>,
    run: impl FnOnce(&mut Effects, &mut ReplyWriter, &wasmtime::StoreContext<'_, HostState>) -> Checked<()>,
) -> Result<()> {
    let state = store.data_mut();
    let mut reply = std::mem::take(&mut state.reply);
    let mut effects = state.effects.take();
    let result = match &mut effects {
        Some(effects) => run(effects, &mut reply, &store.as_context()),
        None => bad("an effect was told while no bundle was running".into()),
    };
    let state = store.data_mut();
    state.reply = reply;
    state.effects = effects;
    result.map_err(|fault| stop(state, fault))
}
