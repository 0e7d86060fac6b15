use flink_wasm::prelude::*;

#[derive(State)]
struct Forgotten {
    count: ValueState<i64>,
}

#[derive(State)]
struct Twice {
    #[state(name = "count")]
    first: ValueState<i64>,
    #[state]
    count: ValueState<i64>,
}

#[derive(State)]
struct Endless {
    #[state(ttl = "1 week")]
    count: ValueState<i64>,
}

#[derive(State)]
struct Zero {
    #[state(ttl = "0 s")]
    count: ValueState<i64>,
}

#[derive(State)]
struct Reduced {
    #[state(reduce = |a, b| a + b)]
    count: ValueState<i64>,
}

#[derive(State)]
struct Unknown {
    #[state(tll = "1 h")]
    count: ValueState<i64>,
}

#[derive(State)]
struct NoHandle {
    #[state]
    count: i64,
}

#[derive(State)]
struct Generic<T> {
    #[state]
    count: ValueState<T>,
}

#[derive(State)]
struct Kept {
    #[state]
    sizes: ValueState<usize>,
    #[state]
    pages: MapState<f64, bool>,
}

fn main() {}
