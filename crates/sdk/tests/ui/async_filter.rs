#[flink_wasm::filter]
pub async fn known(value: i64) -> bool {
    value > 0
}

fn main() {}
