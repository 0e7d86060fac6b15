//! A sidecar of our own, for an embedded run: started before the job, stopped after it.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use flink_wasm_diagnostic::{Code, Diagnostic, Result};

use crate::home;

/// A running sidecar with its socket in a private folder.
pub struct Sidecar {
    child: Child,
    folder: tempfile::TempDir,
}

impl Sidecar {
    /// Starts one and waits until it listens.
    pub fn start() -> Result<Self> {
        let failed = |what: String| {
            Diagnostic::new(Code::SidecarUnreachable, what).help("`flink-wasm doctor` checks the sidecar")
        };
        // Short, because the path of a unix socket holds at most 107 bytes.
        let folder = tempfile::Builder::new()
            .prefix("flink-wasm-")
            .tempdir()
            .map_err(|error| failed(error.to_string()))?;
        let mut command = Command::new(home::sidecar()?);
        command.arg("--socket").arg(folder.path().join("sidecar.sock"));
        command.arg("--cache-dir").arg(home::cache()?.join("compiled"));
        command.args(["--health-addr", "none"]).stdin(Stdio::null()).stdout(Stdio::piped());
        match std::env::var_os("FLINK_WASM_SIDECAR_LOG").map(std::fs::File::create) {
            Some(Ok(file)) => command.stderr(file),
            _ => command.stderr(Stdio::null()),
        };
        let mut child =
            command.spawn().map_err(|error| failed(format!("the sidecar can't be started: {error}")))?;
        let mut ready = String::new();
        let read = BufReader::new(child.stdout.take().expect("stdout is piped")).read_line(&mut ready);
        if !matches!(read, Ok(1..)) {
            let ended = child.wait().map(|status| status.to_string()).unwrap_or_default();
            return Err(failed(format!("the sidecar ended before it was ready ({ended})")));
        }
        Ok(Self { child, folder })
    }

    /// Where it listens.
    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("sidecar.sock")
    }
}

impl Drop for Sidecar {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
