//! Flink answers errors with Java stack traces. A person needs the causes, not the frames.

use flink_wasm_diagnostic::{Code, Diagnostic};

/// The messages along the chain of causes, outermost first, without class names, frames or repeats.
pub fn condense(stack_trace: &str) -> Vec<String> {
    let mut messages: Vec<String> = Vec::new();
    for line in stack_trace.lines() {
        let line = line.trim();
        if line.is_empty() || line.starts_with("at ") || line.starts_with("... ") || line.starts_with('<') {
            continue;
        }
        let message = strip_classes(line.strip_prefix("Caused by: ").unwrap_or(line));
        if !message.is_empty() && !messages.iter().any(|known| known.contains(message)) {
            messages.push(message.to_owned());
        }
    }
    messages
}

/// `a.b.SomeException: text` -> `text`; several classes in front are all taken off.
fn strip_classes(mut text: &str) -> &str {
    while let Some((class, rest)) = text.split_once(": ") {
        let is_class = class.contains('.') && class.chars().all(|c| c.is_alphanumeric() || ".$_".contains(c));
        if !is_class {
            break;
        }
        text = rest;
    }
    text.trim()
}

/// The diagnostic that the job runtime put into an exception's message: `FW0504: what`, followed by
/// facts (`function: ..`, `component: ..`, `row of the bundle: ..`) and by lines `note: ..` and `help: ..`.
pub fn embedded_diagnostic(stack_trace: &str) -> Option<Diagnostic> {
    let mut lines = stack_trace.lines().skip_while(|line| code_and_message(line).is_none()).peekable();
    let (code, message) = code_and_message(lines.next()?)?;
    let mut diagnostic = Diagnostic::new(code, message);
    let mut in_note = false;
    for line in lines {
        let trimmed = line.trim_start();
        if trimmed.starts_with("at ") || trimmed.starts_with("Caused by: ") || trimmed.starts_with("... ") {
            break;
        }
        if let Some(note) = trimmed.strip_prefix("note: ") {
            in_note = true;
            diagnostic.notes.push(note.to_owned());
        } else if let Some(help) = trimmed.strip_prefix("help: ") {
            diagnostic.help = Some(help.to_owned());
        } else if let (true, Some(note)) = (in_note, diagnostic.notes.last_mut()) {
            note.push('\n');
            note.push_str(trimmed);
        } else if !trimmed.is_empty() {
            diagnostic.notes.push(trimmed.to_owned());
        }
    }
    Some(diagnostic)
}

fn code_and_message(line: &str) -> Option<(Code, &str)> {
    let start = line.find("FW0")?;
    let code = line.get(start..start + 6)?.parse().ok()?;
    Some((code, line[start + 6..].strip_prefix(": ")?.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "org.apache.flink.runtime.rest.handler.RestHandlerException: Could not execute application.\n\
        \tat org.apache.flink.Foo.bar(Foo.java:1)\n\
        Caused by: java.util.concurrent.CompletionException: org.apache.flink.util.FlinkRuntimeException: Could not execute application.\n\
        \t... 7 more\n\
        Caused by: java.lang.IllegalStateException: No slots: 2 needed\n\
        \tat x.y.Z.w(Z.java:9)\n";

    #[test]
    fn causes_without_frames() {
        assert_eq!(condense(TRACE), ["Could not execute application.", "No slots: 2 needed"]);
    }

    #[test]
    fn finds_the_runtimes_diagnostic() {
        let trace = "java.lang.Exception: job failed\n\tat a.B.c(B.java:1)\nCaused by: org.flinkwasm.runtime.WasmFunctionException: \
            FW0504: function `tax` trapped\n  component: sha256:12\n  row of the bundle: 7\n  note: wasm backtrace:\n  0: tax::run\nhelp: run `flink-wasm test`\n\tat a.B.c(B.java:1)\n";
        let found = embedded_diagnostic(trace).unwrap();
        assert_eq!(found.code, Code::FunctionTrapped);
        assert_eq!(found.message, "function `tax` trapped");
        assert_eq!(
            found.notes,
            ["component: sha256:12", "row of the bundle: 7", "wasm backtrace:\n0: tax::run"]
        );
        assert_eq!(found.help.as_deref(), Some("run `flink-wasm test`"));
        assert_eq!(embedded_diagnostic(TRACE), None);
    }
}
