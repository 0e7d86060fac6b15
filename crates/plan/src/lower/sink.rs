//! Sinks: one INSERT into a table that is declared, or made of the rows' own columns.

use std::collections::BTreeMap;

use flink_wasm_diagnostic::{Code, nearest};
use flink_wasm_ir::{FileSink, Sink};

use super::{Lowering, Relation};
use crate::plan::Step;
use crate::quote;

impl Lowering<'_> {
    pub(super) fn sink(&mut self, relation: Relation) {
        let with = match &self.job.sink {
            None if self.job.operations.is_empty() => return,
            None => {
                self.problem(Code::MissingPart, "/sink", "the job has operations and no sink for their rows");
                return;
            }
            Some(Sink::Console(console)) => {
                if !console.format.eq_ignore_ascii_case("json") {
                    self.unsupported(
                        "/sink/format",
                        format!("format `{}` of a console sink", console.format),
                    );
                }
                options(&[("connector", "flink-wasm-console")])
            }
            Some(Sink::Blackhole(_)) => options(&[("connector", "blackhole")]),
            Some(Sink::File(file)) => match self.file_sink(file, &relation) {
                Ok(with) => with,
                Err(()) => return,
            },
            Some(other) => {
                self.unsupported("/sink", format!("sink `{}`", other.type_name()));
                return;
            }
        };
        let table = self.free_name("sink");
        let with = match (&self.job.sink, with) {
            (Some(Sink::File(FileSink { schema: Some(text), .. })), with) => {
                let Some(schema) = self.declared_schema("/sink/schema", text) else { return };
                let sql = format!(
                    "CREATE TEMPORARY TABLE {} (\n{}\n) {}",
                    quote::identifier(&table),
                    schema.sql,
                    quote::options(with.iter().map(|(k, v)| (k.as_str(), v.as_str())))
                );
                self.steps.push(Step::Statement { from: "/sink".into(), sql });
                None
            }
            (_, with) => Some(with),
        };
        self.steps.push(Step::Insert { from: "/sink".into(), table, input: relation.name, with });
    }

    /// Options of the sink's table.
    fn file_sink(&mut self, file: &FileSink, relation: &Relation) -> Result<BTreeMap<String, String>, ()> {
        if file.path.trim().is_empty() {
            self.problem(Code::MissingPart, "/sink/path", "the file sink has no path");
        }
        self.own_options("/sink/properties", &file.properties);
        let format = match file.format.to_ascii_lowercase().as_str() {
            "json" => "json",
            "csv" => "csv",
            "text" | "raw" => {
                if let Some(columns) = relation.columns.as_ref().filter(|columns| columns.len() != 1) {
                    let message =
                        format!("format `text` writes one column, but the rows have {}", columns.len());
                    self.problem(Code::TypeMismatch, "/sink/format", message);
                }
                "raw"
            }
            other => {
                self.unsupported("/sink/format", format!("format `{other}` of a file sink"));
                return Err(());
            }
        };
        if let (Some(text), Some(columns)) = (&file.schema, &relation.columns)
            && let Ok(schema) = crate::ddl::parse_schema(text)
        {
            let names: Vec<&str> = columns.iter().map(|c| c.name.as_str()).collect();
            for column in schema.columns.iter().filter(|c| !names.contains(&c.name.as_str())) {
                let problem = flink_wasm_diagnostic::Diagnostic::new(
                    Code::UnknownColumn,
                    format!("the rows have no column `{}` for the sink", column.name),
                )
                .pointer("/sink/schema")
                .note(format!("columns: {}", names.join(", ")));
                self.problems.push(match nearest(&column.name, names.iter().copied()) {
                    Some(near) => problem.help(format!("did you mean `{near}`?")),
                    None => problem,
                });
            }
        }
        let mut with = options(&[("connector", "filesystem"), ("path", &file.path), ("format", format)]);
        with.extend(file.properties.clone());
        Ok(with)
    }
}

fn options(options: &[(&str, &str)]) -> BTreeMap<String, String> {
    options.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}
