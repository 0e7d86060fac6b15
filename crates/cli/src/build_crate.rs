//! Builds a function crate: cargo for `wasm32-unknown-unknown`, the result admitted and described.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use flink_wasm_diagnostic::{Code, Diagnostic, Result};
use serde_json::Value;

use crate::output;

/// Compilation target of functions: the only one that imports nothing by itself.
pub const TARGET: &str = "wasm32-unknown-unknown";

/// What makes a function small, fast and the same on every machine, whatever the manifest says.
const PROFILE: &[&str] = &[
    "profile.release.opt-level=3",
    "profile.release.lto=true",
    "profile.release.codegen-units=1",
    "profile.release.panic=\"abort\"",
    "profile.release.incremental=false",
];

/// Names of functions are enough for a backtrace.
const WITHOUT_LINES: [&str; 2] = ["profile.release.strip=\"debuginfo\"", "profile.release.debug=false"];
/// With files and lines.
const WITH_LINES: [&str; 2] = ["profile.release.strip=false", "profile.release.debug=\"line-tables-only\""];

/// Builds the crate in `folder` (or one `package` of a workspace) and returns the core module's path;
/// `has_lines` keeps line tables.
pub fn build(folder: &Path, package: Option<&str>, has_lines: bool) -> Result<PathBuf> {
    install_target()?;
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(folder).args(["build", "--release", "--lib", "--target", TARGET]);
    cargo.arg("--message-format=json-render-diagnostics");
    if let Some(package) = package {
        cargo.args(["--package", package]);
    }
    let debug = if has_lines { WITH_LINES } else { WITHOUT_LINES };
    for setting in PROFILE.iter().chain(&debug) {
        cargo.args(["--config", setting]);
    }
    // Set by the programs that call us in a build script or test; they would change the build.
    cargo.env_remove("CARGO_ENCODED_RUSTFLAGS").env_remove("RUSTFLAGS");
    cargo.args(["--config", &rustflags(folder)?]);
    if crate::output::is_quiet() {
        cargo.arg("--quiet");
    }
    let built = cargo.stdin(Stdio::null()).stderr(Stdio::inherit()).output().map_err(|error| {
        Diagnostic::new(Code::ToolMissing, format!("cargo can't be started: {error}"))
            .help("install Rust with rustup")
    })?;
    let place = folder.join("Cargo.toml").display().to_string();
    if !built.status.success() {
        return Err(Diagnostic::new(Code::BuildFailed, "the function crate does not build")
            .file(place)
            .help("cargo's messages stand above"));
    }
    artifact(&built.stdout).ok_or_else(|| {
        Diagnostic::new(Code::BuildFailed, "the crate builds no WebAssembly library")
            .file(place)
            .help("add `[lib]` with `crate-type = [\"cdylib\", \"rlib\"]`; in a workspace choose one with `--package`")
    })
}

/// The last cdylib that cargo reports: dependencies come first.
fn artifact(messages: &[u8]) -> Option<PathBuf> {
    let messages =
        messages.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice::<Value>(line).ok());
    let mut files = messages
        .filter(|message| message["reason"] == "compiler-artifact")
        .flat_map(|message| message["filenames"].as_array().cloned().unwrap_or_default())
        .filter_map(|file| file.as_str().map(PathBuf::from));
    files.rfind(|path| path.extension().is_some_and(|extension| extension == "wasm"))
}

/// Takes the machine's folders out of panic messages, so that the same source gives the same bytes.
fn rustflags(folder: &Path) -> Result<String> {
    let io = |error: std::io::Error| {
        Diagnostic::new(Code::Io, error.to_string()).file(folder.display().to_string())
    };
    let folder = folder.canonicalize().map_err(io)?;
    let mut remaps: Vec<(PathBuf, &str)> = vec![(workspace_root(&folder).unwrap_or(folder), "/source")];
    if let Ok(sdk) = crate::home::sdk().and_then(|sdk| sdk.canonicalize().map_err(io)) {
        // crates/sdk and crates/sdk-macros lie beside each other.
        remaps.push((sdk.parent().map(Path::to_path_buf).unwrap_or(sdk), "/flink-wasm"));
    }
    let cargo_home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let cargo_home = cargo_home.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cargo")));
    remaps.extend(cargo_home.map(|home| (home, "/cargo")));
    let flags: Vec<String> =
        remaps.iter().map(|(from, to)| format!("--remap-path-prefix={}={to}", from.display())).collect();
    let array =
        serde_json::to_string(&flags).map_err(|error| Diagnostic::new(Code::Internal, error.to_string()))?;
    Ok(format!("target.{TARGET}.rustflags={array}"))
}

/// The outermost folder above `folder` with a manifest that says `[workspace]`.
fn workspace_root(folder: &Path) -> Option<PathBuf> {
    let is_root = |path: &&Path| {
        std::fs::read_to_string(path.join("Cargo.toml"))
            .is_ok_and(|manifest| manifest.contains("[workspace]"))
    };
    folder.ancestors().find(is_root).map(Path::to_path_buf)
}

/// Whether the standard library for [`TARGET`] is there.
pub fn target_is_installed() -> bool {
    let sysroot = Command::new("rustc").args(["--print", "sysroot"]).output().ok();
    let sysroot = sysroot.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    sysroot.is_some_and(|root| Path::new(&root).join("lib/rustlib").join(TARGET).join("lib").is_dir())
}

fn install_target() -> Result<()> {
    if target_is_installed() {
        return Ok(());
    }
    output::status("Installing", format!("Rust target {TARGET}"));
    let added = Command::new("rustup").args(["target", "add", TARGET]).stdout(Stdio::null()).status();
    if added.is_ok_and(|status| status.success()) {
        return Ok(());
    }
    Err(Diagnostic::new(Code::ToolMissing, format!("the Rust target {TARGET} is missing"))
        .help(format!("run `rustup target add {TARGET}`, or install it as your Rust comes")))
}
