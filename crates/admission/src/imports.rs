//! Imports that the sandbox does not offer: where they come from and what to do instead.

use flink_wasm_diagnostic::{Code, Diagnostic};

use crate::limits::IMPORTS_SHOWN_MAX;
use crate::{INTERFACE, INTERFACE_VERSION};

/// One import of a component, or of a core module.
#[derive(Clone, Debug)]
pub(crate) struct Import {
    /// `interface` of a component, `module` of a core module.
    pub(crate) name: String,
    /// The item inside the module; a component imports whole interfaces.
    pub(crate) item: Option<String>,
    /// Where it stands; unknown inside a world that a core module carries.
    pub(crate) offset: Option<u64>,
}

/// What may be imported: interfaces of `wit/` that the host implements, and the types they share.
const OFFERED: [&str; 5] = ["types", "context", "collector", "effects", "elements"];

/// Where a name belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Our interface in our version, offered to functions.
    Offered,
    /// Our interface in another version.
    OtherVersion,
    Foreign,
}

/// Sorts an import by its name.
pub(crate) fn origin(name: &str) -> Origin {
    match our_interface(name) {
        Some((_, version)) if version != Some(INTERFACE_VERSION) => Origin::OtherVersion,
        Some((interface, _)) if OFFERED.contains(&interface) => Origin::Offered,
        _ => Origin::Foreign,
    }
}

/// Splits `flink-wasm:udf/context@0.1.0` in interface and version; `None` when it is not ours.
pub(crate) fn our_interface(name: &str) -> Option<(&str, Option<&str>)> {
    let rest = name.strip_prefix(INTERFACE)?.strip_prefix('/')?;
    Some(match rest.split_once('@') {
        Some((interface, version)) => (interface, Some(version)),
        None => (rest, None),
    })
}

/// FW0307.
pub(crate) fn other_version(verb: &str, name: &str, offset: Option<u64>) -> Diagnostic {
    let diagnostic = Diagnostic::new(
        Code::WrongInterfaceVersion,
        format!("the component {verb} `{name}`, but this is version {INTERFACE_VERSION} of `{INTERFACE}`"),
    )
    .help("rebuild the function with the `flink-wasm-sdk` of this version, or use the flink-wasm that fits the component");
    match offset {
        Some(offset) => diagnostic.note(format!("at offset {offset:#x}")),
        None => diagnostic,
    }
}

/// FW0302 for all foreign imports at once, each with what brings it in.
pub(crate) fn foreign(imports: &[&Import]) -> Diagnostic {
    let first = imports.first().map(|import| import.name.as_str()).unwrap_or_default();
    let message = match imports.len() {
        1 => format!("the component imports `{first}`, which the sandbox does not offer"),
        count => {
            format!("the component imports `{first}` and {} more that the sandbox does not offer", count - 1)
        }
    };
    let mut diagnostic = Diagnostic::new(Code::ForeignImport, message);
    for import in imports.iter().take(IMPORTS_SHOWN_MAX) {
        let item = import.item.as_deref().map(|item| format!(" `{item}`")).unwrap_or_default();
        let offset = import.offset.map(|offset| format!(" at offset {offset:#x}")).unwrap_or_default();
        let cause = advice(&import.name).0;
        diagnostic = diagnostic.note(format!("`{}`{item}{offset}: {cause}", import.name));
    }
    if imports.len() > IMPORTS_SHOWN_MAX {
        diagnostic = diagnostic.note(format!("and {} more", imports.len() - IMPORTS_SHOWN_MAX));
    }
    diagnostic.help(advice(first).1)
}

const BUILD: &str = "build with `flink-wasm build`, or for the target wasm32-unknown-unknown: \
                     there std imports nothing";
const WASM_BINDGEN: &str = "a dependency was built for browsers: switch off its features such as `js`, `wasm_js` or \
                            `wasmbind` (getrandom, uuid, chrono)";

/// What typically brings an import in, and the way out.
fn advice(name: &str) -> (&'static str, &'static str) {
    let bare = name.split('@').next().unwrap_or(name);
    match bare {
        "wasi:cli/environment" => {
            ("std::env, and the panic handler of std, which reads RUST_BACKTRACE", BUILD)
        }
        "wasi:cli/exit" => ("std::process::exit and abort", BUILD),
        "wasi:cli/stdin" => ("std::io::stdin", BUILD),
        "wasi:cli/stdout" => ("println!; use the SDK's log macros", BUILD),
        "wasi:cli/stderr" => ("eprintln! and the panic message of std", BUILD),
        "wasi:io/error" | "wasi:io/streams" | "wasi:io/poll" => {
            ("comes with standard input, output and files", BUILD)
        }
        "wasi_snapshot_preview1" | "wasi_unstable" => {
            ("std of the targets wasm32-wasip1 and wasm32-wasi", BUILD)
        }
        "env" => (
            "an `extern \"C\"` function that nothing defines, mostly of a crate that wraps a C library",
            "link the C library in, or use a crate in plain Rust",
        ),
        "__wbindgen_placeholder__" | "__wbindgen_externref_xform__" | "wbg" => ("wasm-bindgen", WASM_BINDGEN),
        _ if bare.starts_with("wasi:cli/terminal-") => ("std::io::IsTerminal", BUILD),
        _ if bare.starts_with("wasi:clocks/") => (
            "std::time::Instant::now and SystemTime::now",
            "functions have no clock; use the SDK's `processing_time()`, which is constant in a batch",
        ),
        _ if bare.starts_with("wasi:filesystem/") => {
            ("std::fs", "functions have no files; pass data as a parameter of the function, or in a column")
        }
        _ if bare.starts_with("wasi:random/") => {
            ("the seed of HashMap, and the crates getrandom, rand and uuid", BUILD)
        }
        _ if bare.starts_with("wasi:sockets/") || bare.starts_with("wasi:http/") => {
            ("std::net or an HTTP client", "functions have no network; join the data in the job instead")
        }
        _ if bare.starts_with("wasi:") => ("WASI", BUILD),
        _ if bare.starts_with(INTERFACE) => {
            ("not an interface that the host implements", "import only what the worlds in `wit/` import")
        }
        _ => ("not part of `flink-wasm:udf`", "remove the import; functions see only `flink-wasm:udf`"),
    }
}
