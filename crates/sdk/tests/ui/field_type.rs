use flink_wasm::prelude::*;

#[derive(Row)]
struct Order {
    id: u64,
}

#[derive(Row)]
struct Nested {
    ids: Option<Vec<u32>>,
}

#[derive(Parameters)]
struct Limit {
    minimum: std::time::Duration,
}

fn main() {}
