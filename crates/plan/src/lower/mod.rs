//! From a job definition to a plan, part by part. Problems are collected, so that all of them are told at once.

use std::collections::BTreeMap;

use flink_wasm_diagnostic::{Code, Diagnostic, nearest};
use flink_wasm_ir::{JobDefinition, Operation};

use crate::check::{function_pointer, plan_function, without_parameters};
use crate::ddl::Column;
use crate::plan::{Plan, PlanFunction, Step, WasmOutput};
use crate::{Function, Functions};
use process::OnFailure;

mod call;
mod declared;
mod filter;
mod map;
mod options;
mod process;
mod sink;
mod source;
mod statements;

pub use options::warnings;

/// Lowers a job to a plan, or says everything that is wrong with it.
///
/// Diagnostics carry a JSON pointer, and a byte range where the problem lies inside an expression;
/// `flink_wasm_ir::place` turns both into line and column. `functions` holds what was read from the components that
/// the job names.
pub fn lower(job: &JobDefinition, functions: &Functions) -> Result<Plan, Vec<Diagnostic>> {
    let mut lowering = Lowering::new(job, functions);
    lowering.check_functions();
    lowering.options = lowering.options();
    lowering.check_uids();
    let mut relation = lowering.source();
    for (index, operation) in job.operations.iter().enumerate() {
        let place = Place::new(index, operation);
        relation = match operation {
            Operation::Filter(filter) => lowering.filter(&place, filter, relation),
            Operation::Map(map) => lowering.map(&place, map, relation),
            Operation::ProcessFunction(process) => lowering.process(&place, process, relation),
            Operation::SideOutput(side) => lowering.side_output(&place, side, relation),
            // The process function looks at them.
            Operation::GroupBy(_) if declared::grouped(job, index).is_some() => relation,
            Operation::State(_) | Operation::Timer(_) | Operation::Retry(_)
                if declared::owner(job, index).is_some() =>
            {
                relation
            }
            other => {
                lowering.unsupported_operation(&place, other);
                Relation { columns: None, ..relation }
            }
        };
    }
    lowering.sink(relation);
    lowering.finish()
}

/// A table or view, and its columns as far as they are known.
#[derive(Clone, Debug)]
struct Relation {
    name: String,
    columns: Option<Vec<Column>>,
}

impl Relation {
    fn has(&self, name: &str) -> bool {
        self.columns.as_ref().is_some_and(|columns| columns.iter().any(|c| c.name == name))
    }

    fn names(&self) -> Vec<&str> {
        self.columns.iter().flatten().map(|c| c.name.as_str()).collect()
    }
}

/// Which operation is being lowered.
struct Place {
    /// Index in the definition.
    index: usize,
    /// Pointer of the operation.
    from: String,
    /// Name of the relation that the operation makes.
    name: String,
    /// Identifies its operators.
    uid: String,
}

impl Place {
    fn new(index: usize, operation: &Operation) -> Self {
        let kind = match operation {
            Operation::ProcessFunction(_) => "process",
            other => other.type_name(),
        };
        let name = format!("{kind}_{}", index + 1);
        let uid = operation.uid().map_or_else(|| name.clone(), str::to_owned);
        Self { index, from: format!("/operations/{index}"), name, uid }
    }

    fn expression(&self) -> String {
        format!("{}/expression", self.from)
    }
}

struct Lowering<'a> {
    job: &'a JobDefinition,
    functions: &'a Functions,
    steps: Vec<Step>,
    /// The functions that are fit to be called.
    planned: BTreeMap<String, PlanFunction>,
    /// The functions that steps call.
    used: BTreeMap<String, PlanFunction>,
    problems: Vec<Diagnostic>,
    /// Names of tables and views that SQL statements of the job make.
    taken: Vec<String>,
    /// Flink options of the job.
    options: BTreeMap<String, String>,
}

impl<'a> Lowering<'a> {
    fn new(job: &'a JobDefinition, functions: &'a Functions) -> Self {
        Self {
            job,
            functions,
            steps: Vec::new(),
            planned: BTreeMap::new(),
            used: BTreeMap::new(),
            problems: Vec::new(),
            taken: Vec::new(),
            options: BTreeMap::new(),
        }
    }

    fn finish(self) -> Result<Plan, Vec<Diagnostic>> {
        if !self.problems.is_empty() {
            return Err(self.problems);
        }
        Ok(Plan {
            version: Plan::VERSION,
            name: self.job.name().to_owned(),
            parallelism: self.job.metadata.parallelism,
            options: self.options,
            functions: self.used,
            steps: self.steps,
            relations: BTreeMap::new(),
        })
    }

    fn problem(&mut self, code: Code, pointer: &str, message: impl Into<String>) {
        self.problems.push(Diagnostic::new(code, message).pointer(pointer));
    }

    fn unsupported(&mut self, pointer: &str, what: impl std::fmt::Display) {
        self.problem(Code::UnsupportedPart, pointer, format!("{what} can't be run yet"));
    }

    fn unsupported_operation(&mut self, place: &Place, operation: &Operation) {
        let message = format!("operation `{}` can't be run yet", operation.type_name());
        let problem = Diagnostic::new(Code::UnsupportedPart, message).pointer(&place.from);
        self.problems.push(match declared::help(operation) {
            Some(help) => problem.help(help),
            None => problem,
        });
    }

    /// A name for a relation that no statement of the job has taken.
    fn free_name(&self, wanted: &str) -> String {
        let mut name = wanted.to_owned();
        while self.taken.iter().any(|t| t.eq_ignore_ascii_case(&name)) {
            name.push('_');
        }
        name
    }

    /// Checks every declared function, whether or not it is called.
    fn check_functions(&mut self) {
        let mut undeclared = flink_wasm_ir::Function::default();
        for (name, declared) in &self.job.functions {
            if !self.functions.contains_key(name) {
                let pointer = format!("/functions/{}", flink_wasm_ir::pointer_segment(name));
                let message = match declared.component.as_str() {
                    "" => format!("function `{name}` names no component"),
                    component => format!("the component `{component}` of function `{name}` was not given"),
                };
                self.problem(Code::MissingPart, &pointer, message);
            }
        }
        for (name, function) in self.functions {
            undeclared.component.clone_from(&function.component);
            let declared = self.job.functions.get(name).unwrap_or(&undeclared);
            // An operation that runs it may give parameters too, and checks them then.
            let planned = if self.is_run_by_operation(name) {
                let mut problems = Vec::new();
                let planned = without_parameters(name, declared, function, &mut problems);
                if problems.is_empty() { Ok(planned) } else { Err(problems) }
            } else {
                plan_function(name, declared, function)
            };
            match planned {
                Ok(planned) => {
                    self.planned.insert(name.clone(), planned);
                }
                Err(problems) => self.problems.extend(problems),
            }
        }
        crate::limiters::check_shared(self.job, &mut self.problems);
    }

    fn check_uids(&mut self) {
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        for (index, operation) in self.job.operations.iter().enumerate() {
            let uid = Place::new(index, operation).uid;
            if let Some(other) = seen.insert(uid.clone(), index) {
                let message = format!("operations {other} and {index} have the same uid `{uid}`");
                self.problem(Code::MalformedJob, &format!("/operations/{index}/uid"), message);
            }
        }
    }

    /// The function that a name in an expression means: as it is written, or else without regard to case.
    fn function(&self, name: &str) -> Option<(&'a str, &'a Function)> {
        find_function(self.functions, name)
    }

    fn view(
        &mut self,
        place: &Place,
        sql: String,
        drop: Vec<String>,
        columns: Option<Vec<Column>>,
    ) -> Relation {
        let name = self.free_name(&place.name);
        self.steps.push(Step::View { from: place.from.clone(), name: name.clone(), sql, drop });
        Relation { name, columns }
    }

    fn wasm(&mut self, wasm: Wasm<'_>) -> Relation {
        let Wasm { place, suffix, input, function, arguments, output, prefix } = wasm;
        if let Some(planned) = self.planned.get(function) {
            self.used.insert(function.to_owned(), planned.clone());
        }
        let name = self.free_name(&format!("{}{suffix}", place.name));
        let fields = self.functions.get(function).map(|f| f.descriptor.output.as_slice()).unwrap_or_default();
        let columns = match output {
            WasmOutput::Replace => Some(fields.iter().map(Column::from).collect()),
            WasmOutput::Keep => input.columns,
            WasmOutput::Flag => input.columns.map(|mut columns| {
                columns.push(Column { name: prefix.clone(), sql_type: Some("BOOLEAN NOT NULL".into()) });
                columns
            }),
            WasmOutput::Append => input.columns.map(|mut columns| {
                for field in fields {
                    let added = Column { name: format!("{prefix}{}", field.name), ..Column::from(field) };
                    set_column(&mut columns, added);
                }
                columns
            }),
        };
        let given = self.job.functions.get(function).and_then(|declared| declared.on_error.as_ref());
        let pointer = format!("{}/onError", function_pointer(function));
        let failed = given.map(|given| OnFailure { given, pointer, retries: given.retries });
        let (on_error, letters) = self.on_error(&name, failed);
        self.steps.push(Step::Wasm {
            from: place.from.clone(),
            name: name.clone(),
            uid: format!("{}{suffix}", place.uid),
            input: input.name,
            function: function.to_owned(),
            arguments,
            output,
            prefix,
            key: Vec::new(),
            side_outputs: BTreeMap::new(),
            on_error,
        });
        self.dead_letters(letters);
        Relation { name, columns }
    }
}

struct Wasm<'a> {
    place: &'a Place,
    /// Told apart from other calls of the same operation; empty when the call is the whole operation.
    suffix: String,
    input: Relation,
    function: &'a str,
    arguments: Option<Vec<String>>,
    output: WasmOutput,
    prefix: String,
}

fn find_function<'a>(functions: &'a Functions, name: &str) -> Option<(&'a str, &'a Function)> {
    let exact = functions.get_key_value(name);
    let found = exact.or_else(|| functions.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)))?;
    Some((found.0.as_str(), found.1))
}

/// Replaces the column of the same name, or adds one.
fn set_column(columns: &mut Vec<Column>, column: Column) {
    match columns.iter_mut().find(|c| c.name == column.name) {
        Some(old) => *old = column,
        None => columns.push(column),
    }
}

/// FW0201 with the nearest name or, failing that, all of them.
fn unknown_column(name: &str, columns: &[&str]) -> Diagnostic {
    let problem = Diagnostic::new(Code::UnknownColumn, format!("unknown column `{name}`"))
        .note(format!("columns: {}", columns.join(", ")));
    match nearest(name, columns.iter().copied()) {
        Some(near) => problem.help(format!("did you mean `{near}`?")),
        None => problem,
    }
}
