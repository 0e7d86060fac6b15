use flink_wasm::prelude::*;

#[derive(Row)]
struct Order {
    id: i64,
}

#[flink_wasm::map]
async fn enrich(order: Order) -> Order {
    order
}

fn main() {}
