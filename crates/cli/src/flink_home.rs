//! Flink itself: from `FLINK_HOME` when that is set, else assembled once from Maven artifacts into
//! the cache. Nothing else is downloaded.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use flink_wasm_diagnostic::{Code, Diagnostic, Result};

use crate::{home, output};

/// The line that jobs run on when nothing else is said: the newest with an official Kafka connector.
pub const DEFAULT_VERSION: &str = "2.2.0";
/// Chooses another line to assemble.
pub const VERSION_VARIABLE: &str = "FLINK_WASM_FLINK_VERSION";

/// Lists the jars of a Flink home; the list is the project's one, used by its tests too.
const POM: &str = include_str!("../../../flink/flink-home/pom.xml");

/// The class path of a Flink home: its `lib/*`.
pub fn class_path() -> Result<String> {
    Ok(find()?.join("lib").join("*").display().to_string())
}

/// `FLINK_HOME`, or the assembled one.
pub fn find() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("FLINK_HOME") {
        let path = PathBuf::from(path);
        if has_jars(&path) {
            return Ok(path);
        }
        return Err(Diagnostic::new(Code::FlinkMissing, "FLINK_HOME names no Flink distribution")
            .note(format!("{} has no lib/*.jar", path.display()))
            .help("set it to an unpacked distribution, or unset it to have one assembled"));
    }
    let version = std::env::var(VERSION_VARIABLE).unwrap_or_else(|_| DEFAULT_VERSION.to_owned());
    let path = assembled(&version)?;
    if !has_jars(&path) {
        assemble(&version, &path)?;
    }
    Ok(path)
}

/// Where the assembled Flink of a version is, or will be.
pub fn assembled(version: &str) -> Result<PathBuf> {
    let plain = !version.is_empty() && version.chars().all(|c| c.is_ascii_alphanumeric() || ".-".contains(c));
    if !plain {
        return Err(
            Diagnostic::new(Code::Usage, format!("`{version}` is no Flink version")).help("such as 2.2.0")
        );
    }
    Ok(home::cache()?.join(format!("flink-{version}")))
}

fn has_jars(home: &Path) -> bool {
    let jars = std::fs::read_dir(home.join("lib")).into_iter().flatten().flatten();
    jars.filter(|entry| entry.path().extension().is_some_and(|extension| extension == "jar")).count() > 0
}

fn assemble(version: &str, target: &Path) -> Result<()> {
    output::status(
        "Assembling",
        format!("Flink {version} from Maven artifacts into {} (once)", target.display()),
    );
    let parent = target.parent().unwrap_or(Path::new("."));
    let io = |error: std::io::Error| {
        Diagnostic::new(Code::Io, error.to_string()).file(target.display().to_string())
    };
    std::fs::create_dir_all(parent).map_err(io)?;
    // Built aside and moved into place whole: an interruption leaves no half Flink behind.
    let scratch = tempfile::Builder::new().prefix(".flink-").tempdir_in(parent).map_err(io)?;
    std::fs::write(scratch.path().join("pom.xml"), POM).map_err(io)?;
    let mut maven = Command::new("mvn");
    maven.args(["-B", "-f"]).arg(scratch.path().join("pom.xml"));
    maven.arg(format!("-Dflink.version={version}"));
    maven.arg(format!("-DoutputDirectory={}", scratch.path().join("lib").display()));
    maven.arg("dependency:copy-dependencies").stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = maven.spawn().map_err(|error| {
        Diagnostic::new(Code::FlinkMissing, format!("Maven can't be started: {error}"))
            .help("install Maven (`mvn`), or set FLINK_HOME to an unpacked Flink distribution")
    })?;
    let mut said = Vec::new();
    let mut downloads = 0;
    for line in
        BufReader::new(child.stdout.take().expect("stdout is piped")).lines().map_while(std::io::Result::ok)
    {
        if line.starts_with("Downloaded from") && line.contains(".jar ") {
            downloads += 1;
            if downloads % 20 == 0 {
                output::status("Downloaded", format!("{downloads} jars"));
            }
        } else if line.starts_with("[ERROR]") {
            said.push(line);
        }
    }
    let ended = child.wait().map_err(io)?;
    if !ended.success() || !has_jars(scratch.path()) {
        return Err(Diagnostic::new(Code::FlinkMissing, format!("Maven could not assemble Flink {version}"))
            .note(said.iter().take(5).cloned().collect::<Vec<_>>().join("\n"))
            .help(
                "check the version and the connection, or set FLINK_HOME to an unpacked Flink distribution",
            ));
    }
    match std::fs::rename(scratch.path(), target) {
        Ok(()) => {}
        // Another process was faster: its result is as good.
        Err(_) if has_jars(target) => {}
        Err(error) => return Err(io(error)),
    }
    Ok(())
}
