//! What end-to-end tests need: the programs of the build tree, and Flink clusters of separate processes.
//!
//! Everything runs on loopback, on ports chosen at run time, and ends with the value that started it,
//! by its own process id.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

mod cluster;
pub mod transcript;
pub use cluster::{Cluster, Sidecar};

/// The repository's root.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ has a parent").to_path_buf()
}

/// The program under test, as it is in the build tree.
pub fn flink_wasm() -> PathBuf {
    let program = root().join("target/release/flink-wasm");
    assert!(program.is_file(), "{} is missing: run `make build` first", program.display());
    program
}

/// What a command printed and how it ended.
#[derive(Debug)]
pub struct Ran {
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    /// Exit code; -1 when a signal ended it.
    pub code: i32,
}

impl Ran {
    /// Fails the test unless the command succeeded.
    #[track_caller]
    pub fn ok(self) -> Ran {
        assert_eq!(self.code, 0, "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    /// Fails the test unless the command ended with `code` and its error names all of `parts`.
    #[track_caller]
    pub fn fails(self, code: i32, parts: &[&str]) -> Ran {
        assert_eq!(self.code, code, "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        for part in parts {
            assert!(self.stderr.contains(part), "{part:?} is not in\n{}", self.stderr);
        }
        assert!(!self.stderr.contains("\tat "), "a Java stack trace:\n{}", self.stderr);
        self
    }
}

/// Runs `flink-wasm` in `folder`.
pub fn run(folder: &Path, arguments: &[&str]) -> Ran {
    run_with(folder, arguments, &[])
}

/// Runs `flink-wasm` in `folder` with further environment variables.
pub fn run_with(folder: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Ran {
    let mut command = Command::new(flink_wasm());
    command.args(arguments).current_dir(folder).envs(environment.iter().copied());
    finish(command)
}

/// Runs any command to its end.
pub fn finish(mut command: Command) -> Ran {
    let Output { stdout, stderr, status } =
        command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    Ran { stdout: text(&stdout), stderr: text(&stderr), code: status.code().unwrap_or(-1) }
}

/// Builds sample functions with `flink-wasm build`.
pub fn build_samples(names: &[&str]) {
    for name in names {
        run(&root(), &["build", &format!("udfs/{name}"), "--quiet"]).ok();
    }
}

/// The component that [`build_samples`] made.
pub fn component(name: &str) -> PathBuf {
    root().join("target/flink-wasm").join(format!("{}.wasm", name.replace('-', "_")))
}

/// The files that a job's file sink has committed, in order of their names. What a crash left unfinished begins with a dot.
pub fn committed_files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.retain(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        assert!(name.starts_with("part-") || name.starts_with('.'), "{name} is no file of a sink");
        name.starts_with("part-")
    });
    files.sort();
    files
}
