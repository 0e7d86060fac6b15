//! Problems that Flink found in a plan, brought back to the place in the job definition.

use flink_wasm_diagnostic::{Code, Diagnostic, Location, nearest};
use flink_wasm_ir::{JobDefinition, Operation, Source, place};

use crate::expression::{FlinkDialect, Tok, tokenize};

/// An error object of the JVM runtime (`docs/plan.md`).
#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct RuntimeError {
    code: Option<Code>,
    message: String,
    notes: Vec<String>,
    help: Option<String>,
    location: Option<Location>,
    identifier: Option<String>,
    candidates: Vec<String>,
}

impl Default for RuntimeError {
    fn default() -> Self {
        Self {
            code: None,
            message: "the runtime gave no message".into(),
            notes: Vec::new(),
            help: None,
            location: None,
            identifier: None,
            candidates: Vec::new(),
        }
    }
}

/// Turns an error object of the runtime into a diagnostic with line and column in `text`, the text of the definition. An
/// unknown name gets its place inside the expression, and the nearest name that would have been right.
pub fn explain_runtime_error(job: &JobDefinition, text: &str, error: &serde_json::Value) -> Diagnostic {
    let error: RuntimeError = match serde::Deserialize::deserialize(error) {
        Ok(error) => error,
        Err(problem) => {
            return Diagnostic::new(Code::Internal, format!("the runtime's error is malformed: {problem}"))
                .note(error.to_string());
        }
    };
    let mut diagnostic = Diagnostic::new(error.code.unwrap_or(Code::Internal), error.message);
    diagnostic.notes = error.notes;
    diagnostic.help = error.help;
    diagnostic.location = Box::new(error.location.unwrap_or_default());
    let mut written = None;
    if let Some(pointer) = diagnostic.location.pointer.clone()
        && let Some((pointer, sql)) = text_at(job, &pointer)
    {
        diagnostic.location.pointer = Some(pointer);
        if let (None, Some(identifier)) = (diagnostic.location.span, &error.identifier)
            && let Some((start, end)) = find(&sql, identifier)
        {
            written = Some(sql[start..end].trim_matches('`').to_owned());
            diagnostic = diagnostic.span(start, end);
        }
    }
    if let (None, Some(identifier)) = (&diagnostic.help, &error.identifier) {
        // As the user wrote it: Flink reports names of functions in capitals.
        let identifier = written.as_ref().unwrap_or(identifier);
        let ours = job.functions.keys().filter(|_| diagnostic.code == Code::UnknownFunction);
        let candidates: Vec<&str> = error.candidates.iter().chain(ours).map(String::as_str).collect();
        if let Some(near) = nearest(identifier, candidates.iter().copied()) {
            diagnostic.help = Some(format!("did you mean `{near}`?"));
        } else if diagnostic.code == Code::UnknownFunction {
            diagnostic.help =
                Some(format!("declare it: \"functions\": {{\"{identifier}\": {{\"component\": ..}}}}"));
        }
    }
    place(text, diagnostic)
}

/// The SQL text that a step's pointer means, and the pointer of that text.
fn text_at(job: &JobDefinition, pointer: &str) -> Option<(String, String)> {
    if let Some(rest) = pointer.strip_prefix("/operations/") {
        let index: usize = rest.split('/').next()?.parse().ok()?;
        let (property, text) = match job.operations.get(index)? {
            Operation::Filter(filter) => ("expression", &filter.expression),
            Operation::Map(map) => ("expression", &map.expression),
            Operation::SideOutput(side) => ("condition", &side.condition),
            _ => return None,
        };
        return Some((format!("/operations/{index}/{property}"), text.clone()));
    }
    let rest = pointer.strip_prefix("/source")?;
    match &job.source {
        Source::Sql(sql) => {
            let index: usize = rest.strip_prefix("/statements/")?.parse().ok()?;
            Some((pointer.to_owned(), sql.statements.get(index)?.clone()))
        }
        Source::File(file) => Some(("/source/schema".into(), file.schema.clone()?)),
        _ => None,
    }
}

/// Byte range of the first word with this name; names differ in case only when there is no exact one.
fn find(sql: &str, identifier: &str) -> Option<(usize, usize)> {
    let tokens = tokenize(&FlinkDialect, sql).ok()?;
    let word = |fits: &dyn Fn(&str) -> bool| {
        tokens
            .iter()
            .find(|t: &&Tok| t.word().is_some_and(|w| fits(&w.value)))
            .map(|t| (t.range.start, t.range.end))
    };
    word(&|value| value == identifier).or_else(|| word(&|value| value.eq_ignore_ascii_case(identifier)))
}
