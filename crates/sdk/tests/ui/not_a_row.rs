struct Order {
    id: i64,
}

#[flink_wasm::filter]
fn large(order: Order) -> bool {
    order.id > 0
}

fn main() {}
