//! Process functions: state, timers and side outputs; and what is left of a bundle when an item fails.

#[path = "common/operator.rs"]
mod operator;

use flink_wasm_diagnostic::Code;
use flink_wasm_engine::{ErrorPolicy, Limits, OnError, Options, RateLimiters};
use operator::{Done, Operator, row};
use serde_json::{Value, json};

fn options(policy: ErrorPolicy, retries: u32) -> Options {
    Options {
        limits: Limits { memory_bytes: 16 << 20, deadline_ms: 1_600, state_value_bytes: 1_000 },
        on_error: OnError { policy, retries },
        ..Options::default()
    }
}

fn sums(done: &Done) -> Vec<(i64, i64)> {
    let number = |row: &Value, name: &str| row[name].as_i64().unwrap();
    let main = done.rows.iter().filter(|(output, ..)| *output == 0);
    main.map(|(_, _, row)| (number(row, "k"), number(row, "sum"))).collect()
}

#[test]
fn state_goes_from_bundle_to_bundle_in_slots() {
    let mut operator = Operator::open(options(ErrorPolicy::Fail, 0));
    let (done, failures) = operator.rows(&[row(1, "", 5), row(2, "", 7), row(1, "late", 1)]).unwrap();
    assert_eq!((sums(&done), failures), (vec![(1, 5), (2, 7), (1, 6)], vec![]));
    assert_eq!(done.rows[1], (0, 100, json!({"k": 2, "sum": 7})));
    assert_eq!(done.rows[3], (1, 200, json!({"k": 1})), "the side output");
    // Keys that are not sent again are found in their slots; a cleared one is empty.
    let (done, _) = operator.rows(&[row(2, "", 1), row(1, "clear", 0), row(3, "", 1)]).unwrap();
    assert_eq!(sums(&done), [(2, 8), (3, 1)]);
    let (done, _) = operator.rows(&[row(1, "", 1), row(2, "", 1)]).unwrap();
    assert_eq!(sums(&done), [(1, 1), (2, 9)]);
    let kept: Vec<(i64, Vec<u8>)> = operator.backend.borrow().sums.clone().into_iter().collect();
    assert_eq!(kept, [(1, 1), (2, 9), (3, 1)].map(|(k, sum): (i64, i64)| (k, sum.to_le_bytes().to_vec())));
}

#[test]
fn timers_are_told_and_fire() {
    let mut operator = Operator::open(options(ErrorPolicy::Fail, 0));
    let (done, _) = operator.rows(&[row(1, "timer", 500), row(2, "timer", 400)]).unwrap();
    assert_eq!(done.timers, [(1, 500, 0), (2, 400, 0)]);
    let (done, _) = operator.timers(&[(2, 400), (1, 500)]).unwrap();
    assert_eq!(done.rows, [(0, 400, json!({"k": 2, "sum": 400})), (0, 500, json!({"k": 1, "sum": 500}))]);
    assert!(operator.backend.borrow().sums.is_empty(), "a timer clears the sum");
}

#[test]
fn list_and_map_state_is_asked_for() {
    let mut operator = Operator::open(options(ErrorPolicy::Fail, 0));
    operator.rows(&[row(1, "add", 5), row(2, "add", 6), row(1, "add", 7), row(1, "note", 3)]).unwrap();
    let (done, _) = operator
        .rows(&[row(1, "seen", 0), row(2, "seen", 0), row(1, "noted", 3), row(2, "noted", 3)])
        .unwrap();
    assert_eq!(sums(&done), [(1, 12), (2, 6), (1, 30), (2, -1)]);
    assert_eq!(operator.backend.borrow().questions, 4);
}

/// The rows of three bundles with one bad row in the second give what they give without it.
#[track_caller]
fn check(bad: Value, code: Code, message: &str) {
    let before: Vec<Value> = (0..20).map(|value| row(value % 3, "", value)).collect();
    let good: Vec<Value> = (0..40)
        .map(|value| match value % 10 {
            3 => row(value % 4, "timer", value),
            5 => row(value % 4, "add", value),
            7 => row(value % 4, "late", value),
            8 => row(value % 4, "count", value),
            _ => row(value % 4, "", value),
        })
        .collect();
    for at in [0, 17, 40] {
        let mut with = Operator::open(options(ErrorPolicy::Skip, 0));
        let mut without = Operator::open(options(ErrorPolicy::Skip, 0));
        with.rows(&before).unwrap();
        without.rows(&before).unwrap();
        let mut given = good.clone();
        given.insert(at, bad.clone());
        let (mut done, failures) = with.rows(&given).unwrap();
        let (mut expected, none) = without.rows(&good).unwrap();
        // Timestamps are those of the places in the bundle.
        done.rows.iter_mut().for_each(|row| row.1 = 0);
        expected.rows.iter_mut().for_each(|row| row.1 = 0);
        assert_eq!(done, expected, "at {at}");
        assert!(none.is_empty());
        let [(item, found, text)] = &failures[..] else { panic!("{failures:?}") };
        assert_eq!((*item as usize, *found), (at, code), "{text}");
        assert!(text.starts_with(message), "{text}");
        let mut without = without.backend.borrow_mut();
        without.questions = with.backend.borrow().questions;
        assert_eq!(with.backend.borrow().sums, without.sums);
        assert_eq!(with.backend.borrow().seen, without.seen);
    }
    // The slots have gone on with it.
    let mut with = Operator::open(options(ErrorPolicy::DeadLetter, 0));
    with.rows(&[row(1, "", 1), bad.clone(), row(1, "", 2)]).unwrap();
    assert_eq!(sums(&with.rows(&[row(1, "", 4)]).unwrap().0), [(1, 7)]);
}

#[test]
fn a_refused_row_leaves_no_trace() {
    check(row(1, "error", 9), Code::RowFailed, "told to fail with 9");
}

#[test]
fn a_trap_leaves_no_trace() {
    check(row(1, "panic", 9), Code::FunctionTrapped, "the function trapped");
}

#[test]
fn an_oversized_value_leaves_no_trace() {
    check(
        row(5, "oversized", 1_001),
        Code::StateTooLarge,
        "a value of state `sum` has 1001 bytes, its limit is 1000",
    );
}

#[test]
fn wrong_effects_leave_no_trace() {
    check(row(1, "other-output", 9), Code::BadOutput, "rows for output 7, there are 2");
    check(row(1, "unknown-key", 9), Code::BadOutput, "a timer of key 1000000, the bundle has ");
    check(row(1, "wrong-flag", 9), Code::BadOutput, "timers of ");
    check(row(1, "twice", 9), Code::BadOutput, "changes of state `sum` were told twice");
}

#[test]
fn a_loop_leaves_no_trace() {
    let mut operator = Operator::open(options(ErrorPolicy::Skip, 0));
    let (done, failures) = operator.rows(&[row(1, "", 1), row(1, "loop", 0), row(1, "", 2)]).unwrap();
    assert_eq!(sums(&done), [(1, 1), (1, 3)]);
    assert_eq!((failures.len(), failures[0].0, failures[0].1), (1, 1, Code::DeadlineExceeded));
}

#[test]
fn any_number_of_items_may_fail() {
    let mut operator = Operator::open(options(ErrorPolicy::Skip, 0));
    let modes = ["", "error", "panic"];
    let rows: Vec<Value> = (0..60).map(|value| row(value % 5, modes[value as usize % 3], value)).collect();
    let good: Vec<Value> = rows.iter().filter(|row| row["mode"] == "").cloned().collect();
    let (done, failures) = operator.rows(&rows).unwrap();
    let mut without = Operator::open(options(ErrorPolicy::Skip, 0));
    assert_eq!(sums(&done), sums(&without.rows(&good).unwrap().0));
    let items: Vec<u32> = failures.iter().map(|(item, ..)| *item).collect();
    assert_eq!(items, (0..60).filter(|item| item % 3 != 0).collect::<Vec<u32>>());
    let (done, failures) = operator.rows(&vec![row(1, "error", 0); 50]).unwrap();
    assert_eq!((done.rows.len(), failures.len()), (0, 50));
}

#[test]
fn timers_that_fail_leave_no_trace() {
    let mut operator = Operator::open(options(ErrorPolicy::Skip, 0));
    operator.rows(&[row(1, "", 1), row(2, "", 2), row(3, "", 3), row(4, "", 4)]).unwrap();
    let (done, failures) = operator.timers(&[(1, 5), (2, 13), (3, 666), (4, 700)]).unwrap();
    assert_eq!(sums(&done), [(1, 1), (4, 4)]);
    let failures: Vec<(u32, Code)> = failures.into_iter().map(|(item, code, _)| (item, code)).collect();
    assert_eq!(failures, [(1, Code::RowFailed), (2, Code::FunctionTrapped)]);
    assert_eq!(operator.backend.borrow().sums.keys().collect::<Vec<_>>(), [&2, &3]);
}

#[test]
fn the_policy_fail_tells_of_the_first() {
    let mut operator = Operator::open(options(ErrorPolicy::Fail, 0));
    let (done, failures) = operator.rows(&[row(1, "", 1), row(1, "error", 2), row(1, "error", 3)]).unwrap();
    assert_eq!(done, Done::default());
    assert_eq!(failures, [(1, Code::RowFailed, "told to fail with 2".to_owned())]);
    let rows: Vec<Value> =
        (0..100).map(|value| row(value % 7, if value == 61 { "panic" } else { "" }, 1)).collect();
    let fault = operator.rows(&rows).unwrap_err();
    assert_eq!((fault.diagnostic.code, fault.row), (Code::FunctionTrapped, Some(61)));
    assert_eq!(operator.rows(&rows).unwrap_err().diagnostic.code, Code::Internal, "the instance has ended");
}

#[test]
fn a_process_function_describes_itself() {
    let function = operator::function();
    let description = function.description();
    assert!(description.timers && function.has_elements());
    assert_eq!(description.states[0].schema, "v1:i64");
    assert_eq!(description.side_outputs[0].fields[0].sql_type, "BIGINT NOT NULL");
    let text = serde_json::to_value(description).unwrap();
    assert_eq!(text["states"][1], json!({"name": "seen", "kind": "list", "schema": "v1:list<i64>"}));
    assert_eq!(text["sideOutputs"][0]["name"], "late");
}

#[test]
fn a_failure_that_may_pass_is_tried_again() {
    for (retries, policy) in [(0, ErrorPolicy::Skip), (3, ErrorPolicy::Skip), (3, ErrorPolicy::Fail)] {
        let mut operator = Operator::open(options(policy, retries));
        let (_, failures) = operator.rows(&[row(1, "", 1), row(1, "transient", 7)]).unwrap();
        assert_eq!(failures, [(1, Code::RowFailed, "told to fail for now with 7".to_owned())]);
    }
}

fn limited(policy: ErrorPolicy, retries: u32, rate: f64, burst: u32) -> Options {
    let declared = json!([{"name": "api", "rate": rate, "burst": burst, "shared": true}]);
    let declared: Vec<_> = serde_json::from_value(declared).unwrap();
    let rate_limiters = RateLimiters::default().connect("job", &declared).unwrap();
    Options { rate_limiters, ..options(policy, retries) }
}

#[test]
fn permits_are_taken_once_however_often_items_are_run() {
    let mut operator = Operator::open(limited(ErrorPolicy::Skip, 0, 1e-6, 10));
    // The second one asks for more than there is: it fails, and takes nothing. A trap has taken nothing either.
    let rows = [row(1, "acquire", 4), row(1, "acquire", 7), row(2, "panic", 0), row(1, "acquire", 6)];
    let (done, failures) = operator.rows(&rows).unwrap();
    assert_eq!(sums(&done), [(1, 4), (1, 10)]);
    let failures: Vec<(u32, Code)> = failures.into_iter().map(|(item, code, _)| (item, code)).collect();
    assert_eq!(failures, [(1, Code::RowFailed), (2, Code::FunctionTrapped)]);
    let used: Vec<_> =
        operator.instance.limiter_use().iter().map(|one| (one.name.as_str(), one.granted)).collect();
    assert_eq!(used, [("api", 10)]);
    let (_, failures) = operator.rows(&[row(1, "acquire", 1)]).unwrap();
    assert_eq!(failures, [(0, Code::RowFailed, "no 1 permits".to_owned())]);
}

#[test]
fn what_a_discarded_item_got_is_given_back() {
    let mut operator = Operator::open(limited(ErrorPolicy::Skip, 0, 1e-6, 3));
    let (done, failures) = operator.rows(&[row(1, "acquire-panic", 3), row(2, "acquire", 3)]).unwrap();
    assert_eq!((sums(&done), failures.len()), (vec![(2, 3)], 1));
}

#[test]
fn a_retry_asks_the_limiter_anew() {
    // 20 000 permits a second: one comes while the items are run again.
    let mut operator = Operator::open(limited(ErrorPolicy::Skip, 100, 20_000.0, 1));
    let rows = vec![row(1, "acquire", 1); 5];
    let (done, failures) = operator.rows(&rows).unwrap();
    assert_eq!((sums(&done).len(), failures), (5, vec![]));
}

#[test]
fn an_unknown_limiter_ends_the_job() {
    let mut operator = Operator::open(options(ErrorPolicy::Skip, 0));
    let fault = operator.rows(&[row(1, "acquire-unknown", 1)]).unwrap_err();
    assert_eq!((fault.diagnostic.code, fault.row), (Code::UnknownLimiter, None), "{fault:?}");
}
