use flink_wasm::prelude::*;

struct Order {
    id: i64,
}

mod no_state {
    use super::*;

    #[derive(Default)]
    struct Function {}

    #[flink_wasm::process]
    impl Function {
        fn process(&self, _id: i64, _ctx: &KeyedContext<i64>, _out: &mut Collector<i64>) {}
    }
}

mod no_default {
    use super::*;

    #[derive(State)]
    struct Function {
        limit: i64,
    }

    #[flink_wasm::process]
    impl Function {
        fn process(&self, _id: i64, _ctx: &KeyedContext<i64>, _out: &mut Collector<i64>) {}
    }
}

mod not_a_row {
    use super::*;

    #[derive(Default, State)]
    struct Function {}

    #[flink_wasm::process]
    impl Function {
        fn process(&self, _order: Order, _ctx: &KeyedContext<i64>, _out: &mut Collector<i64>) {}
    }
}

mod not_a_key {
    use super::*;

    #[derive(Default, State)]
    struct Function {}

    #[flink_wasm::process]
    impl Function {
        fn process(&self, _id: i64, _ctx: &KeyedContext<Order>, _out: &mut Collector<i64>) {}
    }
}

mod not_outputs {
    use super::*;

    #[derive(Default, State)]
    struct Function {}

    #[flink_wasm::process]
    impl Function {
        fn process(&self, _id: i64, _ctx: &KeyedContext<i64>, _out: &mut Vec<i64>) {}
    }
}

mod returns_a_row {
    use super::*;

    #[derive(Default, State)]
    struct Function {}

    #[flink_wasm::process]
    impl Function {
        fn process(&self, _id: i64, _ctx: &KeyedContext<i64>, _out: &mut Collector<i64>) -> i64 {
            _id
        }
    }
}

mod timer_of_another_key {
    use super::*;

    #[derive(Default, State)]
    struct Function {}

    #[flink_wasm::process]
    impl Function {
        fn process(&self, _id: i64, _ctx: &KeyedContext<i64>, _out: &mut Collector<i64>) {}

        fn on_timer(&self, _timer: Timer, _ctx: &KeyedContext<i32>, _out: &mut Collector<i64>) {}
    }
}

fn main() {}
