//! The JSON frames. Unknown properties are ignored, so that a newer peer of the same version may say more.

use flink_wasm_diagnostic::{Diagnostic, Result};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::frame::{FrameType, encode_frame, violation};
use crate::limits::{DEFAULT_DEADLINE_MS, DEFAULT_MEMORY_BYTES, MAX_HANDSHAKE_BYTES};

/// The versions that a peer speaks, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionRange {
    /// The lowest.
    pub min: u32,
    /// The highest.
    pub max: u32,
}

/// HELLO.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Hello {
    /// Versions of the protocol.
    pub protocol: VersionRange,
    /// Name and version of the client, for logs.
    pub client: String,
    /// Name of the job.
    #[serde(default)]
    pub job_name: String,
    /// Flink's id of the job.
    #[serde(default)]
    pub job_id: String,
    /// Name of the operator.
    #[serde(default)]
    pub operator: String,
    /// Index of the subtask.
    #[serde(default)]
    pub subtask: u32,
    /// Attempt of the subtask.
    #[serde(default)]
    pub attempt: u32,
    /// Digest of the job's bundle.
    #[serde(default)]
    pub bundle_digest: String,
}

/// WELCOME.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Welcome {
    /// The version that both use from here on.
    pub protocol: u32,
    /// Version of the sidecar.
    pub sidecar: String,
    /// The longest payload that the sidecar takes.
    pub max_frame_bytes: u32,
}

/// What a function does with rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FunctionKind {
    /// One row out for each row in.
    Map,
    /// Keeps or drops each row.
    Filter,
}

/// What one instance may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Limits {
    /// Linear memory in bytes.
    pub memory_bytes: u64,
    /// Time for one bundle in milliseconds.
    pub deadline_ms: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { memory_bytes: DEFAULT_MEMORY_BYTES, deadline_ms: DEFAULT_DEADLINE_MS }
    }
}

/// OPEN.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Open {
    /// Name of the function in the job.
    pub function: String,
    /// `sha256:` and 64 hex digits.
    pub component: String,
    /// What the function does.
    pub kind: FunctionKind,
    /// Parameter values by name.
    #[serde(default)]
    pub parameters: serde_json::Map<String, serde_json::Value>,
    /// SQL types of the input fields.
    pub input: Vec<String>,
    /// SQL types of the output fields; empty for a filter.
    #[serde(default)]
    pub output: Vec<String>,
    /// What the instance may use.
    #[serde(default)]
    pub limits: Limits,
}

/// NEED_COMPONENT.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NeedComponent {
    /// `sha256:` and 64 hex digits.
    pub component: String,
}

/// OPENED.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Opened {
    /// Name of the function in the job.
    pub function: String,
    /// Whether compiled code was at hand.
    pub cached: bool,
    /// From OPEN (or COMPONENT) to here.
    pub ready_micros: u64,
}

/// ERROR: a diagnostic, and what it is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorFrame {
    /// What went wrong.
    #[serde(flatten)]
    pub diagnostic: Diagnostic,
    /// Name of the function in the job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub function: Option<String>,
    /// Digest of the component.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub component: Option<String>,
    /// Index in the bundle of the row at fault.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub row: Option<u32>,
}

/// A JSON frame as bytes.
pub fn encode_json(kind: FrameType, id: u64, message: &impl Serialize) -> Result<Vec<u8>> {
    let payload = serde_json::to_vec(message)
        .map_err(|error| violation(format!("can't write a {kind:?} frame: {error}")))?;
    if payload.len() > MAX_HANDSHAKE_BYTES {
        return Err(violation(format!(
            "a {kind:?} frame of {} bytes is above the limit of {MAX_HANDSHAKE_BYTES}",
            payload.len()
        )));
    }
    Ok(encode_frame(kind, id, &payload))
}

/// Reads the payload of a JSON frame; FW0503 when it does not fit.
pub fn decode_json<T: DeserializeOwned>(kind: FrameType, payload: &[u8]) -> Result<T> {
    if payload.len() > MAX_HANDSHAKE_BYTES {
        return Err(violation(format!("a {kind:?} frame is above the limit of {MAX_HANDSHAKE_BYTES} bytes")));
    }
    serde_json::from_slice(payload)
        .map_err(|error| violation(format!("a {kind:?} frame is malformed: {error}")))
}

/// The hex digits of a digest `sha256:<64 hex>`, lower case; FW0503 for anything else.
pub fn parse_digest(digest: &str) -> Result<&str> {
    digest
        .strip_prefix("sha256:")
        .filter(|hex| hex.len() == 64 && hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')))
        .ok_or_else(|| violation(format!("`{}` is not a sha256 digest", digest.escape_debug())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use flink_wasm_diagnostic::Code;

    #[test]
    fn unknown_properties_are_ignored_and_defaults_filled() {
        let open: Open = decode_json(
            FrameType::Open,
            br#"{"function":"f","component":"sha256:00","kind":"filter","input":["INT"],"future":1,"limits":{"deadlineMs":5}}"#,
        )
        .unwrap();
        assert_eq!(open.limits, Limits { memory_bytes: DEFAULT_MEMORY_BYTES, deadline_ms: 5 });
        assert_eq!(open.kind, FunctionKind::Filter);
        assert!(open.output.is_empty() && open.parameters.is_empty());
    }

    #[test]
    fn error_frames_are_flat() {
        let frame = ErrorFrame {
            diagnostic: Diagnostic::new(Code::FunctionTrapped, "it trapped"),
            function: Some("tax".into()),
            component: None,
            row: Some(17),
        };
        let text = serde_json::to_string(&frame).unwrap();
        assert!(text.starts_with(r#"{"code":"FW0504","message":"it trapped""#), "{text}");
        assert!(text.ends_with(r#""function":"tax","row":17}"#), "{text}");
        assert_eq!(serde_json::from_str::<ErrorFrame>(&text).unwrap(), frame);
    }

    #[test]
    fn digests() {
        let hex = "0123456789abcdef".repeat(4);
        assert_eq!(parse_digest(&format!("sha256:{hex}")).unwrap(), hex);
        for bad in [
            String::new(),
            hex.clone(),
            "sha256:".into(),
            format!("sha256:{hex}0"),
            format!("sha256:{}", hex.to_uppercase()),
        ] {
            assert_eq!(parse_digest(&bad).unwrap_err().code, Code::ProtocolViolation, "{bad}");
        }
    }
}
