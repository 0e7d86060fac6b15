//! REPLY: what a function made of a bundle.

use std::borrow::Borrow;
use std::collections::BTreeMap;

use flink_wasm_diagnostic::{Code, Diagnostic, Result};
use serde::{Deserialize, Serialize};

use crate::batch::{
    BatchView, RawColumn, Reader, bitmap_bytes, encode_columns, has_unused_bits, i64s, put_section, put_u32,
    u32_at, u32s,
};
use crate::frame::{FrameHeader, FrameType, HEADER_BYTES, violation};
use crate::handshake::FunctionKind;
use crate::keyed::bytes_schema;
use crate::limits::{
    MAX_BATCH_ROWS, MAX_CHANGES, MAX_FAILURE_MESSAGE_BYTES, MAX_FRAME_BYTES, MAX_STATES, MAX_TRAILER_BYTES,
};
use crate::schema::Schema;

const REPLY_HEADER_BYTES: usize = 16;
/// Between effects and changes of a process function's reply.
const CHANGES_HEADER_BYTES: usize = 16;
const FAILURE_HEADER_BYTES: usize = 16;

/// Why a row can fail, with the numbers on the wire.
const FAILURE_CODES: [(u32, Code); 7] = [
    (504, Code::FunctionTrapped),
    (505, Code::DeadlineExceeded),
    (506, Code::MemoryExceeded),
    (507, Code::RowFailed),
    (510, Code::OutputExceeded),
    (511, Code::BadOutput),
    (514, Code::StateTooLarge),
];

/// Flag of a timer: of processing time, otherwise of event time.
pub const TIMER_PROCESSING_TIME: u8 = 1;
/// Flag of a timer: it is deleted, otherwise registered.
pub const TIMER_DELETE: u8 = 2;

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

/// A row, or timer, that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure<'a> {
    /// Index in the bundle.
    pub row: u32,
    /// FW0507 when the function refused it.
    pub code: Code,
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

/// Rows that a process function put out.
#[derive(Clone, Debug, PartialEq)]
pub struct Effect<'a> {
    /// 0 is the main output.
    pub output: u32,
    /// One for each row; the least `i64` means none.
    pub timestamps: Vec<i64>,
    /// The rows.
    pub rows: BatchView<'a>,
}

/// New values of one value or reducing state.
#[derive(Clone, Debug, PartialEq)]
pub struct ValueChange<'a> {
    /// Index in OPEN's `states`.
    pub state: u32,
    /// Indices of the bundle's keys.
    pub keys: Vec<u32>,
    /// One nullable BYTES column with a cell for each of them; null clears.
    pub values: BatchView<'a>,
}

/// What is done to an element of a list or map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ElementOp {
    /// Put into a map, or add to a list.
    Put = 0,
    /// Remove from a map.
    Remove = 1,
    /// Remove all.
    Clear = 2,
}

impl ElementOp {
    /// The operation with this number.
    pub fn from_u8(number: u8) -> Option<Self> {
        [Self::Put, Self::Remove, Self::Clear].into_iter().find(|op| *op as u8 == number)
    }
}

/// Changes of one list or map state, in order.
#[derive(Clone, Debug, PartialEq)]
pub struct ElementChange<'a> {
    /// Index in OPEN's `states`.
    pub state: u32,
    /// For each change the index of the bundle's key.
    pub keys: Vec<u32>,
    /// What is done.
    pub ops: Vec<ElementOp>,
    /// Two nullable BYTES columns, element and value, with a cell for each change.
    pub cells: BatchView<'a>,
}

/// Timers to register or delete, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Timers {
    /// Indices of the bundle's keys.
    pub keys: Vec<u32>,
    /// Milliseconds since the epoch.
    pub timestamps: Vec<i64>,
    /// [`TIMER_PROCESSING_TIME`] and [`TIMER_DELETE`].
    pub flags: Vec<u8>,
}

/// All that a process function does.
#[derive(Clone, Debug, PartialEq)]
pub struct Effects<'a> {
    /// Rows, in the order in which they were put out.
    pub rows: Vec<Effect<'a>>,
    /// At most one for each state.
    pub values: Vec<ValueChange<'a>>,
    /// At most one for each state.
    pub elements: Vec<ElementChange<'a>>,
    /// Timers.
    pub timers: Timers,
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
    /// Rows, changes of state, and timers.
    Process(Effects<'a>),
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
        Self::parse_outputs(&[output], payload)
    }

    /// As [`Reply::parse`], for a function with side outputs; the first schema is that of the main output.
    pub fn parse_outputs<S: Borrow<Schema>>(outputs: &[S], payload: &'a [u8]) -> Result<Self> {
        let mut reader = Reader { bytes: payload, at: 0 };
        let header = reader.take(REPLY_HEADER_BYTES, || "the reply's header".into())?;
        let [kind, failure_count, emission_count, trailer_bytes] =
            [0, 1, 2, 3].map(|index| u32_at(header, index));
        let body = match kind {
            0 => {
                let mut emissions = Vec::new();
                for _ in 0..emission_count {
                    emissions.push(read_emission(schema_of(outputs, 0)?, &mut reader)?);
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
            2 => ReplyBody::Process(read_effects(outputs, emission_count, &mut reader)?),
            _ => return Err(violation(format!("a reply of kind {kind} with {emission_count} emissions"))),
        };
        let mut failures = Vec::new();
        for _ in 0..failure_count {
            failures.push(read_failure(&mut reader)?);
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

fn schema_of<S: Borrow<Schema>>(outputs: &[S], output: u32) -> Result<&Schema> {
    let schema = outputs.get(output as usize);
    schema
        .map(Borrow::borrow)
        .ok_or_else(|| violation(format!("rows for output {output}, there are {}", outputs.len())))
}

fn read_failure<'a>(reader: &mut Reader<'a>) -> Result<Failure<'a>> {
    let header = reader.take(FAILURE_HEADER_BYTES, || "a failure's header".into())?;
    let [row, number, message_bytes, zero] = [0, 1, 2, 3].map(|index| u32_at(header, index));
    let code = FAILURE_CODES.iter().find(|(known, _)| *known == number).map(|(_, code)| *code);
    let (Some(code), 0) = (code, zero) else {
        return Err(violation(format!("a failure of code {number}")));
    };
    let message = reader.padded(message_bytes as usize, || "a failure's message".into())?;
    let message = std::str::from_utf8(message).map_err(|_| violation("a failure's message is not UTF-8"))?;
    Ok(Failure { row, code, message })
}

fn read_emission<'a>(schema: &Schema, reader: &mut Reader<'a>) -> Result<Emission<'a>> {
    let header = reader.take(8, || "an emission's header".into())?;
    let (output, row_count) = (u32_at(header, 0), u32_at(header, 1) as usize);
    let origin = reader.padded(row_count * 4, || "an emission's origins".into())?;
    let rows = reader.batch(schema, row_count, "an emission")?;
    Ok(Emission { output, origin: u32s(origin).collect(), rows })
}

fn read_effects<'a, S: Borrow<Schema>>(
    outputs: &[S],
    count: u32,
    reader: &mut Reader<'a>,
) -> Result<Effects<'a>> {
    let mut rows = Vec::new();
    for _ in 0..count {
        let header = reader.take(8, || "an effect's header".into())?;
        let (output, row_count) = (u32_at(header, 0), u32_at(header, 1) as usize);
        let timestamps = reader.take(row_count * 8, || "an effect's timestamps".into())?;
        let batch = reader.batch(schema_of(outputs, output)?, row_count, "an effect")?;
        rows.push(Effect { output, timestamps: i64s(timestamps).collect(), rows: batch });
    }
    let header = reader.take(CHANGES_HEADER_BYTES, || "the header of changes".into())?;
    let [value_count, element_count, timer_count, zero] = [0, 1, 2, 3].map(|index| u32_at(header, index));
    if value_count as usize > MAX_STATES
        || element_count as usize > MAX_STATES
        || timer_count as usize > MAX_CHANGES
        || zero != 0
    {
        return Err(violation(format!(
            "changes of {value_count} and {element_count} states and {timer_count} timers; the limits are {MAX_STATES} and {MAX_CHANGES}"
        )));
    }
    let mut values = Vec::new();
    let schema = bytes_schema(1)?;
    for _ in 0..value_count {
        let header = reader.take(8, || "a change's header".into())?;
        let (state, key_count) = (u32_at(header, 0), u32_at(header, 1) as usize);
        let keys = reader.padded(key_count * 4, || "a change's keys".into())?;
        let batch = reader.batch(&schema, key_count, "a change")?;
        values.push(ValueChange { state, keys: u32s(keys).collect(), values: batch });
    }
    let mut elements = Vec::new();
    let schema = bytes_schema(2)?;
    for _ in 0..element_count {
        elements.push(read_element_change(&schema, reader)?);
    }
    let timer_count = timer_count as usize;
    let keys = reader.padded(timer_count * 4, || "the timers' keys".into())?;
    let timestamps = reader.take(timer_count * 8, || "the timers' timestamps".into())?;
    let flags = reader.padded(timer_count, || "the timers' flags".into())?;
    if let Some(flags) = flags.iter().find(|flags| **flags > TIMER_PROCESSING_TIME | TIMER_DELETE) {
        return Err(violation(format!("a timer with the flags {flags}")));
    }
    let timers =
        Timers { keys: u32s(keys).collect(), timestamps: i64s(timestamps).collect(), flags: flags.to_vec() };
    Ok(Effects { rows, values, elements, timers })
}

fn read_element_change<'a>(schema: &Schema, reader: &mut Reader<'a>) -> Result<ElementChange<'a>> {
    let header = reader.take(8, || "the header of a change of elements".into())?;
    let (state, count) = (u32_at(header, 0), u32_at(header, 1) as usize);
    let keys = reader.padded(count * 4, || "the keys of a change of elements".into())?;
    let ops = reader.padded(count, || "the operations of a change of elements".into())?;
    let op = |number: &u8| {
        ElementOp::from_u8(*number).ok_or_else(|| violation(format!("an operation {number} on an element")))
    };
    let ops = ops.iter().map(op).collect::<Result<_>>()?;
    let cells = reader.batch(schema, count, "a change of elements")?;
    Ok(ElementChange { state, keys: u32s(keys).collect(), ops, cells })
}

/// Builds a REPLY frame in a buffer that is used again for the next.
///
/// `begin`, then what the function did in any order, then `finish`.
#[derive(Debug, Default)]
pub struct ReplyWriter {
    /// Header of the frame and payload.
    frame: Vec<u8>,
    kind: u32,
    emissions: usize,
    emitted_rows: usize,
    values: Section,
    elements: Section,
    timers: Timers,
    failures: Section,
}

/// Records that stand behind what is written first.
#[derive(Debug, Default)]
struct Section {
    bytes: Vec<u8>,
    count: usize,
}

impl Section {
    fn clear(&mut self) {
        self.bytes.clear();
        self.count = 0;
    }
}

/// A place to which the rows of a reply can be taken back.
#[derive(Clone, Copy, Debug)]
pub struct ReplyMark {
    frame_bytes: usize,
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
            FunctionKind::Process => 2,
        };
        (self.emissions, self.emitted_rows) = (0, 0);
        self.values.clear();
        self.elements.clear();
        self.failures.clear();
        self.timers.keys.clear();
        self.timers.timestamps.clear();
        self.timers.flags.clear();
    }

    /// Where the rows of the reply end now.
    pub fn mark(&self) -> ReplyMark {
        ReplyMark {
            frame_bytes: self.frame.len(),
            emissions: self.emissions,
            emitted_rows: self.emitted_rows,
        }
    }

    /// Takes back the emissions and effects since `mark`, which is of this reply.
    pub fn take_back(&mut self, mark: ReplyMark) {
        self.frame.truncate(mark.frame_bytes);
        (self.emissions, self.emitted_rows) = (mark.emissions, mark.emitted_rows);
    }

    /// Appends rows of a map and checks all of them. FW0503 or FW0508 when they are no batch of the schema, FW0510 when they do not fit.
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
        self.rows(schema, row_count, columns)
    }

    /// Appends rows of a process function and checks all of them; errors as [`ReplyWriter::emission`].
    pub fn effect(
        &mut self,
        schema: &Schema,
        output: u32,
        row_count: usize,
        timestamps: &[i64],
        columns: &[RawColumn<'_>],
    ) -> Result<()> {
        if timestamps.len() != row_count {
            return Err(violation(format!("{} timestamps for {row_count} rows", timestamps.len())));
        }
        self.frame.extend_from_slice(&output.to_le_bytes());
        put_u32(&mut self.frame, row_count);
        put_section(&mut self.frame, bytemuck::cast_slice(timestamps))?;
        self.rows(schema, row_count, columns)
    }

    fn rows(&mut self, schema: &Schema, row_count: usize, columns: &[RawColumn<'_>]) -> Result<()> {
        let start = self.frame.len();
        encode_columns(schema, row_count, columns, &mut self.frame)?;
        BatchView::parse(schema, &self.frame[start..])?;
        self.emissions += 1;
        self.emitted_rows += row_count;
        Ok(())
    }

    /// Appends new values of a state: a cell of `values`, a varlen column, for each key. Errors as [`ReplyWriter::emission`].
    pub fn values(&mut self, state: u32, keys: &[u32], values: RawColumn<'_>) -> Result<()> {
        let out = &mut self.values.bytes;
        out.extend_from_slice(&state.to_le_bytes());
        put_u32(out, keys.len());
        put_section(out, bytemuck::cast_slice(keys))?;
        bytes_batch(keys.len(), &[values], out)?;
        self.values.count += 1;
        Ok(())
    }

    /// Appends changes of a list or map state: one for each key, in order. Errors as [`ReplyWriter::emission`].
    pub fn elements(
        &mut self,
        state: u32,
        keys: &[u32],
        ops: &[u8],
        elements: RawColumn<'_>,
        values: RawColumn<'_>,
    ) -> Result<()> {
        if ops.len() != keys.len() || ops.iter().any(|op| ElementOp::from_u8(*op).is_none()) {
            return Err(violation(format!(
                "{} operations for {} keys, or one that is unknown",
                ops.len(),
                keys.len()
            )));
        }
        let out = &mut self.elements.bytes;
        out.extend_from_slice(&state.to_le_bytes());
        put_u32(out, keys.len());
        put_section(out, bytemuck::cast_slice(keys))?;
        put_section(out, ops)?;
        bytes_batch(keys.len(), &[elements, values], out)?;
        self.elements.count += 1;
        Ok(())
    }

    /// Appends timers. FW0503 when the lists do not have the same length or a flag is unknown, FW0510 when there are too many.
    pub fn timers(&mut self, keys: &[u32], timestamps: &[i64], flags: &[u8]) -> Result<()> {
        if keys.len() != timestamps.len()
            || keys.len() != flags.len()
            || flags.iter().any(|flags| *flags > TIMER_PROCESSING_TIME | TIMER_DELETE)
        {
            return Err(violation(format!(
                "timers of {} keys, {} timestamps and {} flags, or an unknown flag",
                keys.len(),
                timestamps.len(),
                flags.len()
            )));
        }
        if self.timers.keys.len() + keys.len() > MAX_CHANGES {
            return Err(Diagnostic::new(
                Code::OutputExceeded,
                format!("more than {MAX_CHANGES} timers in one bundle"),
            ));
        }
        self.timers.keys.extend_from_slice(keys);
        self.timers.timestamps.extend_from_slice(timestamps);
        self.timers.flags.extend_from_slice(flags);
        Ok(())
    }

    /// Whether this can be the answer of a filter to so many rows: FW0503.
    pub fn check_keep(&self, row_count: usize, bitmap: &[u8]) -> Result<()> {
        if bitmap.len() != bitmap_bytes(row_count) || has_unused_bits(bitmap, row_count) {
            return Err(violation(format!(
                "a bitmap of {} bytes for {row_count} rows, or with unused bits set",
                bitmap.len()
            )));
        }
        Ok(())
    }

    /// Appends the answer of a filter; FW0503 as [`ReplyWriter::check_keep`].
    pub fn keep(&mut self, row_count: usize, bitmap: &[u8]) -> Result<()> {
        self.check_keep(row_count, bitmap)?;
        put_u32(&mut self.frame, row_count);
        put_u32(&mut self.frame, 0);
        put_section(&mut self.frame, bitmap)
    }

    /// Appends a row that failed, in the order of rows. The message is cut at its limit. FW0009 for a code that is of no row.
    pub fn failure(&mut self, row: u32, code: Code, message: &str) -> Result<()> {
        let Some((number, _)) = FAILURE_CODES.iter().find(|(_, known)| *known == code) else {
            return Err(Diagnostic::new(Code::Internal, format!("a row failed with {code}")));
        };
        let message = truncate(message, MAX_FAILURE_MESSAGE_BYTES);
        let out = &mut self.failures.bytes;
        for number in [row, *number, message.len() as u32, 0] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        put_section(out, message.as_bytes())?;
        self.failures.count += 1;
        Ok(())
    }

    /// The rows of a map since `begin`.
    pub fn emissions(&self, schema: &Schema) -> Result<Vec<Emission<'_>>> {
        let mut reader = Reader { bytes: &self.frame, at: HEADER_BYTES + REPLY_HEADER_BYTES };
        (0..self.emissions).map(|_| read_emission(schema, &mut reader)).collect()
    }

    /// Rows put out since `begin`.
    pub fn emitted_rows(&self) -> usize {
        self.emitted_rows
    }

    /// Ends the reply; the frame with its header. FW0510 when it is too long.
    pub fn finish(&mut self, id: u64, trailer: &Trailer) -> Result<&[u8]> {
        if self.kind == 2 {
            self.put_changes()?;
        }
        put_section(&mut self.frame, &self.failures.bytes)?;
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
        let numbers = [self.kind, self.failures.count as u32, self.emissions as u32, trailer_bytes as u32];
        self.frame[HEADER_BYTES..HEADER_BYTES + REPLY_HEADER_BYTES]
            .copy_from_slice(bytemuck::cast_slice(&numbers));
        Ok(&self.frame)
    }

    /// What stands behind the rows of a process function.
    fn put_changes(&mut self) -> Result<()> {
        for number in [self.values.count, self.elements.count, self.timers.keys.len(), 0] {
            put_u32(&mut self.frame, number);
        }
        put_section(&mut self.frame, &self.values.bytes)?;
        put_section(&mut self.frame, &self.elements.bytes)?;
        put_section(&mut self.frame, bytemuck::cast_slice(&self.timers.keys))?;
        put_section(&mut self.frame, bytemuck::cast_slice(&self.timers.timestamps))?;
        put_section(&mut self.frame, &self.timers.flags)
    }

    /// The frame as `finish` left it.
    pub fn frame(&self) -> &[u8] {
        &self.frame
    }

    /// Gives memory back after an unusually large reply, so that one bundle does not size a connection for life.
    pub fn shrink(&mut self, keep_bytes: usize) {
        for buffer in
            [&mut self.frame, &mut self.values.bytes, &mut self.elements.bytes, &mut self.failures.bytes]
        {
            if buffer.capacity() > keep_bytes {
                *buffer = Vec::new();
            }
        }
        // 13 bytes a timer.
        if self.timers.keys.capacity() > keep_bytes / 13 {
            self.timers = Timers::default();
        }
    }
}

/// Appends varlen columns as a batch, and checks them.
fn bytes_batch(row_count: usize, columns: &[RawColumn<'_>], out: &mut Vec<u8>) -> Result<()> {
    let schema = bytes_schema(columns.len())?;
    let start = out.len();
    encode_columns(&schema, row_count, columns, out)?;
    BatchView::parse(&schema, &out[start..]).map(drop)
}

/// The longest start of `text` that has at most `bytes` bytes and ends on a character.
pub fn truncate(text: &str, bytes: usize) -> &str {
    &text[..text.floor_char_boundary(bytes)]
}
