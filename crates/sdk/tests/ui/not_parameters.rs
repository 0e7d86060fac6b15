struct Limit {
    minimum: i64,
}

#[flink_wasm::filter]
fn large(value: i64, limit: &Limit) -> bool {
    value > limit.minimum
}

fn main() {}
