use flink_wasm::prelude::*;

#[derive(StateValue)]
struct Borrowed<'a> {
    page: &'a str,
}

#[derive(StateValue)]
struct Nothing;

#[derive(StateValue)]
enum Never {}

#[derive(StateValue)]
struct Sized {
    size: usize,
}

#[derive(StateValue)]
struct Twice {
    #[state(name = "at")]
    from: i64,
    at: i64,
}

#[derive(StateValue)]
enum Step {
    #[state(name = "a:b")]
    First,
}

#[derive(StateValue)]
struct Renamed {
    #[state(rename = "b")]
    a: i64,
}

fn main() {}
