//! Files that users name, read with a bound.

use std::path::Path;

use flink_wasm_diagnostic::{Code, Diagnostic, Result};

/// The bytes of a file; `what` says in messages what the file is. FW0308 when it is longer than `limit_bytes`, FW0002 when it
/// can't be read.
pub fn read_bounded(path: &Path, what: &str, limit_bytes: usize) -> Result<Vec<u8>> {
    let place = path.display().to_string();
    let failed = |error: std::io::Error| {
        Diagnostic::new(Code::Io, format!("can't read {what}: {error}")).file(place.clone())
    };
    let size = path.metadata().map_err(failed)?.len();
    if size > limit_bytes as u64 {
        let message = format!("{what} has {size} bytes; at most {limit_bytes} are read");
        return Err(Diagnostic::new(Code::TooLarge, message).file(place));
    }
    std::fs::read(path).map_err(failed)
}
