use flink_wasm::prelude::*;

#[derive(Parameters)]
struct Rates {
    rate: f64,
}

#[derive(Parameters)]
struct More {
    rate: f64,
}

#[flink_wasm::map]
fn columns(amount: f64, rate: f64) -> f64 {
    amount * rate
}

mod second {
    use super::*;

    #[flink_wasm::map]
    fn twice(amount: f64, rates: &Rates, context: &Context, more: &More) -> f64 {
        let _ = context;
        amount * rates.rate * more.rate
    }
}

mod third {
    use super::*;

    #[flink_wasm::map]
    fn state(amount: f64, rates: &mut Rates) -> f64 {
        amount * rates.rate
    }
}

fn main() {}
