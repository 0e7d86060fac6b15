//! The JSON frames. Unknown properties are ignored, so that a newer peer of the same version may say more.

use flink_wasm_diagnostic::{Diagnostic, Result};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::frame::{FrameType, encode_frame, violation};
use crate::limits::{
    DEFAULT_DEADLINE_MS, DEFAULT_MEMORY_BYTES, DEFAULT_STATE_VALUE_BYTES, MAX_HANDSHAKE_BYTES,
};

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
    /// Takes rows and timers of keys; has state, timers and side outputs.
    Process,
}

/// What a state holds for each key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StateKind {
    /// One value.
    Value,
    /// One value, which the function itself combines with what comes.
    Reducing,
    /// Elements in order.
    List,
    /// Elements by key.
    Map,
}

impl StateKind {
    /// Whether its values travel with the bundle; otherwise the sidecar asks for its elements with STATE_GET.
    pub fn is_value(self) -> bool {
        matches!(self, StateKind::Value | StateKind::Reducing)
    }
}

/// A keyed state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct State {
    /// Its name in Flink's state backend.
    pub name: String,
    /// What it holds.
    pub kind: StateKind,
    /// Its type and encoding; equal texts mean that one reads what the other has written.
    pub schema: String,
    /// Milliseconds that a value lives after it was written; `None` for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl_ms: Option<u64>,
}

/// A side output.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SideOutput {
    /// Its name.
    pub name: String,
    /// SQL types of its fields.
    pub types: Vec<String>,
}

/// What becomes of a row that fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorPolicy {
    /// The job fails.
    #[default]
    Fail,
    /// It is left out.
    Skip,
    /// It is left out, and told of in a relation of its own.
    DeadLetter,
}

/// What to do about rows that fail.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct OnError {
    /// What becomes of them.
    pub policy: ErrorPolicy,
    /// How often a row whose failure may pass is run again first.
    pub retries: u32,
}

impl OnError {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// A token bucket, and its tiers: a permit is taken from all of them or from none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RateLimiter {
    /// What the function asks for.
    pub name: String,
    /// Permits a second.
    pub rate: f64,
    /// Permits that the bucket holds.
    pub burst: u32,
    /// Whether the connections of the job share the bucket.
    pub shared: bool,
    /// Further buckets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tiers: Vec<Tier>,
}

/// One more bucket of a rate limiter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tier {
    /// For people.
    pub name: String,
    /// Permits a second.
    pub rate: f64,
    /// Permits that the bucket holds.
    pub burst: u32,
}

/// What one instance may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Limits {
    /// Linear memory in bytes.
    pub memory_bytes: u64,
    /// Time for one bundle in milliseconds.
    pub deadline_ms: u64,
    /// The encoded value of one state and key, or one element, in bytes.
    #[serde(skip_serializing_if = "is_default_state_value_bytes")]
    pub state_value_bytes: u64,
}

fn is_default_state_value_bytes(bytes: &u64) -> bool {
    *bytes == DEFAULT_STATE_VALUE_BYTES
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory_bytes: DEFAULT_MEMORY_BYTES,
            deadline_ms: DEFAULT_DEADLINE_MS,
            state_value_bytes: DEFAULT_STATE_VALUE_BYTES,
        }
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
    /// SQL types of the key; of a process function, as the rest but `onError` and `rateLimiters`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub key: Vec<String>,
    /// Its states.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub states: Vec<State>,
    /// Its side outputs; output 0 is the main one, these follow.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub side_outputs: Vec<SideOutput>,
    /// What becomes of rows that fail.
    #[serde(default, skip_serializing_if = "OnError::is_default")]
    pub on_error: OnError,
    /// The rate limiters that the function may ask.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rate_limiters: Vec<RateLimiter>,
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
        assert_eq!(open.limits, Limits { deadline_ms: 5, ..Limits::default() });
        assert_eq!(open.kind, FunctionKind::Filter);
        assert!(open.output.is_empty() && open.parameters.is_empty());
        assert!(open.states.is_empty() && open.rate_limiters.is_empty());
        assert_eq!(open.on_error, OnError { policy: ErrorPolicy::Fail, retries: 0 });
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
