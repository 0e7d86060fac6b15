//! Rows of a console sink on standard output: a table for people, JSON lines for programs.

use serde_json::{Map, Value};

use crate::output;

/// Rows that are looked at to choose the widths of the columns before anything is printed: a
/// screenful. Later rows are printed as they come, in the same columns.
const ROWS_FOR_WIDTHS: usize = 50;
/// The widest that a column gets; longer cells push the rest of their line.
const MAX_COLUMN_WIDTH: usize = 40;

/// Prints the rows of one run.
#[derive(Default)]
pub struct Printer {
    waiting: Vec<Map<String, Value>>,
    columns: Vec<(String, usize)>,
    started: bool,
}

impl Printer {
    /// Takes one row.
    pub fn row(&mut self, row: &Value) {
        match row {
            Value::Object(cells) if !output::is_json() => {
                if self.started {
                    self.print(cells);
                } else {
                    self.waiting.push(cells.clone());
                    if self.waiting.len() == ROWS_FOR_WIDTHS {
                        self.start();
                    }
                }
            }
            _ => output::json(row),
        }
    }

    /// Prints what still waits.
    pub fn finish(&mut self) {
        if !self.started && !self.waiting.is_empty() {
            self.start();
        }
    }

    fn start(&mut self) {
        self.started = true;
        for row in &self.waiting {
            for (name, value) in row {
                let width = cell(value).chars().count().min(MAX_COLUMN_WIDTH);
                match self.columns.iter_mut().find(|(known, _)| known == name) {
                    Some((_, known)) => *known = width.max(*known),
                    None => self.columns.push((name.clone(), width.max(name.chars().count()))),
                }
            }
        }
        let heads = self.columns.iter().map(|(name, width)| format!("{name:<width$}"));
        output::line(heads.collect::<Vec<_>>().join("  ").trim_end());
        let rules = self.columns.iter().map(|(_, width)| "-".repeat(*width));
        output::line(rules.collect::<Vec<_>>().join("  "));
        for row in std::mem::take(&mut self.waiting) {
            self.print(&row);
        }
    }

    fn print(&self, row: &Map<String, Value>) {
        let cells = self.columns.iter().map(|(name, width)| {
            let value = row.get(name).unwrap_or(&Value::Null);
            // Numbers to the right, as people compare them.
            if value.is_number() {
                format!("{:>width$}", cell(value))
            } else {
                format!("{:<width$}", cell(value))
            }
        });
        output::line(cells.collect::<Vec<_>>().join("  ").trim_end());
    }
}

/// A cell's text, without characters that could move a terminal's cursor.
fn cell(value: &Value) -> String {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Null => "NULL".to_owned(),
        other => other.to_string(),
    };
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}
