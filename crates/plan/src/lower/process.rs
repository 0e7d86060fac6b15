//! `groupBy` and `processFunction`: one wasm node over keyed rows, whose side outputs and dead letters are relations too.

use std::collections::BTreeMap;

use flink_wasm_diagnostic::{Code, Diagnostic, nearest};
use flink_wasm_ir::{
    ErrorPolicy, FunctionKind, GroupByOperation, JobDefinition, OnError, Operation, ProcessFunctionOperation,
    Sink,
};

use super::call::Expression;
use super::declared::{self, Declared, unknown};
use super::{Lowering, Place, Relation, unknown_column};
use crate::check::{self, Given};
use crate::ddl::{Column, nullable};
use crate::expression::split_commas;
use crate::plan::{PlanFunction, Step, StepOnError, WasmOutput};
use crate::{Function, Functions};

/// The columns of a dead letter; the runtime writes them (`docs/plan.md`).
const DEAD_LETTER: [(&str, &str); 6] = [
    ("row", "STRING"),
    ("error", "STRING"),
    ("code", "STRING"),
    ("function", "STRING"),
    ("digest", "STRING"),
    ("failed_at", "TIMESTAMP_LTZ(3)"),
];

/// A policy for rows that a function fails on, and where it is given.
pub(super) struct OnFailure<'a> {
    pub(super) given: &'a OnError,
    pub(super) pointer: String,
    pub(super) retries: u32,
}

/// A relation of dead letters, and the sink that it goes to.
pub(super) struct DeadLetters<'a> {
    relation: String,
    sink: &'a Sink,
    pointer: String,
}

impl<'a> Lowering<'a> {
    /// Whether a `processFunction` operation runs the function.
    pub(super) fn is_run_by_operation(&self, name: &str) -> bool {
        self.job.operations.iter().any(|operation| match operation {
            Operation::ProcessFunction(process) => {
                self.function(process.process_type.trim()).is_some_and(|(found, _)| found == name)
            }
            _ => false,
        })
    }

    pub(super) fn process(
        &mut self,
        place: &Place,
        process: &'a ProcessFunctionOperation,
        input: Relation,
    ) -> Relation {
        let unknown = Relation { name: input.name.clone(), columns: None };
        let group = self.group_before(place);
        self.check_streaming(place);
        let Some((name, function)) = self.process_function(place, process) else { return unknown };
        let key = group.and_then(|(at, group)| self.key(at, group, name, function, &input));
        if let Err(problem) = self.check_row(name, function, &input) {
            let help = "add what is missing with a `map` operation before the `groupBy`";
            self.problems.push(problem.pointer(place.process_type()).help(help));
        }
        let declared = self.declared(place.index, name, function);
        self.check_names(place, process, name, function);
        let planned = self.with_parameters(place, process, &declared, name, function);
        let sinks = self.side_output_sinks(place, process, name, function);
        let failed = self.failure_policy(place, process, declared, name);

        let relation = self.free_name(&place.name);
        let mut side_outputs = BTreeMap::new();
        for side in &function.descriptor.side_outputs {
            if sinks.contains_key(side.name.as_str()) {
                let wanted = self.free_name(&format!("{relation}_{}", side.name));
                self.taken.push(wanted.clone());
                side_outputs.insert(side.name.clone(), wanted);
            }
        }
        let (on_error, letters) = self.on_error(&relation, failed);
        let (Some(key), Some(planned)) = (key, planned) else { return unknown };
        let step = Step::Wasm {
            from: place.from.clone(),
            name: relation.clone(),
            uid: place.uid.clone(),
            input: input.name,
            function: self.use_as(place, name, planned),
            arguments: None,
            output: WasmOutput::Replace,
            prefix: String::new(),
            key,
            side_outputs: side_outputs.clone(),
            on_error,
        };
        self.steps.push(step);
        for side in &function.descriptor.side_outputs {
            if let (Some(name), Some((pointer, sink))) =
                (side_outputs.get(&side.name), sinks.get(side.name.as_str()))
            {
                let columns = Some(side.fields.iter().map(Column::from).collect());
                let rows = Relation { name: name.clone(), columns };
                self.insert(pointer, &format!("{name}_sink"), sink, rows);
            }
        }
        self.dead_letters(letters);
        let columns = function.descriptor.output.iter().map(Column::from).collect();
        Relation { name: relation, columns: Some(columns) }
    }

    /// The `groupBy` directly before, declarations left out, and its index.
    fn group_before(&mut self, place: &Place) -> Option<(usize, &'a GroupByOperation)> {
        let job = self.job;
        let before = &job.operations[..place.index];
        let at = before.iter().rposition(|operation| {
            !matches!(operation, Operation::State(_) | Operation::Timer(_) | Operation::Retry(_))
        });
        if let Some(at) = at
            && let Operation::GroupBy(group) = &before[at]
        {
            return Some((at, group));
        }
        let problem =
            Diagnostic::new(Code::MissingKey, "a process function needs a `groupBy` directly before it")
                .pointer(&place.from);
        self.problems.push(match at.map(|at| &before[at]) {
            Some(Operation::Window(_)) => problem
                .note("a `window` operation stands before it")
                .help("a process function makes its own windows, with timers: leave the `window` out"),
            Some(other) if before.iter().any(|o| matches!(o, Operation::GroupBy(_))) => {
                problem.note(format!("a `{}` operation stands before it", other.type_name()))
            }
            _ => problem.help("such as {\"type\": \"groupBy\", \"key\": \"user_id\"}"),
        });
        None
    }

    fn check_streaming(&mut self, place: &Place) {
        const MODE: &str = "execution.runtime-mode";
        let Some(mode) = self.options.get(MODE).filter(|mode| !mode.eq_ignore_ascii_case("STREAMING")) else {
            return;
        };
        let message = format!("a process function can't run in {} mode", mode.to_ascii_uppercase());
        self.problems.push(
            Diagnostic::new(Code::BatchMode, message)
                .pointer(&place.from)
                .help(format!("set `{MODE}` to STREAMING; bounded sources are fine")),
        );
    }

    fn process_function(
        &mut self,
        place: &Place,
        process: &ProcessFunctionOperation,
    ) -> Option<(&'a str, &'a Function)> {
        let given = process.process_type.trim();
        let pointer = place.process_type();
        if given.is_empty() {
            let problem = Diagnostic::new(Code::MissingPart, "the operation names no function");
            self.problems.push(problem.pointer(pointer).help("set `function` to a name of `functions`"));
            return None;
        }
        let Some((name, function)) = self.function(given) else {
            // A declared one whose component is missing has been told already.
            if !self.job.functions.contains_key(given) {
                let problem = Diagnostic::new(Code::UnknownFunction, format!("no function `{given}`"));
                let near = nearest(given, self.functions.keys().map(String::as_str));
                let help = near.map_or_else(
                    || format!("declare it: \"functions\": {{\"{given}\": {{\"component\": ..}}}}"),
                    |near| format!("did you mean `{near}`?"),
                );
                self.problems.push(problem.pointer(pointer).help(help));
            }
            return None;
        };
        let kind = function.descriptor.kind;
        if kind != FunctionKind::Process {
            let kind = kind.as_str();
            let message = format!("`{name}` is a {kind} function; this operation needs a process function");
            let help = format!(
                "call it in a `{kind}` operation: {{\"type\": \"{kind}\", \"expression\": \"{name}\"}}"
            );
            self.problems.push(Diagnostic::new(Code::TypeMismatch, message).pointer(pointer).help(help));
            return None;
        }
        Some((name, function))
    }

    /// The columns of the key, or nothing when something is wrong with them.
    fn key(
        &mut self,
        at: usize,
        group: &GroupByOperation,
        name: &str,
        function: &Function,
        input: &Relation,
    ) -> Option<Vec<String>> {
        let from = format!("/operations/{at}");
        let listed = group.keys.as_deref().unwrap_or_default();
        let texts: Vec<(String, &str)> = match (group.key.trim().is_empty(), listed.is_empty()) {
            (false, false) => {
                self.problem(Code::MalformedJob, &from, "give `key` or `keys`, not both");
                return None;
            }
            (false, true) => vec![(format!("{from}/key"), &group.key)],
            (true, false) => {
                listed.iter().enumerate().map(|(i, key)| (format!("{from}/keys/{i}"), key.as_str())).collect()
            }
            (true, true) => {
                let problem = Diagnostic::new(Code::MissingPart, "the `groupBy` names no key").pointer(&from);
                self.problems.push(problem.help("set `key` to a column, or to several separated by commas"));
                return None;
            }
        };
        let mut columns: Vec<(String, String)> = Vec::new();
        let before = self.problems.len();
        for (pointer, text) in texts {
            match key_columns(text, input) {
                Ok(names) => columns.extend(names.into_iter().map(|column| (column, pointer.clone()))),
                Err(problem) => self.problems.push(problem.pointer(pointer)),
            }
        }
        for (position, (column, pointer)) in columns.iter().enumerate() {
            if columns[..position].iter().any(|(other, _)| other == column) {
                self.problem(Code::MalformedJob, pointer, format!("`{column}` is twice in the key"));
            }
        }
        if self.problems.len() == before {
            self.check_key(&from, &columns, name, function, input);
        }
        (self.problems.len() == before).then(|| columns.into_iter().map(|(column, _)| column).collect())
    }

    /// Compares the key with the one that the function reads. Which types of one family fit is Flink's business.
    fn check_key(
        &mut self,
        from: &str,
        columns: &[(String, String)],
        name: &str,
        function: &Function,
        input: &Relation,
    ) {
        let fields = &function.descriptor.key;
        if fields.is_empty() {
            return;
        }
        let list: Vec<String> = fields.iter().map(|f| format!("{} {}", f.name, f.sql_type)).collect();
        if fields.len() != columns.len() {
            let count = |n: usize| if n == 1 { "1 column".into() } else { format!("{n} columns") };
            let message = format!(
                "`{name}` reads a key of {}, but rows are grouped by {}",
                count(fields.len()),
                count(columns.len())
            );
            let problem = Diagnostic::new(Code::TypeMismatch, message).pointer(from);
            self.problems.push(problem.note(format!("its key: {}", list.join(", "))));
            return;
        }
        for (field, (column, pointer)) in fields.iter().zip(columns) {
            let typed = input.columns.iter().flatten().find(|c| c.name == *column);
            let Some(given) = typed.and_then(|c| c.sql_type.as_deref()) else { continue };
            if let (Some(wanted), Some(found)) = (family(&field.sql_type), family(given))
                && wanted != found
            {
                let message = format!(
                    "`{name}` reads its key `{}` as {}, but column `{column}` is {given}",
                    field.name, field.sql_type
                );
                let cast = nullable(&field.sql_type);
                self.problems.push(
                    Diagnostic::new(Code::TypeMismatch, message)
                        .pointer(pointer)
                        .help(format!("cast it before: map `{column} = CAST({column} AS {cast})`")),
                );
            }
        }
    }

    /// `stateKeys` and `timerNames`, as FlinkDotnet writes them.
    fn check_names(
        &mut self,
        place: &Place,
        process: &ProcessFunctionOperation,
        name: &str,
        function: &Function,
    ) {
        let states = declared::state_names(function);
        for (index, given) in process.state_keys.iter().enumerate() {
            if !states.contains(&given.as_str()) {
                let problem = unknown("state", given, name, states.clone());
                self.problems.push(problem.pointer(format!("{}/stateKeys/{index}", place.from)));
            }
        }
        if !process.timer_names.is_empty() && !function.descriptor.timers {
            let pointer = format!("{}/timerNames", place.from);
            self.problem(Code::TypeMismatch, &pointer, format!("`{name}` registers no timers"));
        }
    }

    /// The function with its parameters: the operation's go before the function's.
    fn with_parameters(
        &mut self,
        place: &Place,
        process: &ProcessFunctionOperation,
        declared: &Declared,
        name: &str,
        function: &Function,
    ) -> Option<PlanFunction> {
        let before = self.problems.len();
        let pointer = format!("{}/parameters", place.from);
        let mut given: Vec<Given<'_>> = Vec::new();
        given.extend(self.job.functions.get(name).map(|job| Given::of_function(name, job)));
        for (at, delay) in &declared.parameters {
            // The delay has no property of its own in an object of parameters.
            given.push(Given { values: delay, pointer: at.clone() });
        }
        given.push(Given { values: &process.parameters, pointer });
        let values = check::parameters(name, &given, &function.descriptor.parameters, &mut self.problems);
        for (at, delay) in &declared.parameters {
            for (parameter, delay) in delay {
                if values.get(parameter).is_some_and(|value| value != delay) {
                    let message = format!(
                        "the delay is {delay}, but the parameter `{parameter}` says {}",
                        values[parameter]
                    );
                    self.problem(Code::BadParameters, at, message);
                }
            }
        }
        let planned = self.planned.get(name).cloned()?;
        (self.problems.len() == before).then(|| PlanFunction { parameters: values, ..planned })
    }

    /// Enters the function into the plan, and says under which name: its own, unless another operation runs it with other
    /// parameters.
    fn use_as(&mut self, place: &Place, name: &str, planned: PlanFunction) -> String {
        let mut entry = name.to_owned();
        while self.used.get(&entry).is_some_and(|other| *other != planned)
            || (entry != name && self.functions.contains_key(&entry))
        {
            entry = format!("{entry}_{}", place.name);
        }
        self.used.insert(entry.clone(), planned);
        entry
    }

    /// The sink of each side output that has one, with its pointer.
    fn side_output_sinks(
        &mut self,
        place: &Place,
        process: &'a ProcessFunctionOperation,
        name: &str,
        function: &'a Function,
    ) -> BTreeMap<&'a str, (String, &'a Sink)> {
        let names = declared::side_output_names(function);
        let mut sinks: BTreeMap<&str, (String, &Sink)> = BTreeMap::new();
        for (side, sink) in &process.side_outputs {
            let pointer = format!("{}/sideOutputs/{}", place.from, flink_wasm_ir::pointer_segment(side));
            match names.iter().find(|own| **own == side.as_str()) {
                Some(own) => {
                    sinks.insert(own, (pointer, sink));
                }
                None => {
                    self.problems.push(unknown("side output", side, name, names.clone()).pointer(pointer))
                }
            }
        }
        for (at, side) in declared::side_outputs(self.job, place.index) {
            let (Some(own), Some(sink)) =
                (names.iter().find(|own| **own == side.output_tag.as_str()), &side.side_output_sink)
            else {
                continue;
            };
            let from = format!("/operations/{at}");
            if sinks.insert(own, (format!("{from}/sideOutputSink"), sink)).is_some() {
                let message = format!("side output `{own}` of `{name}` has two sinks");
                self.problem(Code::MalformedJob, &format!("{from}/outputTag"), message);
            }
        }
        sinks
    }

    /// The operation's policy, else the function's, with the retries of a `retry` operation.
    fn failure_policy(
        &mut self,
        place: &Place,
        process: &'a ProcessFunctionOperation,
        declared: Declared,
        name: &str,
    ) -> Option<OnFailure<'a>> {
        static RETRY_ALONE: OnError = OnError { policy: ErrorPolicy::Fail, retries: 0, sink: None };
        let own = format!("{}/onError", place.from);
        if let Some(given) = &process.on_error {
            check::on_error(&own, given, &mut self.problems);
        }
        let job = self.job;
        let of_function = job.functions.get(name).and_then(|job| job.on_error.as_ref());
        let given = match (&process.on_error, of_function) {
            (Some(given), _) => Some((given, own)),
            (None, Some(given)) => Some((given, format!("{}/onError", check::function_pointer(name)))),
            (None, None) => declared.retries.is_some().then_some((&RETRY_ALONE, own)),
        };
        let (given, pointer) = given?;
        let retries = match declared.retries {
            Some((at, retries)) if given.retries != 0 && given.retries != retries => {
                let message =
                    format!("the `retry` operation says {retries} retries, `onError` {}", given.retries);
                self.problems.push(
                    Diagnostic::new(Code::MalformedJob, message)
                        .pointer(at)
                        .note(format!("`onError` stands at {pointer}")),
                );
                retries
            }
            Some((_, retries)) => retries,
            None => given.retries,
        };
        Some(OnFailure { given, pointer, retries })
    }

    /// What a step called `name` does about failures, and the dead letters that come of it.
    pub(super) fn on_error<'b>(
        &mut self,
        name: &str,
        failed: Option<OnFailure<'b>>,
    ) -> (Option<StepOnError>, Option<DeadLetters<'b>>) {
        let Some(OnFailure { given, pointer, retries }) = failed else { return (None, None) };
        if given.policy == ErrorPolicy::Fail && retries == 0 {
            return (None, None);
        }
        let letters = given.sink.as_ref().filter(|_| given.policy == ErrorPolicy::DeadLetter).map(|sink| {
            let relation = self.free_name(&format!("{name}_dead_letter"));
            self.taken.push(relation.clone());
            DeadLetters { relation, sink, pointer: format!("{pointer}/sink") }
        });
        let relation = letters.as_ref().map(|letters| letters.relation.clone());
        (Some(StepOnError { policy: given.policy, retries, relation }), letters)
    }

    /// Writes dead letters to their sink.
    pub(super) fn dead_letters(&mut self, letters: Option<DeadLetters<'_>>) {
        let Some(DeadLetters { relation, sink, pointer }) = letters else { return };
        let columns = DEAD_LETTER
            .iter()
            .map(|(name, sql_type)| Column { name: (*name).into(), sql_type: Some((*sql_type).into()) })
            .collect();
        let table = format!("{relation}_sink");
        self.insert(&pointer, &table, sink, Relation { name: relation, columns: Some(columns) });
    }
}

/// Side outputs of the job's process functions that have no sink.
pub(super) fn dropped_side_outputs(job: &JobDefinition, functions: &Functions) -> Vec<Diagnostic> {
    let mut dropped = Vec::new();
    for (index, operation) in job.operations.iter().enumerate() {
        let Operation::ProcessFunction(process) = operation else { continue };
        let Some((name, function)) = super::find_function(functions, process.process_type.trim()) else {
            continue;
        };
        let behind = declared::side_outputs(job, index);
        for side in declared::side_output_names(function) {
            if process.side_outputs.contains_key(side) || behind.iter().any(|(_, b)| b.output_tag == side) {
                continue;
            }
            dropped.push(
                Diagnostic::new(
                    Code::MissingPart,
                    format!("rows of the side output `{side}` of `{name}` are dropped: it has no sink"),
                )
                .pointer(format!("/operations/{index}"))
                .help(format!("give it one: \"sideOutputs\": {{\"{side}\": {{\"type\": \"console\"}}}}")),
            );
        }
    }
    dropped
}

impl Place {
    fn process_type(&self) -> String {
        format!("{}/processType", self.from)
    }
}

/// The columns that a key's text names: words separated by commas, maybe behind `x =>`.
fn key_columns(text: &str, input: &Relation) -> Result<Vec<String>, Diagnostic> {
    let expression = Expression::read(text)?;
    let tokens = &expression.tokens;
    let mut columns = Vec::new();
    for range in split_commas(tokens, 0..tokens.len()) {
        let (Some(tok), Some(last)) = (tokens[range.clone()].first(), tokens[range.clone()].last()) else {
            return Err(Diagnostic::new(Code::BadExpression, "a column is missing beside a comma")
                .span(0, text.len()));
        };
        if range.len() > 1 {
            return Err(Diagnostic::new(Code::BadExpression, "a key is a column, not an expression")
                .span(tok.range.start, last.range.end)
                .help("compute it before: a `map` operation `key = ..`, then group by `key`"));
        }
        let Some(word) = tok.word() else {
            return Err(Diagnostic::new(Code::BadExpression, "a key is a column")
                .span(tok.range.start, tok.range.end)
                .help("name a column, or several separated by commas"));
        };
        if input.columns.is_some() && !input.has(&word.value) {
            return Err(unknown_column(&word.value, &input.names()).span(tok.range.start, tok.range.end));
        }
        columns.push(word.value.clone());
    }
    Ok(columns)
}

/// Types that Flink may cast into each other implicitly; nothing for those that are left to it altogether.
fn family(sql_type: &str) -> Option<&'static str> {
    let root: String =
        sql_type.trim_start().chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
    Some(match root.to_ascii_uppercase().as_str() {
        "BOOLEAN" => "truth",
        "TINYINT" | "SMALLINT" | "INT" | "INTEGER" | "BIGINT" | "FLOAT" | "DOUBLE" | "DECIMAL" | "DEC"
        | "NUMERIC" => "number",
        "CHAR" | "VARCHAR" | "STRING" => "text",
        "BINARY" | "VARBINARY" | "BYTES" => "bytes",
        "DATE" => "date",
        "TIME" => "time",
        "TIMESTAMP" | "TIMESTAMP_LTZ" => "timestamp",
        _ => return None,
    })
}
