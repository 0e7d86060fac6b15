//! Whether the process functions of a bundle can go on with the state of a running job or of a savepoint.

use std::collections::BTreeMap;

use flink_wasm_diagnostic::{Code, Diagnostic, nearest};
use flink_wasm_ir::State;
use serde::{Deserialize, Serialize};

use crate::plan::{Plan, Step};

/// Keyed state of one operator, as a running job (`flink-wasm.state`) and a savepoint tell it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperatorState {
    /// The function's name in its job.
    pub function: String,
    /// SQL types of the key; empty when they are not known.
    #[serde(default)]
    pub key: Vec<String>,
    /// The function's states.
    #[serde(default)]
    pub states: Vec<State>,
}

/// The operators with state by uid; those of a savepoint that the bundle does not have by operator id.
pub type OperatorStates = BTreeMap<String, OperatorState>;

impl Plan {
    /// The process functions of the plan by the uids of their operators.
    pub fn operator_states(&self) -> OperatorStates {
        self.steps.iter().filter_map(|step| self.operator_state(step)).collect()
    }

    fn operator_state(&self, step: &Step) -> Option<(String, OperatorState)> {
        let Step::Wasm { uid, input, function, key, .. } = step else { return None };
        let planned = self.functions.get(function).filter(|_| !key.is_empty())?;
        // The runtime casts the key's columns to the types that the function declares.
        let types = if planned.key.is_empty() {
            let columns = self.relations.get(input).map(Vec::as_slice).unwrap_or_default();
            let column = |name: &String| columns.iter().find(|column| column.name == *name);
            key.iter().map(|name| column(name).map(|column| column.sql_type.clone())).collect()
        } else {
            Some(planned.key.iter().map(|field| field.sql_type.clone()).collect::<Vec<_>>())
        };
        let states = planned.states.clone();
        Some((
            uid.clone(),
            OperatorState { function: function.clone(), key: types.unwrap_or_default(), states },
        ))
    }
}

/// What stands in the way of a bundle that is to go on with older state, and what its user should know.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Compatibility {
    /// FW0606, each of them a state or function.
    pub problems: Vec<Diagnostic>,
    /// What is given up or begins empty.
    pub notes: Vec<String>,
}

/// Compares the state that there is with what a bundle needs.
///
/// A state of another kind or type, a key of other types and a function that is missing are problems, a missing function is
/// none when `allow_non_restored_state` is set. A state that is new begins empty, one that is missing is given up.
pub fn compatibility(
    old: &OperatorStates,
    new: &OperatorStates,
    allow_non_restored_state: bool,
) -> Compatibility {
    let mut found = Compatibility::default();
    for (uid, old) in old {
        match new.get(uid) {
            Some(new) => compare(uid, old, new, &mut found),
            None if allow_non_restored_state => found.notes.push(format!(
                "the state of function `{}` ({}) is given up: nothing in the bundle goes on with it",
                old.function,
                label(uid)
            )),
            None => found.problems.push(missing(uid, old, new)),
        }
    }
    let added = new.iter().filter(|(uid, _)| !old.contains_key(*uid));
    found.notes.extend(added.map(|(uid, new)| {
        format!("function `{}` (uid `{uid}`) is new and begins without state", new.function)
    }));
    found
}

fn compare(uid: &str, old: &OperatorState, new: &OperatorState, found: &mut Compatibility) {
    let function = &new.function;
    let types =
        |key: &[String]| key.iter().map(|text| without_null(text).to_owned()).collect::<Vec<_>>().join(", ");
    let (was, is) = (types(&old.key), types(&new.key));
    if !was.is_empty() && !is.is_empty() && was != is {
        found.problems.push(
            Diagnostic::new(
                Code::StateIncompatible,
                format!("the key of function `{function}` has changed its type"),
            )
            .note(format!("operator with the uid `{uid}`"))
            .note(format!("there is: {was}"))
            .note(format!("the bundle has: {is}"))
            .help(
                "cast the `groupBy` column back, or give the operation another `uid` to begin without state",
            ),
        );
    }
    for state in &old.states {
        match new.states.iter().find(|candidate| candidate.name == state.name) {
            Some(candidate) => found.problems.extend(changed(uid, function, state, candidate)),
            None => found.notes.push(format!(
                "state `{}` ({}) of function `{function}` is given up: the bundle's function does not have it",
                state.name,
                described(state)
            )),
        }
    }
    for state in new.states.iter().filter(|state| old.states.iter().all(|known| known.name != state.name)) {
        let (name, what) = (&state.name, described(state));
        found.notes.push(format!("state `{name}` ({what}) of function `{function}` is new and begins empty"));
    }
}

fn changed(uid: &str, function: &str, old: &State, new: &State) -> Option<Diagnostic> {
    // Flink stores a timestamp with each value of a state with TTL: it can be changed, not added or taken away.
    let same =
        old.kind == new.kind && old.schema == new.schema && old.ttl_ms.is_some() == new.ttl_ms.is_some();
    if same {
        return None;
    }
    let name = &old.name;
    let what = match () {
        () if old.kind != new.kind => "kind",
        () if old.schema != new.schema => "type",
        () => "TTL: it can be changed, but not added or taken away",
    };
    Some(
        Diagnostic::new(
            Code::StateIncompatible,
            format!("state `{name}` of function `{function}` has changed its {what}"),
        )
        .note(format!("operator with the uid `{uid}`"))
        .note(format!("there is: {}", described(old)))
        .note(format!("the bundle has: {}", described(new)))
        .help(format!("keep the old type under the name `{name}`, and put the new one under another name")),
    )
}

fn missing(uid: &str, old: &OperatorState, new: &OperatorStates) -> Diagnostic {
    let has = match old.states.as_slice() {
        [] => "it has no state but its timers".to_owned(),
        states => {
            let states = states.iter().map(|state| format!("{} ({})", state.name, described(state)));
            format!("its state: {}", states.collect::<Vec<_>>().join(", "))
        }
    };
    let problem = Diagnostic::new(
        Code::StateIncompatible,
        format!(
            "the bundle has nothing that goes on with the state of function `{}` ({})",
            old.function,
            label(uid)
        ),
    )
    .note(has);
    let same = new.iter().find(|(_, new)| new.function == old.function).map(|(uid, _)| uid.as_str());
    let uids: Vec<&str> = new.keys().map(String::as_str).collect();
    match same.or_else(|| nearest(uid, uids.iter().copied())) {
        Some(near) => {
            let back = if is_operator_id(uid) {
                "its old `uid` back".to_owned()
            } else {
                format!("the `uid` `{uid}`")
            };
            problem.help(format!(
                "give the operation with the uid `{near}` {back}, or give the state up with `--allow-non-restored-state`"
            ))
        }
        None => problem.help("give it up with `--allow-non-restored-state`"),
    }
}

/// A savepoint does not tell the uid of an operator that the bundle does not have.
fn label(uid: &str) -> String {
    if is_operator_id(uid) { format!("operator {uid}") } else { format!("uid `{uid}`") }
}

fn is_operator_id(uid: &str) -> bool {
    uid.len() == 32 && uid.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn described(state: &State) -> String {
    let ttl = if state.ttl_ms.is_some() { " with TTL" } else { "" };
    format!("{} {}{ttl}", state.kind.as_str(), state.schema)
}

fn without_null(sql_type: &str) -> &str {
    sql_type.strip_suffix(" NOT NULL").unwrap_or(sql_type)
}

#[cfg(test)]
mod tests {
    use flink_wasm_ir::StateKind;

    use super::*;

    /// `uid function(key): name=kind schema [ttl]; ..`
    fn states(lines: &[&str]) -> OperatorStates {
        let operator = |line: &&str| {
            let (head, tail) = line.split_once(':').expect(line);
            let (uid, function) = head.split_once(' ').expect(line);
            let (function, key) = function.trim_end_matches(')').split_once('(').expect(line);
            let key = key.split(',').filter(|text| !text.is_empty()).map(str::to_owned).collect();
            let states = tail.split(';').map(str::trim).filter(|text| !text.is_empty()).map(state).collect();
            (uid.to_owned(), OperatorState { function: function.to_owned(), key, states })
        };
        lines.iter().map(operator).collect()
    }

    fn state(text: &str) -> State {
        let (name, parts) = text.split_once('=').expect(text);
        let parts: Vec<&str> = parts.split(' ').collect();
        let kind = match parts[0] {
            "value" => StateKind::Value,
            "list" => StateKind::List,
            other => panic!("{other}"),
        };
        let ttl_ms = parts.get(2).map(|ttl| ttl.parse().expect(text));
        State { name: name.to_owned(), kind, schema: parts[1].to_owned(), ttl_ms }
    }

    const OLD: &[&str] = &["count count(BIGINT): count=value v1:i64; seen=value v1:i64 1000"];

    #[test]
    fn what_is_compatible() {
        let same = "count count(BIGINT): count=value v1:i64; seen=value v1:i64 1000";
        for (new, notes) in [
            (vec![same], vec![]),
            (vec!["count count(BIGINT NOT NULL): count=value v1:i64; seen=value v1:i64 60000"], vec![]),
            (vec!["count count(): count=value v1:i64; seen=value v1:i64 1"], vec![]),
            (
                vec!["count sum(BIGINT): count=value v1:i64; last=list v1:list<i64>"],
                vec![
                    "state `seen` (value v1:i64 with TTL) of function `sum` is given up: the bundle's function does not have it",
                    "state `last` (list v1:list<i64>) of function `sum` is new and begins empty",
                ],
            ),
            (
                vec![same, "late late(BIGINT):"],
                vec!["function `late` (uid `late`) is new and begins without state"],
            ),
        ] {
            let found = compatibility(&states(OLD), &states(&new), false);
            assert_eq!(found.problems, [], "{new:?}");
            assert_eq!(found.notes, notes, "{new:?}");
        }
    }

    #[test]
    fn what_is_not() {
        for (new, parts) in [
            (
                "count count(BIGINT): count=value v1:string; seen=value v1:i64 1000",
                ["state `count` of function `count` has changed its type", "value v1:i64", "value v1:string"],
            ),
            (
                "count count(BIGINT): count=list v1:list<i64>; seen=value v1:i64 1000",
                [
                    "state `count` of function `count` has changed its kind",
                    "value v1:i64",
                    "list v1:list<i64>",
                ],
            ),
            (
                "count count(BIGINT): count=value v1:i64; seen=value v1:i64",
                ["has changed its TTL", "there is: value v1:i64 with TTL", "the bundle has: value v1:i64\n"],
            ),
            (
                "count count(STRING): count=value v1:i64; seen=value v1:i64 1000",
                [
                    "the key of function `count` has changed its type",
                    "there is: BIGINT",
                    "the bundle has: STRING",
                ],
            ),
            (
                "counts count(BIGINT): count=value v1:i64",
                [
                    "nothing that goes on with the state of function `count` (uid `count`)",
                    "count (value v1:i64)",
                    "the operation with the uid `counts`",
                ],
            ),
        ] {
            let found = compatibility(&states(OLD), &states(&[new]), false);
            assert_eq!(found.problems.len(), 1, "{new}: {:?}", found.problems);
            assert_eq!(found.problems[0].code, Code::StateIncompatible);
            let text = found.problems[0].to_string() + "\n";
            for part in parts {
                assert!(text.contains(part), "{part:?} is not in\n{text}");
            }
        }
    }

    #[test]
    fn a_savepoint_does_not_tell_uids() {
        let old = states(&["b71731f1c0df9c3076c4a455334d0ad6 count(BIGINT): count=value v1:i64"]);
        let found = compatibility(&old, &states(&["other count(BIGINT): count=value v1:i64"]), false);
        let text = found.problems[0].to_string();
        assert!(text.contains("function `count` (operator b71731f1c0df9c3076c4a455334d0ad6)"), "{text}");
        assert!(text.contains("give the operation with the uid `other` its old `uid` back"), "{text}");
    }

    #[test]
    fn state_is_given_up_when_its_user_says_so() {
        let found = compatibility(&states(OLD), &states(&[]), true);
        assert_eq!(found.problems, []);
        assert_eq!(
            found.notes,
            [
                "the state of function `count` (uid `count`) is given up: nothing in the bundle goes on with it"
            ]
        );
    }
}
