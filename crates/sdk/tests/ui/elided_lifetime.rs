use flink_wasm::prelude::*;

#[derive(Row)]
struct Order<'a> {
    id: &'a str,
}

#[flink_wasm::map]
fn same(order: Order) -> Order {
    order
}

fn main() {}
