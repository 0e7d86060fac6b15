use flink_wasm::prelude::*;

#[flink_wasm::map]
fn nothing() -> i64 {
    0
}

mod second {
    use super::*;

    #[flink_wasm::map]
    fn context_only(context: &Context) -> i64 {
        context.watermark()
    }
}

fn main() {}
