//! One connection from HELLO to its end.

use std::cell::RefCell;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use flink_wasm_diagnostic::{Code, Diagnostic, Result};
use flink_wasm_engine::{Fault, Loaded};
use flink_wasm_protocol::bundle::BUNDLE_HEADER_BYTES;
use flink_wasm_protocol::frame::{FrameHeader, FrameType, encode_frame};
use flink_wasm_protocol::handshake::{
    ErrorFrame, NeedComponent, Open, decode_json, encode_json, parse_digest,
};
use flink_wasm_protocol::keyed::ITEM_COUNT_AT;

use crate::channel::{Channel, Source, Stream};
use crate::frames::FrameReader;
use crate::limits::{DRAIN_TIMEOUT, HANDSHAKE_TIMEOUT};
use crate::server::Shared;
use crate::session::{self, Session};

/// Why a connection ends before its peer closes it, and what it was about.
struct End {
    fault: Fault,
    /// The bundle, if it was one.
    id: u64,
}

impl From<Diagnostic> for End {
    fn from(diagnostic: Diagnostic) -> Self {
        Self { fault: Fault::from(diagnostic), id: 0 }
    }
}

/// Serves a connection; its errors end here, as an ERROR frame, a line in the log and a count.
pub(crate) fn serve(stream: &Arc<UnixStream>, shared: &Shared) {
    let mut about = None;
    // A panic in the sidecar is a defect of the sidecar; it must not become one of the other connections.
    let result = catch_unwind(AssertUnwindSafe(|| run(stream, shared, &mut about)))
        .unwrap_or_else(|_| Err(End::from(Diagnostic::new(Code::Internal, "the sidecar panicked"))));
    let Err(End { fault: Fault { diagnostic, row }, id }) = result else { return };
    shared.metrics.error(diagnostic.code);
    let (function, component) = about.map(|open: Open| (open.function, open.component)).unzip();
    tracing::warn!(
        code = diagnostic.code.as_str(), function, component, row, bundle = id, notes = ?diagnostic.notes,
        "{}", diagnostic.message
    );
    // A stream that broke takes no more.
    if diagnostic.code != Code::SidecarUnreachable {
        // A peer that does not read must not hold the thread.
        let _ = stream.set_write_timeout(Some(HANDSHAKE_TIMEOUT));
        send_error(stream, id, ErrorFrame { diagnostic, function, component, row });
        drain(stream);
    }
}

/// Ends a connection before it has begun. Runs on the acceptor's thread, so it waits for nothing: a new stream has room for the frame.
pub(crate) fn refuse(stream: &UnixStream, diagnostic: Diagnostic) {
    if stream.set_nonblocking(true).is_ok() {
        send_error(stream, 0, ErrorFrame { diagnostic, function: None, component: None, row: None });
    }
}

fn send_error(mut stream: &UnixStream, id: u64, mut error: ErrorFrame) {
    let frame = encode_json(FrameType::Error, id, &error).or_else(|_| {
        // Too long: the notes are what can be done without.
        error.diagnostic.notes.clear();
        encode_json(FrameType::Error, id, &error)
    });
    // If the peer is gone, the log has the error.
    if let Ok(frame) = frame {
        let _ = stream.write_all(&frame);
    }
    let _ = stream.shutdown(Shutdown::Write);
}

/// Reads what the peer still sends until it closes. Closing with unread bytes would be a reset to the peer, instead of an end.
fn drain(mut stream: &UnixStream) {
    let end = Instant::now() + DRAIN_TIMEOUT;
    let mut bytes = [0; 16 << 10];
    if stream.set_read_timeout(Some(DRAIN_TIMEOUT)).is_ok() {
        while Instant::now() < end && matches!(stream.read(&mut bytes), Ok(1..)) {}
    }
}

fn run(stream: &Arc<UnixStream>, shared: &Shared, about: &mut Option<Open>) -> std::result::Result<(), End> {
    set_timeout(stream, Some(HANDSHAKE_TIMEOUT))?;
    let mut frames = FrameReader::new(Stream(stream.clone()));
    let Some(payload) = next(&mut frames, FrameType::Hello)? else { return Ok(()) };
    let (hello, welcome) = session::welcome(payload)?;
    send(stream, &encode_json(FrameType::Welcome, 0, &welcome)?)?;

    let Some(payload) = next(&mut frames, FrameType::Open)? else { return Ok(()) };
    let open: Open = about.insert(decode_json(FrameType::Open, payload)?).clone();
    let start = Instant::now();
    let loaded = match shared.engine.find(parse_digest(&open.component)?)? {
        Some(function) => Loaded { function, cached: true },
        None => {
            let need = NeedComponent { component: open.component.clone() };
            send(stream, &encode_json(FrameType::NeedComponent, 0, &need)?)?;
            let Some(payload) = next(&mut frames, FrameType::Component)? else { return Ok(()) };
            session::load(shared, &open, payload)?
        }
    };
    let (mut session, opened) = session::open(shared, &hello.job_id, &open, &loaded, start)?;
    shared.metrics.opened(loaded.cached);
    tracing::info!(
        job = hello.job_name,
        job_id = hello.job_id,
        operator = hello.operator,
        subtask = hello.subtask,
        attempt = hello.attempt,
        function = open.function,
        component = open.component,
        cached = opened.cached,
        ready_micros = opened.ready_micros,
        "opened"
    );
    send(stream, &encode_json(FrameType::Opened, 0, &opened)?)?;
    let pulse = stream.clone();
    session.instance.set_heartbeat(Box::new(move |id| {
        // A stream that broke is noticed by the reply.
        let _ = send(&pulse, &encode_frame(FrameType::Heartbeat, id, &[]));
    }));
    // From here on a subtask may be idle, or under backpressure, for as long as it likes.
    set_timeout(stream, None)?;
    let result = match session.instance.function().has_elements() {
        true => {
            let channel = Channel::new(Stream(stream.clone()), frames)?;
            run_bundles_that_ask(stream, channel, shared, session)
        }
        false => run_bundles(stream, &mut frames, shared, session),
    };
    if result.is_ok() {
        tracing::info!(job_id = hello.job_id, function = open.function, subtask = hello.subtask, "closed");
    }
    result
}

fn run_bundles(
    stream: &UnixStream,
    frames: &mut FrameReader<Stream>,
    shared: &Shared,
    mut session: Session<'_>,
) -> std::result::Result<(), End> {
    loop {
        let Some((header, payload)) = frames.next()? else { return Ok(()) };
        run_bundle(stream, header, payload, shared, &mut session)?;
    }
}

/// As [`run_bundles`], for a function with list or map state: frames come while a bundle runs, so its own is copied.
fn run_bundles_that_ask(
    stream: &UnixStream,
    channel: Channel,
    shared: &Shared,
    mut session: Session<'_>,
) -> std::result::Result<(), End> {
    let channel = Rc::new(RefCell::new(channel));
    session.instance.set_element_source(Box::new(Source(channel.clone())));
    loop {
        let Some((header, payload)) = channel.borrow_mut().next()? else { return Ok(()) };
        run_bundle(stream, header, payload.bytes(), shared, &mut session)?;
    }
}

fn run_bundle(
    stream: &UnixStream,
    header: FrameHeader,
    payload: &[u8],
    shared: &Shared,
    session: &mut Session<'_>,
) -> std::result::Result<(), End> {
    if header.kind != FrameType::Bundle {
        return Err(End::from(unexpected(header.kind, FrameType::Bundle)));
    }
    let start = Instant::now();
    let is_keyed = session.instance.function().keyed().is_some();
    let reply = match session.instance.run(header.id, payload) {
        Ok(reply) => reply,
        Err(fault) => {
            keep_crash(shared, session);
            return Err(End { fault, id: header.id });
        }
    };
    // The bundle was valid, so that its number of items stands where it belongs.
    let at = if is_keyed { ITEM_COUNT_AT } else { BUNDLE_HEADER_BYTES };
    let items = payload.get(at..at + 4).and_then(|bytes| bytes.try_into().ok());
    shared.metrics.bundle(
        items.map_or(0, u32::from_le_bytes).into(),
        payload.len(),
        reply.len(),
        start.elapsed(),
    );
    send(stream, reply)?;
    keep_crash(shared, session);
    shared.metrics.limiters(session.instance.limiter_use());
    shared.metrics.failures(session.instance.failure_codes());
    Ok(())
}

/// Writes a capsule of the item at fault, if there is one and the sidecar is to.
fn keep_crash(shared: &Shared, session: &mut Session<'_>) {
    if let (Some(capsules), Some(crash)) = (&shared.capsules, session.instance.take_crash()) {
        capsules.write(&session.open, session.instance.function(), crash);
    }
}

/// The payload of the next frame, which must be of this type; `None` when the peer has gone.
fn next(frames: &mut FrameReader<Stream>, expected: FrameType) -> Result<Option<&[u8]>> {
    match frames.next()? {
        Some((header, payload)) if header.kind == expected => Ok(Some(payload)),
        Some((header, _)) => Err(unexpected(header.kind, expected)),
        None => Ok(None),
    }
}

pub(crate) fn unexpected(found: FrameType, expected: FrameType) -> Diagnostic {
    Diagnostic::new(
        Code::ProtocolViolation,
        format!("a {found:?} frame came where {expected:?} was expected"),
    )
}

fn send(mut stream: &UnixStream, frame: &[u8]) -> Result<()> {
    stream.write_all(frame).map_err(|error| broken(&error))
}

fn set_timeout(stream: &UnixStream, timeout: Option<std::time::Duration>) -> Result<()> {
    stream
        .set_read_timeout(timeout)
        .and_then(|()| stream.set_write_timeout(timeout))
        .map_err(|error| broken(&error))
}

pub(crate) fn broken(error: &std::io::Error) -> Diagnostic {
    Diagnostic::new(Code::SidecarUnreachable, format!("the stream broke: {error}"))
}
