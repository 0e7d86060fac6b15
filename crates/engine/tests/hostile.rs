//! Guests that misbehave: each ends with its own code and row, and no other instance notices.

mod common;

use std::sync::atomic::{AtomicBool, Ordering};

use common::{open, opened, run};
use flink_wasm_diagnostic::Code;
use flink_wasm_engine::{Fault, Limits};
use serde_json::{Value, json};

const LIMITS: Limits = Limits { memory_bytes: 16 << 20, deadline_ms: 1_600, state_value_bytes: 1 << 10 };

/// Harmless rows with one that is not.
fn rows(count: usize, at: usize, mode: &str, value: i64) -> Vec<Value> {
    let row = |index| match index == at {
        true => json!({"mode": mode, "value": value}),
        false => json!({"mode": "", "value": index}),
    };
    (0..count).map(row).collect()
}

fn hostile(count: usize, at: usize, mode: &str, value: i64) -> Fault {
    run(&mut open("hostile", json!({}), LIMITS).unwrap(), &rows(count, at, mode, value)).unwrap_err()
}

#[track_caller]
fn check(mode: &str, value: i64, code: Code, message: &str) {
    for (count, at) in [(1, 0), (2, 1), (1000, 0), (1000, 617), (1000, 999)] {
        let fault = hostile(count, at, mode, value);
        let found = (fault.diagnostic.code, fault.diagnostic.message.as_str(), fault.row);
        assert!(found.1.starts_with(message), "{mode}: {found:?}");
        assert_eq!((found.0, found.2), (code, Some(at as u32)), "{mode}, row {at} of {count}: {fault:?}");
    }
}

#[test]
fn a_panic_is_told_with_its_message_and_row() {
    check("panic", 7, Code::FunctionTrapped, "the function panicked: told to panic with 7, at ");
    let fault = hostile(10, 3, "panic", 7);
    let backtrace =
        fault.diagnostic.notes.iter().find(|note| note.starts_with("wasm backtrace:\n0: ")).unwrap();
    assert!(backtrace.contains("hostile"), "{backtrace}");
}

#[test]
fn an_index_out_of_bounds_is_a_panic() {
    check(
        "index",
        3,
        Code::FunctionTrapped,
        "the function panicked: index out of bounds: the len is 3 but the index is 3, at ",
    );
}

#[test]
fn an_endless_loop_ends_at_the_deadline() {
    let fault = hostile(1000, 617, "loop", 0);
    assert_eq!(fault.diagnostic.code, Code::DeadlineExceeded);
    assert_eq!(fault.diagnostic.message, "the function ran longer than 1600 ms");
    assert_eq!(fault.row, Some(617));
}

#[test]
fn memory_has_a_limit() {
    check("grow", 0, Code::MemoryExceeded, "the function asked for ");
    let fault = hostile(100, 61, "grow", 0);
    assert_eq!((fault.diagnostic.code, fault.row), (Code::MemoryExceeded, Some(61)));
    assert!(fault.diagnostic.message.ends_with("its limit is 16777216"), "{fault:?}");
}

#[test]
fn the_stack_has_a_limit() {
    check("overflow", 0, Code::FunctionTrapped, "the function overflowed its stack");
}

#[test]
fn output_has_a_limit() {
    let limits = Limits { memory_bytes: 512 << 20, ..LIMITS };
    let mut instance = open("hostile", json!({}), limits).unwrap();
    let fault = run(&mut instance, &rows(3, 1, "output", 70 << 20)).unwrap_err();
    assert_eq!(fault.diagnostic.code, Code::OutputExceeded, "{fault:?}");
}

#[test]
fn log_lines_and_metrics_have_limits() {
    let mut instance = open("hostile", json!({}), LIMITS).unwrap();
    let answer = run(&mut instance, &rows(2, 1, "log", 100_000)).unwrap();
    assert_eq!((answer.trailer.logs.len(), answer.trailer.dropped_logs), (100, 99_900));
    assert_eq!(answer.trailer.logs[99].message, "line 99 of 100000");

    let answer = run(&mut instance, &rows(2, 1, "metrics", 1_000)).unwrap();
    assert_eq!(answer.trailer.counters.len(), 100);
    assert_eq!(answer.trailer.logs.len(), 1, "the first dropped name is told once");
    let answer = run(&mut instance, &rows(2, 1, "metrics", 1_000)).unwrap();
    assert_eq!((answer.trailer.counters.len(), answer.trailer.logs.len()), (100, 0));
}

#[test]
fn a_refused_row_is_no_fault() {
    let answer = run(&mut opened("hostile"), &rows(5, 3, "error", 9)).unwrap();
    assert_eq!(answer.failures, [(3, "told to fail with 9".to_owned())]);
    assert_eq!(answer.origins, [0, 1, 2, 4]);
}

#[test]
fn an_instance_ends_with_its_first_fault() {
    let mut instance = open("hostile", json!({}), LIMITS).unwrap();
    run(&mut instance, &rows(5, 3, "panic", 0)).unwrap_err();
    let fault = run(&mut instance, &rows(5, 9, "", 0)).unwrap_err();
    assert_eq!(fault.diagnostic.code, Code::Internal);
}

/// Says that a test's main part is over, however it ended.
struct Done<'a>(&'a AtomicBool);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_healthy_instance_beside_hostile_ones_gives_every_row() {
    let is_done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        // Also when an assertion fails, or the healthy one would go on for ever.
        let done = Done(&is_done);
        let healthy = scope.spawn(|| {
            let mut instance = opened("tax");
            let mut bundles = 0_i64;
            while !is_done.load(Ordering::Relaxed) || bundles < 100 {
                let given: Vec<Value> = (0..50)
                    .map(|row| json!({"id": bundles * 50 + row, "region": "eu", "amount": row}))
                    .collect();
                let answer = run(&mut instance, &given).unwrap();
                let totals: Vec<f64> = answer.rows.iter().map(|row| row["total"].as_f64().unwrap()).collect();
                assert_eq!(totals, (0..50).map(|row| f64::from(row) * 1.2).collect::<Vec<_>>());
                assert_eq!(answer.rows[49]["id"], bundles * 50 + 49);
                bundles += 1;
            }
        });
        for (mode, value, code) in [
            ("loop", 0, Code::DeadlineExceeded),
            ("grow", 0, Code::MemoryExceeded),
            ("overflow", 0, Code::FunctionTrapped),
            ("panic", 0, Code::FunctionTrapped),
        ] {
            assert_eq!(hostile(20, 5, mode, value).diagnostic.code, code, "{mode}");
        }
        drop(done);
        healthy.join().unwrap();
    });
}

#[track_caller]
fn bad_output(mode: &str, message: &str) {
    let mut instance = open("bad-output", json!({}), LIMITS).unwrap();
    let fault = run(&mut instance, &[json!({"mode": ""}), json!({ "mode": mode })]).unwrap_err();
    assert_eq!(
        (fault.diagnostic.code, fault.diagnostic.message.as_str()),
        (Code::BadOutput, message),
        "{mode}"
    );
}

#[test]
fn output_that_breaks_the_layout_is_refused() {
    run(&mut opened("bad-output"), &[json!({"mode": ""})]).unwrap();
    bad_output("decreasing", "the last offset of column 0 is 1, its data has 4 bytes");
    bad_output("beyond", "the last offset of column 0 is 1000000, its data has 4 bytes");
    bad_output("late-start", "offsets of column 0 do not start with 0");
    bad_output("few-offsets", "offsets of column 0 has 8 bytes, expected 12 for 2 cells");
    bad_output("not-utf8", "column 0 holds text that is not UTF-8");
    bad_output("cut-character", "column 0 cuts a character in two");
    bad_output("null", "row 1, field 0 (VARCHAR(2147483647) NOT NULL): NULL in a NOT NULL field");
    bad_output("short-validity", "validity of column 0 has 0 bytes, expected 1 for 2 cells");
    bad_output("unused-bits", "unused bits of cells of column 1 are not zero");
    bad_output("long-bitmap", "cells of column 1 has 2 bytes, expected 1 for 2 cells");
    bad_output("nested-beyond", "cells of column 3 has 12 bytes, expected 17179869180 for 4294967295 cells");
    bad_output("few-elements", "cells of column 3 has 12 bytes, expected 16 for 4 cells");
    bad_output("other-kind", "column 3 is Int64, the schema says Int32");
    bad_output("few-columns", "a batch of 3 columns, the schema has 4");
    bad_output("origin-beyond", "origins of a map must rise from row to row and stay below 2");
    bad_output("origin-falls", "origins of a map must rise from row to row and stay below 2");
    bad_output("few-origins", "1 origins for 2 rows");
    bad_output("other-output", "rows for output 1, a map has only output 0");
    bad_output("many-rows", "2 origins for 4294967295 rows");
    bad_output("twice", "origins of a map must rise from row to row and stay below 2");
}
