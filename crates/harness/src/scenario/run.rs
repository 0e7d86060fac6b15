//! Runs scenarios, each in a harness of its own.

use flink_wasm_diagnostic::Result;
use serde_json::{Map, Value, json};

use super::read::TIMESTAMP;
use super::{Action, Scenario, Scenarios, Step};
use crate::compare::fits;
use crate::executor::Executor;
use crate::function::{Function, Settings};
use crate::harness::{Harness, OutputRow};
use flink_wasm_protocol::reply::LogLine;
use flink_wasm_protocol::schema::RowField;
use flink_wasm_protocol::{BatchView, json};

/// What became of a scenario.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// Where it went otherwise than expected. A step behind a difference still runs.
    pub differences: Vec<Difference>,
    /// What the function has logged.
    pub logs: Vec<LogLine>,
}

/// A step that went otherwise than expected.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// JSON pointer of the step in the file; the scenario's own for what is left at its end.
    pub pointer: String,
    /// What is compared: an output, `state sum`, `failures`.
    pub what: String,
    /// What was expected.
    pub expected: Value,
    /// What has come.
    pub got: Value,
}

/// Runs one scenario. `bundle_rows` is how many rows go into a bundle at most; answers do not depend on it.
///
/// An error is a defect, or a function that does not open; what goes otherwise than expected is in the outcome.
pub fn run(
    function: &Function,
    scenarios: &Scenarios,
    parameters: &Map<String, Value>,
    scenario: &Scenario,
    bundle_rows: usize,
    executor: Box<dyn Executor>,
) -> Result<Outcome> {
    let settings = Settings {
        parameters: parameters.clone(),
        key: scenarios.key.clone(),
        on_error: scenarios.on_error,
        rate_limiters: scenarios.rate_limiters.clone(),
        limits: scenarios.limits,
        bundle_rows,
    };
    let mut runner = Runner {
        harness: Harness::new(function.clone(), &settings, executor)?,
        snapshot: None,
        differences: Vec::new(),
        is_failure_expected: false,
    };
    for step in &scenario.steps {
        runner.step(step)?;
    }
    runner.end(&scenario.pointer)?;
    Ok(Outcome { differences: runner.differences, logs: runner.harness.take_logs() })
}

struct Runner {
    harness: Harness,
    snapshot: Option<Vec<u8>>,
    differences: Vec<Difference>,
    is_failure_expected: bool,
}

impl Runner {
    fn step(&mut self, step: &Step) -> Result<()> {
        let harness = &mut self.harness;
        // What happens to a job that has failed happens to nobody; only a look at the failure, and a restore, are of use.
        let result = match &step.action {
            Action::Rows { .. } | Action::Watermark(_) | Action::Clock(_) if harness.failure().is_some() => {
                Ok(())
            }
            Action::Rows { rows, timestamp, key } => rows.iter().try_for_each(|row| match key {
                Some(key) => harness.push_with_key(key, row, *timestamp),
                None => harness.push(row, *timestamp),
            }),
            Action::Watermark(watermark_ms) => harness.advance_watermark(*watermark_ms),
            Action::Clock(clock_ms) => harness.advance_processing_time(*clock_ms),
            Action::Snapshot => harness.snapshot().map(|bytes| self.snapshot = Some(bytes)),
            Action::Restore => {
                self.is_failure_expected = false;
                match &self.snapshot {
                    Some(snapshot) => harness.restore(snapshot),
                    None => harness.restart_empty(),
                }
            }
            _ => return self.look(step),
        };
        match result {
            // The job's failure is shown by the step that looks next, or at the end.
            Err(_) if self.harness.failure().is_some() && !matches!(step.action, Action::Snapshot) => Ok(()),
            Err(error) if self.harness.failure().is_some() => {
                self.differ(step, "snapshot", Value::Bool(true), json!({ "error": error.message }));
                Ok(())
            }
            other => other,
        }
    }

    /// Steps that only look.
    fn look(&mut self, step: &Step) -> Result<()> {
        // A failure comes out when the last rows have run.
        let flushed = self.harness.flush();
        if let Action::Error(part) = &step.action {
            let failure = self.harness.failure().map(|failure| failure.message.clone());
            self.is_failure_expected = true;
            if !failure.as_ref().is_some_and(|message| message.contains(part)) {
                self.differ(step, "error", json!(part), json!(failure));
            }
            return Ok(());
        }
        if let Some(failure) = self.harness.failure() {
            let got =
                json!({ "error": format!("{}: {}", failure.code, failure.message), "notes": failure.notes });
            let (what, expected) = match &step.action {
                Action::Expect(outputs) => {
                    ("output".to_owned(), outputs.iter().cloned().collect::<Map<_, _>>().into())
                }
                Action::Failures(failures) => ("failures".to_owned(), failures.clone()),
                Action::State { name, is, .. } => (format!("state {name}"), is.clone()),
                _ => ("the job".to_owned(), json!("runs")),
            };
            self.differ(step, &what, expected, got);
            return Ok(());
        }
        flushed?;
        match &step.action {
            Action::Expect(expected) => self.expect(&step.pointer, expected)?,
            Action::Failures(expected) => self.failures(&step.pointer, expected)?,
            Action::State { name, key, is } => {
                let got = self.harness.state(name, key)?;
                self.compare(step, &format!("state {name}"), is, got);
            }
            Action::Timers { key, event_time, processing_time } => {
                let timers = self.harness.timers(key)?;
                let (mut event_time, mut processing_time) = (event_time.clone(), processing_time.clone());
                event_time.sort_unstable();
                processing_time.sort_unstable();
                let shown = |event: &[i64], processing: &[i64]| json!({ "eventTime": event, "processingTime": processing });
                let got = shown(&timers.event_time, &timers.processing_time);
                self.compare(step, "timers", &shown(&event_time, &processing_time), got);
            }
            Action::Counters(expected) => {
                let counters = self.harness.counters()?;
                let got: Map<String, Value> = expected
                    .keys()
                    .map(|name| (name.clone(), json!(counters.get(name).copied().unwrap_or_default())))
                    .collect();
                self.compare(step, "counters", &Value::Object(expected.clone()), got.into());
            }
            _ => {}
        }
        Ok(())
    }

    fn end(&mut self, pointer: &str) -> Result<()> {
        if self.is_failure_expected && self.harness.failure().is_some() {
            return Ok(());
        }
        let _ = self.harness.flush();
        if let Some(failure) = self.harness.failure() {
            let got =
                json!({ "error": format!("{}: {}", failure.code, failure.message), "notes": failure.notes });
            self.push(pointer, "the end", json!("no failure"), got);
            return Ok(());
        }
        self.expect(pointer, &[])?;
        self.failures(pointer, &json!([]))
    }

    /// Compares all outputs: one that is not named has no rows.
    fn expect(&mut self, pointer: &str, expected: &[(String, Value)]) -> Result<()> {
        let names: Vec<String> = self.harness.function().output_names().map(str::to_owned).collect();
        for (index, name) in names.into_iter().enumerate() {
            let rows = self.harness.output(&name)?;
            let fields = self.harness.function().output_fields(index);
            let expected = expected.iter().find(|(known, _)| *known == name);
            let wants = expected.and_then(|(_, rows)| rows.as_array()).map(Vec::as_slice).unwrap_or_default();
            let wants: Vec<Value> = wants.iter().map(|want| as_shown(fields, want)).collect();
            let is_about_time = wants.iter().any(|want| want.get(TIMESTAMP).is_some());
            let got: Vec<Value> = rows.iter().map(|row| shown(row, is_about_time)).collect();
            let is_same = wants.len() == rows.len()
                && wants.iter().zip(rows.iter().zip(&got)).all(|(want, (row, got))| {
                    fits(want, if want.get(TIMESTAMP).is_some() { got } else { &row.row })
                });
            if !is_same {
                self.push(pointer, &name, Value::Array(wants), Value::Array(got));
            }
        }
        Ok(())
    }

    fn failures(&mut self, pointer: &str, expected: &Value) -> Result<()> {
        let failed = self.harness.failed_rows()?;
        let got: Vec<Value> = failed
            .iter()
            .map(|failed| json!({ "row": failed.row, "code": failed.code, "error": failed.message }))
            .collect();
        let input = &self.harness.function().input;
        let wants = expected.as_array().into_iter().flatten().map(|want| {
            let mut want = want.clone();
            if let Some(row) = want.get_mut("row") {
                *row = as_shown(input, row);
            }
            want
        });
        let wants: Vec<Value> = wants.collect();
        let fits_failure = |(want, got): (&Value, &Value)| {
            want.as_object().into_iter().flatten().all(|(name, value)| {
                match (name.as_str(), value, &got[name]) {
                    ("error", Value::String(part), Value::String(message)) => message.contains(part.as_str()),
                    (_, want, got) => fits(want, got),
                }
            })
        };
        if wants.len() != got.len() || !wants.iter().zip(&got).all(fits_failure) {
            self.push(pointer, "failures", expected.clone(), Value::Array(got));
        }
        Ok(())
    }

    fn compare(&mut self, step: &Step, what: &str, expected: &Value, got: Value) {
        if !fits(expected, &got) {
            self.differ(step, what, expected.clone(), got);
        }
    }

    fn differ(&mut self, step: &Step, what: &str, expected: Value, got: Value) {
        self.push(&step.pointer, what, expected, got);
    }

    fn push(&mut self, pointer: &str, what: &str, expected: Value, got: Value) {
        self.differences.push(Difference {
            pointer: pointer.to_owned(),
            what: what.to_owned(),
            expected,
            got,
        });
    }
}

/// A row that is expected, with its cells as those that come are shown: `"4.50"` for a decimal is 4.5.
fn as_shown(fields: &[RowField], row: &Value) -> Value {
    let Value::Object(cells) = row else { return row.clone() };
    let shown = |(name, value): (&String, &Value)| {
        let field = fields.iter().find(|field| field.name == *name);
        // What is no value of the column stays as it is written, and differs.
        let read = field.and_then(|field| {
            let fields = std::slice::from_ref(field);
            let batch = json::rows_to_batch(fields, &[json!({ name: value })]).ok()?;
            let batch = BatchView::parse(&json::schema_of(fields).ok()?, &batch)
                .map(|batch| json::batch_to_rows(fields, &batch));
            Some(batch.ok()?.ok()?.first()?[name].clone())
        });
        (name.clone(), read.unwrap_or_else(|| value.clone()))
    };
    Value::Object(cells.iter().map(shown).collect())
}

/// An output row, with its timestamp where that matters.
fn shown(row: &OutputRow, is_about_time: bool) -> Value {
    match &row.row {
        Value::Object(cells) if is_about_time => {
            let mut cells = cells.clone();
            cells.insert(TIMESTAMP.to_owned(), json!(row.timestamp));
            Value::Object(cells)
        }
        other => other.clone(),
    }
}
