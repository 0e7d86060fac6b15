//! How the program speaks: progress on standard error in cargo's manner, data on standard output.

use std::io::{IsTerminal, Write};
use std::sync::OnceLock;

use flink_wasm_diagnostic::Diagnostic;
use serde::Serialize;

/// Settings that hold for the whole run of the program.
#[derive(Clone, Copy, Debug, Default)]
pub struct Settings {
    /// Print data as JSON, errors too.
    pub json: bool,
    /// No progress.
    pub quiet: bool,
}

static SETTINGS: OnceLock<Settings> = OnceLock::new();

/// Called once by `main`, before any output.
pub fn configure(settings: Settings) {
    let _ = SETTINGS.set(settings);
}

fn settings() -> Settings {
    SETTINGS.get().copied().unwrap_or_default()
}

/// Whether data is to be JSON.
pub fn is_json() -> bool {
    settings().json
}

/// Whether progress is off.
pub fn is_quiet() -> bool {
    settings().quiet
}

fn coloured() -> bool {
    std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none()
}

/// One line of progress: a verb, right-aligned in 12 columns as cargo does, and what it is about.
pub fn status(verb: &str, what: impl std::fmt::Display) {
    if settings().quiet {
        return;
    }
    if coloured() {
        eprintln!("\x1b[1;32m{verb:>12}\x1b[0m {what}");
    } else {
        eprintln!("{verb:>12} {what}");
    }
}

/// Something the user should know that stops nothing.
pub fn warning(what: impl std::fmt::Display) {
    if coloured() {
        eprintln!("\x1b[1;33mwarning\x1b[0m: {what}");
    } else {
        eprintln!("warning: {what}");
    }
}

/// Data: one line on standard output.
pub fn line(text: impl std::fmt::Display) {
    // A reader that went away (`| head`) is no error of ours.
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// Data as JSON: one object, on one line.
pub fn json(value: &impl Serialize) {
    line(serde_json::to_string(value).unwrap_or_else(|error| format!("{{\"error\":\"{error}\"}}")));
}

/// Data that is JSON with `--json` and text without.
pub fn data(value: &impl Serialize, text: impl FnOnce() -> String) {
    if is_json() {
        json(value);
    } else {
        let text = text();
        line(text.trim_end_matches('\n'));
    }
}

/// Shows errors: rendered on standard error, or with `--json` as objects on standard output.
pub fn errors(diagnostics: &[Diagnostic]) {
    if is_json() {
        json(&serde_json::json!({ "errors": diagnostics }));
        return;
    }
    for diagnostic in diagnostics {
        let text = diagnostic.to_string();
        if coloured() {
            let (head, tail) = text.split_once(':').unwrap_or((&text, ""));
            eprintln!("\x1b[1;31m{head}\x1b[0m:{tail}");
        } else {
            eprintln!("{text}");
        }
    }
}

/// `64 B`, `23.1 kB`, `1.4 MB`.
pub fn size(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        _ => format!("{:.1} MB", bytes as f64 / 1e6),
    }
}

/// The form of a digest that people compare by eye: `sha256:0b6e4a71`.
pub fn short(digest: &str) -> &str {
    digest.get(.."sha256:".len() + 8).unwrap_or(digest)
}

/// Rows under headings, columns aligned.
pub fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([head[column].chars().count()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let render = |cells: Vec<&str>| {
        let padded = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned() + "\n"
    };
    let mut text = render(head.to_vec());
    for row in rows {
        text += &render(row.iter().map(String::as_str).collect());
    }
    text
}

#[cfg(test)]
mod tests {
    #[test]
    fn tables_align() {
        let rows = vec![vec!["1".to_owned(), "north".to_owned()], vec!["1000".to_owned(), "s".to_owned()]];
        assert_eq!(super::table(&["id", "region"], &rows), "id    region\n1     north\n1000  s\n");
    }

    #[test]
    fn sizes() {
        for (bytes, text) in [(999, "999 B"), (23_100, "23.1 kB"), (1_440_000, "1.4 MB")] {
            assert_eq!(super::size(bytes), text);
        }
    }
}
