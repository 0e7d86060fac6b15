//! Running rows of a map or filter again that may go well later.
//!
//! Rows do not depend on each other there, so that a row is run alone, and what comes of it is put in its place.

use flink_wasm_diagnostic::{Code, Diagnostic, Result};
use flink_wasm_protocol::batch::{BatchView, BatchWriter, RawColumn, bit};
use flink_wasm_protocol::handshake::FunctionKind;
use flink_wasm_protocol::reply::ReplyWriter;
use flink_wasm_protocol::{Cell, Schema};

use crate::fault::Fault;
use crate::guest::Answer;
use crate::instance::{Failed, Instance, Outcome, has_ended};
use crate::work::Work;

/// What came of a row in the end.
enum Retried {
    /// A map's row.
    Row(Vec<Cell>),
    /// Whether a filter keeps it.
    Keep(bool),
    Failed(Failed),
}

impl Instance {
    /// Runs the rows again whose failure may pass, and gives the answer with what came of them.
    pub(crate) fn retry_rows(
        &mut self,
        work: &Work<'_>,
        chosen: Option<Vec<u32>>,
        mut answer: Answer,
        mut failures: Vec<Failed>,
    ) -> std::result::Result<Outcome, Fault> {
        let retries = self.options.on_error.retries;
        if retries == 0 || answer.failures.iter().all(|failure| !failure.transient) {
            failures.extend(answer.failures.iter().map(Failed::refused));
            failures.sort_by_key(|failed| failed.item);
            return Ok(Outcome { chosen, keep: answer.keep, failures });
        }
        let state = self.guest.as_mut().ok_or_else(has_ended)?.store.data_mut();
        let (mut reply, aside) = (std::mem::take(&mut state.reply), state.requests.put_aside());
        let mut rows = Vec::new();
        for failure in &answer.failures {
            if !failure.transient {
                failures.push(Failed::refused(failure));
                continue;
            }
            match self.retry(work, Failed::refused(failure), retries)? {
                Retried::Row(row) => rows.push((failure.row, row)),
                Retried::Keep(is_kept) => {
                    let at = chosen.as_ref().map_or(failure.row as usize, |chosen| {
                        chosen.binary_search(&failure.row).unwrap_or_default()
                    });
                    if let Some(keep) = &mut answer.keep {
                        // A refused row's bit means nothing.
                        keep[at / 8] = keep[at / 8] & !(1 << (at % 8)) | u8::from(is_kept) << (at % 8);
                    }
                }
                Retried::Failed(failed) => failures.push(failed),
            }
        }
        if !rows.is_empty() {
            put_rows(self.function.output(), &mut reply, rows)?;
        }
        let state = self.guest.as_mut().ok_or_else(has_ended)?.store.data_mut();
        state.reply = reply;
        state.requests.put_back(aside);
        failures.sort_by_key(|failed| failed.item);
        Ok(Outcome { chosen, keep: answer.keep, failures })
    }

    fn retry(
        &mut self,
        work: &Work<'_>,
        mut failed: Failed,
        retries: u32,
    ) -> std::result::Result<Retried, Fault> {
        let item = failed.item;
        for _ in 0..retries {
            let state = self.guest.as_mut().ok_or_else(has_ended)?.store.data_mut();
            let told = std::mem::take(&mut state.trailer);
            let earlier = state.requests.put_aside();
            let result = self.attempt(work, Some(&[item]), &told);
            let state = self.guest.as_mut().ok_or_else(has_ended)?.store.data_mut();
            let answer = match result {
                Ok(answer) => answer,
                Err(diagnostic) => {
                    state.requests.cut(0);
                    let failed = self.fault(work, Some(&[item]), diagnostic)?;
                    let state = self.guest.as_mut().ok_or_else(has_ended)?.store.data_mut();
                    (state.trailer, _) = (told, state.requests.put_back(earlier));
                    return Ok(Retried::Failed(failed));
                }
            };
            let Some(failure) = answer.failures.first() else {
                state.requests.put_back(earlier);
                return match answer.keep {
                    Some(keep) => Ok(Retried::Keep(bit(&keep, 0))),
                    None => Ok(Retried::Row(only_row(self.function.output(), &state.reply)?)),
                };
            };
            failed = Failed::refused(failure);
            state.requests.cut(0);
            (state.trailer, _) = (told, state.requests.put_back(earlier));
            if !failure.transient {
                break;
            }
        }
        Ok(Retried::Failed(failed))
    }
}

/// The row that a map has made of one row.
fn only_row(schema: &Schema, reply: &ReplyWriter) -> Result<Vec<Cell>> {
    let emissions = reply.emissions(schema)?;
    let rows = emissions.iter().find(|emission| emission.rows.row_count() == 1);
    rows.map(|emission| emission.rows.row(schema, 0))
        .ok_or_else(|| Diagnostic::new(Code::Internal, "a map gave no row for a row"))
}

/// Puts rows among those that the map has put out already, in the order of their origins.
fn put_rows(schema: &Schema, reply: &mut ReplyWriter, more: Vec<(u32, Vec<Cell>)>) -> Result<()> {
    let mut rows = more;
    for emission in reply.emissions(schema)? {
        let cells = (0..emission.rows.row_count()).map(|row| emission.rows.row(schema, row));
        rows.extend(emission.origin.iter().copied().zip(cells));
    }
    rows.sort_by_key(|(origin, _)| *origin);
    let mut writer = BatchWriter::new(schema);
    for (_, cells) in &rows {
        writer.push_row(cells)?;
    }
    let mut bytes = Vec::new();
    writer.finish(&mut bytes)?;
    let batch = BatchView::parse(schema, &bytes)?;
    let columns: Vec<_> = batch
        .columns()
        .iter()
        .map(|column| RawColumn { validity: column.validity, cells: column.cells })
        .collect();
    let origins: Vec<u32> = rows.iter().map(|(origin, _)| *origin).collect();
    reply.begin(FunctionKind::Map);
    reply.emission(schema, 0, rows.len(), &origins, &columns)
}
