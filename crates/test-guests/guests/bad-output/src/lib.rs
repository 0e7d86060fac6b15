//! Breaks the rules for output, one at a time: what a guest without the SDK might do. The mode of the first row says which.

use flink_wasm::prelude::*;
use flink_wasm::{Batch, Cells, Column, Varlen};

#[derive(Row)]
pub struct Command<'a> {
    pub mode: &'a str,
}

#[derive(Row)]
pub struct Answer<'a> {
    pub text: &'a str,
    pub flag: bool,
    pub list: Vec<i32>,
}

#[flink_wasm::map]
pub fn bad_output<'a>(command: Command<'a>) -> Answer<'a> {
    emit(command.mode);
    Answer { text: command.mode, flag: true, list: vec![1] }
}

/// Two rows, right but for one thing.
#[cfg(target_arch = "wasm32")]
fn emit(mode: &str) {
    use flink_wasm::__rt::bindings::map::flink_wasm::udf::collector;
    let (mut output, mut origin, mut row_count) = (0, vec![0, 1], 2);
    let (mut offsets, mut data) = (vec![0, 2, 4], b"abcd".to_vec());
    let (mut validity, mut bits) = (None, vec![0b11]);
    let (mut nested, mut elements) = (vec![0, 1, 3], Cells::Int32(vec![1, 2, 3]));
    match mode {
        "decreasing" => offsets = vec![0, 3, 1],
        "beyond" => offsets = vec![0, 2, 1_000_000],
        "late-start" => offsets = vec![1, 2, 4],
        "few-offsets" => offsets = vec![0, 4],
        "not-utf8" => data = vec![b'a', 0xff, b'b', b'c'],
        "cut-character" => data = "aéb".into(),
        "null" => validity = Some(vec![0b01]),
        "short-validity" => validity = Some(vec![]),
        "unused-bits" => bits = vec![0b111],
        "long-bitmap" => bits = vec![0b11, 0],
        "nested-beyond" => nested = vec![0, 1, u32::MAX],
        "few-elements" => nested = vec![0, 1, 4],
        "other-kind" => elements = Cells::Int64(vec![1, 2, 3]),
        "origin-beyond" => origin = vec![0, 2],
        "origin-falls" => origin = vec![1, 0],
        "few-origins" => origin = vec![0],
        "other-output" => output = 1,
        "many-rows" => row_count = u32::MAX,
        "twice" => {}
        "few-columns" => {}
        _ => return,
    }
    let column = |validity, cells| Column { validity, cells };
    let mut columns = vec![
        column(validity, Cells::Varlen(Varlen { offsets, data })),
        column(None, Cells::Boolean(bits)),
        column(None, Cells::Nested(nested)),
        column(None, elements),
    ];
    if mode == "few-columns" {
        columns.pop();
    }
    collector::emit(output, &Batch { row_count, columns }, &origin);
}

#[cfg(not(target_arch = "wasm32"))]
fn emit(_mode: &str) {}
