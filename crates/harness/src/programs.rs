//! The programs of flink-wasm, which a test starts.

use std::path::{Path, PathBuf};

/// A program: what an environment variable names; else that of the installation or build tree to which this crate belongs; else the
/// one on the PATH.
pub(crate) fn find(variable: &str, name: &str) -> PathBuf {
    if let Some(program) = std::env::var_os(variable) {
        return PathBuf::from(program);
    }
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    // PREFIX/share/flink-wasm/crates/harness, and crates/harness of the source tree.
    let places = [here.join("../../../../bin"), here.join("../../target/release")];
    let programs = places.iter().map(|place| place.join(name));
    programs.into_iter().find(|program| program.is_file()).unwrap_or_else(|| PathBuf::from(name))
}
