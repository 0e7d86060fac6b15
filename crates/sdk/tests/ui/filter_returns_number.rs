#[flink_wasm::filter]
fn positive(value: i64) -> i64 {
    value
}

fn main() {}
