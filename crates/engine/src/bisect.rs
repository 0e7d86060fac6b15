//! Finding the row at fault: the bundle is run again in halves, each in a fresh instance.
//!
//! Functions see no clock, file or random number and keep no state from row to row that the host knows of, so the first half
//! that fails holds the first row that does.

use std::time::{Duration, Instant};

use flink_wasm_diagnostic::{Code, Diagnostic, Result};
use flink_wasm_protocol::batch::BatchWriter;
use flink_wasm_protocol::bundle::{Bundle, encode_bundle};

use crate::fault::Fault;
use crate::instance::Instance;

/// The search may take this many deadlines in all. Then the fault goes out without a row.
const BUDGET_DEADLINES: u32 = 2;
/// Part of the deadline that a half may take when the deadline itself was the fault: the search stays within the budget
/// however many rows there are. A half that is merely slow leads it astray, which the last run notices.
const HALF_DEADLINE_DIVISOR: u64 = 16;
/// The least deadline of a half: below it a busy machine looks like a loop.
const MIN_HALF_DEADLINE_MS: u64 = 50;

/// The fault with its row, if that can be found.
pub(crate) fn locate(instance: &Instance, bundle: &Bundle<'_>, diagnostic: Diagnostic) -> Fault {
    let has_row = matches!(
        diagnostic.code,
        Code::FunctionTrapped | Code::DeadlineExceeded | Code::MemoryExceeded | Code::BadOutput
    );
    let row = if has_row { search(instance, bundle, diagnostic.code) } else { None };
    Fault { diagnostic, row }
}

fn search(instance: &Instance, bundle: &Bundle<'_>, code: Code) -> Option<u32> {
    let deadline_ms = instance.limits.deadline_ms;
    let end = Instant::now() + Duration::from_millis(deadline_ms) * BUDGET_DEADLINES;
    let half_ms = match code {
        Code::DeadlineExceeded => {
            (deadline_ms / HALF_DEADLINE_DIVISOR).max(MIN_HALF_DEADLINE_MS).min(deadline_ms)
        }
        _ => deadline_ms,
    };
    let (mut start, mut stop) = (0, bundle.rows.row_count());
    if stop == 1 {
        return Some(0);
    }
    while start + 1 < stop {
        if Instant::now() >= end {
            return None;
        }
        let middle = start + (stop - start) / 2;
        match probe(instance, bundle, start, middle, half_ms) {
            Ok(()) => start = middle,
            Err(fault) if fault.code == code => stop = middle,
            // Another fault than the one to explain: the row can't be told.
            Err(_) => return None,
        }
    }
    // The search only ever ruled rows out. The one that is left must fail by itself.
    let fault = probe(instance, bundle, start, stop, deadline_ms).err()?;
    (fault.code == code).then_some(start as u32)
}

fn probe(
    instance: &Instance,
    bundle: &Bundle<'_>,
    start: usize,
    stop: usize,
    deadline_ms: u64,
) -> Result<()> {
    let schema = instance.function.input();
    let mut writer = BatchWriter::new(schema);
    for row in start..stop {
        writer.push_row(&bundle.rows.row(schema, row))?;
    }
    let mut batch = Vec::new();
    writer.finish(&mut batch)?;
    let payload = encode_bundle(bundle.processing_time_ms, bundle.watermark_ms, &batch);
    let fresh = Instance::open(instance.function.clone(), instance.parameters.clone(), instance.limits)
        .map_err(|fault| fault.diagnostic)?;
    fresh.probe(&payload, deadline_ms)
}
