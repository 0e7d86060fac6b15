//! Any bytes: no value of state, or one whose bytes are as many when written, and then stay the same.

#![no_main]

use std::collections::BTreeMap;

use flink_wasm::decode_state;
use flink_wasm::prelude::*;

#[derive(StateValue)]
struct Visit {
    page: String,
    duration: Option<i64>,
    at: (Date, Time, Timestamp<3>, TimestampLtz<9>),
}

#[derive(StateValue)]
enum Step {
    Idle,
    Browsing { visits: Vec<Visit>, raw: Vec<u8> },
    Bought(Decimal<10, 2>, BTreeMap<String, (bool, f64)>),
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Ok(value) = decode_state::<Vec<Step>>(bytes) else { return };
    let mut written = Vec::new();
    value.encode(&mut written);
    // Map keys may come in any order.
    assert_eq!(written.len(), bytes.len());
    let again: Vec<Step> = decode_state(&written).expect("what was written is read");
    let mut rewritten = Vec::new();
    again.encode(&mut rewritten);
    assert_eq!(rewritten, written);
});
