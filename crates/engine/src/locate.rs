//! Finding the item at fault: some of the items are run again, each time in a fresh instance.
//!
//! Functions see no clock, file or random number and keep nothing from item to item that the host does not know of, so of two
//! halves of rows the first that fails holds the first row at fault. Items of a process function depend on those before them
//! through state; there the bundle's beginnings are run.

use std::time::{Duration, Instant};

use flink_wasm_diagnostic::{Code, Diagnostic};

use crate::instance::Instance;
use crate::work::Work;

/// The search may take this many deadlines in all. Then the fault goes out without an item.
const BUDGET_DEADLINES: u32 = 2;
/// Part of the deadline that a part may take when the deadline itself was the fault: the search stays within the budget
/// however many items there are. A part that is merely slow leads it astray, which the last run notices.
const PART_DEADLINE_DIVISOR: u64 = 16;
/// The least deadline of a part: below it a busy machine looks like a loop.
const MIN_PART_DEADLINE_MS: u64 = 50;

/// Which of the items, indices in the bundle, fails with this diagnostic when they are run; `None` when that can't be told.
pub(crate) fn locate(
    instance: &mut Instance,
    work: &Work<'_>,
    items: &[u32],
    diagnostic: &Diagnostic,
) -> Option<u32> {
    let code = diagnostic.code;
    let is_of_item = matches!(
        code,
        Code::FunctionTrapped
            | Code::DeadlineExceeded
            | Code::MemoryExceeded
            | Code::OutputExceeded
            | Code::BadOutput
            | Code::StateTooLarge
    );
    if !is_of_item {
        return None;
    }
    let deadline_ms = instance.options.limits.deadline_ms;
    let end = Instant::now() + Duration::from_millis(deadline_ms) * BUDGET_DEADLINES;
    let part_ms = match code {
        Code::DeadlineExceeded => {
            (deadline_ms / PART_DEADLINE_DIVISOR).max(MIN_PART_DEADLINE_MS).min(deadline_ms)
        }
        _ => deadline_ms,
    };
    // So do items that ask rate limiters, through the answers of those before them.
    let is_in_order = matches!(work, Work::Keyed(..)) || instance.has_requests();
    let (mut start, mut stop) = (0, items.len());
    if stop == 1 {
        return Some(items[0]);
    }
    while start + 1 < stop {
        if Instant::now() >= end {
            return None;
        }
        let middle = start + (stop - start) / 2;
        let from = if is_in_order { 0 } else { start };
        match instance.probe(work, &items[from..middle], part_ms) {
            None => start = middle,
            Some(found) if found == code => stop = middle,
            // Another fault than the one to explain: the item can't be told.
            Some(_) => return None,
        }
    }
    // The search only ever ruled items out. The one that is left must fail.
    let from = if is_in_order { 0 } else { start };
    let found = instance.probe(work, &items[from..stop], deadline_ms)?;
    (found == code).then_some(items[start])
}
