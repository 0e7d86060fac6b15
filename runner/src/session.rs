//! What a connection does between frames: choose a version, get a component, open a function, run bundles.

use std::time::Instant;

use flink_wasm_diagnostic::{Code, Diagnostic, Result};
use flink_wasm_engine::{Field, Instance, Loaded, LoadedFunction, Options};
use flink_wasm_protocol::frame::{FrameType, PROTOCOL_VERSION};
use flink_wasm_protocol::handshake::{Hello, Open, Opened, State, Welcome, parse_digest};
use flink_wasm_protocol::limits::MAX_FRAME_BYTES;
use flink_wasm_protocol::{DataType, handshake::decode_json};
use sha2::{Digest, Sha256};

use crate::server::{Reservation, Shared};

/// The function of a connection.
pub(crate) struct Session<'s> {
    pub(crate) instance: Instance,
    /// What was opened.
    pub(crate) open: Open,
    /// Held for as long as the instance lives.
    _memory: Reservation<'s>,
}

/// Reads HELLO; FW0502 when there is no common version.
pub(crate) fn welcome(payload: &[u8]) -> Result<(Hello, Welcome)> {
    let hello: Hello = decode_json(FrameType::Hello, payload)?;
    if hello.protocol.min > PROTOCOL_VERSION || hello.protocol.max < PROTOCOL_VERSION {
        return Err(Diagnostic::new(
            Code::ProtocolMismatch,
            format!(
                "the operator speaks protocol versions {} to {}, the sidecar {PROTOCOL_VERSION}",
                hello.protocol.min, hello.protocol.max
            ),
        )
        .note(format!("operator: {:.200}", hello.client.escape_debug().to_string()))
        .note(format!("sidecar: {}", env!("CARGO_PKG_VERSION")))
        .help("install the same version of flink-wasm on both sides"));
    }
    let welcome = Welcome {
        protocol: PROTOCOL_VERSION,
        sidecar: env!("CARGO_PKG_VERSION").to_owned(),
        max_frame_bytes: MAX_FRAME_BYTES as u32,
    };
    Ok((hello, welcome))
}

/// Loads the bytes that came for an OPEN; FW0402 when they are not those that it names.
pub(crate) fn load(shared: &Shared, open: &Open, component: &[u8]) -> Result<Loaded> {
    let found = hex::encode(Sha256::digest(component));
    if found != parse_digest(&open.component)? {
        return Err(Diagnostic::new(
            Code::CorruptBundle,
            format!("the component has the digest sha256:{found}, expected {}", open.component),
        ));
    }
    shared.engine.load(component)
}

/// Opens the function that an OPEN asks for.
///
/// FW0204 when the component is not what the job takes it for; else what opening can end with.
pub(crate) fn open<'s>(
    shared: &'s Shared,
    job_id: &str,
    open: &Open,
    loaded: &Loaded,
    start: Instant,
) -> Result<(Session<'s>, Opened)> {
    check_description(open, &loaded.function)?;
    let memory = shared.reserve(open.limits.memory_bytes)?;
    let rate_limiters = shared.limiters.connect(job_id, &open.rate_limiters)?;
    let options = Options {
        limits: open.limits,
        on_error: open.on_error,
        rate_limiters,
        keep_crash: shared.capsules.is_some(),
    };
    let instance = loaded.function.open_with(&open.parameters, options).map_err(|fault| fault.diagnostic)?;
    let opened = Opened {
        function: open.function.clone(),
        cached: loaded.cached,
        ready_micros: u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX),
    };
    Ok((Session { instance, open: open.clone(), _memory: memory }, opened))
}

/// The job was planned against a description; the component must still have it.
fn check_description(open: &Open, function: &LoadedFunction) -> Result<()> {
    let description = function.description();
    if open.kind != description.kind {
        return Err(mismatch(format!(
            "the job opens a {:?}, the component is a {:?}",
            open.kind, description.kind
        )));
    }
    compare("input", &open.input, &description.input)?;
    compare("output", &open.output, &description.output)?;
    compare("key", &open.key, &description.key)?;
    let names = |names: Vec<&String>| format!("{names:?}");
    let (in_job, in_component) = (
        names(open.side_outputs.iter().map(|output| &output.name).collect()),
        names(description.side_outputs.iter().map(|output| &output.name).collect()),
    );
    if in_job != in_component {
        return Err(mismatch(format!(
            "side outputs are {in_job} in the job, {in_component} in the component"
        )));
    }
    for (in_job, in_component) in open.side_outputs.iter().zip(&description.side_outputs) {
        compare(&format!("side output `{}`", in_job.name), &in_job.types, &in_component.fields)?;
    }
    if open.states != description.states {
        return Err(mismatch(format!(
            "states are {} in the job, {} in the component",
            show_states(&open.states),
            show_states(&description.states)
        )));
    }
    Ok(())
}

/// Types are compared as types, so that the job may write them in another way.
fn compare(side: &str, types: &[String], fields: &[Field]) -> Result<()> {
    let in_job = types.iter().map(|text| DataType::parse(text)).collect::<Result<Vec<_>>>()?;
    let in_component =
        fields.iter().map(|field| DataType::parse(&field.sql_type)).collect::<Result<Vec<_>>>()?;
    if in_job == in_component {
        return Ok(());
    }
    let show = |types: &[DataType]| types.iter().map(DataType::to_string).collect::<Vec<_>>().join(", ");
    Err(mismatch(format!(
        "{side} is [{}] in the job, [{}] in the component",
        show(&in_job),
        show(&in_component)
    )))
}

fn show_states(states: &[State]) -> String {
    let show = |state: &State| {
        let ttl = state.ttl_ms.map(|ttl_ms| format!(" for {ttl_ms} ms")).unwrap_or_default();
        format!("{} {:?} {}{ttl}", state.name, state.kind, state.schema)
    };
    format!("[{}]", states.iter().map(show).collect::<Vec<_>>().join(", "))
}

fn mismatch(what: String) -> Diagnostic {
    Diagnostic::new(Code::TypeMismatch, format!("the job and the component differ: {what}"))
        .help("pack the job again with this component")
}
