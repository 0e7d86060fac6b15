//! `flink-wasm-echo-sidecar`: speaks `docs/protocol.md` as the sidecar does and gives every batch back as it came.
//!
//! What a job reaches with it is what frames, sockets and the operator leave room for; the difference to the sidecar is the
//! price of the sandbox. It opens any function whose output types are its input types, and needs no component.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::Parser;
use flink_wasm_protocol::bundle::BUNDLE_HEADER_BYTES;
use flink_wasm_protocol::frame::{HEADER_BYTES, PROTOCOL_VERSION};
use flink_wasm_protocol::handshake::{Open, Opened, Welcome, decode_json, encode_json};
use flink_wasm_protocol::limits::MAX_FRAME_BYTES;
use flink_wasm_protocol::{FrameHeader, FrameType};

/// Gives every batch back as it came.
#[derive(Parser)]
struct Options {
    /// The unix socket to listen at.
    #[arg(long)]
    socket: PathBuf,
}

fn main() -> Result<()> {
    let options = Options::parse();
    let listener = UnixListener::bind(&options.socket).context("can't listen")?;
    let mut stdout = std::io::stdout();
    writeln!(stdout, "listening")?;
    stdout.flush()?;
    for stream in listener.incoming() {
        let stream = stream?;
        std::thread::spawn(move || {
            if let Err(error) = serve(stream) {
                eprintln!("connection ended: {error:#}");
            }
        });
    }
    Ok(())
}

/// The frames of one connection, read through a buffer that holds what was received and not yet used.
struct Frames {
    stream: UnixStream,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
}

impl Frames {
    /// Makes sure that `bytes` bytes are there; false at the end of the stream.
    fn fill(&mut self, bytes: usize) -> Result<bool> {
        if self.buffer.len() - self.start < bytes {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
            if self.buffer.len() < bytes {
                self.buffer.resize(bytes.next_power_of_two(), 0);
            }
        }
        while self.end - self.start < bytes {
            match self.stream.read(&mut self.buffer[self.end..])? {
                0 if self.start == self.end => return Ok(false),
                0 => bail!("the connection ended within a frame"),
                count => self.end += count,
            }
        }
        Ok(true)
    }

    /// The next frame; `None` at the end of the stream.
    fn next(&mut self) -> Result<Option<(FrameHeader, &[u8])>> {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        }
        if !self.fill(HEADER_BYTES)? {
            return Ok(None);
        }
        let header = FrameHeader::decode(self.buffer[self.start..self.start + HEADER_BYTES].try_into()?)?;
        let length = HEADER_BYTES + header.payload_bytes as usize;
        if !self.fill(length)? {
            bail!("the connection ended within a frame");
        }
        let payload = self.start + HEADER_BYTES..self.start + length;
        self.start += length;
        Ok(Some((header, &self.buffer[payload])))
    }
}

fn serve(stream: UnixStream) -> Result<()> {
    let mut output = stream.try_clone()?;
    let mut frames = Frames { stream, buffer: vec![0; 1 << 20], start: 0, end: 0 };
    let mut reply = Vec::new();
    while let Some((header, payload)) = frames.next()? {
        match header.kind {
            FrameType::Hello => {
                let max_frame_bytes = MAX_FRAME_BYTES as u32;
                let welcome = Welcome { protocol: PROTOCOL_VERSION, sidecar: "echo".into(), max_frame_bytes };
                output.write_all(&encode_json(FrameType::Welcome, 0, &welcome)?)?;
            }
            FrameType::Open => {
                let open: Open = decode_json(FrameType::Open, payload)?;
                if open.input != open.output {
                    bail!("only a function whose output types are its input types can be echoed");
                }
                let opened = Opened { function: open.function, cached: true, ready_micros: 0 };
                output.write_all(&encode_json(FrameType::Opened, 0, &opened)?)?;
            }
            FrameType::Bundle => {
                echo(header.id, payload, &mut reply)?;
                output.write_all(&reply)?;
            }
            other => bail!("an unexpected {other:?} frame"),
        }
    }
    Ok(())
}

/// REPLY with one emission: every row from itself.
fn echo(id: u64, bundle: &[u8], reply: &mut Vec<u8>) -> Result<()> {
    let batch = bundle.get(BUNDLE_HEADER_BYTES..).context("a bundle without its header")?;
    let row_count = u32::from_le_bytes(batch.get(..4).context("a batch without its header")?.try_into()?);
    reply.clear();
    reply.resize(HEADER_BYTES, 0);
    let (kind, failures, emissions, trailer, output) = (0, 0, 1, 0, 0_u32);
    for number in [kind, failures, emissions, trailer, output, row_count] {
        reply.extend_from_slice(&number.to_le_bytes());
    }
    reply.extend((0..row_count).flat_map(u32::to_le_bytes));
    reply.resize(reply.len().next_multiple_of(8), 0);
    reply.extend_from_slice(batch);
    let payload_bytes = u32::try_from(reply.len() - HEADER_BYTES)?;
    let header = FrameHeader { kind: FrameType::Reply, id, payload_bytes };
    reply[..HEADER_BYTES].copy_from_slice(&header.encode());
    Ok(())
}
