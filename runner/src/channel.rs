//! The frames of one connection, of which some come while a bundle runs: answers to questions for list and map state.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::sync::Arc;

use flink_wasm_diagnostic::{Code, Diagnostic, Result};
use flink_wasm_engine::{ElementSource, Elements};
use flink_wasm_protocol::Schema;
use flink_wasm_protocol::frame::{FrameHeader, FrameType, encode_frame};
use flink_wasm_protocol::keyed::bytes_schema;
use flink_wasm_protocol::state::{StateGet, StateQuestion, parse_state};

use crate::connection::{broken, unexpected};
use crate::frames::FrameReader;
use crate::limits::MAX_WAITING_BUNDLES;

/// A stream that its readers share.
#[derive(Clone)]
pub(crate) struct Stream(pub(crate) Arc<UnixStream>);

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        (&*self.0).read(buffer)
    }
}

/// A payload on a multiple of 8 bytes.
#[derive(Default)]
pub(crate) struct Payload {
    words: Vec<u64>,
    length: usize,
}

impl Payload {
    fn new(bytes: &[u8]) -> Self {
        let mut words = vec![0_u64; bytes.len().div_ceil(8)];
        bytemuck::cast_slice_mut::<u64, u8>(&mut words)[..bytes.len()].copy_from_slice(bytes);
        Self { words, length: bytes.len() }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &bytemuck::cast_slice(&self.words)[..self.length]
    }
}

/// A connection whose function may ask for state.
pub(crate) struct Channel {
    stream: Stream,
    frames: FrameReader<Stream>,
    /// Bundles that came before an answer.
    waiting: VecDeque<(FrameHeader, Payload)>,
    /// The bundle that runs.
    running: u64,
    /// Two columns, element and value.
    schema: Schema,
}

impl Channel {
    pub(crate) fn new(stream: Stream, frames: FrameReader<Stream>) -> Result<Self> {
        Ok(Self { stream, frames, waiting: VecDeque::new(), running: 0, schema: bytes_schema(2)? })
    }

    /// The next frame, which from now on is the bundle that runs; `None` when the peer has gone.
    pub(crate) fn next(&mut self) -> Result<Option<(FrameHeader, Payload)>> {
        let next = match self.waiting.pop_front() {
            Some(next) => Some(next),
            None => self.frames.next()?.map(|(header, payload)| (header, Payload::new(payload))),
        };
        self.running = next.as_ref().map_or(0, |(header, _)| header.id);
        Ok(next)
    }

    /// The elements and values that answer a question.
    fn ask(&mut self, state: u32, key: u32, question: StateQuestion<'_>) -> Result<Elements> {
        let get = StateGet { state, key, question }.encode();
        if get.len() > FrameType::StateGet.max_payload_bytes() {
            return Err(Diagnostic::new(
                Code::StateTooLarge,
                format!("a map key of {} bytes was asked for", get.len()),
            ));
        }
        let frame = encode_frame(FrameType::StateGet, self.running, &get);
        (&*self.stream.0).write_all(&frame).map_err(|error| broken(&error))?;
        loop {
            let Some((header, payload)) = self.frames.next()? else {
                return Err(Diagnostic::new(
                    Code::SidecarUnreachable,
                    "the operator has closed the stream instead of giving state",
                ));
            };
            match header.kind {
                FrameType::State if header.id == self.running => {
                    let cells = parse_state(&self.schema, question, payload)?;
                    let [elements, values] = [0, 1].map(|column| cells.columns()[column]);
                    let cell = |row| {
                        let bytes = |cell: Option<&[u8]>| cell.unwrap_or_default().to_vec();
                        (bytes(elements.bytes(row)), bytes(values.bytes(row)))
                    };
                    return Ok((0..cells.row_count()).map(cell).collect());
                }
                FrameType::Bundle if self.waiting.len() < MAX_WAITING_BUNDLES => {
                    self.waiting.push_back((header, Payload::new(payload)));
                }
                other => return Err(unexpected(other, FrameType::State)),
            }
        }
    }
}

/// A function's way to its operator.
pub(crate) struct Source(pub(crate) Rc<RefCell<Channel>>);

impl ElementSource for Source {
    fn get(&mut self, state: u32, key: u32, element: &[u8]) -> Result<Option<Vec<u8>>> {
        let found = self.0.borrow_mut().ask(state, key, StateQuestion::Get(element))?;
        Ok(found.into_iter().next().map(|(_, value)| value))
    }

    fn scan(&mut self, state: u32, key: u32) -> Result<Elements> {
        self.0.borrow_mut().ask(state, key, StateQuestion::Scan)
    }
}
