//! Sources: a file becomes a table of Flink's filesystem connector; SQL statements are run as they are.

use flink_wasm_diagnostic::{Code, Diagnostic};
use flink_wasm_ir::{Field, FileSource, Operation, Source, SqlSource};

use super::options::is_option;
use super::statements::{Statement, classify, set_option, trimmed};
use super::{Lowering, Relation};
use crate::ddl::{Schema, parse_schema, schema_of};
use crate::plan::Step;
use crate::quote;

/// Options that a source or sink of type `file` sets itself.
pub(super) const FILE_OPTIONS: &[&str] = &["connector", "path", "format", "source.path.regex-pattern"];

impl Lowering<'_> {
    pub(super) fn source(&mut self) -> Relation {
        let unknown = Relation { name: "source".into(), columns: None };
        match &self.job.source {
            Source::File(file) => self.file_source(file).unwrap_or(unknown),
            Source::Sql(sql) => self.sql_source(sql).unwrap_or(unknown),
            other => {
                self.unsupported("/source", format!("source `{}`", other.type_name()));
                unknown
            }
        }
    }

    fn file_source(&mut self, file: &FileSource) -> Option<Relation> {
        if file.path.trim().is_empty() {
            self.problem(Code::MissingPart, "/source/path", "the file source has no path");
        }
        let format = match file.format.to_ascii_lowercase().as_str() {
            "" | "text" => "text",
            "raw" => "raw",
            "json" => "json",
            "csv" => "csv",
            other => {
                self.unsupported("/source/format", format!("format `{other}` of a file source"));
                return None;
            }
        };
        self.own_options("/source/properties", &file.properties);
        let schema = self.file_schema(file, format)?;
        if matches!(format, "text" | "raw") && schema.columns.len() > 1 {
            let message =
                format!("format `{format}` gives one column, but the schema has {}", schema.columns.len());
            self.problem(Code::TypeMismatch, "/source/schema", message);
            return None;
        }
        let (path, pattern) = split_glob(&file.path);
        let flink_format = if format == "text" { "raw" } else { format };
        let mut options =
            vec![("connector", "filesystem"), ("path", path.as_str()), ("format", flink_format)];
        if let Some(pattern) = &pattern {
            options.push(("source.path.regex-pattern", pattern));
        }
        options.extend(file.properties.iter().map(|(key, value)| (key.as_str(), value.as_str())));
        let sql = format!("CREATE TEMPORARY TABLE `source` (\n{}\n) {}", schema.sql, quote::options(options));
        self.steps.push(Step::Statement { from: "/source".into(), sql });
        Some(Relation { name: "source".into(), columns: Some(schema.columns) })
    }

    /// The declared schema; else the input fields of a function that takes the whole row first; else what the format
    /// itself says.
    fn file_schema(&mut self, file: &FileSource, format: &str) -> Option<Schema> {
        if let Some(text) = &file.schema {
            return self.declared_schema("/source/schema", text);
        }
        if let Some(fields) = self.first_input().filter(|f| !matches!(format, "text" | "raw") || f.len() == 1)
        {
            return Some(schema_of(&fields));
        }
        let only = |name: &str, sql_type: &str| {
            Some(schema_of(&[Field { name: name.into(), sql_type: sql_type.into() }]))
        };
        match format {
            "text" => only("line", "STRING"),
            "raw" => only("payload", "BYTES"),
            _ => {
                self.problems.push(
                    Diagnostic::new(
                        Code::MissingPart,
                        format!("a file source of format `{format}` needs a schema"),
                    )
                    .pointer("/source/schema")
                    .help("add `schema`, such as \"id BIGINT, name STRING\""),
                );
                None
            }
        }
    }

    pub(super) fn declared_schema(&mut self, pointer: &str, text: &str) -> Option<Schema> {
        match parse_schema(text) {
            Ok(schema) => Some(schema),
            Err(problem) => {
                self.problems.push(problem.pointer(pointer));
                None
            }
        }
    }

    /// Input fields of the function when the first operation gives it the whole row.
    fn first_input(&self) -> Option<Vec<Field>> {
        let expression = match self.job.operations.first()? {
            Operation::Filter(filter) => &filter.expression,
            Operation::Map(map) => &map.expression,
            Operation::GroupBy(_) => {
                let process = super::declared::grouped(self.job, 0)?;
                let Operation::ProcessFunction(process) = &self.job.operations[process] else { return None };
                let (_, function) = self.function(process.process_type.trim())?;
                return Some(function.descriptor.input.clone());
            }
            _ => return None,
        };
        self.whole_row_function(expression).map(|function| function.descriptor.input.clone())
    }

    pub(super) fn own_options(&mut self, pointer: &str, properties: &flink_wasm_ir::Properties) {
        for key in properties.keys().filter(|key| FILE_OPTIONS.contains(&key.as_str())) {
            let message = format!("`{key}` is set from the definition and can't be a property");
            self.problem(Code::MalformedJob, &format!("{pointer}/{key}"), message);
        }
    }

    fn sql_source(&mut self, sql: &SqlSource) -> Option<Relation> {
        if sql.statements.is_empty() {
            self.problem(Code::MissingPart, "/source/statements", "the SQL source has no statements");
        }
        let needs_rows = !self.job.operations.is_empty() || self.job.sink.is_some();
        let kinds: Vec<Statement> = sql.statements.iter().map(|text| classify(text)).collect();
        self.taken.extend(kinds.iter().filter_map(|kind| match kind {
            Statement::Create { last, .. } => Some(last.clone()),
            _ => None,
        }));
        let last_query = kinds.iter().rposition(|kind| *kind == Statement::Query);
        let mut query = None;
        let mut created = None;
        for (index, (text, kind)) in sql.statements.iter().zip(kinds).enumerate() {
            let from = format!("/source/statements/{index}");
            let text = trimmed(text);
            match kind {
                Statement::Empty => continue,
                Statement::Set => {
                    match set_option(text) {
                        Some((key, _)) if is_option(&key) => {}
                        Some((key, _)) => self.unsupported(&from, format!("the option `{key}`")),
                        None => self.problem(
                            Code::BadExpression,
                            &from,
                            "an option is set as SET 'key' = 'value'",
                        ),
                    }
                    continue;
                }
                Statement::InsertSet => {
                    self.problems.push(
                        Diagnostic::new(
                            Code::UnsupportedPart,
                            "a statement set is made of all INSERTs of the job",
                        )
                        .pointer(&from)
                        .help("write the INSERTs as statements of their own"),
                    );
                    continue;
                }
                Statement::Several => {
                    self.problem(Code::BadExpression, &from, "more than one statement in one string");
                    continue;
                }
                Statement::Query if needs_rows && last_query == Some(index) => {
                    let name = self.free_name("source");
                    self.steps.push(Step::View {
                        from,
                        name: name.clone(),
                        sql: text.to_owned(),
                        drop: Vec::new(),
                    });
                    query = Some(Relation { name, columns: None });
                    continue;
                }
                Statement::Query => {
                    self.problems.push(
                        Diagnostic::new(Code::MissingPart, "the rows of this SELECT go nowhere")
                            .pointer(&from)
                            .help("write INSERT INTO a table, or give the job a sink and keep only the last SELECT"),
                    );
                    continue;
                }
                Statement::Create { name, .. } => created = Some(name),
                Statement::Other => {}
            }
            self.steps.push(Step::Statement { from, sql: text.to_owned() });
        }
        if query.is_some() || !needs_rows {
            return query;
        }
        let Some(name) = created else {
            self.problems.push(
                Diagnostic::new(
                    Code::MissingPart,
                    "no statement gives the operations and the sink their rows",
                )
                .pointer("/source/statements")
                .help("end with a SELECT, or create a table or a view"),
            );
            return None;
        };
        // A view of our own name: steps name relations by one unqualified name.
        let view = self.free_name("source");
        self.steps.push(Step::View {
            from: "/source".into(),
            name: view.clone(),
            sql: format!("SELECT * FROM {name}"),
            drop: Vec::new(),
        });
        Some(Relation { name: view, columns: None })
    }
}

/// A path with `*` or `?` in its last part: the folder, and the pattern for Flink's `source.path.regex-pattern`. Flink
/// looks in all folders below and matches the pattern against a file's whole path, without its scheme.
fn split_glob(path: &str) -> (String, Option<String>) {
    let cut = path.rfind('/').map_or(0, |at| at + 1);
    let (folder, last) = path.split_at(cut);
    if !last.contains(['*', '?']) {
        return (path.to_owned(), None);
    }
    // What stays the same when Flink makes the path absolute.
    let mut stable =
        folder.split_once("://").map_or(folder, |(_, rest)| rest.find('/').map_or("", |at| &rest[at..]));
    while let Some(rest) = stable.strip_prefix("./").or_else(|| stable.strip_prefix("../")) {
        stable = rest;
    }
    let mut pattern = String::from(if stable.starts_with('/') { "^.*" } else { "^(.*/)?" });
    for c in stable.chars() {
        escape_into(c, &mut pattern);
    }
    for c in last.chars() {
        match c {
            '*' => pattern.push_str("[^/]*"),
            '?' => pattern.push_str("[^/]"),
            c => escape_into(c, &mut pattern),
        }
    }
    pattern.push('$');
    (if folder.is_empty() { ".".into() } else { folder.to_owned() }, Some(pattern))
}

/// A character that means itself in a Java regular expression.
fn escape_into(c: char, pattern: &mut String) {
    if c.is_ascii_punctuation() && !matches!(c, '_' | '-' | '/') {
        pattern.push('\\');
    }
    pattern.push(c);
}

#[cfg(test)]
mod tests {
    use super::split_glob;

    #[test]
    fn globs_become_patterns() {
        for (path, expected) in [
            ("/data/in", ("/data/in", None)),
            ("/data/", ("/data/", None)),
            ("/data/2026-*.json", ("/data/", Some(r"^.*/data/2026-[^/]*\.json$"))),
            ("../in/a b/*", ("../in/a b/", Some(r"^(.*/)?in/a b/[^/]*$"))),
            ("s3://bucket/a.b/*", ("s3://bucket/a.b/", Some(r"^.*/a\.b/[^/]*$"))),
            ("*.c?v", (".", Some(r"^(.*/)?[^/]*\.c[^/]v$"))),
            ("file:///a*b/c", ("file:///a*b/c", None)),
        ] {
            let (folder, pattern) = split_glob(path);
            assert_eq!((folder.as_str(), pattern.as_deref()), expected, "{path}");
        }
    }
}
