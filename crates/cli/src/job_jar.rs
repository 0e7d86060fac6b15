//! The jar that carries a job to a cluster: the job runtime's jar plus the bundle's files under
//! `flink-wasm/`, where the runtime looks for them on the class path.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use flink_wasm_bundle::Bundle;
use flink_wasm_diagnostic::{Code, Diagnostic, Result};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

/// Writes the job's jar to `target`.
pub fn write(runtime_jar: &Path, bundle: &Bundle, target: &Path) -> Result<()> {
    let failed = |error: &dyn std::fmt::Display| {
        Diagnostic::new(Code::Io, format!("can't write the job's jar: {error}"))
            .file(target.display().to_string())
    };
    let source = File::open(runtime_jar).map_err(|error| {
        Diagnostic::new(Code::Io, format!("can't read the job runtime's jar: {error}"))
            .file(runtime_jar.display().to_string())
    })?;
    let mut runtime = ZipArchive::new(source).map_err(|error| failed(&error))?;
    let mut jar = ZipWriter::new(BufWriter::new(File::create(target).map_err(|error| failed(&error))?));
    for index in 0..runtime.len() {
        let entry = runtime.by_index_raw(index).map_err(|error| failed(&error))?;
        jar.raw_copy_file(entry).map_err(|error| failed(&error))?;
    }
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    for (path, bytes) in bundle.layout_files() {
        jar.start_file(format!("flink-wasm/{path}"), options).map_err(|error| failed(&error))?;
        jar.write_all(bytes).map_err(|error| failed(&error))?;
    }
    jar.finish().map_err(|error| failed(&error))?.flush().map_err(|error| failed(&error))
}
