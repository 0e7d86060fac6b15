//! A snapshot: state and timers of all keys as bytes, for a restore into the same function or a later version of it.
//!
//! The bytes are JSON, with what the function encoded in base64.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use flink_wasm_diagnostic::{Code, Diagnostic, Result};
use flink_wasm_protocol::handshake::State;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::state::{Held, KeyedState, Written};
use crate::timers::Timers;

/// Version of the format.
const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Snapshot {
    version: u32,
    function: String,
    /// SQL types of the key.
    key: Vec<String>,
    states: Vec<State>,
    keys: Vec<(Bytes, Vec<HeldRecord>)>,
    event_time_timers: Vec<(Bytes, i64)>,
    processing_time_timers: Vec<(Bytes, i64)>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum HeldRecord {
    Value(Option<(Bytes, i64)>),
    List(Vec<(Bytes, i64)>),
    Map(Vec<(Bytes, Bytes, i64)>),
}

/// Bytes that are base64 in JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bytes(pub(crate) Vec<u8>);

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.serialize_str(&BASE64.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        BASE64.decode(text.as_bytes()).map(Self).map_err(de::Error::custom)
    }
}

/// What a snapshot holds.
pub(crate) struct Contents {
    /// Shared with the bundle that runs, which may ask for elements.
    pub(crate) state: Arc<KeyedState>,
    pub(crate) event_time: Timers,
    pub(crate) processing_time: Timers,
}

impl Contents {
    /// No state, no timers.
    pub(crate) fn empty(states: &[State]) -> Self {
        Self {
            state: Arc::new(KeyedState::new(states.to_vec())),
            event_time: Timers::default(),
            processing_time: Timers::default(),
        }
    }
}

pub(crate) fn write(function: &str, key: &[String], contents: &Contents) -> Result<Vec<u8>> {
    let record = |written: &Written| (Bytes(written.bytes.clone()), written.at_ms);
    let held = |held: &Held| match held {
        Held::Value(value) => HeldRecord::Value(value.as_ref().map(record)),
        Held::List(elements) => HeldRecord::List(elements.iter().map(record).collect()),
        Held::Map(entries) => HeldRecord::Map(
            entries.iter().map(|(key, w)| (Bytes(key.clone()), Bytes(w.bytes.clone()), w.at_ms)).collect(),
        ),
    };
    let timers = |timers: &Timers| timers.all().map(|(key, at)| (Bytes(key.clone()), at)).collect();
    let snapshot = Snapshot {
        version: VERSION,
        function: function.to_owned(),
        key: key.to_vec(),
        states: contents.state.descriptors.clone(),
        keys: contents
            .state
            .keys
            .iter()
            .map(|(key, states)| (Bytes(key.clone()), states.iter().map(held).collect()))
            .collect(),
        event_time_timers: timers(&contents.event_time),
        processing_time_timers: timers(&contents.processing_time),
    };
    serde_json::to_vec(&snapshot)
        .map_err(|error| Diagnostic::new(Code::Internal, format!("can't write a snapshot: {error}")))
}

/// Reads a snapshot for a function with these states. FW0606 when a state or the key has another type there; a state that only one of
/// the two has is dropped, or empty, as in Flink.
pub(crate) fn read(bytes: &[u8], key: &[String], states: &[State]) -> Result<Contents> {
    let malformed = |why: String| {
        Diagnostic::new(Code::MalformedJob, format!("the snapshot is malformed: {why}"))
            .help("give the bytes that `snapshot` returned")
    };
    let snapshot: Snapshot = serde_json::from_slice(bytes).map_err(|error| malformed(error.to_string()))?;
    if snapshot.version != VERSION {
        return Err(malformed(format!("it has version {}, this is {VERSION}", snapshot.version)));
    }
    if snapshot.key != key {
        return Err(incompatible(
            format!("the key of the snapshot is ({})", snapshot.key.join(", ")),
            format!("that of `{}` is ({})", snapshot.function, key.join(", ")),
        ));
    }
    let mut sources = Vec::new();
    for state in states {
        let source = snapshot.states.iter().position(|old| old.name == state.name);
        if let Some(old) = source.map(|index| &snapshot.states[index])
            && (old.kind, &old.schema) != (state.kind, &state.schema)
        {
            return Err(incompatible(
                format!("state `{}` of the snapshot is {:?} `{}`", old.name, old.kind, old.schema),
                format!("the function has {:?} `{}`", state.kind, state.schema),
            ));
        }
        sources.push(source);
    }
    let mut state = KeyedState::new(states.to_vec());
    for (key, held) in snapshot.keys {
        if held.len() != snapshot.states.len() {
            return Err(malformed("a key has more or fewer states than the function".into()));
        }
        let mut restored = Vec::new();
        for (source, descriptor) in sources.iter().zip(states) {
            let empty = Held::empty(descriptor.kind);
            restored.push(match source.map(|index| from_record(&held[index])) {
                None => empty,
                Some(held) if std::mem::discriminant(&held) == std::mem::discriminant(&empty) => held,
                Some(_) => return Err(malformed(format!("state `{}` is of another kind", descriptor.name))),
            });
        }
        if restored.iter().any(|held| !held.is_empty()) {
            state.keys.insert(key.0, restored);
        }
    }
    let timers = |records: Vec<(Bytes, i64)>| {
        let mut timers = Timers::default();
        for (key, timestamp) in records {
            timers.register(&key.0, timestamp);
        }
        timers
    };
    Ok(Contents {
        state: Arc::new(state),
        event_time: timers(snapshot.event_time_timers),
        processing_time: timers(snapshot.processing_time_timers),
    })
}

fn from_record(record: &HeldRecord) -> Held {
    let written = |bytes: &Bytes, at_ms: i64| Written { bytes: bytes.0.clone(), at_ms };
    match record {
        HeldRecord::Value(value) => Held::Value(value.as_ref().map(|(bytes, at)| written(bytes, *at))),
        HeldRecord::List(elements) => {
            Held::List(elements.iter().map(|(bytes, at)| written(bytes, *at)).collect())
        }
        HeldRecord::Map(entries) => {
            let entry = |(key, bytes, at): &(Bytes, Bytes, i64)| (key.0.clone(), written(bytes, *at));
            Held::Map(entries.iter().map(entry).collect::<BTreeMap<_, _>>())
        }
    }
}

fn incompatible(old: String, new: String) -> Diagnostic {
    Diagnostic::new(Code::StateIncompatible, format!("{old}, {new}"))
        .help("give the new state another name, or keep its type")
}

#[cfg(test)]
mod tests {
    use flink_wasm_protocol::handshake::StateKind;

    use super::*;
    use crate::state::ElementChange;

    fn descriptor(name: &str, kind: StateKind, schema: &str) -> State {
        State { name: name.into(), kind, schema: schema.into(), ttl_ms: Some(60_000) }
    }

    fn contents() -> (Vec<State>, Contents) {
        let states = vec![
            descriptor("sum", StateKind::Reducing, "v1:i64"),
            descriptor("all", StateKind::List, "v1:list<i64>"),
            descriptor("by", StateKind::Map, "v1:map<string,i64>"),
        ];
        let mut state = KeyedState::new(states.clone());
        state.put_value(b"k", 0, Some(b"1"), 5);
        state.change(b"k", 1, ElementChange::Put { element: b"", value: b"2" }, 6);
        state.change(b"l", 2, ElementChange::Put { element: b"e", value: b"3" }, 7);
        let (mut event_time, mut processing_time) = (Timers::default(), Timers::default());
        event_time.register(b"k", 10);
        event_time.register(b"l", -10);
        processing_time.register(b"l", 11);
        (states, Contents { state: Arc::new(state), event_time, processing_time })
    }

    #[test]
    fn a_snapshot_is_read_as_it_was_written() {
        let (states, contents) = contents();
        let key = ["BIGINT NOT NULL".to_owned()];
        let bytes = write("f", &key, &contents).unwrap();
        let read = read(&bytes, &key, &states).unwrap();
        assert_eq!(read.state.keys, contents.state.keys);
        assert_eq!(write("f", &key, &read).unwrap(), bytes);
    }

    #[test]
    fn a_later_function_may_add_and_drop_states_and_not_change_them() {
        let (mut states, contents) = contents();
        let key = ["BIGINT NOT NULL".to_owned()];
        let bytes = write("f", &key, &contents).unwrap();
        states.remove(2);
        states.insert(0, descriptor("new", StateKind::Value, "v1:bool"));
        let read_back = read(&bytes, &key, &states).unwrap();
        assert_eq!(read_back.state.value(b"k", 1, 5), Some(&b"1"[..]));
        assert_eq!(read_back.state.keys.len(), 1, "key `l` had only what was dropped");

        states[1].schema = "v1:f64".into();
        let error = read(&bytes, &key, &states).err().unwrap();
        assert_eq!(error.code, Code::StateIncompatible);
        assert_eq!(
            error.message,
            "state `sum` of the snapshot is Reducing `v1:i64`, the function has Reducing `v1:f64`"
        );
        assert_eq!(read(&bytes, &["INT".to_owned()], &[]).err().unwrap().code, Code::StateIncompatible);
        assert_eq!(read(b"{}", &key, &[]).err().unwrap().code, Code::MalformedJob);
    }
}
