//! Frames from a stream, in one buffer that is used again.

use std::io::{ErrorKind, Read};

use flink_wasm_diagnostic::{Code, Diagnostic, Result};
use flink_wasm_protocol::frame::{FrameHeader, HEADER_BYTES};

use crate::limits::{BUFFER_STEP_BYTES, KEPT_BUFFER_BYTES};

/// Reads frames. Payloads lie on a multiple of 8 bytes, as the engine wants them.
pub(crate) struct FrameReader<R> {
    stream: R,
    /// Made of u64 for the sake of alignment.
    buffer: Vec<u64>,
    /// Bytes in use: what was read and not yet given out.
    start: usize,
    end: usize,
}

impl<R: Read> FrameReader<R> {
    pub(crate) fn new(stream: R) -> Self {
        Self { stream, buffer: Vec::new(), start: 0, end: 0 }
    }

    /// The next frame; `None` when the peer closed the stream between frames.
    ///
    /// FW0503 for a wrong header or an end within a frame, FW0501 when the stream fails.
    pub(crate) fn next(&mut self) -> Result<Option<(FrameHeader, &[u8])>> {
        if self.start == self.end {
            self.reset();
        }
        if !self.fill(HEADER_BYTES)? {
            return match self.end - self.start {
                0 => Ok(None),
                _ => Err(violation("the stream ended within a frame's header")),
            };
        }
        let mut header = [0; HEADER_BYTES];
        header.copy_from_slice(&self.bytes()[self.start..self.start + HEADER_BYTES]);
        let header = FrameHeader::decode(&header)?;
        let length = HEADER_BYTES + header.payload_bytes as usize;
        if !self.fill(length)? {
            return Err(violation("the stream ended within a frame"));
        }
        if !self.start.is_multiple_of(8) {
            self.compact();
        }
        let payload = self.start + HEADER_BYTES..self.start + length;
        self.start += length;
        Ok(Some((header, &self.bytes()[payload])))
    }

    /// Reads until `length` bytes are there; false when the stream ends before.
    fn fill(&mut self, length: usize) -> Result<bool> {
        while self.end - self.start < length {
            let missing = length - (self.end - self.start);
            if self.end + missing > self.capacity() {
                self.compact();
                let wanted = self.end + missing.min(BUFFER_STEP_BYTES.max(self.end));
                if wanted > self.capacity() {
                    self.buffer.resize(wanted.max(BUFFER_STEP_BYTES).div_ceil(8), 0);
                }
            }
            let free = &mut bytemuck::cast_slice_mut::<u64, u8>(&mut self.buffer)[self.end..];
            match self.stream.read(free) {
                Ok(0) => return Ok(false),
                Ok(count) => self.end += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    return Err(violation("the peer was silent for too long before its function was open"));
                }
                Err(error) => {
                    return Err(Diagnostic::new(
                        Code::SidecarUnreachable,
                        format!("the stream broke: {error}"),
                    ));
                }
            }
        }
        Ok(true)
    }

    fn bytes(&self) -> &[u8] {
        bytemuck::cast_slice(&self.buffer)
    }

    fn capacity(&self) -> usize {
        self.buffer.len() * 8
    }

    /// Moves what is in use to the front.
    fn compact(&mut self) {
        let (start, end) = (self.start, self.end);
        bytemuck::cast_slice_mut::<u64, u8>(&mut self.buffer).copy_within(start..end, 0);
        (self.start, self.end) = (0, end - start);
    }

    /// All is given out: start at the front again, and give back what a large frame took.
    fn reset(&mut self) {
        (self.start, self.end) = (0, 0);
        if self.capacity() > KEPT_BUFFER_BYTES {
            self.buffer = Vec::new();
        }
    }
}

fn violation(message: &str) -> Diagnostic {
    Diagnostic::new(Code::ProtocolViolation, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use flink_wasm_protocol::frame::{FrameType, encode_frame};

    /// Gives its bytes in pieces of the given sizes, over and over.
    struct Pieces {
        bytes: Vec<u8>,
        at: usize,
        sizes: Vec<usize>,
        turn: usize,
    }

    impl Read for Pieces {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            let size = self.sizes[self.turn % self.sizes.len()];
            self.turn += 1;
            let count = size.min(buffer.len()).min(self.bytes.len() - self.at);
            buffer[..count].copy_from_slice(&self.bytes[self.at..self.at + count]);
            self.at += count;
            Ok(count)
        }
    }

    #[test]
    fn frames_arrive_whole_and_aligned_however_they_are_cut() {
        let payloads: Vec<Vec<u8>> = [0, 1, 7, 8, 100, 4096, 300_000, 3, 1_500_000, 16]
            .iter()
            .map(|size| (0..*size).map(|i| i as u8).collect())
            .collect();
        let bytes: Vec<u8> =
            payloads.iter().flat_map(|payload| encode_frame(FrameType::Bundle, 1, payload)).collect();
        for sizes in [vec![1, 2, 3, 50_000], vec![7], vec![16, 4096], vec![1 << 20], vec![17, 1 << 30]] {
            let mut reader =
                FrameReader::new(Pieces { bytes: bytes.clone(), at: 0, sizes: sizes.clone(), turn: 0 });
            for payload in &payloads {
                let (header, found) = reader.next().unwrap().unwrap();
                assert_eq!((header.kind, found == payload), (FrameType::Bundle, true), "{sizes:?}");
                assert_eq!(found.as_ptr() as usize % 8, 0, "{sizes:?}");
            }
            assert!(reader.next().unwrap().is_none());
        }
    }

    #[test]
    fn an_end_within_a_frame_is_told() {
        let frame = encode_frame(FrameType::Bundle, 1, &[0; 100]);
        for (length, reason) in
            [(5, "the stream ended within a frame's header"), (50, "the stream ended within a frame")]
        {
            let error = FrameReader::new(&frame[..length]).next().unwrap_err();
            assert_eq!((error.code, error.message.as_str()), (Code::ProtocolViolation, reason));
        }
    }

    #[test]
    fn a_header_alone_allocates_little() {
        let header = FrameHeader { kind: FrameType::Bundle, id: 1, payload_bytes: 64 << 20 }.encode();
        let mut reader = FrameReader::new(&header[..]);
        assert!(reader.next().is_err());
        assert!(reader.capacity() <= 2 * BUFFER_STEP_BYTES, "{}", reader.capacity());
    }
}
