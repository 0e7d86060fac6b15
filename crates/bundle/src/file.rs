//! Files: bounded reads, and writes that happen wholly or not at all.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use flink_wasm_diagnostic::{Code, Diagnostic, Result};

use crate::Bundle;

/// Reads and checks the bundle in a file.
///
/// # Errors
///
/// FW0002 when the file can't be read, else as [`Bundle::parse`]; the location names the file.
pub fn read_file(path: impl AsRef<Path>) -> Result<Bundle> {
    let path = path.as_ref();
    let named = |diagnostic: Diagnostic| diagnostic.file(path.display().to_string());
    let file = File::open(path).map_err(|error| named(io(&format!("the bundle can't be read: {error}"))))?;
    Bundle::read(file).map_err(named)
}

/// Writes a file beside its place and renames it there, so that a reader sees the old file or the whole
/// new one.
///
/// # Errors
///
/// FW0002; the location names the file.
pub fn write_file(path: impl AsRef<Path>, bytes: &[u8]) -> Result<()> {
    let path = path.as_ref();
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let write = || -> std::io::Result<()> {
        let mut builder = tempfile::Builder::new();
        // Temporary files are private; this one is to be as any other file, as the umask has it.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        let mut file = builder.prefix(".flink-wasm-").tempfile_in(folder)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        Ok(())
    };
    write()
        .map_err(|error| io(&format!("the file can't be written: {error}")).file(path.display().to_string()))
}

fn io(message: &str) -> Diagnostic {
    Diagnostic::new(Code::Io, message)
}
