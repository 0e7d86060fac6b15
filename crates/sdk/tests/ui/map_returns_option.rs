use flink_wasm::prelude::*;

#[derive(Row)]
struct Order {
    id: i64,
}

#[flink_wasm::map]
fn maybe(order: Order) -> Option<Order> {
    Some(order)
}

fn main() {}
