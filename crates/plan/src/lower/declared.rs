//! Operations that say something of the process function beside them, as FlinkDotnet's builder writes them: `state`, `timer`
//! and `retry` directly before or behind it, `sideOutput` behind it.
//!
//! The function itself has its state and timers, so a declaration is checked against them. What the function can't
//! honour exactly is refused.

use flink_wasm_diagnostic::{Code, Diagnostic, nearest};
use flink_wasm_ir::{
    JobDefinition, Object, Operation, RetryOperation, SideOutputOperation, StateOperation, TimerOperation,
};

use super::{Lowering, Place, Relation};
use crate::Function;
use crate::check;

/// Whether it may stand between a `groupBy` and its process function.
fn is_declaration(operation: &Operation) -> bool {
    matches!(operation, Operation::State(_) | Operation::Timer(_) | Operation::Retry(_))
}

/// Index of the process function that the `groupBy` at `index` groups rows for.
pub(super) fn grouped(job: &JobDefinition, index: usize) -> Option<usize> {
    next(job, index)
}

/// Index of the process function that the declaration at `index` is about: the one before it, else the one behind it.
pub(super) fn owner(job: &JobDefinition, index: usize) -> Option<usize> {
    let beside =
        |operation: &Operation| is_declaration(operation) || matches!(operation, Operation::SideOutput(_));
    let before = job.operations[..index].iter().rposition(|operation| !beside(operation));
    let is_process = |at: &usize| matches!(job.operations[*at], Operation::ProcessFunction(_));
    before.filter(is_process).or_else(|| next(job, index))
}

/// The first operation behind `index` that declares nothing, when it is a process function.
fn next(job: &JobDefinition, index: usize) -> Option<usize> {
    let rest = &job.operations[index + 1..];
    let at = index + 1 + rest.iter().position(|operation| !is_declaration(operation))?;
    matches!(job.operations[at], Operation::ProcessFunction(_)).then_some(at)
}

/// The declarations about the process function at `index`, with their own indices.
fn of(job: &JobDefinition, index: usize) -> Vec<(usize, &Operation)> {
    let beside =
        |operation: &Operation| is_declaration(operation) || matches!(operation, Operation::SideOutput(_));
    let first = job.operations[..index].iter().rposition(|o| !is_declaration(o)).map_or(0, |at| at + 1);
    let behind = job.operations[index + 1..].iter().take_while(|operation| beside(operation)).count();
    (first..=index + behind)
        .filter(|&at| at != index && owner(job, at) == Some(index))
        .map(|at| (at, &job.operations[at]))
        .collect()
}

/// What to do instead of an operation that can't be run.
pub(super) fn help(operation: &Operation) -> Option<&'static str> {
    match operation {
        Operation::State(_) => Some("state is a process function's: put this beside its `processFunction`"),
        Operation::Timer(_) => Some("timers are a process function's: put this beside its `processFunction`"),
        Operation::Retry(_) => {
            Some("`functions.<name>.onError` tries rows again: {\"policy\": \"fail\", \"retries\": 3}")
        }
        Operation::AsyncFunction(_) => Some(
            "functions are synchronous: docs/synchronous.md shows each asynchronous pattern in its synchronous form",
        ),
        _ => None,
    }
}

/// What the declarations about a process function add to it.
#[derive(Default)]
pub(super) struct Declared {
    /// Delays of timers, as parameters.
    pub(super) parameters: Vec<(String, Object)>,
    /// Retries, and where they are given.
    pub(super) retries: Option<(String, u32)>,
}

impl Lowering<'_> {
    /// Checks the declarations about the process function at `index`.
    pub(super) fn declared(&mut self, index: usize, name: &str, function: &Function) -> Declared {
        let job = self.job;
        let mut declared = Declared::default();
        for (at, operation) in of(job, index) {
            let from = format!("/operations/{at}");
            match operation {
                Operation::State(state) => self.declared_state(&from, state, name, function),
                Operation::Timer(timer) => {
                    declared.parameters.extend(self.declared_timer(&from, timer, name, function));
                }
                Operation::Retry(retry) => {
                    let retries = self.declared_retry(&from, retry);
                    if declared.retries.is_some() {
                        self.problem(
                            Code::MalformedJob,
                            &from,
                            format!("`{name}` has two `retry` operations"),
                        );
                    }
                    declared.retries = retries.map(|retries| (format!("{from}/maxRetries"), retries));
                }
                _ => {}
            }
        }
        declared
    }

    fn declared_state(&mut self, from: &str, state: &StateOperation, name: &str, function: &Function) {
        let Some(own) = function.descriptor.states.iter().find(|own| own.name == state.state_key) else {
            let problem = unknown("state", &state.state_key, name, state_names(function));
            self.problems.push(problem.pointer(format!("{from}/stateKey")));
            return;
        };
        if !own.kind.as_str().eq_ignore_ascii_case(&state.state_type) {
            let message = format!(
                "state `{}` of `{name}` is a {} state, not a {} state",
                own.name,
                own.kind.as_str(),
                state.state_type
            );
            self.problem(Code::TypeMismatch, &format!("{from}/stateType"), message);
        }
        if let Some(ttl_ms) = state.ttl_ms
            && u64::try_from(ttl_ms).ok() != own.ttl_ms
        {
            let has = own
                .ttl_ms
                .map_or_else(|| "no time to live".into(), |ms| format!("a time to live of {ms} ms"));
            let message = format!("state `{}` of `{name}` has {has}, not {ttl_ms} ms", own.name);
            self.problems.push(
                Diagnostic::new(Code::TypeMismatch, message)
                    .pointer(format!("{from}/ttlMs"))
                    .help("the function says how long its state lives; leave out `ttlMs`"),
            );
        }
        if state.default_value.is_some() {
            self.problems.push(
                Diagnostic::new(Code::UnsupportedPart, "a default value of state can't be given by the job")
                    .pointer(format!("{from}/defaultValue"))
                    .help("the function says what an absent value means; give it a parameter"),
            );
        }
    }

    /// A timer's delay is given to the function as the parameter of the timer's name.
    fn declared_timer(
        &mut self,
        from: &str,
        timer: &TimerOperation,
        name: &str,
        function: &Function,
    ) -> Option<(String, Object)> {
        if !function.descriptor.timers {
            self.problem(Code::TypeMismatch, from, format!("`{name}` registers no timers"));
            return None;
        }
        if timer.action.is_some() {
            self.problems.push(
                Diagnostic::new(Code::UnsupportedPart, "the action of a timer can't be given by the job")
                    .pointer(format!("{from}/action"))
                    .help("what happens when a timer fires is the function's `on_timer`"),
            );
        }
        let parameter = timer.timer_name.as_deref().unwrap_or_default();
        if !function.descriptor.parameters.iter().any(|own| own.name == parameter) {
            let message = match parameter {
                "" => "a timer's delay is given to the function, but the timer has no name".to_owned(),
                parameter => format!("`{name}` takes no delay for a timer `{parameter}`"),
            };
            let names = function.descriptor.parameters.iter().map(|p| p.name.as_str());
            let problem =
                Diagnostic::new(Code::UnsupportedPart, message).pointer(format!("{from}/timerName"));
            self.problems.push(match nearest(parameter, names) {
                Some(near) => problem.help(format!("did you mean its parameter `{near}`?")),
                None => problem
                    .help("the delay becomes the function's parameter of the timer's name; declare one"),
            });
            return None;
        }
        Some((
            format!("{from}/delayMs"),
            Object::from([(parameter.to_owned(), serde_json::Value::from(timer.delay_ms))]),
        ))
    }

    fn declared_retry(&mut self, from: &str, retry: &RetryOperation) -> Option<u32> {
        let mut refuse = |property: &str, message: &str, help: &str| {
            self.problems.push(
                Diagnostic::new(Code::UnsupportedPart, message)
                    .pointer(format!("{from}/{property}"))
                    .help(help),
            );
        };
        if retry.delay_ms.iter().any(|delay_ms| *delay_ms != 0) {
            refuse(
                "delayMs",
                "a pause before a retry can't be run yet",
                "rows are tried again at once: set `delayMs` to []",
            );
        }
        if retry.retry_condition.is_some() {
            refuse(
                "retryCondition",
                "a condition for retries can't be given by the job",
                "the function says which failures may pass: `Transient(error)`",
            );
        }
        if retry.dead_letter_topic.is_some() {
            refuse(
                "deadLetterTopic",
                "a topic for dead letters can't be run yet",
                "set `onError` of the processFunction: {\"policy\": \"dead-letter\", \"sink\": {..}}",
            );
        }
        check::retries(&format!("{from}/maxRetries"), retry.max_retries.into(), &mut self.problems)
    }

    /// With a condition: the rows for which it is true go to a second sink too. Without: it names a side output of the process
    /// function before it, which has its sink already.
    pub(super) fn side_output(
        &mut self,
        place: &Place,
        side: &SideOutputOperation,
        input: Relation,
    ) -> Relation {
        let Some(sink) = &side.side_output_sink else {
            let pointer = format!("{}/sideOutputSink", place.from);
            self.problem(
                Code::MissingPart,
                &pointer,
                format!("side output `{}` has no sink", side.output_tag),
            );
            return input;
        };
        let process = owner(self.job, place.index).filter(|at| *at < place.index).and_then(|at| {
            let Operation::ProcessFunction(process) = &self.job.operations[at] else { return None };
            self.function(process.process_type.trim())
        });
        let is_own = process.is_some_and(|(_, function)| {
            function.descriptor.side_outputs.iter().any(|own| own.name == side.output_tag)
        });
        if side.condition.trim().is_empty() {
            match process {
                Some(_) if is_own => {}
                Some((name, function)) => {
                    let problem = unknown("side output", &side.output_tag, name, side_output_names(function));
                    self.problems.push(problem.pointer(format!("{}/outputTag", place.from)));
                }
                None => self.problems.push(
                    Diagnostic::new(Code::MissingPart, "which rows go to this side output?")
                        .pointer(format!("{}/condition", place.from))
                        .help("give a `condition`, or put it behind the `processFunction` whose side output it names"),
                ),
            }
            return input;
        }
        if let (true, Some((name, _))) = (is_own, process) {
            self.problems.push(
                Diagnostic::new(
                    Code::MalformedJob,
                    format!("`{name}` itself says which rows go to its side output `{}`", side.output_tag),
                )
                .pointer(format!("{}/condition", place.from))
                .help("leave out `condition`, or give the output another tag"),
            );
            return input;
        }
        match self.try_filter(place, &side.condition, input.clone()) {
            Ok(chosen) => {
                let table = format!("{}_sink", chosen.name);
                self.insert(&format!("{}/sideOutputSink", place.from), &table, sink, chosen);
            }
            Err(problem) => self.problems.push(problem.pointer(format!("{}/condition", place.from))),
        }
        input
    }
}

/// The `sideOutput` operations that name side outputs of the process function at `index`, with their own indices.
pub(super) fn side_outputs(job: &JobDefinition, index: usize) -> Vec<(usize, &SideOutputOperation)> {
    of(job, index)
        .into_iter()
        .filter_map(|(at, operation)| match operation {
            Operation::SideOutput(side) if side.condition.trim().is_empty() => Some((at, side)),
            _ => None,
        })
        .collect()
}

pub(super) fn state_names(function: &Function) -> Vec<&str> {
    function.descriptor.states.iter().map(|own| own.name.as_str()).collect()
}

pub(super) fn side_output_names(function: &Function) -> Vec<&str> {
    function.descriptor.side_outputs.iter().map(|own| own.name.as_str()).collect()
}

/// FW0104 for a part that a function does not have.
pub(super) fn unknown(what: &str, given: &str, function: &str, names: Vec<&str>) -> Diagnostic {
    let problem = Diagnostic::new(Code::MissingPart, format!("`{function}` has no {what} `{given}`"));
    match nearest(given, names.iter().copied()) {
        Some(near) => problem.help(format!("did you mean `{near}`?")),
        None if names.is_empty() => problem.note(format!("it has no {what}s")),
        None => problem.note(format!("its {what}s: {}", names.join(", "))),
    }
}
