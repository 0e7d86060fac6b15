//! Functions as files: a component, a core module, or the folder of a crate that was built.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, OnceLock};

use flink_wasm_admission::limits::COMPONENT_BYTES_MAX;
use flink_wasm_diagnostic::{Code, Diagnostic, Result};
use flink_wasm_engine::{Engine, EngineConfig, LoadedFunction};
use flink_wasm_ir::FunctionDescriptor;
use flink_wasm_plan::Function;
use serde_json::Value;

use crate::{build_crate, files};

/// A component that was admitted and asked what it is.
pub struct Component {
    /// The component's bytes; componentized when the file was a core module.
    pub bytes: Vec<u8>,
    /// `sha256:` and 64 hex digits of the bytes.
    pub digest: String,
    /// What it says of itself.
    pub descriptor: FunctionDescriptor,
}

/// The one engine of this process.
fn engine() -> Result<Engine> {
    static ENGINE: OnceLock<Result<Engine>> = OnceLock::new();
    ENGINE.get_or_init(|| Engine::new(&EngineConfig::default())).clone()
}

impl Component {
    /// The function as plans and bundles refer to it.
    pub fn function(&self) -> Function {
        Function { component: self.digest.clone(), descriptor: self.descriptor.clone() }
    }

    /// The function, ready to be opened.
    pub fn load(&self) -> Result<Arc<LoadedFunction>> {
        Ok(engine()?.load(&self.bytes)?.function)
    }
}

/// Admits a component or core module and asks it what it is.
pub fn inspect(bytes: &[u8]) -> Result<Component> {
    let admitted = flink_wasm_admission::admit(bytes)?.into_owned();
    let loaded = engine()?.load(&admitted.component)?;
    // The engine's record and the job definition's are the same JSON.
    let description = serde_json::to_value(loaded.function.description()).and_then(serde_json::from_value);
    let descriptor =
        description.map_err(|error| Diagnostic::new(Code::Internal, format!("a description: {error}")))?;
    Ok(Component {
        digest: format!("sha256:{}", admitted.sha256),
        bytes: admitted.component.into_owned(),
        descriptor,
    })
}

/// [`inspect`] of a file, or of what was built last in a crate's folder.
pub fn load(path: &Path) -> Result<(PathBuf, Component)> {
    let file = if path.is_dir() { newest_artifact(path)? } else { path.to_path_buf() };
    let component = load_file(&file)?;
    Ok((file, component))
}

/// [`inspect`] of a file.
pub fn load_file(path: &Path) -> Result<Component> {
    let place = path.display().to_string();
    let bytes = files::read_bounded(path, "the component", COMPONENT_BYTES_MAX)?;
    inspect(&bytes).map_err(|error| if error.location.file.is_none() { error.file(place) } else { error })
}

/// Puts a component beside cargo's own results, in `target/flink-wasm/`.
pub fn save(component: &Component, module: &Path) -> Result<PathBuf> {
    // target/wasm32-unknown-unknown/release/name.wasm
    let target = module.ancestors().nth(3).unwrap_or(Path::new("target"));
    let path = target.join(SAVED).join(module.file_name().unwrap_or_default());
    let failed = |error: std::io::Error| {
        Diagnostic::new(Code::Io, format!("can't write: {error}")).file(path.display().to_string())
    };
    std::fs::create_dir_all(target.join(SAVED)).map_err(failed)?;
    std::fs::write(&path, &component.bytes).map_err(failed)?;
    let here = std::env::current_dir().ok();
    Ok(here.and_then(|here| path.strip_prefix(here).ok().map(Path::to_path_buf)).unwrap_or(path))
}

/// Folder under `target` of what `flink-wasm build` made.
const SAVED: &str = "flink-wasm";

/// Where other tools leave components: `cargo component build`, `cargo build --target ..`.
const ELSEWHERE: [&str; 3] = [build_crate::TARGET, "wasm32-wasip1", "wasm32-wasip2"];

fn newest_artifact(folder: &Path) -> Result<PathBuf> {
    let (target, library) = cargo_metadata(folder)?;
    let file = format!("{}.wasm", library.replace('-', "_"));
    let mut places = vec![target.join(SAVED).join(&file)];
    for triple in ELSEWHERE {
        places.extend(["release", "debug"].map(|profile| target.join(triple).join(profile).join(&file)));
    }
    let built = |path: &PathBuf| Some((path.metadata().ok()?.modified().ok()?, path.clone()));
    places.iter().filter_map(built).max().map(|(_, path)| path).ok_or_else(|| {
        Diagnostic::new(Code::MissingPart, format!("the function crate `{library}` was not built yet"))
            .file(folder.join("Cargo.toml").display().to_string())
            .help(format!("run `flink-wasm build {}`", folder.display()))
    })
}

/// Target folder and library name of the crate in `folder`.
fn cargo_metadata(folder: &Path) -> Result<(PathBuf, String)> {
    let manifest = folder.join("Cargo.toml");
    let failed = |why: String| {
        Diagnostic::new(Code::MissingPart, why)
            .file(manifest.display().to_string())
            .help("name a component file, or the folder of a function crate")
    };
    let mut cargo = Command::new("cargo");
    cargo.args(["metadata", "--no-deps", "--format-version", "1", "--manifest-path"]).arg(&manifest);
    let output = cargo.output().map_err(|error| failed(format!("cargo can't be started: {error}")))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(failed("the folder holds no crate".to_owned())
            .note(said.lines().next().unwrap_or_default().to_owned()));
    }
    let metadata: Value =
        serde_json::from_slice(&output.stdout).map_err(|error| failed(error.to_string()))?;
    let manifest_path = manifest.canonicalize().map_err(|error| failed(error.to_string()))?;
    let packages = metadata["packages"].as_array().cloned().unwrap_or_default();
    let package = packages.iter().find(|package| {
        package["manifest_path"].as_str().is_some_and(|path| Path::new(path) == manifest_path)
    });
    let targets = package.and_then(|package| package["targets"].as_array()).cloned().unwrap_or_default();
    let is_library = |target: &&Value| {
        target["crate_types"].as_array().is_some_and(|types| types.iter().any(|kind| kind == "cdylib"))
    };
    let library = targets.iter().find(is_library).and_then(|target| target["name"].as_str());
    match (metadata["target_directory"].as_str(), library) {
        (Some(target), Some(library)) => Ok((PathBuf::from(target), library.to_owned())),
        _ => Err(failed("the crate builds no WebAssembly library".to_owned())
            .help("add `[lib]` with `crate-type = [\"cdylib\", \"rlib\"]`")),
    }
}
