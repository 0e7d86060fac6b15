//! Which components may enter: one check for the packer and the sidecar.
//!
//! A function comes as a core module that carries the interface in `component-type` sections (what
//! cargo writes for `wasm32-unknown-unknown`), or as a component. [`admit`] takes both, [`check`]
//! takes only the component. What both let through imports nothing but `flink-wasm:udf`, exports
//! exactly one of the worlds of `wit/` with its types, is synchronous, and needs no WebAssembly
//! feature outside [`FEATURES`].
//!
//! This crate reads bytes that strangers wrote. It does no I/O, runs no WebAssembly, and must not
//! know wasmtime, bundles or jobs.

use std::borrow::Cow;
use std::fmt;

use flink_wasm_diagnostic::{Code, Diagnostic, Result};
use sha2::{Digest, Sha256};
use wasmparser::{Validator, WasmFeatures};

mod encode;
mod imports;
pub mod limits;
mod walk;
mod world;

use limits::COMPONENT_BYTES_MAX;
use walk::Walk;

/// The package that functions are written against.
pub const INTERFACE: &str = "flink-wasm:udf";
/// The one version of [`INTERFACE`] that this build takes.
pub const INTERFACE_VERSION: &str = "0.1.0";

/// What WebAssembly may be used: the second edition of the specification and the component model.
/// The sidecar gives the same set to its engine. Left out on purpose: threads and relaxed SIMD
/// (not deterministic), several memories and memory64 (limits would have to be counted over them),
/// garbage collection and exceptions (more engine to trust), everything of the asynchronous ABI.
pub const FEATURES: WasmFeatures =
    WasmFeatures::WASM2.union(WasmFeatures::EXTENDED_CONST).union(WasmFeatures::COMPONENT_MODEL);

/// What a function does: the world that its component exports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// World `map-function`: rows in, rows out.
    Map,
    /// World `filter-function`: rows in, which to keep out.
    Filter,
    /// World `process-function`: rows and timers of keys in, rows and changes of state and timers out.
    Process,
}

impl Kind {
    /// As the plan, the protocol and the descriptor write it: `map`, `filter` or `process`.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Map => "map",
            Kind::Filter => "filter",
            Kind::Process => "process",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

/// A component that may run, and what is known of it without running it.
#[derive(Clone, Debug)]
pub struct Admitted<'a> {
    /// The component: the bytes given, or what the core module given was encoded to.
    pub component: Cow<'a, [u8]>,
    /// The world that it exports.
    pub kind: Kind,
    /// The version of `flink-wasm:udf` that it was built for.
    pub interface_version: &'static str,
    /// Names of its imports in their order, such as `flink-wasm:udf/context@0.1.0`.
    pub imports: Vec<String>,
    /// Names of its exports in their order.
    pub exports: Vec<String>,
    /// The size with which its memory starts.
    pub memory_min_bytes: u64,
    /// The size beyond which its memory says that it won't grow, if it says so.
    pub memory_max_bytes: Option<u64>,
    /// SHA-256 of [`Admitted::component`] as 64 lower-case hex digits.
    pub sha256: String,
}

impl Admitted<'_> {
    /// The same, independent of the bytes that were given.
    pub fn into_owned(self) -> Admitted<'static> {
        Admitted {
            component: Cow::Owned(self.component.into_owned()),
            kind: self.kind,
            interface_version: self.interface_version,
            imports: self.imports,
            exports: self.exports,
            memory_min_bytes: self.memory_min_bytes,
            memory_max_bytes: self.memory_max_bytes,
            sha256: self.sha256,
        }
    }
}

/// Admits a component, or a core module that can be made one. The same bytes always give the same
/// component.
///
/// # Errors
///
/// FW0301 to FW0308, with the import, the export or the offset at fault and the way out.
///
/// ```
/// let error = flink_wasm_admission::admit(b"\x7fELF").unwrap_err();
/// assert_eq!(error.code.as_str(), "FW0306");
/// ```
pub fn admit(bytes: &[u8]) -> Result<Admitted<'_>> {
    match format(bytes)? {
        Format::Component => check(bytes),
        Format::Module => {
            let component = encode::module_to_component(bytes)?;
            check(&component).map(Admitted::into_owned)
        }
    }
}

/// Admits a component as it is. The sidecar calls this: a core module there is FW0301, since its
/// digest would not be the digest of what runs.
///
/// # Errors
///
/// As [`admit`].
pub fn check(bytes: &[u8]) -> Result<Admitted<'_>> {
    if let Format::Module = format(bytes)? {
        return Err(Diagnostic::new(Code::NotAComponent, "a core module where a component is needed")
            .help("`flink-wasm build` and `flink-wasm pack` turn core modules into components"));
    }
    let walk = Walk::component(bytes)?;
    validate(bytes)?;
    let memory = walk.memory;
    let kind = world::kind(&walk.exports)?;
    world::check_types(bytes, kind)?;
    Ok(Admitted {
        component: Cow::Borrowed(bytes),
        kind,
        interface_version: INTERFACE_VERSION,
        imports: walk.imports.into_iter().map(|import| import.name).collect(),
        exports: walk.exports,
        memory_min_bytes: memory.min_bytes,
        memory_max_bytes: memory.max_bytes,
        sha256: hex::encode(Sha256::digest(bytes)),
    })
}

enum Format {
    Component,
    Module,
}

/// Tells the format by the first bytes, and refuses what is too large to be read at all.
fn format(bytes: &[u8]) -> Result<Format> {
    if bytes.len() > COMPONENT_BYTES_MAX {
        return Err(Diagnostic::new(
            Code::TooLarge,
            format!("the component has {} bytes, at most {COMPONENT_BYTES_MAX} are allowed", bytes.len()),
        )
        .help(
            "build with `strip = \"debuginfo\"` and `opt-level = 3`, and drop what the function does not use",
        ));
    }
    // Magic, then version (u16) and layer (u16): 1 and 0 for a module, 13 and 1 for a component.
    match bytes {
        [0, b'a', b's', b'm', 1, 0, 0, 0, ..] => return Ok(Format::Module),
        [0, b'a', b's', b'm', 13, 0, 1, 0, ..] => return Ok(Format::Component),
        // What wasmtime compiles to is an ELF file, whatever the system.
        [0x7f, b'E', b'L', b'F', ..] => {
            return Err(Diagnostic::new(Code::PrecompiledCode, "the file is native code (ELF)")
                .note("`wasmtime compile` and the sidecar's cache write such files")
                .help("give the component itself; the sidecar compiles it"));
        }
        _ => {}
    }
    let (what, help) = match bytes {
        [] => ("the file is empty", "build the function with `flink-wasm build`"),
        [0, b'a', b's', b'm', ..] => (
            "the file has the magic of WebAssembly, but neither the version of a module (1) nor of a component (13)",
            "build the function with `flink-wasm build`",
        ),
        [0x1f, 0x8b, ..] => ("the file is compressed with gzip", "unpack it first"),
        [b'P', b'K', ..] => ("the file is a ZIP archive", "give the component itself"),
        [b'(', ..] | [b';', b';', ..] => (
            "the file is WebAssembly in text form",
            "turn it into binary form, for example with `wasm-tools parse`",
        ),
        _ => ("the file is not WebAssembly", "build the function with `flink-wasm build`"),
    };
    Err(Diagnostic::new(Code::NotAComponent, what).help(help))
}

/// The full validation of the specification, with [`FEATURES`] only.
fn validate(bytes: &[u8]) -> Result<()> {
    let Err(error) = Validator::new_with_features(FEATURES).validate_all(bytes) else {
        return Ok(());
    };
    // Valid with everything on means that only a feature is to blame.
    if Validator::new_with_features(WasmFeatures::all()).validate_all(bytes).is_ok() {
        return Err(Diagnostic::new(
            Code::ForbiddenFeature,
            format!("a WebAssembly feature that is off in the sandbox is used: {}", error.message()),
        )
        .note(format!("at offset {:#x}", error.offset()))
        .help("remove `-C target-feature=..` from the build, or build with `flink-wasm build`"));
    }
    Err(invalid(&error))
}

/// Bytes that no WebAssembly engine would take.
fn invalid(error: &wasmparser::Error) -> Diagnostic {
    Diagnostic::new(Code::NotAComponent, format!("the file is not valid WebAssembly: {}", error.message()))
        .note(format!("at offset {:#x}", error.offset()))
        .help("build the function again; the file may be damaged")
}
