//! Crash capsules: what an item at fault could see, in a file for `flink-wasm replay`.
//!
//! They hold rows and state, so they are written only into a directory that the sidecar was given for it, readable by its user alone. A
//! capsule that can't be written is a line in the log: the failure itself goes its way.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use flink_wasm_diagnostic::{Code, Diagnostic, Result};
use flink_wasm_engine::{Crash, CrashedItem, Held, LoadedFunction};
use flink_wasm_harness::capsule::{CAPSULE_VERSION, Capsule, CapsuleItem, CapsuleState};
use flink_wasm_protocol::handshake::Open;
use flink_wasm_protocol::json::cells_to_row;
use serde_json::{Map, Value};

use crate::limits::MAX_CAPSULES;

/// What the files' names end with.
const SUFFIX: &str = ".capsule.json";

/// A directory of capsules.
pub(crate) struct Capsules {
    folder: PathBuf,
    /// One is written at a time, so that they can be counted.
    writing: Mutex<()>,
}

impl Capsules {
    /// Makes the directory, for this user alone, unless it is there.
    pub(crate) fn new(folder: PathBuf) -> Result<Self> {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&folder);
        made.map_err(|error| {
            Diagnostic::new(Code::Io, format!("crash capsules can't be kept: {error}"))
                .file(folder.display().to_string())
                .help("name another directory with --capsule-dir")
        })?;
        Ok(Self { folder, writing: Mutex::new(()) })
    }

    /// Writes a capsule, if there is room for one more.
    pub(crate) fn write(&self, open: &Open, function: &LoadedFunction, crash: Crash) {
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        match self.try_write(open, function, crash) {
            Ok(Some(path)) => {
                tracing::warn!(function = open.function, capsule = %path.display(), "a crash capsule is written");
            }
            Ok(None) => tracing::warn!(
                function = open.function,
                "no crash capsule is written: there are {MAX_CAPSULES} already"
            ),
            Err(error) => {
                tracing::warn!(
                    code = error.code.as_str(),
                    function = open.function,
                    "a crash capsule can't be written: {}",
                    error.message
                );
            }
        }
    }

    fn try_write(&self, open: &Open, function: &LoadedFunction, crash: Crash) -> Result<Option<PathBuf>> {
        let failed = |error: std::io::Error| Diagnostic::new(Code::Io, error.to_string());
        let is_capsule = |path: &Path| path.to_string_lossy().ends_with(SUFFIX);
        let files = fs::read_dir(&self.folder).map_err(failed)?;
        if files.flatten().filter(|file| is_capsule(&file.path())).count() >= MAX_CAPSULES {
            return Ok(None);
        }
        let text = capsule(open, function, crash)?.to_json()?;
        let millis = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_millis());
        // A job's name for a function is any text.
        let name: String =
            open.function.chars().filter(|c| c.is_ascii_alphanumeric() || "-_".contains(*c)).collect();
        let path = self.folder.join(format!("{name:.64}-{millis}{SUFFIX}"));
        // Whoever looks into the directory sees whole files.
        let partial = path.with_extension("partial");
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&partial);
        let written = file
            .and_then(|mut file| file.write_all(text.as_bytes()))
            .and_then(|()| fs::rename(&partial, &path));
        if written.is_err() {
            let _ = fs::remove_file(&partial);
        }
        written.map_err(failed)?;
        Ok(Some(path))
    }
}

fn capsule(open: &Open, function: &LoadedFunction, crash: Crash) -> Result<Capsule> {
    let description = function.description();
    let object = |row: Value| match row {
        Value::Object(cells) => cells,
        _ => Map::new(),
    };
    let known = |timestamp_ms: i64| (timestamp_ms != i64::MIN).then_some(timestamp_ms);
    let state = |(descriptor, held): (_, Held)| {
        let (value, elements) = match held {
            Held::Value(value) => (value, Vec::new()),
            Held::Elements(elements) => (None, elements),
        };
        CapsuleState {
            descriptor,
            value: value.map(Into::into),
            elements: elements.into_iter().map(|(element, value)| (element.into(), value.into())).collect(),
        }
    };
    Ok(Capsule {
        version: CAPSULE_VERSION,
        function: open.function.clone(),
        component: open.component.clone(),
        parameters: open.parameters.clone(),
        limits: open.limits,
        rate_limiters: open.rate_limiters.clone(),
        processing_time: crash.processing_time_ms,
        watermark: known(crash.watermark_ms),
        key: object(cells_to_row(&description.key_fields()?, &crash.key)),
        item: match crash.item {
            CrashedItem::Row(cells) => CapsuleItem::Row {
                row: cells_to_row(&description.input_fields()?, &cells),
                timestamp: known(crash.timestamp_ms),
            },
            CrashedItem::EventTimeTimer => CapsuleItem::EventTimeTimer(crash.timestamp_ms),
            CrashedItem::ProcessingTimeTimer => CapsuleItem::ProcessingTimeTimer(crash.timestamp_ms),
        },
        state: description.states.iter().cloned().zip(crash.states).map(state).collect(),
        error: crash.diagnostic,
    })
}
