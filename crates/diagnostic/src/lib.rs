//! What a user is told when something is wrong: a stable code, what, where, and what to do next.
//!
//! Every library crate of the workspace returns [`Diagnostic`] as its error. The codes stand once,
//! in [`Code`]; the JVM runtime holds the same table and a test compares the two.

use std::fmt;

mod code;
pub use code::Code;

/// A result whose error can be shown to a user as it is.
pub type Result<T> = std::result::Result<T, Diagnostic>;

/// Where in an input the problem lies. All parts are optional.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Location {
    /// The file, as the user named it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Line in the file, counted from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// Column in the line in characters, counted from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<u32>,
    /// JSON pointer (RFC 6901) into a job definition, such as `/operations/1/expression`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pointer: Option<String>,
    /// Byte range inside the string that `pointer` names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub span: Option<(u32, u32)>,
}

/// One problem, ready to be shown.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Diagnostic {
    /// Stable code; its explanation is [`Code::explanation`].
    pub code: Code,
    /// What is wrong, in one sentence without a full stop.
    pub message: String,
    /// Where it is wrong. Boxed: a result should stay small.
    #[serde(default)]
    pub location: Box<Location>,
    /// Further facts, one a line (the other type, the digest, a backtrace).
    #[serde(default)]
    pub notes: Vec<String>,
    /// What to do next, when that is known.
    #[serde(default)]
    pub help: Option<String>,
}

impl Diagnostic {
    /// A problem without a place.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), location: Box::default(), notes: Vec::new(), help: None }
    }

    /// Adds the next thing to do.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Adds a fact.
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    /// Names the file.
    pub fn file(mut self, file: impl Into<String>) -> Self {
        self.location.file = Some(file.into());
        self
    }

    /// Names line and column, both counted from 1.
    pub fn at(mut self, line: u32, column: u32) -> Self {
        self.location.line = Some(line);
        self.location.column = Some(column);
        self
    }

    /// Names the place in a job definition.
    pub fn pointer(mut self, pointer: impl Into<String>) -> Self {
        self.location.pointer = Some(pointer.into());
        self
    }

    /// Names the byte range inside the string at [`Location::pointer`].
    pub fn span(mut self, start: usize, end: usize) -> Self {
        self.location.span = Some((start as u32, end as u32));
        self
    }
}

/// Renders like rustc: `error[FW0101]: message`, the place, the notes, the help.
impl fmt::Display for Diagnostic {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "error[{}]: {}", self.code, self.message)?;
        let Location { file, line, column, pointer, .. } = &*self.location;
        // The empty pointer names the whole document.
        let pointer = pointer.as_ref().filter(|pointer| !pointer.is_empty());
        if file.is_some() || pointer.is_some() {
            write!(out, "\n  --> ")?;
            if let Some(file) = file {
                write!(out, "{file}")?;
                if let Some(line) = line {
                    write!(out, ":{line}:{}", column.unwrap_or(1))?;
                }
            }
            if let Some(pointer) = pointer {
                if file.is_some() {
                    write!(out, " ")?;
                }
                write!(out, "({pointer})")?;
            }
        }
        for note in &self.notes {
            let mut lines = note.lines();
            write!(out, "\n   = note: {}", lines.next().unwrap_or_default())?;
            for line in lines {
                write!(out, "\n           {line}")?;
            }
        }
        if let Some(help) = &self.help {
            write!(out, "\n   = help: {help}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Diagnostic {}

/// The candidate nearest to `name` by edit distance, if it is near enough to be what was meant.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (name.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .map(|candidate| (edit_distance(&name.to_lowercase(), &candidate.to_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, candidate)| candidate)
}

/// Insertions, deletions, substitutions, and swaps of neighbours (optimal string alignment).
fn edit_distance(left: &str, right: &str) -> usize {
    let left: Vec<char> = left.chars().collect();
    let right: Vec<char> = right.chars().collect();
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=right.len()).collect();
    for i in 0..left.len() {
        let mut row = vec![i + 1];
        for j in 0..right.len() {
            let substitution = last[j] + usize::from(left[i] != right[j]);
            let mut least = substitution.min(row[j] + 1).min(last[j + 1] + 1);
            if i > 0 && j > 0 && left[i] == right[j - 1] && left[i - 1] == right[j] {
                least = least.min(before[j - 1] + 1);
            }
            row.push(least);
        }
        before = std::mem::replace(&mut last, row);
    }
    last[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_finds_typos_and_nothing_else() {
        for (name, expected) in [
            ("amuont", Some("amount")),
            ("AMOUNT", Some("amount")),
            ("regio", Some("region")),
            ("di", Some("id")),
            ("mauont", Some("amount")),
            ("x", None),
            ("completely", None),
        ] {
            assert_eq!(nearest(name, ["amount", "region", "id"]), expected, "{name}");
        }
    }

    #[test]
    fn renders_every_part() {
        let text = Diagnostic::new(Code::UnknownColumn, "unknown column `amuont`")
            .file("job.json")
            .at(4, 31)
            .pointer("/operations/0/expression")
            .note("columns: id, amount")
            .help("did you mean `amount`?")
            .to_string();
        expect_test::expect![[r#"
            error[FW0201]: unknown column `amuont`
              --> job.json:4:31 (/operations/0/expression)
               = note: columns: id, amount
               = help: did you mean `amount`?"#]]
        .assert_eq(&text);
    }
}
