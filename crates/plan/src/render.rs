//! A plan for people: what `flink-wasm explain` prints.

use std::fmt::Write;

use crate::plan::{Plan, Step, WasmOutput};

impl Plan {
    /// The plan as numbered steps, each with where it comes from and, when Flink has resolved it, its columns.
    pub fn render(&self) -> String {
        let mut out = format!("job {}\n", self.name);
        // Writing to a String can't fail.
        let _ = self.write_to(&mut out);
        out
    }

    fn write_to(&self, out: &mut String) -> std::fmt::Result {
        match self.parallelism {
            Some(parallelism) => writeln!(out, "parallelism {parallelism}")?,
            None => writeln!(out, "parallelism of the cluster")?,
        }
        if !self.options.is_empty() {
            writeln!(out, "\noptions")?;
            let width = self.options.keys().map(|key| key.chars().count()).max().unwrap_or_default();
            for (key, value) in &self.options {
                writeln!(out, "  {key:width$}  {value}")?;
            }
        }
        if !self.functions.is_empty() {
            writeln!(out, "\nfunctions")?;
        }
        for (name, function) in &self.functions {
            let fields = |fields: &[flink_wasm_ir::Field]| {
                fields.iter().map(|f| format!("{} {}", f.name, f.sql_type)).collect::<Vec<_>>().join(", ")
            };
            writeln!(out, "  {name} {}, {} function", function.version, function.kind.as_str())?;
            writeln!(out, "    component   {}", function.component)?;
            writeln!(out, "    input       {}", fields(&function.input))?;
            if !function.output.is_empty() {
                writeln!(out, "    output      {}", fields(&function.output))?;
            }
            for (parameter, value) in &function.parameters {
                writeln!(out, "    parameter   {parameter} = {value}")?;
            }
            let limits = &function.limits;
            writeln!(
                out,
                "    limits      {} bytes, {} ms a bundle",
                limits.memory_bytes, limits.deadline_ms
            )?;
        }
        writeln!(out, "\nsteps")?;
        let width = self.steps.len().to_string().len();
        for (number, step) in self.steps.iter().enumerate() {
            let (title, from, text, relation) = describe(step);
            writeln!(out, "{:>width$}  {title}  ({from})", number + 1, width = width + 2)?;
            let indent = " ".repeat(width + 6);
            for line in text.lines() {
                writeln!(out, "{indent}{line}")?;
            }
            if let Some(columns) = relation.and_then(|name| self.relations.get(name)) {
                let wide = columns.iter().map(|c| c.name.chars().count()).max().unwrap_or_default();
                for (position, column) in columns.iter().enumerate() {
                    let mark = if position == 0 { "->" } else { "  " };
                    writeln!(out, "{indent}{mark} {:wide$}  {}", column.name, column.sql_type)?;
                }
            }
        }
        Ok(())
    }
}

/// Title, pointer, text, and the relation whose columns are shown.
fn describe(step: &Step) -> (String, &str, String, Option<&str>) {
    match step {
        Step::Statement { from, sql } => {
            let table = sql.strip_prefix("CREATE TEMPORARY TABLE `").and_then(|rest| rest.split('`').next());
            ("statement".into(), from, sql.clone(), table)
        }
        Step::View { from, name, sql, drop } => {
            let dropped =
                if drop.is_empty() { String::new() } else { format!("\nwithout {}", drop.join(", ")) };
            (format!("view {name}"), from, format!("{sql}{dropped}"), Some(name))
        }
        Step::Assign { from, name, input, column, sql } => {
            (format!("assign {name}"), from, format!("{column} = {sql}\nover {input}"), Some(name))
        }
        Step::Wasm { from, name, uid, input, function, arguments, output, prefix } => {
            let arguments = arguments.as_ref().map_or_else(|| "whole row".into(), |names| names.join(", "));
            let effect = match output {
                WasmOutput::Replace => "its output is the new row".into(),
                WasmOutput::Append if prefix.is_empty() => "its output is added to the row".into(),
                WasmOutput::Append => format!("its output is added to the row, as {prefix}.."),
                WasmOutput::Keep => "keeps the rows that it says yes to".into(),
                WasmOutput::Flag => format!("its answer is added to the row, as {prefix}"),
            };
            let uid = if uid == name { String::new() } else { format!("\nuid {uid}") };
            let text = format!("{function}({arguments}): {effect}\nover {input}{uid}");
            (format!("wasm {name}"), from, text, Some(name))
        }
        Step::Insert { from, table, input, with } => {
            let mut text = format!("rows of {input}");
            for (key, value) in with.iter().flatten() {
                let _ = write!(text, "\n'{key}' = '{value}'");
            }
            (format!("insert into {table}"), from, text, None)
        }
    }
}
