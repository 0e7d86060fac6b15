//! The README is a promise: its transcripts are run and compared.
//!
//! A block marked `console` is a session in an empty folder, with both streams of its commands. One whose first command is `make` runs
//! in the repository.

use std::path::PathBuf;
use std::process::Command;

use flink_wasm_tests::transcript::{Step, matches, sessions};
use flink_wasm_tests::{finish, root};

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

#[test]
fn transcripts_of_the_readme() {
    let readme = std::fs::read_to_string(root().join("README.md")).expect("README.md");
    let sessions = sessions(&readme);
    assert!(sessions.len() >= 3, "the README shows the demo, a map and a filter");
    for steps in &sessions {
        play(steps);
    }
}
