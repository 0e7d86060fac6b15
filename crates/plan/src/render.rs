//! A plan for people: what `flink-wasm explain` prints.

use std::fmt::Write;

use flink_wasm_ir::{ErrorPolicy, Field, LimiterScope, RateLimiter, State};

use crate::plan::{Plan, PlanFunction, Step, StepOnError, WasmOutput};

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
            writeln!(out, "  {name} {}, {} function", function.version, function.kind.as_str())?;
            writeln!(out, "    component   {}", function.component)?;
            writeln!(out, "    input       {}", fields(&function.input))?;
            if !function.output.is_empty() {
                writeln!(out, "    output      {}", fields(&function.output))?;
            }
            for (parameter, value) in &function.parameters {
                writeln!(out, "    parameter   {parameter} = {value}")?;
            }
            write_keyed(function, out)?;
            for limiter in &function.rate_limiters {
                writeln!(out, "    limiter     {}", describe_limiter(limiter))?;
            }
            let limits = &function.limits;
            write!(out, "    limits      {} bytes, {} ms a bundle", limits.memory_bytes, limits.deadline_ms)?;
            match limits.state_value_bytes {
                Some(bytes) => writeln!(out, ", {bytes} bytes a state value")?,
                None => writeln!(out)?,
            }
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

fn fields(fields: &[Field]) -> String {
    fields.iter().map(|f| format!("{} {}", f.name, f.sql_type)).collect::<Vec<_>>().join(", ")
}

/// What only a process function has.
fn write_keyed(function: &PlanFunction, out: &mut String) -> std::fmt::Result {
    if !function.key.is_empty() {
        writeln!(out, "    key         {}", fields(&function.key))?;
    }
    for State { name, kind, schema, ttl_ms } in &function.states {
        let ttl = ttl_ms.map(|ms| format!(", for {ms} ms")).unwrap_or_default();
        writeln!(out, "    state       {name}: {} of {schema}{ttl}", kind.as_str())?;
    }
    for side in &function.side_outputs {
        writeln!(out, "    side output {}: {}", side.name, fields(&side.fields))?;
    }
    if function.timers {
        writeln!(out, "    timers      yes")?;
    }
    Ok(())
}

fn describe_limiter(limiter: &RateLimiter) -> String {
    let scope = match limiter.scope {
        LimiterScope::Sidecar => "in each sidecar",
        LimiterScope::Job => "in the job",
    };
    let mut text = format!("{}: {} a second, burst {}, {scope}", limiter.name, limiter.rate, limiter.burst);
    for tier in limiter.tiers.iter().flatten() {
        let _ = write!(text, "; {}: {} a second, burst {}", tier.name, tier.rate, tier.burst);
    }
    text
}

fn describe_policy(on_error: &StepOnError) -> String {
    let retries = match on_error.retries {
        0 => String::new(),
        1 => "1 retry, then ".into(),
        several => format!("{several} retries, then "),
    };
    let policy = match (on_error.policy, &on_error.relation) {
        (ErrorPolicy::Fail, _) => "fail".into(),
        (ErrorPolicy::Skip, _) => "skip the row".into(),
        (ErrorPolicy::DeadLetter, relation) => {
            format!("dead letter in {}", relation.as_deref().unwrap_or("nothing"))
        }
    };
    format!("on error: {retries}{policy}")
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
        Step::Wasm {
            from,
            name,
            uid,
            input,
            function,
            arguments,
            output,
            prefix,
            key,
            side_outputs,
            on_error,
        } => {
            let arguments = arguments.as_ref().map_or_else(|| "whole row".into(), |names| names.join(", "));
            let effect = match output {
                WasmOutput::Replace => "its output is the new row".into(),
                WasmOutput::Append if prefix.is_empty() => "its output is added to the row".into(),
                WasmOutput::Append => format!("its output is added to the row, as {prefix}.."),
                WasmOutput::Keep => "keeps the rows that it says yes to".into(),
                WasmOutput::Flag => format!("its answer is added to the row, as {prefix}"),
            };
            let uid = if uid == name { String::new() } else { format!("\nuid {uid}") };
            let by = if key.is_empty() { String::new() } else { format!(" by {}", key.join(", ")) };
            let mut text = format!("{function}({arguments}): {effect}\nover {input}{by}{uid}");
            for (side, relation) in side_outputs {
                let _ = write!(text, "\nside output {side} is {relation}");
            }
            if let Some(on_error) = on_error {
                let _ = write!(text, "\n{}", describe_policy(on_error));
            }
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
