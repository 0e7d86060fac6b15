//! The header in front of every frame.

use flink_wasm_diagnostic::{Code, Diagnostic, Result};

use crate::limits::{MAX_COMPONENT_BYTES, MAX_FRAME_BYTES, MAX_HANDSHAKE_BYTES, MAX_STATE_GET_BYTES};

/// Bytes of a header.
pub const HEADER_BYTES: usize = 16;

/// The version of the protocol that this crate speaks.
pub const PROTOCOL_VERSION: u32 = 1;

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum FrameType {
    /// Operator: versions and who it is.
    Hello = 1,
    /// Sidecar: the version chosen.
    Welcome = 2,
    /// Operator: the function to run.
    Open = 3,
    /// Sidecar: the component's bytes are missing.
    NeedComponent = 4,
    /// Operator: the component's bytes.
    Component = 5,
    /// Sidecar: ready for bundles.
    Opened = 6,
    /// Operator: rows.
    Bundle = 7,
    /// Sidecar: what the function made of them.
    Reply = 8,
    /// Sidecar: the connection ends with this diagnostic.
    Error = 9,
    /// Sidecar: list or map state that a running bundle asks for.
    StateGet = 10,
    /// Operator: that state.
    State = 11,
    /// Sidecar: a bundle takes long because its items are run again; nothing else.
    Heartbeat = 12,
}

impl FrameType {
    /// The type with this number.
    pub fn from_u8(number: u8) -> Option<Self> {
        use FrameType::*;
        let all = [
            Hello,
            Welcome,
            Open,
            NeedComponent,
            Component,
            Opened,
            Bundle,
            Reply,
            Error,
            StateGet,
            State,
            Heartbeat,
        ];
        all.into_iter().find(|kind| *kind as u8 == number)
    }

    /// Whether the frame always belongs to a bundle; an ERROR may.
    fn is_of_bundle(self) -> bool {
        use FrameType::*;
        matches!(self, Bundle | Reply | StateGet | State | Heartbeat)
    }

    /// The most bytes that a payload of this type may have.
    pub fn max_payload_bytes(self) -> usize {
        match self {
            FrameType::Bundle | FrameType::Reply | FrameType::State => MAX_FRAME_BYTES,
            FrameType::StateGet => MAX_STATE_GET_BYTES,
            FrameType::Component => MAX_COMPONENT_BYTES,
            FrameType::Heartbeat => 0,
            _ => MAX_HANDSHAKE_BYTES,
        }
    }
}

/// A decoded header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHeader {
    /// What the frame is.
    pub kind: FrameType,
    /// The bundle's id, counted from 1; 0 outside bundles.
    pub id: u64,
    /// Bytes that follow the header.
    pub payload_bytes: u32,
}

impl FrameHeader {
    /// The header as bytes.
    pub fn encode(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[..4].copy_from_slice(&self.payload_bytes.to_le_bytes());
        bytes[4] = self.kind as u8;
        bytes[8..].copy_from_slice(&self.id.to_le_bytes());
        bytes
    }

    /// Reads a header; FW0503 when a field breaks the protocol.
    pub fn decode(bytes: &[u8; HEADER_BYTES]) -> Result<Self> {
        let payload_bytes = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        let id = u64::from_le_bytes([
            bytes[8], bytes[9], bytes[10], bytes[11], bytes[12], bytes[13], bytes[14], bytes[15],
        ]);
        let kind = FrameType::from_u8(bytes[4])
            .ok_or_else(|| violation(format!("unknown frame type {}", bytes[4])))?;
        if bytes[5] != 0 || bytes[6] != 0 || bytes[7] != 0 {
            return Err(violation(format!("flags or reserved bytes of a {kind:?} frame are not 0")));
        }
        let is_bundle = kind.is_of_bundle();
        if is_bundle && id == 0 || !is_bundle && kind != FrameType::Error && id != 0 {
            return Err(violation(format!("a {kind:?} frame has the id {id}")));
        }
        let limit = kind.max_payload_bytes();
        if payload_bytes as usize > limit {
            return Err(violation(format!(
                "a {kind:?} frame announces {payload_bytes} bytes, the limit is {limit}"
            )));
        }
        Ok(Self { kind, id, payload_bytes })
    }
}

/// A whole frame. `payload` must be within the limit of its type.
pub fn encode_frame(kind: FrameType, id: u64, payload: &[u8]) -> Vec<u8> {
    debug_assert!(payload.len() <= kind.max_payload_bytes());
    let mut frame = Vec::with_capacity(HEADER_BYTES + payload.len());
    frame.extend_from_slice(&FrameHeader { kind, id, payload_bytes: payload.len() as u32 }.encode());
    frame.extend_from_slice(payload);
    frame
}

pub(crate) fn violation(message: impl Into<String>) -> Diagnostic {
    Diagnostic::new(Code::ProtocolViolation, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_round_trip() {
        for number in 1..=12 {
            let kind = FrameType::from_u8(number).unwrap();
            let id = u64::from(kind.is_of_bundle());
            let header = FrameHeader { kind, id, payload_bytes: kind.max_payload_bytes().min(77) as u32 };
            assert_eq!(FrameHeader::decode(&header.encode()).unwrap(), header);
        }
    }

    #[test]
    fn wrong_headers_are_refused() {
        let good = FrameHeader { kind: FrameType::Bundle, id: 1, payload_bytes: 8 }.encode();
        for (at, byte, reason) in [
            (4, 0, "unknown frame type 0"),
            (4, 13, "unknown frame type 13"),
            (4, 12, "a Heartbeat frame announces 8 bytes, the limit is 0"),
            (5, 1, "flags or reserved bytes of a Bundle frame are not 0"),
            (7, 1, "flags or reserved bytes of a Bundle frame are not 0"),
            (8, 0, "a Bundle frame has the id 0"),
            (4, 1, "a Hello frame has the id 1"),
            (3, 255, "a Bundle frame announces 4278190088 bytes, the limit is 67108864"),
        ] {
            let mut bytes = good;
            bytes[at] = byte;
            let error = FrameHeader::decode(&bytes).unwrap_err();
            assert_eq!((error.code, error.message.as_str()), (Code::ProtocolViolation, reason));
        }
    }
}
