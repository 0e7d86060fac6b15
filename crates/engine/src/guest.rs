//! One life of a function: a store with an instance in it, from `open` to its first fault.

use std::time::{Duration, Instant};

use flink_wasm_diagnostic::{Code, Diagnostic, Result};
use flink_wasm_protocol::batch::BatchView;
use flink_wasm_protocol::handshake::{FunctionKind, Limits};
use flink_wasm_protocol::keyed::Items;
use wasmtime::Store;

use crate::abi::{BatchToGuest, ColumnToGuest, KeyedToGuest, RowFailure, columns_to_guest};
use crate::effects::Effects;
use crate::fault::Fault;
use crate::function::{Functions, LoadedFunction, fault_of, ticks};
use crate::host::{HostState, Output, as_bad_output};
use crate::text::clean;
use crate::work::{Chosen, Work, choose, choose_rows, not_aligned};

/// Failures' messages are cut again by the protocol; this bounds the copy.
pub(crate) const MAX_MESSAGE_BYTES: usize = flink_wasm_protocol::limits::MAX_FAILURE_MESSAGE_BYTES;

type ProcessResult = (std::result::Result<(), RowFailure>,);

/// An instance that has not failed yet.
pub(crate) struct Guest {
    pub(crate) store: Store<HostState>,
    functions: Functions,
    limits: Limits,
}

/// What a call gave back; the rest is in the store.
pub(crate) struct Answer {
    /// A bitmap over the rows that the filter got.
    pub(crate) keep: Option<Vec<u8>>,
    /// Rows that were refused, as indices in the bundle, in order. A process function ends with its first.
    pub(crate) failures: Vec<RowFailure>,
}

impl Guest {
    pub(crate) fn open(
        function: &LoadedFunction,
        parameters: &str,
        limits: Limits,
    ) -> std::result::Result<Self, Fault> {
        let (mut store, functions) = function.instantiate(limits)?;
        store.set_epoch_deadline(ticks(limits.deadline_ms));
        let opened = functions
            .open
            .typed::<(&str,), (std::result::Result<(), String>,)>(&store)
            .and_then(|open| open.call(&mut store, (parameters,)));
        match opened {
            Ok((Ok(()),)) => Ok(Self { store, functions, limits }),
            Ok((Err(message),)) => Err(Fault::from(Diagnostic::new(
                Code::OpenFailed,
                format!("the function refused to open: {}", clean(&message, MAX_MESSAGE_BYTES)),
            ))),
            Err(error) => {
                let fault = fault_of(&error, &mut store, limits);
                Err(Fault::from(Diagnostic { message: format!("while opening, {}", fault.message), ..fault }))
            }
        }
    }

    /// Runs items of a bundle and leaves all but the end of a reply in the store. After an error the guest is of no use.
    pub(crate) fn run(
        &mut self,
        function: &LoadedFunction,
        work: &Work<'_>,
        chosen: Chosen<'_>,
        deadline_ms: u64,
    ) -> Result<Answer> {
        let kind = function.description().kind;
        let item_count = chosen.map_or(work.item_count(), <[u32]>::len);
        let state = self.store.data_mut();
        (state.processing_time_ms, state.watermark_ms) = work.times();
        state.limiter.refused_bytes = None;
        state.requests.rewind();
        state.reply.begin(kind);
        (state.output, state.effects) = (None, None);
        match (kind, work) {
            (FunctionKind::Map, _) => {
                state.output = Some(Output {
                    schema: function.outputs().clone(),
                    input_rows: item_count,
                    items: chosen.map(<[u32]>::to_vec),
                    next_origin: 0,
                    origins: Vec::new(),
                });
            }
            (_, Work::Keyed(bundle, _)) => {
                let limit = self.limits.state_value_bytes;
                state.effects = Some(Effects::new(function, bundle.key_count(), limit));
            }
            _ => {}
        }
        state.deadline = Instant::now() + Duration::from_millis(deadline_ms);
        self.store.set_epoch_deadline(ticks(deadline_ms));
        let mut answer = self.call(function, work, chosen, kind)?;
        answer.failures.sort_by_key(|failure| failure.row);
        check_failures(&answer.failures, item_count)?;
        let state = self.store.data_mut();
        if let Some(keep) = &answer.keep {
            state.reply.check_keep(item_count, keep).map_err(as_bad_output)?;
        }
        if let Some(output) = state.output.take() {
            check_rows(&output, &answer.failures)?;
        }
        if let Some(chosen) = chosen {
            answer.failures.iter_mut().for_each(|failure| failure.row = chosen[failure.row as usize]);
        }
        Ok(answer)
    }

    fn call(
        &mut self,
        function: &LoadedFunction,
        work: &Work<'_>,
        chosen: Chosen<'_>,
        kind: FunctionKind,
    ) -> Result<Answer> {
        let schema = function.input();
        let Some(rows) = work.rows() else { return self.call_timers(function, work, chosen) };
        let bytes;
        let some;
        let rows = match chosen {
            None => rows,
            Some(chosen) => {
                bytes = choose_rows(schema, rows, chosen)?;
                some = BatchView::parse(schema, bytemuck::cast_slice(&bytes))?;
                &some
            }
        };
        let columns = columns_to_guest(schema, rows).ok_or_else(not_aligned)?;
        let batch = BatchToGuest::new(rows, &columns);
        let (store, run) = (&mut self.store, &self.functions.run);
        let called = match kind {
            FunctionKind::Map => {
                run.typed::<(BatchToGuest<'_>,), (Vec<RowFailure>,)>(&*store).and_then(|run| {
                    let (failures,) = run.call(store, (batch,))?;
                    Ok(Answer { keep: None, failures })
                })
            }
            FunctionKind::Filter => {
                run.typed::<(BatchToGuest<'_>,), ((Vec<u8>, Vec<RowFailure>),)>(&*store).and_then(|run| {
                    let ((keep, failures),) = run.call(store, (batch,))?;
                    Ok(Answer { keep: Some(keep), failures })
                })
            }
            FunctionKind::Process => {
                return self.call_keyed(function, work, chosen, |guest, timestamps, keyed| {
                    type Arguments<'a> = (BatchToGuest<'a>, &'a [i64], KeyedToGuest<'a>);
                    let run = guest.functions.run.typed::<Arguments<'_>, ProcessResult>(&guest.store)?;
                    Ok(run.call(&mut guest.store, (batch, timestamps, keyed))?.0)
                });
            }
        };
        called.map_err(|error| fault_of(&error, &mut self.store, self.limits))
    }

    fn call_timers(
        &mut self,
        function: &LoadedFunction,
        work: &Work<'_>,
        chosen: Chosen<'_>,
    ) -> Result<Answer> {
        self.call_keyed(function, work, chosen, |guest, timestamps, keyed| {
            let Some(timers) = guest.functions.timers else {
                return Err(wasmtime::Error::msg("there is no `timers-batch`"));
            };
            let is_processing_time =
                matches!(work, Work::Keyed(bundle, _) if bundle.items == Items::ProcessingTimeTimers);
            let timers = timers.typed::<(&[i64], bool, KeyedToGuest<'_>), ProcessResult>(&guest.store)?;
            Ok(timers.call(&mut guest.store, (timestamps, is_processing_time, keyed))?.0)
        })
    }

    /// Calls with what the guest gets beside its rows.
    fn call_keyed(
        &mut self,
        function: &LoadedFunction,
        work: &Work<'_>,
        chosen: Chosen<'_>,
        call: impl FnOnce(
            &mut Self,
            &[i64],
            KeyedToGuest<'_>,
        ) -> wasmtime::Result<std::result::Result<(), RowFailure>>,
    ) -> Result<Answer> {
        let (Work::Keyed(bundle, values), Some(schema)) = (work, function.keyed()) else {
            return Err(Diagnostic::new(Code::Internal, "a bundle without keys for a process function"));
        };
        let some = chosen.map(|chosen| (choose(&bundle.timestamps, chosen), choose(&bundle.keys, chosen)));
        let (timestamps, keys) = match &some {
            Some((timestamps, keys)) => (timestamps, keys),
            None => (&bundle.timestamps, &bundle.keys),
        };
        let key_columns = columns_to_guest(&schema.key, &bundle.key_rows).ok_or_else(not_aligned)?;
        let values: Vec<_> = values
            .iter()
            .map(|column| ColumnToGuest::bytes(column.validity(), &column.offsets, &column.data))
            .collect();
        let key_rows = BatchToGuest::new(&bundle.key_rows, &key_columns);
        let keyed = KeyedToGuest { keys, key_rows, values: &values };
        match call(self, timestamps, keyed) {
            Ok(Ok(())) => Ok(Answer { keep: None, failures: Vec::new() }),
            Ok(Err(failure)) => Ok(Answer { keep: None, failures: vec![failure] }),
            Err(error) => Err(fault_of(&error, &mut self.store, self.limits)),
        }
    }
}

/// Failures must be rows that the guest got, each once. They are sorted.
fn check_failures(failures: &[RowFailure], row_count: usize) -> Result<()> {
    if failures.windows(2).any(|pair| pair[0].row == pair[1].row) {
        return Err(Diagnostic::new(Code::BadOutput, "a row has failed twice"));
    }
    match failures.last() {
        Some(last) if last.row as usize >= row_count => Err(Diagnostic::new(
            Code::BadOutput,
            format!("row {} has failed in a bundle of {row_count}", last.row),
        )),
        _ => Ok(()),
    }
}

/// A map gives one row, or one failure, for each row. Origins rise and stay below the number of rows, so counting is almost
/// enough: what is left is a row that did both.
fn check_rows(output: &Output, failures: &[RowFailure]) -> Result<()> {
    let (given, failed) = (output.origins.len(), failures.len());
    if given + failed != output.input_rows {
        return Err(Diagnostic::new(
            Code::BadOutput,
            format!("a map of {} rows put out {given} and failed {failed}", output.input_rows),
        ));
    }
    match failures.iter().find(|failure| output.origins.binary_search(&failure.row).is_ok()) {
        Some(failure) => {
            Err(Diagnostic::new(Code::BadOutput, format!("row {} was put out and failed", failure.row)))
        }
        None => Ok(()),
    }
}
