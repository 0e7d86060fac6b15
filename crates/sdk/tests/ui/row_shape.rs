use flink_wasm::prelude::*;

#[derive(Row)]
struct Tuple(i64);

#[derive(Row)]
struct Empty {}

#[derive(Row)]
enum Choice {
    A,
}

#[derive(Row)]
struct Generic<T> {
    value: T,
}

#[derive(Row)]
struct Twice {
    a: i64,
    #[row(rename = "a")]
    b: i64,
}

fn main() {}
