//! Finds the parts that belong to this program: the job runtime's jar, the sidecar, the SDK.
//!
//! Two layouts are known, both relative to the program's own file, so that nothing has to be set:
//! an installation (`bin/flink-wasm`, `share/flink-wasm/`) and a build tree (`target/release/flink-wasm`).

use std::path::{Path, PathBuf};

use flink_wasm_diagnostic::{Code, Diagnostic, Result};

/// Environment variable that names an installation's `share/flink-wasm`.
pub const HOME_VARIABLE: &str = "FLINK_WASM_HOME";

/// The job runtime's jar.
pub fn runtime_jar() -> Result<PathBuf> {
    find("the job runtime's jar", &["flink-wasm-runtime.jar"], &["flink/target/flink-wasm-runtime.jar"])
}

/// The sidecar's program.
pub fn sidecar() -> Result<PathBuf> {
    let name = "flink-wasm-sidecar";
    let beside = std::env::current_exe().ok().and_then(|exe| Some(exe.parent()?.join(name)));
    match beside {
        Some(path) if path.is_file() => Ok(path),
        _ => find("the sidecar", &["bin/flink-wasm-sidecar"], &["target/release/flink-wasm-sidecar"]),
    }
}

/// The SDK's crate folder, for new function crates to depend on.
pub fn sdk() -> Result<PathBuf> {
    find("the SDK's sources", &["crates/sdk"], &["crates/sdk"])
}

/// A folder for what can be made again: compiled functions, assembled Flink homes.
pub fn cache() -> Result<PathBuf> {
    let base = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let base = base.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")));
    base.map(|base| base.join("flink-wasm"))
        .ok_or_else(|| Diagnostic::new(Code::Io, "no place for the cache").help("set HOME or XDG_CACHE_HOME"))
}

fn find(what: &str, installed: &[&str], built: &[&str]) -> Result<PathBuf> {
    let exe = std::env::current_exe().ok().and_then(|exe| exe.canonicalize().ok());
    let mut candidates: Vec<PathBuf> = Vec::new();
    let mut add = |base: &Path, parts: &[&str]| candidates.extend(parts.iter().map(|part| base.join(part)));
    if let Some(home) = std::env::var_os(HOME_VARIABLE) {
        add(Path::new(&home), installed);
    }
    if let Some(prefix) = exe.as_deref().and_then(|exe| exe.parent()?.parent()) {
        add(&prefix.join("share/flink-wasm"), installed);
    }
    // target/release/flink-wasm, and target/release/deps/test-program
    for root in exe.iter().flat_map(|exe| exe.ancestors().skip(3).take(2)) {
        if root.join("crates/cli/Cargo.toml").is_file() {
            add(root, built);
        }
    }
    candidates.iter().find(|path| path.exists()).cloned().ok_or_else(|| {
        let places = candidates.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join("\n");
        Diagnostic::new(Code::ToolMissing, format!("{what} was not found"))
            .note(format!("looked at:\n{places}"))
            .help(format!(
                "run `make install`, or `make` in the source tree; {HOME_VARIABLE} names another installation"
            ))
    })
}
