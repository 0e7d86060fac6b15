use flink_wasm::prelude::*;

#[derive(Outputs)]
struct Nothing {}

#[derive(Outputs)]
struct Twice {
    main: Collector<i64>,
    #[output(name = "late")]
    first: Collector<i64>,
    late: Collector<i64>,
}

#[derive(Outputs)]
struct Plain {
    main: Vec<i64>,
}

#[derive(Outputs)]
struct Generic<const N: usize> {
    main: Collector<i64>,
}

fn main() {}
