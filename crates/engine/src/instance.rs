//! One instance: answers bundles, one after the other, until a fault ends it.

use std::sync::Arc;

use flink_wasm_diagnostic::{Code, Diagnostic, Result};
use flink_wasm_protocol::bundle::Bundle;
use flink_wasm_protocol::handshake::{FunctionKind, Limits};
use wasmtime::Store;
use wasmtime::component::Func;

use crate::abi::{BatchToGuest, ColumnToGuest, RowFailure, columns_to_guest};
use crate::bisect;
use crate::fault::Fault;
use crate::function::{LoadedFunction, fault_of, ticks};
use crate::host::{HostState, Output, as_bad_output};
use crate::text::clean;

/// Memory of the reply that is kept from bundle to bundle: several times a usual one.
const KEPT_REPLY_BYTES: usize = 4 << 20;
/// Failures' messages are cut again by the protocol; this bounds the copy.
const MAX_MESSAGE_BYTES: usize = flink_wasm_protocol::limits::MAX_FAILURE_MESSAGE_BYTES;

/// An instance of a function, with its own memory.
pub struct Instance {
    pub(crate) function: Arc<LoadedFunction>,
    pub(crate) parameters: Arc<str>,
    pub(crate) limits: Limits,
    store: Store<HostState>,
    run: Func,
    has_ended: bool,
}

impl Instance {
    pub(crate) fn open(
        function: Arc<LoadedFunction>,
        parameters: Arc<str>,
        limits: Limits,
    ) -> std::result::Result<Self, Fault> {
        let (mut store, open, run) = function.instantiate(limits)?;
        store.set_epoch_deadline(ticks(limits.deadline_ms));
        let opened = open
            .typed::<(&str,), (std::result::Result<(), String>,)>(&store)
            .and_then(|open| open.call(&mut store, (&parameters,)));
        match opened {
            Ok((Ok(()),)) => Ok(Self { function, parameters, limits, store, run, has_ended: false }),
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

    /// The component behind the instance.
    pub fn function(&self) -> &Arc<LoadedFunction> {
        &self.function
    }

    /// The most linear memory that the guest has had, in bytes.
    pub fn peak_memory_bytes(&self) -> usize {
        self.store.data().limiter.peak_bytes
    }

    /// Runs the payload of a BUNDLE frame and gives the whole REPLY frame, which lives until the next call.
    ///
    /// A fault ends the instance:
    /// FW0503 and FW0508 when the payload is no bundle of the function's input; FW0504 trap, FW0505 deadline, FW0506 memory,
    /// FW0510 and FW0511 for what the function put out. The row at fault is searched by running the bundle again in halves.
    pub fn run(&mut self, id: u64, payload: &[u8]) -> std::result::Result<&[u8], Fault> {
        if self.has_ended {
            return Err(Fault::from(Diagnostic::new(
                Code::Internal,
                "the instance has ended with an earlier fault",
            )));
        }
        let result = self.run_bundle(id, payload);
        if let Err(fault) = result {
            self.has_ended = true;
            return Err(fault);
        }
        // The frame is made at the end, outside of the borrow that an early return would extend.
        Ok(self.store.data().reply.frame())
    }

    fn run_bundle(&mut self, id: u64, payload: &[u8]) -> std::result::Result<(), Fault> {
        let function = self.function.clone();
        let schema = function.input();
        let bundle = Bundle::parse(schema, payload)?;
        self.store.data_mut().reply.shrink(KEPT_REPLY_BYTES);
        let result = match columns_to_guest(schema, &bundle.rows) {
            Some(columns) => self.run_rows(&bundle, &columns, self.limits.deadline_ms),
            None => {
                // A payload that does not lie on a multiple of 8 bytes: only callers other than the sidecar have one.
                let mut aligned = vec![0_u64; payload.len().div_ceil(8)];
                let bytes = bytemuck::cast_slice_mut::<u64, u8>(&mut aligned);
                bytes[..payload.len()].copy_from_slice(payload);
                self.run_aligned(&bytes[..payload.len()])
            }
        };
        let result = result.and_then(|()| {
            let state = self.store.data_mut();
            let trailer = std::mem::take(&mut state.trailer);
            state.reply.finish(id, &trailer).map(drop)
        });
        result.map_err(|diagnostic| bisect::locate(self, &bundle, diagnostic))
    }

    fn run_aligned(&mut self, payload: &[u8]) -> Result<()> {
        let function = self.function.clone();
        let bundle = Bundle::parse(function.input(), payload)?;
        let columns = columns_to_guest(function.input(), &bundle.rows)
            .ok_or_else(|| Diagnostic::new(Code::Internal, "an aligned bundle is not aligned"))?;
        self.run_rows(&bundle, &columns, self.limits.deadline_ms)
    }

    /// Runs some rows for the sake of their fault alone.
    pub(crate) fn probe(mut self, payload: &[u8], deadline_ms: u64) -> Result<()> {
        self.limits.deadline_ms = deadline_ms;
        self.run_aligned(payload)
    }

    /// Calls the guest and leaves all but the end of a reply in the store.
    fn run_rows(
        &mut self,
        bundle: &Bundle<'_>,
        columns: &[ColumnToGuest<'_>],
        deadline_ms: u64,
    ) -> Result<()> {
        let kind = self.function.description().kind;
        let row_count = bundle.rows.row_count();
        let state = self.store.data_mut();
        state.processing_time_ms = bundle.processing_time_ms;
        state.watermark_ms = bundle.watermark_ms;
        state.limiter.refused_bytes = None;
        state.reply.begin(kind);
        if kind == FunctionKind::Map {
            let schema = self.function.output().clone();
            state.output =
                Some(Output { schema, input_rows: row_count, next_origin: 0, origins: Vec::new() });
        }
        self.store.set_epoch_deadline(ticks(deadline_ms));
        let rows = BatchToGuest::new(&bundle.rows, columns);
        let called = match kind {
            FunctionKind::Map => {
                self.run.typed::<(BatchToGuest<'_>,), (Vec<RowFailure>,)>(&self.store).and_then(|run| {
                    let (failures,) = run.call(&mut self.store, (rows,))?;
                    Ok((None, failures))
                })
            }
            FunctionKind::Filter => self
                .run
                .typed::<(BatchToGuest<'_>,), ((Vec<u8>, Vec<RowFailure>),)>(&self.store)
                .and_then(|run| {
                    let ((keep, failures),) = run.call(&mut self.store, (rows,))?;
                    Ok((Some(keep), failures))
                }),
        };
        let (keep, mut failures) = called.map_err(|error| fault_of(&error, &mut self.store, self.limits))?;
        failures.sort_by_key(|failure| failure.row);
        let state = self.store.data_mut();
        let output = state.output.take();
        check_failures(&failures, row_count)?;
        if let Some(output) = output {
            check_rows(&output, &failures)?;
        }
        if let Some(keep) = keep {
            state.reply.keep(row_count, &keep).map_err(as_bad_output)?;
        }
        for failure in &failures {
            state.reply.failure(failure.row, &clean(&failure.message, MAX_MESSAGE_BYTES))?;
        }
        Ok(())
    }
}

/// Failures must be rows of the bundle, each once. They are sorted.
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

impl std::fmt::Debug for Instance {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Instance").field("function", &self.function).field("limits", &self.limits).finish()
    }
}
