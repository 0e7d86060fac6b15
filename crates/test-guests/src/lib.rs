//! Components for tests: builds a function from source, as a user would, once a process.
//!
//! Nothing but tests and benchmarks may depend on this crate: it runs cargo, and it panics when that fails.

use std::collections::HashMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

const TARGET: &str = "wasm32-unknown-unknown";

/// The component of a function: one of `udfs/`, or one of this crate's `guests/`.
///
/// # Panics
///
/// When there is no such function, it does not build, or it is not admitted.
pub fn component(name: &str) -> Vec<u8> {
    static BUILT: Mutex<Option<HashMap<String, Vec<u8>>>> = Mutex::new(None);
    let mut built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
    built.get_or_insert_default().entry(name.to_owned()).or_insert_with(|| build(name)).clone()
}

fn build(name: &str) -> Vec<u8> {
    let root =
        Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("the crate lies in the workspace");
    let manifest = [root.join("udfs"), root.join("crates/test-guests/guests")]
        .into_iter()
        .map(|directory| directory.join(name).join("Cargo.toml"))
        .find(|manifest| manifest.exists())
        .unwrap_or_else(|| panic!("no function is named {name}"));
    let target = target_directory(root).join("guests");
    fs::create_dir_all(&target).expect("the target directory can be made");
    // Cargo has a lock of its own, but the file read below belongs to one build at a time.
    let lock = File::create(target.join("test-guests.lock")).expect("the lock can be made");
    lock.lock().expect("the lock can be had");
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--quiet", "--release", "--target", TARGET, "--manifest-path"]).arg(&manifest);
    cargo.arg("--target-dir").arg(&target);
    // As `flink-wasm build` does.
    for option in ["panic=\"abort\"", "lto=true", "codegen-units=1", "strip=\"debuginfo\""] {
        cargo.args(["--config", &format!("profile.release.{option}")]);
    }
    // The test's own settings, such as those of coverage, are not the guest's.
    cargo.env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS");
    let status = cargo.status().expect("cargo runs");
    assert!(status.success(), "{name} does not build");
    let path = target.join(TARGET).join("release").join(format!("{}.wasm", name.replace('-', "_")));
    let module = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    match flink_wasm_admission::admit(&module) {
        Ok(admitted) => admitted.component.into_owned(),
        Err(error) => panic!("{name} is not admitted: {error}"),
    }
}

fn target_directory(root: &Path) -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |directory| root.join(directory))
}
