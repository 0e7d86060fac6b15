//! A sidecar process, and a connection to it that speaks `docs/protocol.md` as the operator does.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use flink_wasm_protocol::frame::{HEADER_BYTES, encode_frame};
use flink_wasm_protocol::handshake::{Hello, Open, Opened, VersionRange, decode_json, encode_json};
use flink_wasm_protocol::{FrameHeader, FrameType};
use serde::Serialize;

use crate::guest::Component;

/// Where cargo puts programs.
pub(crate) const PROGRAMS: &str = "target/release";

/// A running sidecar. Ends with this value.
pub(crate) struct Sidecar {
    child: Child,
    folder: tempfile::TempDir,
    /// From starting the process to its word that it listens.
    pub(crate) start_time: Duration,
}

impl Sidecar {
    /// Starts the sidecar with this cache directory.
    pub(crate) fn start(cache: &Path) -> Result<Self> {
        let mut command = Command::new(Path::new(PROGRAMS).join("flink-wasm-sidecar"));
        command.arg("--cache-dir").arg(cache).args(["--health-addr", "none"]);
        Self::spawn(command)
    }

    /// Starts the echo sidecar.
    pub(crate) fn start_echo() -> Result<Self> {
        Self::spawn(Command::new(Path::new(PROGRAMS).join("flink-wasm-echo-sidecar")))
    }

    fn spawn(mut command: Command) -> Result<Self> {
        // Short, because the path of a unix socket holds at most 107 bytes.
        let folder = tempfile::Builder::new().prefix("fwb-").tempdir()?;
        command.arg("--socket").arg(folder.path().join("s"));
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let started = Instant::now();
        let mut child = command.spawn().context("the sidecar can't be started; `make build` builds it")?;
        let mut ready = String::new();
        BufReader::new(child.stdout.take().context("stdout is piped")?).read_line(&mut ready)?;
        let start_time = started.elapsed();
        if ready.is_empty() {
            bail!("the sidecar ended before it was ready: {}", child.wait()?);
        }
        Ok(Self { child, folder, start_time })
    }

    /// Where it listens.
    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path().join("s")
    }

    /// Its process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// A field of `/proc/<pid>/status` in MiB, such as `VmRSS`.
    pub(crate) fn memory_mib(&self, field: &str) -> Result<f64> {
        let status = format!("/proc/{}/status", self.child.id());
        let value =
            crate::machine::field(&status, field).with_context(|| format!("{status} has no {field}"))?;
        let kib = value.strip_suffix("kB").context("a size in kB")?.trim();
        Ok(kib.parse::<f64>()? / 1024.0)
    }
}

impl Drop for Sidecar {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One connection, as one subtask has it.
pub(crate) struct Connection {
    stream: UnixStream,
    payload: Vec<u8>,
}

impl Connection {
    /// Connects and agrees on the version.
    pub(crate) fn connect(socket: &Path) -> Result<Self> {
        let mut connection = Self { stream: UnixStream::connect(socket)?, payload: Vec::new() };
        let hello = Hello {
            protocol: VersionRange { min: 1, max: 1 },
            client: "flink-wasm-bench".into(),
            job_name: "bench".into(),
            job_id: String::new(),
            operator: "bench".into(),
            subtask: 0,
            attempt: 0,
            bundle_digest: String::new(),
        };
        connection.send(FrameType::Hello, &hello)?;
        connection.expect(FrameType::Welcome)?;
        Ok(connection)
    }

    /// Opens a function; gives the time from OPEN to OPENED and what OPENED says.
    pub(crate) fn open(&mut self, component: &Component) -> Result<(Duration, Opened)> {
        let open: Open = component.open_request();
        let started = Instant::now();
        self.send(FrameType::Open, &open)?;
        let mut header = self.receive()?;
        if header.kind == FrameType::NeedComponent {
            self.stream.write_all(&encode_frame(FrameType::Component, 0, &component.bytes))?;
            header = self.receive()?;
        }
        let elapsed = started.elapsed();
        self.check(header, FrameType::Opened)?;
        Ok((elapsed, decode_json(FrameType::Opened, &self.payload)?))
    }

    /// Sends a bundle and awaits the payload of its reply.
    pub(crate) fn run(&mut self, id: u64, bundle: &[u8]) -> Result<&[u8]> {
        let header = FrameHeader { kind: FrameType::Bundle, id, payload_bytes: u32::try_from(bundle.len())? };
        self.stream.write_all(&header.encode())?;
        self.stream.write_all(bundle)?;
        let header = self.expect(FrameType::Reply)?;
        if header.id != id {
            bail!("a reply to bundle {} came, expected {id}", header.id);
        }
        Ok(&self.payload)
    }

    fn send(&mut self, kind: FrameType, message: &impl Serialize) -> Result<()> {
        Ok(self.stream.write_all(&encode_json(kind, 0, message)?)?)
    }

    fn receive(&mut self) -> Result<FrameHeader> {
        let mut header = [0; HEADER_BYTES];
        self.stream.read_exact(&mut header)?;
        let header = FrameHeader::decode(&header)?;
        self.payload.resize(header.payload_bytes as usize, 0);
        self.stream.read_exact(&mut self.payload)?;
        Ok(header)
    }

    fn expect(&mut self, kind: FrameType) -> Result<FrameHeader> {
        let header = self.receive()?;
        self.check(header, kind)?;
        Ok(header)
    }

    fn check(&self, header: FrameHeader, kind: FrameType) -> Result<()> {
        if header.kind != kind {
            bail!(
                "a {:?} frame came, expected {kind:?}: {}",
                header.kind,
                String::from_utf8_lossy(&self.payload)
            );
        }
        Ok(())
    }
}
