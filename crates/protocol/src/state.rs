//! STATE_GET and STATE: list and map state, asked for while a bundle runs.

use flink_wasm_diagnostic::Result;

use crate::batch::{BatchView, Reader, put_u32, u32_at};
use crate::frame::violation;
use crate::limits::MAX_STATE_VALUE_BYTES;
use crate::schema::Schema;

const HEADER_BYTES: usize = 16;

/// What a function asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StateQuestion<'a> {
    /// The value under a key of a map.
    Get(&'a [u8]),
    /// All of a list or map.
    Scan,
}

/// A decoded STATE_GET.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StateGet<'a> {
    /// Index of the state in OPEN's `states`.
    pub state: u32,
    /// Index of the key in the bundle.
    pub key: u32,
    /// What of it.
    pub question: StateQuestion<'a>,
}

impl<'a> StateGet<'a> {
    /// Reads the payload of a STATE_GET; FW0503 when the bytes break the protocol.
    pub fn parse(payload: &'a [u8]) -> Result<Self> {
        let mut reader = Reader { bytes: payload, at: 0 };
        let header = reader.take(HEADER_BYTES, || "the header of STATE_GET".into())?;
        let [state, key, kind, element_bytes] = [0, 1, 2, 3].map(|index| u32_at(header, index));
        let element = reader.take(element_bytes as usize, || "the element of STATE_GET".into())?;
        if reader.at != payload.len() || element.len() as u64 > MAX_STATE_VALUE_BYTES {
            return Err(violation(format!(
                "STATE_GET has {} bytes, its element {element_bytes}",
                payload.len()
            )));
        }
        let question = match kind {
            0 => StateQuestion::Get(element),
            1 if element.is_empty() => StateQuestion::Scan,
            _ => {
                return Err(violation(format!(
                    "STATE_GET of kind {kind} with an element of {element_bytes} bytes"
                )));
            }
        };
        Ok(Self { state, key, question })
    }

    /// The payload of a STATE_GET. An element is at most as long as a state value may be.
    pub fn encode(&self) -> Vec<u8> {
        let (kind, element): (usize, &[u8]) = match self.question {
            StateQuestion::Get(element) => (0, element),
            StateQuestion::Scan => (1, &[]),
        };
        let mut payload = Vec::with_capacity(HEADER_BYTES + element.len());
        for number in [self.state as usize, self.key as usize, kind, element.len()] {
            put_u32(&mut payload, number);
        }
        payload.extend_from_slice(element);
        payload
    }
}

/// Reads the payload of a STATE: elements and values in two columns of `schema`, which is `bytes_schema(2)`. A get is answered by one
/// row, or by none when there is no such element. FW0503 when the bytes break the protocol.
pub fn parse_state<'a>(
    schema: &Schema,
    question: StateQuestion<'_>,
    payload: &'a [u8],
) -> Result<BatchView<'a>> {
    let batch = BatchView::parse(schema, payload)?;
    match question {
        StateQuestion::Get(_) if batch.row_count() > 1 => {
            Err(violation(format!("STATE has {} rows for one element", batch.row_count())))
        }
        _ => Ok(batch),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_round_trip() {
        for question in [StateQuestion::Get(b""), StateQuestion::Get(b"key"), StateQuestion::Scan] {
            let get = StateGet { state: 3, key: 7, question };
            assert_eq!(StateGet::parse(&get.encode()).unwrap(), get);
        }
    }

    #[test]
    fn wrong_questions_are_refused() {
        let good = StateGet { state: 3, key: 7, question: StateQuestion::Get(b"key") }.encode();
        for (at, byte, reason) in [
            (8, 1, "STATE_GET of kind 1 with an element of 3 bytes"),
            (8, 2, "STATE_GET of kind 2 with an element of 3 bytes"),
            (12, 4, "the element of STATE_GET needs 4 bytes, 3 are left"),
            (12, 2, "STATE_GET has 19 bytes, its element 2"),
        ] {
            let mut bytes = good.clone();
            bytes[at] = byte;
            assert_eq!(StateGet::parse(&bytes).unwrap_err().message, reason);
        }
    }
}
