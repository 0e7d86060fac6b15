//! Starts the job runtime in a JVM and reads its answers (`docs/plan.md`).

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use flink_wasm_diagnostic::{Code, Diagnostic, Result};
use serde_json::Value;

use crate::{flink_home, home};

/// Flink reads these packages of the JDK by reflection; the list is Flink's own `env.java.opts.all`.
const ADD_OPENS: &[&str] = &[
    "--add-exports=java.base/sun.net.util=ALL-UNNAMED",
    "--add-exports=java.rmi/sun.rmi.registry=ALL-UNNAMED",
    "--add-exports=java.security.jgss/sun.security.krb5=ALL-UNNAMED",
    "--add-opens=java.base/java.lang=ALL-UNNAMED",
    "--add-opens=java.base/java.net=ALL-UNNAMED",
    "--add-opens=java.base/java.io=ALL-UNNAMED",
    "--add-opens=java.base/java.nio=ALL-UNNAMED",
    "--add-opens=java.base/sun.nio.ch=ALL-UNNAMED",
    "--add-opens=java.base/java.lang.reflect=ALL-UNNAMED",
    "--add-opens=java.base/java.text=ALL-UNNAMED",
    "--add-opens=java.base/java.time=ALL-UNNAMED",
    "--add-opens=java.base/java.util=ALL-UNNAMED",
    "--add-opens=java.base/java.util.concurrent=ALL-UNNAMED",
    "--add-opens=java.base/java.util.concurrent.atomic=ALL-UNNAMED",
    "--add-opens=java.base/java.util.concurrent.locks=ALL-UNNAMED",
];

/// Main class of the job runtime.
pub const MAIN_CLASS: &str = "org.flinkwasm.runtime.Main";

/// How much of the JVM's standard error is kept to explain a crash.
const KEPT_LOG_BYTES: usize = 64 * 1024;
/// How many lines of it are shown.
const SHOWN_LOG_LINES: usize = 15;

/// `java`: from `JAVA_HOME`, else from the path.
pub fn java() -> PathBuf {
    let from_home = std::env::var_os("JAVA_HOME").map(|home| Path::new(&home).join("bin/java"));
    from_home.filter(|java| java.is_file()).unwrap_or_else(|| PathBuf::from("java"))
}

/// A started job runtime.
pub struct Jvm {
    child: Child,
    answers: BufReader<std::process::ChildStdout>,
    log: std::thread::JoinHandle<Vec<u8>>,
}

impl Jvm {
    /// Starts the runtime with `jar` first on the class path.
    pub fn start(jar: &Path, arguments: &[String]) -> Result<Self> {
        let mut command = Command::new(java());
        command.args(ADD_OPENS).args(["-XX:+UseSerialGC", "-cp"]);
        command.arg(format!("{}:{}", jar.display(), flink_home::class_path()?));
        command.arg(MAIN_CLASS).args(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| {
            Diagnostic::new(Code::ToolMissing, format!("java can't be started: {error}"))
                .help("install a JDK 17 and put it on the path or into JAVA_HOME; `flink-wasm doctor` checks")
        })?;
        let stderr = child.stderr.take().expect("stderr is piped");
        let answers = BufReader::new(child.stdout.take().expect("stdout is piped"));
        let log = std::thread::spawn(move || keep_tail(stderr));
        Ok(Self { child, answers, log })
    }

    /// Starts the runtime without a bundle, for `resolve`.
    pub fn start_plain(arguments: &[String]) -> Result<Self> {
        Self::start(&home::runtime_jar()?, arguments)
    }

    /// The next answer; `None` when the runtime has said all.
    pub fn next(&mut self) -> Option<Value> {
        let mut line = String::new();
        loop {
            line.clear();
            if self.answers.read_line(&mut line).ok()? == 0 {
                return None;
            }
            if let Ok(value) = serde_json::from_str(&line) {
                return Some(value);
            }
        }
    }

    /// Waits for the end. An exit without an answer is a defect: its log is shown.
    pub fn finish(mut self, answered: bool) -> Result<()> {
        drop(self.child.stdin.take());
        let ended = self.child.wait().map_err(|error| Diagnostic::new(Code::Internal, error.to_string()))?;
        let log = self.log.join().unwrap_or_default();
        if answered {
            return Ok(());
        }
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = log.lines().collect();
        let last = &lines[lines.len().saturating_sub(SHOWN_LOG_LINES)..];
        Err(Diagnostic::new(Code::Internal, format!("the job runtime ended without an answer ({ended})"))
            .note(last.join("\n")))
    }
}

/// Drains a stream; keeps its end. The file that `FLINK_WASM_JVM_LOG` names gets all of it.
fn keep_tail(mut stream: impl Read) -> Vec<u8> {
    let mut copy = std::env::var_os("FLINK_WASM_JVM_LOG").and_then(|path| std::fs::File::create(path).ok());
    let mut kept = Vec::new();
    let mut buffer = [0; 8192];
    while let Ok(read @ 1..) = stream.read(&mut buffer) {
        if let Some(file) = &mut copy {
            let _ = std::io::Write::write_all(file, &buffer[..read]);
        }
        kept.extend_from_slice(&buffer[..read]);
        if kept.len() > 2 * KEPT_LOG_BYTES {
            kept.drain(..kept.len() - KEPT_LOG_BYTES);
        }
    }
    kept
}
