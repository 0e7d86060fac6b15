//! A component in a sidecar of its own, over the socket as the operator speaks to it: the whole sandbox, for a `cargo test` that does not
//! compile wasmtime.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use flink_wasm_diagnostic::{Code, Diagnostic, Result};
use flink_wasm_protocol::frame::{FrameHeader, FrameType, HEADER_BYTES, PROTOCOL_VERSION, encode_frame};
use flink_wasm_protocol::handshake::{ErrorFrame, Hello, Open, VersionRange, decode_json, encode_json};
use flink_wasm_protocol::keyed::bytes_schema;
use flink_wasm_protocol::state::{StateGet, StateQuestion};
use flink_wasm_protocol::{BatchWriter, Cell};
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::executor::{Elements, Executor, Fault};
use crate::function::Function;
use crate::programs;

/// Environment variable that names another sidecar's program.
pub const SIDECAR_VARIABLE: &str = "FLINK_WASM_SIDECAR";
/// Environment variable that names another `flink-wasm`.
pub const PROGRAM_VARIABLE: &str = "FLINK_WASM";

/// Runs a component in a sidecar that it starts, and ends with itself.
pub struct Sidecar {
    component: Vec<u8>,
    child: Child,
    folder: tempfile::TempDir,
    stream: Option<UnixStream>,
}

impl Sidecar {
    /// Builds the function crate in `folder` with `flink-wasm build`, and starts a sidecar for its component.
    ///
    /// The program is what `FLINK_WASM` names, else that of the installation or build tree to which this crate belongs, else the one on
    /// the PATH. FW0003 when it can't be started, FW0004 when the crate does not build; and what [`Sidecar::start`] ends with.
    pub fn build(folder: &Path) -> Result<(Function, Self)> {
        let program = programs::find(PROGRAM_VARIABLE, "flink-wasm");
        let built =
            Command::new(&program).arg("--json").arg("build").arg(folder).output().map_err(|error| {
                Diagnostic::new(Code::ToolMissing, format!("flink-wasm can't be started: {error}"))
                    .file(program.display().to_string())
                    .help(format!("install it, or let {PROGRAM_VARIABLE} name it"))
            })?;
        if !built.status.success() {
            return Err(Diagnostic::new(Code::BuildFailed, "the function crate does not build")
                .file(folder.join("Cargo.toml").display().to_string())
                .note(String::from_utf8_lossy(&built.stderr).into_owned()));
        }
        /// What `flink-wasm build --json` prints.
        #[derive(Deserialize)]
        struct Built {
            path: PathBuf,
            function: Value,
        }
        let Built { path, function } = serde_json::from_slice(&built.stdout).map_err(|error| {
            Diagnostic::new(Code::Internal, format!("`flink-wasm build` has printed something else: {error}"))
        })?;
        Ok((Function::from_descriptor(&function)?, Self::start(&path, None)?))
    }

    /// Starts a sidecar for a component, which `flink-wasm build` made; it writes crash capsules into `capsule_dir`.
    ///
    /// The program is what `FLINK_WASM_SIDECAR` names, else that of the installation or build tree to which this crate belongs, else the
    /// one on the PATH. FW0002 when the component can't be read, FW0501 when the sidecar does not start.
    pub fn start(component: &Path, capsule_dir: Option<&Path>) -> Result<Self> {
        let program = programs::find(SIDECAR_VARIABLE, "flink-wasm-sidecar");
        let component = std::fs::read(component).map_err(|error| {
            Diagnostic::new(Code::Io, format!("can't read the component: {error}"))
                .file(component.display().to_string())
                .help("`flink-wasm build` makes it")
        })?;
        let failed = |what: String| {
            Diagnostic::new(Code::SidecarUnreachable, what)
                .file(program.display().to_string())
                .help(format!("install flink-wasm, or let {SIDECAR_VARIABLE} name the sidecar"))
        };
        // Short, because the path of a unix socket holds at most 107 bytes.
        let folder = tempfile::Builder::new().prefix("flink-wasm-").tempdir();
        let folder = folder.map_err(|error| failed(error.to_string()))?;
        let mut command = Command::new(&program);
        command
            .arg("--socket")
            .arg(folder.path().join("sidecar.sock"))
            .args(["--health-addr", "none", "--virtual-time"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        if let Some(folder) = capsule_dir {
            command.arg("--capsule-dir").arg(folder);
        }
        let mut child =
            command.spawn().map_err(|error| failed(format!("the sidecar can't be started: {error}")))?;
        let mut ready = String::new();
        let read = child.stdout.take().map(|stdout| BufReader::new(stdout).read_line(&mut ready));
        let sidecar = Self { component, child, folder, stream: None };
        match read {
            Some(Ok(1..)) => Ok(sidecar),
            _ => Err(failed("the sidecar ended before it was ready".into())),
        }
    }

    fn stream(&mut self) -> Result<&mut UnixStream> {
        self.stream.as_mut().ok_or_else(|| Diagnostic::new(Code::Internal, "the function is not open"))
    }

    fn send(&mut self, frame: &[u8]) -> Result<()> {
        self.stream()?.write_all(frame).map_err(lost)
    }

    /// The next frame; an ERROR is a fault.
    fn receive(&mut self) -> std::result::Result<(FrameHeader, Vec<u8>), Fault> {
        let stream = self.stream()?;
        let mut header = [0; HEADER_BYTES];
        stream.read_exact(&mut header).map_err(lost)?;
        let header = FrameHeader::decode(&header)?;
        let mut payload = vec![0; header.payload_bytes as usize];
        stream.read_exact(&mut payload).map_err(lost)?;
        if header.kind == FrameType::Error {
            let error: ErrorFrame = decode_json(FrameType::Error, &payload)?;
            return Err(Fault { diagnostic: error.diagnostic, item: error.row });
        }
        Ok((header, payload))
    }

    fn expect(&mut self, kind: FrameType) -> Result<()> {
        let (header, _) = self.receive().map_err(|fault| fault.diagnostic)?;
        if header.kind == kind { Ok(()) } else { Err(unexpected(header.kind)) }
    }
}

impl Executor for Sidecar {
    fn open(&mut self, open: &Open) -> Result<()> {
        let stream = UnixStream::connect(self.folder.path().join("sidecar.sock")).map_err(lost)?;
        self.stream = Some(stream);
        let hello = Hello {
            protocol: VersionRange { min: PROTOCOL_VERSION, max: PROTOCOL_VERSION },
            client: concat!("flink-wasm-harness/", env!("CARGO_PKG_VERSION")).into(),
            job_name: "harness".into(),
            job_id: String::new(),
            operator: open.function.clone(),
            subtask: 0,
            attempt: 0,
            bundle_digest: String::new(),
        };
        self.send(&encode_json(FrameType::Hello, 0, &hello)?)?;
        self.expect(FrameType::Welcome)?;
        let component = format!("sha256:{}", hex::encode(Sha256::digest(&self.component)));
        self.send(&encode_json(FrameType::Open, 0, &Open { component, ..open.clone() })?)?;
        let (header, _) = self.receive().map_err(|fault| fault.diagnostic)?;
        match header.kind {
            FrameType::Opened => Ok(()),
            FrameType::NeedComponent => {
                let frame = encode_frame(FrameType::Component, 0, &self.component);
                self.send(&frame)?;
                self.expect(FrameType::Opened)
            }
            other => Err(unexpected(other)),
        }
    }

    fn run(
        &mut self,
        id: u64,
        payload: &[u8],
        mut elements: Box<dyn Elements>,
    ) -> std::result::Result<Vec<u8>, Fault> {
        self.send(&encode_frame(FrameType::Bundle, id, payload))?;
        loop {
            let (header, payload) = self.receive()?;
            match header.kind {
                FrameType::Reply => return Ok(payload),
                FrameType::StateGet => {
                    let state = answer(&payload, elements.as_mut())?;
                    self.send(&encode_frame(FrameType::State, id, &state))?;
                }
                other => return Err(unexpected(other).into()),
            }
        }
    }
}

/// The payload of STATE for that of STATE_GET.
fn answer(payload: &[u8], elements: &mut dyn Elements) -> Result<Vec<u8>> {
    let get = StateGet::parse(payload)?;
    let found = match get.question {
        StateQuestion::Get(element) => {
            let value = elements.get(get.state, get.key, element)?;
            value.map(|value| (element.to_vec(), value)).into_iter().collect()
        }
        StateQuestion::Scan => elements.scan(get.state, get.key)?,
    };
    let schema = bytes_schema(2)?;
    let mut writer = BatchWriter::new(&schema);
    for (element, value) in found {
        writer.push_row(&[Cell::Bytes(element), Cell::Bytes(value)])?;
    }
    let mut state = Vec::new();
    writer.finish(&mut state)?;
    Ok(state)
}

impl Drop for Sidecar {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn lost(error: std::io::Error) -> Diagnostic {
    Diagnostic::new(Code::SidecarUnreachable, format!("the sidecar is gone: {error}"))
}

fn unexpected(kind: FrameType) -> Diagnostic {
    Diagnostic::new(Code::ProtocolViolation, format!("the sidecar sent an unexpected {kind:?} frame"))
}
