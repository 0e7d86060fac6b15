//! Error policies, retries and rate limiters of maps and filters.

mod common;

use common::{Answer, function, open, opened, run};
use flink_wasm_diagnostic::Code;
use flink_wasm_engine::{ErrorPolicy, Instance, Limits, OnError, Options, RateLimiters};
use serde_json::{Map, Value, json};

/// `rate` permits a second, of which there are `burst` at the start.
fn limited(name: &str, policy: ErrorPolicy, retries: u32, rate: f64, burst: u32) -> Instance {
    let declared = json!([{"name": "api", "rate": rate, "burst": burst, "shared": true}]);
    let declared: Vec<_> = serde_json::from_value(declared).unwrap();
    let options = Options {
        limits: Limits { memory_bytes: 16 << 20, deadline_ms: 1_600, ..Limits::default() },
        on_error: OnError { policy, retries },
        rate_limiters: RateLimiters::default().connect("job", &declared).unwrap(),
        ..Options::default()
    };
    function(name).open_with(&Map::new(), options).unwrap()
}

fn rows(modes: &[(&str, i32)]) -> Vec<Value> {
    modes.iter().map(|(mode, permits)| json!({"mode": mode, "permits": permits})).collect()
}

fn failed(answer: &Answer) -> Vec<u32> {
    answer.failures.iter().map(|(row, _)| *row).collect()
}

#[test]
fn rows_that_trap_are_left_out() {
    let given = rows(&[("panic", 0), ("a", 0), ("error", 0), ("panic", 0), ("b", 0), ("panic", 0)]);
    for policy in [ErrorPolicy::Skip, ErrorPolicy::DeadLetter] {
        let mut instance = limited("limited", policy, 0, 1.0, 1);
        for _ in 0..2 {
            let answer = run(&mut instance, &given).unwrap();
            assert_eq!(answer.rows, rows(&[("a", 0), ("b", 0)]));
            assert_eq!((answer.origins.as_slice(), failed(&answer)), (&[1, 4][..], vec![0, 2, 3, 5]));
            assert!(answer.failures[0].1.starts_with("the function panicked: told to panic, at "));
            assert_eq!(answer.trailer.counters["asked"], 3, "a row that is left out counts nothing");
            let codes =
                [Code::FunctionTrapped, Code::RowFailed, Code::FunctionTrapped, Code::FunctionTrapped];
            assert_eq!(instance.failure_codes(), codes);
        }
    }
    let fault = run(&mut open("limited", json!({}), Limits::default()).unwrap(), &given).unwrap_err();
    assert_eq!((fault.diagnostic.code, fault.row), (Code::FunctionTrapped, Some(0)));
}

#[test]
fn a_filter_keeps_its_other_rows() {
    let given = rows(&[("panic", 0), ("keep", 0), ("drop", 0), ("panic", 0), ("error", 0), ("keep", 0)]);
    let answer = run(&mut limited("limited-filter", ErrorPolicy::Skip, 0, 1.0, 1), &given).unwrap();
    assert_eq!(failed(&answer), [0, 3, 4]);
    let kept: Vec<usize> =
        (0..6).filter(|row| answer.keep[*row] && !failed(&answer).contains(&(*row as u32))).collect();
    assert_eq!(kept, [1, 5]);
}

#[test]
fn rows_without_permits_fail_unless_they_are_tried_again() {
    let given = rows(&[("a", 0), ("b", 1), ("c", 1), ("d", 0), ("e", 1)]);
    let answer = run(&mut limited("limited", ErrorPolicy::Skip, 0, 1e-6, 1), &given).unwrap();
    assert_eq!((answer.origins.as_slice(), failed(&answer)), (&[0, 1, 3][..], vec![2, 4]));
    assert_eq!(answer.failures[0].1, "no permits");

    // 20 000 permits a second: one comes while a row is tried again.
    let mut instance = limited("limited", ErrorPolicy::Fail, 100, 20_000.0, 1);
    let answer = run(&mut instance, &given).unwrap();
    assert_eq!((answer.rows, answer.origins, answer.failures), (given.clone(), vec![0, 1, 2, 3, 4], vec![]));
    assert_eq!(instance.limiter_use()[0].granted, 3);
    let answer = run(&mut instance, &rows(&[("a", 2), ("b", 0)])).unwrap();
    assert_eq!((answer.origins.as_slice(), failed(&answer)), (&[1][..], vec![0]), "never above the burst");

    let given = rows(&[("keep", 1), ("drop", 1), ("keep", 1), ("panic", 0), ("keep", 1), ("drop", 1)]);
    let answer = run(&mut limited("limited-filter", ErrorPolicy::Skip, 100, 20_000.0, 1), &given).unwrap();
    assert_eq!(failed(&answer), [3]);
    assert_eq!(answer.keep, [true, false, true, false, true, false]);
}

#[test]
fn retries_are_bounded() {
    let options =
        Options { on_error: OnError { policy: ErrorPolicy::Skip, retries: 101 }, ..Options::default() };
    let fault = function("limited").open_with(&Map::new(), options).unwrap_err();
    assert_eq!(fault.diagnostic.message, "101 retries, at most 100 are given");
}

#[test]
fn a_limiter_must_be_declared() {
    let fault = run(&mut opened("limited"), &rows(&[("a", 0), ("b", 1)])).unwrap_err();
    assert_eq!((fault.diagnostic.code, fault.row), (Code::UnknownLimiter, None));
}
