//! The README is a promise: its transcripts are run and compared.
//!
//! A block marked `console` is a session in an empty folder: lines with `$ ` are typed, the lines below are what comes (both
//! streams). `[..]` stands for anything in a line, a line `...` for any lines. A block whose first command is `make` runs in the
//! repository.

use std::path::PathBuf;
use std::process::Command;

use flink_wasm_tests::{finish, root};

struct Step {
    command: String,
    expected: String,
}

fn sessions(markdown: &str) -> Vec<Vec<Step>> {
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

fn play(steps: &[Step]) {
    let empty = tempfile::tempdir().expect("a folder");
    let in_repository = steps.first().is_some_and(|step| step.command.starts_with("make "));
    let mut folder: PathBuf = if in_repository { root() } else { empty.path().to_path_buf() };
    let tools = root().join("target/tools/bin");
    let path = std::env::var("PATH").unwrap_or_default();
    let path = format!("{}:{}:{path}", root().join("target/release").display(), tools.display());
    for step in steps {
        if let Some(target) = step.command.strip_prefix("cd ") {
            folder = folder.join(target);
            continue;
        }
        let mut shell = Command::new("bash");
        shell.arg("-c").arg(format!("({}) 2>&1", step.command)).current_dir(&folder).env("PATH", &path);
        // What the test runner set for itself must not reach the programs that a user would start.
        for (name, _) in
            std::env::vars().filter(|(name, _)| name.starts_with("CARGO_") && name != "CARGO_HOME")
        {
            shell.env_remove(name);
        }
        for name in ["MAKEFLAGS", "MAKELEVEL", "MFLAGS", "RUSTFLAGS"] {
            shell.env_remove(name);
        }
        let ran = finish(shell);
        assert_eq!(ran.code, 0, "$ {}\n{}", step.command, ran.stdout);
        assert!(
            matches(&step.expected, &ran.stdout),
            "$ {}\n--- promised\n{}--- came\n{}",
            step.command,
            step.expected,
            ran.stdout
        );
    }
}

/// Whether `actual` is what `expected` promises.
fn matches(expected: &str, actual: &str) -> bool {
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

#[test]
fn transcripts_of_the_readme() {
    let readme = std::fs::read_to_string(root().join("README.md")).expect("README.md");
    let sessions = sessions(&readme);
    assert!(sessions.len() >= 3, "the README shows the demo, a map and a filter");
    for steps in &sessions {
        play(steps);
    }
}
