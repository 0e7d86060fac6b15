#[flink_wasm::map]
fn same<T>(value: T) -> T {
    value
}

fn main() {}
