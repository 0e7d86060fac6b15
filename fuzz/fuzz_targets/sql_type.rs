//! Any text: no type, or a type that is the same when written and read again.

#![no_main]

use flink_wasm_protocol::{DataType, Schema};

libfuzzer_sys::fuzz_target!(|text: &str| {
    let Ok(parsed) = DataType::parse(text) else { return };
    let written = parsed.to_string();
    assert_eq!(DataType::parse(&written).as_ref(), Ok(&parsed), "{written}");
    drop(Schema::new(vec![parsed]));
});
