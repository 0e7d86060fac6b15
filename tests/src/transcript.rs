//! Transcripts in Markdown: commands, and what they print.
//!
//! In a block, lines with `$ ` are typed, and the lines below are what comes. `[..]` stands for anything in a line, a line `...` for any
//! lines.

/// A command of a transcript.
pub struct Step {
    /// What is typed.
    pub command: String,
    /// What comes.
    pub expected: String,
}

/// The blocks marked `console`.
pub fn sessions(markdown: &str) -> Vec<Vec<Step>> {
    let mut sessions = Vec::new();
    let mut lines = markdown.lines();
    while let Some(line) = lines.next() {
        if line != "```console" {
            continue;
        }
        let mut steps: Vec<Step> = Vec::new();
        for line in lines.by_ref().take_while(|line| *line != "```") {
            match (line.strip_prefix("$ "), steps.last_mut()) {
                (Some(command), _) => {
                    steps.push(Step { command: command.to_owned(), expected: String::new() })
                }
                (None, Some(step)) => step.expected += &format!("{line}\n"),
                (None, None) => panic!("a session starts with a command, not with {line:?}"),
            }
        }
        sessions.push(steps);
    }
    sessions
}

/// Whether `actual` is what `expected` promises.
pub fn matches(expected: &str, actual: &str) -> bool {
    fn lines(expected: &[&str], actual: &[&str]) -> bool {
        match (expected.split_first(), actual.split_first()) {
            (Some((&"...", rest)), _) => (0..=actual.len()).any(|skip| lines(rest, &actual[skip..])),
            (Some((want, rest)), Some((got, others))) => line(want, got) && lines(rest, others),
            (None, None) => true,
            _ => false,
        }
    }
    fn line(want: &str, got: &str) -> bool {
        let got = got.trim_end();
        let Some((head, tail)) = want.split_once("[..]") else { return want.trim_end() == got };
        let Some(got) = got.strip_prefix(head) else { return false };
        (0..=got.len()).filter(|at| got.is_char_boundary(*at)).any(|at| line(tail, &got[at..]))
    }
    lines(&expected.lines().collect::<Vec<_>>(), &actual.lines().collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards() {
        for (expected, actual, fits) in [
            ("a\nb\n", "a\nb\n", true),
            ("a\n", "a\nb\n", false),
            ("a\n...\nd\n", "a\nb\nc\nd\n", true),
            ("...\n", "", true),
            ("took [..] s, [..] rows\n", "took 1.5 s, 10 rows\n", true),
            ("took [..] s\n", "took 1.5 ms\n", false),
        ] {
            assert_eq!(matches(expected, actual), fits, "{expected:?} {actual:?}");
        }
    }
}
