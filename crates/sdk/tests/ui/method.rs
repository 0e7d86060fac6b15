struct Rates;

impl Rates {
    #[flink_wasm::map]
    fn tax(&self, value: i64) -> i64 {
        value
    }
}

fn main() {}
