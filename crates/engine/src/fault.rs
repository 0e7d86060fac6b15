//! What became of a call that did not end well.

use flink_wasm_diagnostic::{Code, Diagnostic};
use wasmtime::{Trap, WasmBacktrace};

use crate::host::HostState;
use crate::text::clean;

/// A function's end: the instance is gone, the host is not.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    /// What happened.
    pub diagnostic: Diagnostic,
    /// Index in the bundle of the row at fault, when it can be pinned on one.
    pub row: Option<u32>,
}

impl From<Diagnostic> for Fault {
    fn from(diagnostic: Diagnostic) -> Self {
        Self { diagnostic, row: None }
    }
}

/// Bytes of a function's name in a backtrace: Rust's can be very long.
const MAX_FRAME_NAME_BYTES: usize = 300;

/// What an error of wasmtime means, from what the host saw before it.
pub(crate) fn classify(
    error: &wasmtime::Error,
    state: &mut HostState,
    deadline_ms: u64,
    memory_bytes: u64,
) -> Diagnostic {
    if let Some(fault) = state.fault.take() {
        return fault;
    }
    let trap = error.downcast_ref::<Trap>().copied();
    let panic = state.panic.take();
    let mut diagnostic = if trap == Some(Trap::Interrupt) {
        Diagnostic::new(Code::DeadlineExceeded, format!("the function ran longer than {deadline_ms} ms"))
    } else if let Some(refused) = state.limiter.refused_bytes.take() {
        Diagnostic::new(
            Code::MemoryExceeded,
            format!("the function asked for {refused} bytes of memory, its limit is {memory_bytes}"),
        )
    } else if trap == Some(Trap::StackOverflow) {
        Diagnostic::new(Code::FunctionTrapped, "the function overflowed its stack")
            .help("it recurses too deeply, or without end")
    } else if trap == Some(Trap::MemoryOutOfBounds) && panic.is_none() {
        // Rust keeps a second stack at the start of linear memory; safe code leaves its memory only at the end of that one.
        Diagnostic::new(
            Code::FunctionTrapped,
            "the function overflowed its stack, or read or wrote outside of its memory",
        )
        .help("safe Rust does so only when it recurses too deeply, or without end")
    } else if let Some(panic) = panic {
        Diagnostic::new(Code::FunctionTrapped, format!("the function panicked: {panic}"))
    } else if let Some(trap) = trap {
        Diagnostic::new(Code::FunctionTrapped, format!("the function trapped: {trap}"))
    } else if is_about_fuel(error) {
        Diagnostic::new(
            Code::OutputExceeded,
            "the function gave the host more bytes in one call than a frame can hold",
        )
    } else {
        // What is left are values that break the canonical ABI, such as a pointer outside of memory or text that is not UTF-8.
        Diagnostic::new(
            Code::BadOutput,
            format!("the function gave the host a malformed value: {}", root_cause(error)),
        )
    };
    if let Some(backtrace) = error.downcast_ref::<WasmBacktrace>() {
        let frames = frames(backtrace);
        if !frames.is_empty() {
            diagnostic = diagnostic.note(format!("wasm backtrace:\n{}", frames.join("\n")));
        }
    }
    diagnostic
}

/// wasmtime has no type for this error.
fn is_about_fuel(error: &wasmtime::Error) -> bool {
    root_cause(error).contains("fuel allocated for hostcalls")
}

fn root_cause(error: &wasmtime::Error) -> String {
    clean(&error.root_cause().to_string(), 1000)
}

/// The frames between panic machinery and the host, innermost first.
fn frames(backtrace: &WasmBacktrace) -> Vec<String> {
    let names: Vec<String> = backtrace.frames().iter().flat_map(names).collect();
    let is_machinery = |name: &String| {
        [
            "std::",
            "core::panicking",
            "core::option",
            "core::result",
            "core::slice::index",
            "__rust",
            "rust_",
            "alloc::",
        ]
        .iter()
        .any(|prefix| name.trim_start_matches('<').starts_with(prefix))
    };
    let start = names.iter().position(|name| !is_machinery(name)).unwrap_or(0);
    names[start..].iter().enumerate().map(|(index, name)| format!("{index}: {name}")).collect()
}

/// A frame's function, and those that were inlined into it if the component has line tables.
fn names(frame: &wasmtime::FrameInfo) -> Vec<String> {
    let shown = |name: &str| clean(&format!("{:#}", rustc_demangle::demangle(name)), MAX_FRAME_NAME_BYTES);
    let own = match frame.func_name() {
        Some(name) => shown(name),
        None => format!("function {}", frame.func_index()),
    };
    let inlined = frame.symbols().iter().filter_map(|symbol| {
        let name = symbol.name().map_or_else(|| own.clone(), shown);
        let place = clean(&format!("{}:{}", symbol.file()?, symbol.line()?), MAX_FRAME_NAME_BYTES);
        Some(format!("{name} at {place}"))
    });
    let inlined: Vec<String> = inlined.collect();
    if inlined.is_empty() { vec![own] } else { inlined }
}
