//! Runs what a capsule holds again.

use flink_wasm_diagnostic::{Code, Diagnostic, Result};
use serde_json::Value;

use super::{Capsule, CapsuleItem};
use crate::bundle::{Item, Mode, Times};
use crate::executor::Executor;
use crate::function::{Function, Grouping, Settings};
use crate::harness::Harness;
use crate::state::{ElementChange, KeyedState};

/// Runs the row or timer of a capsule on a function, and gives the failure, if there is one again.
///
/// FW0606 when the function's states are not those of the capsule, FW0508 when its row or key does not fit the function.
pub fn replay(
    capsule: &Capsule,
    function: Function,
    executor: Box<dyn Executor>,
) -> Result<Option<Diagnostic>> {
    check_states(capsule, &function)?;
    let grouping = Grouping::of_function(&function);
    let key = grouping.of_values(&capsule.key.values().cloned().collect::<Vec<Value>>())?;
    let (mode, timestamp, cells) = match &capsule.item {
        CapsuleItem::Row { row, timestamp } => {
            (Mode::Rows, timestamp.unwrap_or(i64::MIN), function.input_cells(row)?)
        }
        CapsuleItem::EventTimeTimer(timestamp) => (Mode::EventTimeTimers, *timestamp, Vec::new()),
        CapsuleItem::ProcessingTimeTimer(timestamp) => (Mode::ProcessingTimeTimers, *timestamp, Vec::new()),
    };
    let settings = Settings {
        parameters: capsule.parameters.clone(),
        rate_limiters: capsule.rate_limiters.clone(),
        limits: capsule.limits,
        ..Settings::default()
    };
    let mut harness = Harness::with_grouping(function, &settings, grouping, executor)?;
    let times = Times {
        processing_time_ms: capsule.processing_time,
        watermark_ms: capsule.watermark.unwrap_or(i64::MIN),
    };
    let fill = |state: &mut KeyedState| {
        for (index, held) in capsule.state.iter().enumerate() {
            if let Some(value) = &held.value {
                state.put_value(&key, index, Some(value.bytes()), times.processing_time_ms);
            }
            for (element, value) in &held.elements {
                let change = ElementChange::Put { element: element.bytes(), value: value.bytes() };
                state.change(&key, index, change, times.processing_time_ms);
            }
        }
    };
    let ran = harness.run_one(times, mode, Item { key: key.clone(), timestamp, cells }, fill);
    match (ran, harness.failure()) {
        (Err(_), Some(failure)) => Ok(Some(failure.clone())),
        (ran, _) => ran.map(|()| None),
    }
}

fn check_states(capsule: &Capsule, function: &Function) -> Result<()> {
    let same = capsule.state.len() == function.states.len()
        && capsule.state.iter().zip(&function.states).all(|(held, state)| {
            let held = &held.descriptor;
            (&held.name, held.kind, &held.schema) == (&state.name, state.kind, &state.schema)
        });
    if same {
        return Ok(());
    }
    Err(Diagnostic::new(
        Code::StateIncompatible,
        "the function's states are not those of the capsule".to_owned(),
    )
    .help(format!("replay it on the component {}", capsule.component)))
}
