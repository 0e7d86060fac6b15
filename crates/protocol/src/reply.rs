//! REPLY: what a function made of a bundle.

use std::collections::BTreeMap;

use flink_wasm_diagnostic::{Code, Diagnostic, Result};
use serde::{Deserialize, Serialize};

use crate::batch::{
    BatchView, RawColumn, Reader, bitmap_bytes, encode_columns, has_unused_bits, put_section, put_u32,
    u32_at, u32s,
};
use crate::frame::{FrameHeader, FrameType, HEADER_BYTES, violation};
use crate::handshake::FunctionKind;
use crate::limits::{MAX_BATCH_ROWS, MAX_FAILURE_MESSAGE_BYTES, MAX_FRAME_BYTES, MAX_TRAILER_BYTES};
use crate::schema::Schema;

const REPLY_HEADER_BYTES: usize = 16;

/// A line that a function logged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// How much it matters.
    pub level: LogLevel,
    /// The text, without control characters.
    pub message: String,
}

/// How much a log line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// Finest.
    Trace,
    /// For the function's author.
    Debug,
    /// Worth knowing.
    Info,
    /// Odd.
    Warn,
    /// Wrong.
    Error,
}

/// What a function told beside its rows.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Trailer {
    /// What to add to each counter.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub counters: BTreeMap<String, u64>,
    /// The last value of each gauge; always finite.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub gauges: BTreeMap<String, f64>,
    /// Log lines in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub logs: Vec<LogLine>,
    /// Lines above the limit.
    #[serde(skip_serializing_if = "is_zero")]
    pub dropped_logs: u64,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Trailer {
    /// Whether there is nothing to tell.
    pub fn is_empty(&self) -> bool {
        self.counters.is_empty() && self.gauges.is_empty() && self.logs.is_empty() && self.dropped_logs == 0
    }
}

/// A row that the function refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure<'a> {
    /// Index in the bundle.
    pub row: u32,
    /// Why.
    pub message: &'a str,
}

/// Rows that the function put out.
#[derive(Clone, Debug, PartialEq)]
pub struct Emission<'a> {
    /// 0 is the main output.
    pub output: u32,
    /// For each row the index of the input row that it comes from.
    pub origin: Vec<u32>,
    /// The rows.
    pub rows: BatchView<'a>,
}

/// What came of the rows that did not fail.
#[derive(Clone, Debug, PartialEq)]
pub enum ReplyBody<'a> {
    /// Rows.
    Map(Vec<Emission<'a>>),
    /// Which rows to keep.
    Filter {
        /// Rows of the bundle.
        row_count: usize,
        /// Bitmap.
        keep: &'a [u8],
    },
}

/// A decoded REPLY.
#[derive(Clone, Debug, PartialEq)]
pub struct Reply<'a> {
    /// Rows or bitmap.
    pub body: ReplyBody<'a>,
    /// Rows that the function refused, in order.
    pub failures: Vec<Failure<'a>>,
    /// The rest.
    pub trailer: Trailer,
}

impl<'a> Reply<'a> {
    /// Reads the payload of a REPLY. `output` is the schema of the main output. FW0503 when the bytes break the protocol.
    pub fn parse(output: &Schema, payload: &'a [u8]) -> Result<Self> {
        let mut reader = Reader { bytes: payload, at: 0 };
        let header = reader.take(REPLY_HEADER_BYTES, || "the reply's header".into())?;
        let [kind, failure_count, emission_count, trailer_bytes] =
            [0, 1, 2, 3].map(|index| u32_at(header, index));
        let body = match kind {
            0 => {
                let mut emissions = Vec::new();
                for _ in 0..emission_count {
                    emissions.push(read_emission(output, &mut reader)?);
                }
                ReplyBody::Map(emissions)
            }
            1 if emission_count == 0 => {
                let row_count = u32_at(reader.take(8, || "the filter's header".into())?, 0) as usize;
                if row_count > MAX_BATCH_ROWS {
                    return Err(violation(format!(
                        "a reply of {row_count} rows, the limit is {MAX_BATCH_ROWS}"
                    )));
                }
                let keep = reader.padded(bitmap_bytes(row_count), || "the filter's bitmap".into())?;
                if has_unused_bits(keep, row_count) {
                    return Err(violation("unused bits of the filter's bitmap are not zero"));
                }
                ReplyBody::Filter { row_count, keep }
            }
            _ => return Err(violation(format!("a reply of kind {kind} with {emission_count} emissions"))),
        };
        let mut failures = Vec::new();
        for _ in 0..failure_count {
            let header = reader.take(8, || "a failure's header".into())?;
            let message = reader.padded(u32_at(header, 1) as usize, || "a failure's message".into())?;
            let message =
                std::str::from_utf8(message).map_err(|_| violation("a failure's message is not UTF-8"))?;
            failures.push(Failure { row: u32_at(header, 0), message });
        }
        let trailer = reader.take(trailer_bytes as usize, || "the reply's trailer".into())?;
        let trailer = match trailer {
            [] => Trailer::default(),
            _ if trailer.len() > MAX_TRAILER_BYTES => {
                return Err(violation("the reply's trailer is too long"));
            }
            _ => serde_json::from_slice(trailer)
                .map_err(|error| violation(format!("the reply's trailer is malformed: {error}")))?,
        };
        if reader.at != payload.len() {
            return Err(violation(format!("{} bytes follow the reply", payload.len() - reader.at)));
        }
        Ok(Self { body, failures, trailer })
    }
}

fn read_emission<'a>(schema: &Schema, reader: &mut Reader<'a>) -> Result<Emission<'a>> {
    let header = reader.take(8, || "an emission's header".into())?;
    let (output, row_count) = (u32_at(header, 0), u32_at(header, 1) as usize);
    let origin = reader.padded(row_count * 4, || "an emission's origins".into())?;
    let (rows, length) = BatchView::parse_prefix(schema, &reader.bytes[reader.at..])?;
    if rows.row_count() != row_count {
        return Err(violation(format!(
            "an emission of {row_count} rows holds a batch of {}",
            rows.row_count()
        )));
    }
    reader.at += length;
    Ok(Emission { output, origin: u32s(origin).collect(), rows })
}

/// Builds a REPLY frame in a buffer that is used again for the next.
///
/// `begin`, then `emission` or `keep`, then `failure`, then `finish`.
#[derive(Debug, Default)]
pub struct ReplyWriter {
    /// Header of the frame and payload.
    frame: Vec<u8>,
    kind: u32,
    failures: usize,
    emissions: usize,
    emitted_rows: usize,
}

impl ReplyWriter {
    /// Starts a reply, dropping what was there.
    pub fn begin(&mut self, kind: FunctionKind) {
        self.frame.clear();
        self.frame.resize(HEADER_BYTES + REPLY_HEADER_BYTES, 0);
        self.kind = match kind {
            FunctionKind::Map => 0,
            FunctionKind::Filter => 1,
        };
        (self.failures, self.emissions, self.emitted_rows) = (0, 0, 0);
    }

    /// Appends rows and checks all of them. FW0503 or FW0508 when they are no batch of the schema, FW0510 when they do not fit.
    pub fn emission(
        &mut self,
        schema: &Schema,
        output: u32,
        row_count: usize,
        origin: &[u32],
        columns: &[RawColumn<'_>],
    ) -> Result<()> {
        if origin.len() != row_count {
            return Err(violation(format!("{} origins for {row_count} rows", origin.len())));
        }
        self.frame.extend_from_slice(&output.to_le_bytes());
        put_u32(&mut self.frame, row_count);
        put_section(&mut self.frame, bytemuck::cast_slice(origin))?;
        let start = self.frame.len();
        encode_columns(schema, row_count, columns, &mut self.frame)?;
        BatchView::parse(schema, &self.frame[start..])?;
        self.emissions += 1;
        self.emitted_rows += row_count;
        Ok(())
    }

    /// Appends the answer of a filter.
    pub fn keep(&mut self, row_count: usize, bitmap: &[u8]) -> Result<()> {
        if bitmap.len() != bitmap_bytes(row_count) || has_unused_bits(bitmap, row_count) {
            return Err(violation(format!(
                "a bitmap of {} bytes for {row_count} rows, or with unused bits set",
                bitmap.len()
            )));
        }
        put_u32(&mut self.frame, row_count);
        put_u32(&mut self.frame, 0);
        put_section(&mut self.frame, bitmap)
    }

    /// Appends a refused row. The message is cut at its limit.
    pub fn failure(&mut self, row: u32, message: &str) -> Result<()> {
        let message = truncate(message, MAX_FAILURE_MESSAGE_BYTES);
        self.frame.extend_from_slice(&row.to_le_bytes());
        put_u32(&mut self.frame, message.len());
        put_section(&mut self.frame, message.as_bytes())?;
        self.failures += 1;
        Ok(())
    }

    /// Rows put out since `begin`.
    pub fn emitted_rows(&self) -> usize {
        self.emitted_rows
    }

    /// Ends the reply; the frame with its header. FW0510 when it is too long.
    pub fn finish(&mut self, id: u64, trailer: &Trailer) -> Result<&[u8]> {
        let mut trailer_bytes = 0;
        if !trailer.is_empty() {
            let start = self.frame.len();
            serde_json::to_writer(&mut self.frame, trailer).map_err(|error| {
                Diagnostic::new(Code::Internal, format!("can't write a trailer: {error}"))
            })?;
            trailer_bytes = self.frame.len() - start;
        }
        let payload_bytes = self.frame.len() - HEADER_BYTES;
        if payload_bytes > MAX_FRAME_BYTES || trailer_bytes > MAX_TRAILER_BYTES {
            return Err(Diagnostic::new(
                Code::OutputExceeded,
                format!("a reply of {payload_bytes} bytes is too long"),
            ));
        }
        let header = FrameHeader { kind: FrameType::Reply, id, payload_bytes: payload_bytes as u32 };
        self.frame[..HEADER_BYTES].copy_from_slice(&header.encode());
        let numbers = [self.kind, self.failures as u32, self.emissions as u32, trailer_bytes as u32];
        self.frame[HEADER_BYTES..HEADER_BYTES + REPLY_HEADER_BYTES]
            .copy_from_slice(bytemuck::cast_slice(&numbers));
        Ok(&self.frame)
    }

    /// The frame as `finish` left it.
    pub fn frame(&self) -> &[u8] {
        &self.frame
    }

    /// Gives memory back after an unusually large reply, so that one bundle does not size a connection for life.
    pub fn shrink(&mut self, keep_bytes: usize) {
        if self.frame.capacity() > keep_bytes {
            self.frame = Vec::new();
        }
    }
}

/// The longest start of `text` that has at most `bytes` bytes and ends on a character.
pub fn truncate(text: &str, bytes: usize) -> &str {
    &text[..text.floor_char_boundary(bytes)]
}
