//! A crash capsule: one row or timer that failed, and all that its function could see, in one file. `flink-wasm replay` runs it again.
//!
//! It is JSON, and it holds user data: the row, its key, and the key's state. `docs/testing.md` describes the format.

use flink_wasm_diagnostic::{Code, Diagnostic, Result};
use flink_wasm_protocol::handshake::{Limits, RateLimiter, State};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::snapshot::Bytes;

mod replay;
pub use replay::replay;

/// Version of the format.
pub const CAPSULE_VERSION: u32 = 1;

/// Bytes of a capsule: a row and the state of one key fit many times over. What is larger is not written.
pub const MAX_CAPSULE_BYTES: usize = 16 << 20;

/// One failure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Capsule {
    /// [`CAPSULE_VERSION`].
    pub version: u32,
    /// Name of the function in the job.
    pub function: String,
    /// `sha256:` and 64 hex digits of the component.
    pub component: String,
    /// Parameter values by name.
    pub parameters: Map<String, Value>,
    /// What the instance might use.
    #[serde(default)]
    pub limits: Limits,
    /// What the function might ask for permits. Buckets start full in a replay.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rate_limiters: Vec<RateLimiter>,
    /// Milliseconds since the epoch.
    pub processing_time: i64,
    /// Milliseconds since the epoch; absent before the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watermark: Option<i64>,
    /// The key's columns and values.
    pub key: Map<String, Value>,
    /// The row or timer.
    pub item: CapsuleItem,
    /// The key's state before it.
    pub state: Vec<CapsuleState>,
    /// What became of it.
    pub error: Diagnostic,
}

/// What failed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CapsuleItem {
    /// A row.
    Row {
        /// Its columns.
        row: Value,
        /// Its timestamp in milliseconds, if it has one.
        timestamp: Option<i64>,
    },
    /// A timer of event time, in milliseconds.
    EventTimeTimer(i64),
    /// A timer of processing time, in milliseconds.
    ProcessingTimeTimer(i64),
}

/// What one state held for the key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CapsuleState {
    /// Name, kind, schema and time to live.
    #[serde(flatten)]
    pub descriptor: State,
    /// The encoded value of a value or reducing state, in base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Base64>,
    /// What the function was told of a list or map: elements and values in base64.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub elements: Vec<(Base64, Base64)>,
}

/// Bytes that are base64 in JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Base64(Bytes);

impl From<Vec<u8>> for Base64 {
    fn from(bytes: Vec<u8>) -> Self {
        Self(Bytes(bytes))
    }
}

impl Base64 {
    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.0.0
    }
}

impl Capsule {
    /// Reads a capsule. FW0101 when it is malformed or of another version, FW0308 when it is too large.
    pub fn parse(text: &str) -> Result<Self> {
        if text.len() > MAX_CAPSULE_BYTES {
            return Err(too_large(text.len()));
        }
        let malformed = |error: serde_json::Error| {
            Diagnostic::new(Code::MalformedJob, format!("not a crash capsule: {error}"))
                .at(error.line() as u32, error.column() as u32)
        };
        /// Looked at first: a newer format may have other properties.
        #[derive(Deserialize)]
        struct Version {
            version: u32,
        }
        let Version { version } = serde_json::from_str(text).map_err(malformed)?;
        if version != CAPSULE_VERSION {
            return Err(Diagnostic::new(
                Code::MalformedJob,
                format!("the crash capsule has version {version}, this program reads {CAPSULE_VERSION}"),
            )
            .help("replay it with the flink-wasm of the sidecar that wrote it"));
        }
        serde_json::from_str(text).map_err(malformed)
    }

    /// The capsule as a file. FW0308 when it is too large.
    pub fn to_json(&self) -> Result<String> {
        let text = serde_json::to_string_pretty(self).map_err(|error| {
            Diagnostic::new(Code::Internal, format!("can't write a crash capsule: {error}"))
        })?;
        if text.len() > MAX_CAPSULE_BYTES { Err(too_large(text.len())) } else { Ok(text + "\n") }
    }
}

fn too_large(bytes: usize) -> Diagnostic {
    Diagnostic::new(
        Code::TooLarge,
        format!("a crash capsule of {bytes} bytes, the limit is {MAX_CAPSULE_BYTES}"),
    )
}

#[cfg(test)]
mod tests {
    use flink_wasm_protocol::handshake::StateKind;
    use serde_json::json;

    use super::*;

    fn capsule() -> Capsule {
        let object = |value: Value| value.as_object().unwrap().clone();
        let state =
            |name: &str, kind| State { name: name.into(), kind, schema: "v1:i64".into(), ttl_ms: None };
        Capsule {
            version: CAPSULE_VERSION,
            function: "count".into(),
            component: format!("sha256:{}", "0".repeat(64)),
            parameters: object(json!({"limit": 5})),
            limits: Limits::default(),
            rate_limiters: Vec::new(),
            processing_time: 7,
            watermark: None,
            key: object(json!({"user_id": 1})),
            item: CapsuleItem::Row { row: json!({"user_id": 1}), timestamp: Some(5) },
            state: vec![
                CapsuleState {
                    descriptor: state("count", StateKind::Value),
                    value: Some(vec![1, 0].into()),
                    elements: Vec::new(),
                },
                CapsuleState {
                    descriptor: state("seen", StateKind::Map),
                    value: None,
                    elements: vec![(vec![1].into(), vec![2].into())],
                },
            ],
            error: Diagnostic::new(Code::FunctionTrapped, "the function panicked: x")
                .note("wasm backtrace: .."),
        }
    }

    #[test]
    fn capsules_are_read_as_they_were_written() {
        let mut capsule = capsule();
        assert_eq!(Capsule::parse(&capsule.to_json().unwrap()).unwrap(), capsule);
        (capsule.item, capsule.watermark) = (CapsuleItem::EventTimeTimer(9), Some(10));
        assert_eq!(Capsule::parse(&capsule.to_json().unwrap()).unwrap(), capsule);
    }

    #[test]
    fn what_is_no_capsule_is_refused() {
        for (text, message) in [
            ("{", "not a crash capsule: EOF while parsing an object"),
            ("{}", "not a crash capsule: missing field `version`"),
            (r#"{"version": 2, "other": 1}"#, "the crash capsule has version 2, this program reads 1"),
            (r#"{"version": 1}"#, "not a crash capsule: missing field `function`"),
        ] {
            let error = Capsule::parse(text).unwrap_err();
            assert!(error.message.starts_with(message), "{}", error.message);
        }
    }
}
