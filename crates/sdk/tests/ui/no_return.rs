#[flink_wasm::map]
fn look(value: i64) {
    let _ = value;
}

mod second {
    #[flink_wasm::filter]
    fn decide(value: i64) {
        let _ = value;
    }
}

fn main() {}
