//! What state a running job or a savepoint has, and whether a bundle can go on with it (`docs/state.md`).

use std::collections::BTreeMap;

use flink_wasm_diagnostic::{Code, Diagnostic};
use flink_wasm_flink_rest::FlinkRest;
use flink_wasm_plan::{OperatorState, OperatorStates, compatibility, operator_id};

use crate::jvm::Jvm;
use crate::output;
use crate::problems::Problems;

/// Job parameter with the state of all operators.
const STATE_PARAMETER: &str = "flink-wasm.state";
/// Job parameter with the digest of the bundle.
const DIGEST_PARAMETER: &str = "flink-wasm.digest";

/// What a running job says of itself.
pub struct Running {
    /// Digest of its bundle.
    pub digest: String,
    /// State of its operators.
    pub states: OperatorStates,
}

/// Asks a running job for its state.
pub fn of_job(cluster: &FlinkRest, job_id: &str) -> Result<Running, Diagnostic> {
    let parameters = cluster.job_parameters(job_id)?;
    let (Some(states), Some(digest)) = (parameters.get(STATE_PARAMETER), parameters.get(DIGEST_PARAMETER))
    else {
        return Err(Diagnostic::new(
            Code::StateIncompatible,
            format!("job {job_id} does not say what state it has: flink-wasm did not submit it"),
        )
        .help("`flink-wasm stop` it, and `flink-wasm submit --from-savepoint`: then Flink alone checks its state"));
    };
    let states = serde_json::from_str(states).map_err(|error| {
        Diagnostic::new(
            Code::StateIncompatible,
            format!("job {job_id} tells its state in another form: {error}"),
        )
        .help("was it submitted by a newer flink-wasm? Use that one")
    })?;
    Ok(Running { digest: digest.clone(), states })
}

/// Asks the runtime for the state in a savepoint, by the ids of operators. `None`, with a warning, when it can't be read from here:
/// storage of the cluster may be out of reach, and Flink compares the types of states too.
fn of_savepoint(path: &str) -> Result<Option<OperatorStates>, Diagnostic> {
    let mut jvm = Jvm::start_plain(&["savepoint".to_owned(), "--path".to_owned(), path.to_owned()])?;
    let answer = jvm.next();
    jvm.finish(answer.is_some())?;
    let answer = answer.unwrap_or_default();
    if !answer["error"].is_null() {
        let error = crate::job::runtime_error(&answer["error"]);
        if error.code != Code::Io {
            return Err(error);
        }
        output::warning(format!("the savepoint's state is checked by Flink alone: {}", error.message));
        return Ok(None);
    }
    let states: BTreeMap<String, OperatorState> = serde_json::from_value(answer["operators"].clone())
        .map_err(|error| Diagnostic::new(Code::Internal, format!("the job runtime's answer: {error}")))?;
    Ok(Some(states))
}

/// Checks that a bundle can go on with the state of a running job. Tells what will be given up or begin empty.
pub fn check(old: &OperatorStates, new: &OperatorStates, allow_non_restored: bool) -> Result<(), Problems> {
    let found = compatibility(old, new, allow_non_restored);
    if !found.problems.is_empty() {
        return Err(found.problems.into());
    }
    found.notes.into_iter().for_each(output::warning);
    Ok(())
}

/// [`check`] for the state of a savepoint.
pub fn check_savepoint(path: &str, new: &OperatorStates, allow_non_restored: bool) -> Result<(), Problems> {
    let Some(found) = of_savepoint(path)? else { return Ok(()) };
    check(&by_uid(found, new), new, allow_non_restored)
        .map_err(|problems| problems.map(|problem| problem.note(format!("savepoint {path}"))))
}

/// A savepoint names operators by the hashes of their uids: those that the bundle has get their uids back.
fn by_uid(found: OperatorStates, new: &OperatorStates) -> OperatorStates {
    let uids: BTreeMap<String, &String> = new.keys().map(|uid| (operator_id(uid), uid)).collect();
    let named = |id: String| uids.get(&id).map_or(id, |uid| (*uid).clone());
    found.into_iter().map(|(id, state)| (named(id), state)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operators_of_a_savepoint_get_their_uids_back() {
        let state = || OperatorState { function: "count".to_owned(), key: vec![], states: vec![] };
        let found = OperatorStates::from([
            ("b71731f1c0df9c3076c4a455334d0ad6".to_owned(), state()),
            ("93ecc32fd8e9135dce239de3e0c54181".to_owned(), state()),
        ]);
        let new = OperatorStates::from([("count".to_owned(), state())]);
        let uids: Vec<String> = by_uid(found, &new).into_keys().collect();
        assert_eq!(uids, ["93ecc32fd8e9135dce239de3e0c54181", "count"]);
    }
}
