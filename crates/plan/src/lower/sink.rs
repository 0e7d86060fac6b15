//! Sinks: an INSERT each into a table that is declared, or made of the rows' own columns.

use std::collections::BTreeMap;

use flink_wasm_diagnostic::{Code, nearest};
use flink_wasm_ir::{FileSink, Sink};

use super::{Lowering, Relation};
use crate::plan::Step;
use crate::quote;

impl Lowering<'_> {
    /// The job's own sink.
    pub(super) fn sink(&mut self, relation: Relation) {
        match &self.job.sink {
            None if self.job.operations.is_empty() => {}
            None => {
                self.problem(Code::MissingPart, "/sink", "the job has operations and no sink for their rows");
            }
            Some(sink) => self.insert("/sink", "sink", sink, relation),
        }
    }

    /// Writes a relation to the sink at `pointer`, through a table of the name `wanted`.
    pub(super) fn insert(&mut self, pointer: &str, wanted: &str, sink: &Sink, relation: Relation) {
        let with = match sink {
            Sink::Console(console) => {
                if !console.format.eq_ignore_ascii_case("json") {
                    self.unsupported(
                        &format!("{pointer}/format"),
                        format!("format `{}` of a console sink", console.format),
                    );
                }
                options(&[("connector", "flink-wasm-console")])
            }
            Sink::Blackhole(_) => options(&[("connector", "blackhole")]),
            Sink::File(file) => match self.file_sink(pointer, file, &relation) {
                Ok(with) => with,
                Err(()) => return,
            },
            other => {
                self.unsupported(pointer, format!("sink `{}`", other.type_name()));
                return;
            }
        };
        let table = self.free_name(wanted);
        let with = match (sink, with) {
            (Sink::File(FileSink { schema: Some(text), .. }), with) => {
                let Some(schema) = self.declared_schema(&format!("{pointer}/schema"), text) else { return };
                let sql = format!(
                    "CREATE TEMPORARY TABLE {} (\n{}\n) {}",
                    quote::identifier(&table),
                    schema.sql,
                    quote::options(with.iter().map(|(k, v)| (k.as_str(), v.as_str())))
                );
                self.steps.push(Step::Statement { from: pointer.to_owned(), sql });
                None
            }
            (_, with) => Some(with),
        };
        self.steps.push(Step::Insert { from: pointer.to_owned(), table, input: relation.name, with });
    }

    /// Options of the sink's table.
    fn file_sink(
        &mut self,
        pointer: &str,
        file: &FileSink,
        relation: &Relation,
    ) -> Result<BTreeMap<String, String>, ()> {
        if file.path.trim().is_empty() {
            self.problem(Code::MissingPart, &format!("{pointer}/path"), "the file sink has no path");
        }
        self.own_options(&format!("{pointer}/properties"), &file.properties);
        let format = match file.format.to_ascii_lowercase().as_str() {
            "json" => "json",
            "csv" => "csv",
            "text" | "raw" => {
                if let Some(columns) = relation.columns.as_ref().filter(|columns| columns.len() != 1) {
                    let message =
                        format!("format `text` writes one column, but the rows have {}", columns.len());
                    self.problem(Code::TypeMismatch, &format!("{pointer}/format"), message);
                }
                "raw"
            }
            other => {
                self.unsupported(&format!("{pointer}/format"), format!("format `{other}` of a file sink"));
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
                .pointer(format!("{pointer}/schema"))
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
