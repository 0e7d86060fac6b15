use flink_wasm::prelude::*;

mod missing {
    use super::*;

    #[derive(Default, State)]
    struct Function {}

    #[flink_wasm::process]
    impl Function {
        fn on_timer(&self, _timer: Timer, _ctx: &KeyedContext<i64>, _out: &mut Collector<i64>) {}
    }
}

mod mutable {
    use super::*;

    #[derive(Default, State)]
    struct Function {}

    #[flink_wasm::process]
    impl Function {
        fn process(&mut self, _id: i64, _ctx: &KeyedContext<i64>, _out: &mut Collector<i64>) {}
    }
}

mod no_outputs {
    use super::*;

    #[derive(Default, State)]
    struct Function {}

    #[flink_wasm::process]
    impl Function {
        fn process(&self, _id: i64, _ctx: &KeyedContext<i64>) {}
    }
}

mod context_first {
    use super::*;

    #[derive(Default, State)]
    struct Function {}

    #[flink_wasm::process]
    impl Function {
        fn process(&self, _ctx: &KeyedContext<i64>, _id: i64, _out: &mut Collector<i64>) {}
    }
}

mod context_of_a_map {
    use super::*;

    #[derive(Default, State)]
    struct Function {}

    #[flink_wasm::process]
    impl Function {
        fn process(&self, _id: i64, _ctx: &Context, _out: &mut Collector<i64>) {}
    }
}

mod shared_outputs {
    use super::*;

    #[derive(Default, State)]
    struct Function {}

    #[flink_wasm::process]
    impl Function {
        fn process(&self, _id: i64, _ctx: &KeyedContext<i64>, _out: &Collector<i64>) {}
    }
}

mod timer_without_timer {
    use super::*;

    #[derive(Default, State)]
    struct Function {}

    #[flink_wasm::process]
    impl Function {
        fn process(&self, _id: i64, _ctx: &KeyedContext<i64>, _out: &mut Collector<i64>) {}

        fn on_timer(&self, _ctx: &KeyedContext<i64>, _out: &mut Collector<i64>) {}
    }
}

mod open_gives_nothing {
    use super::*;

    #[derive(Default, State)]
    struct Function {}

    #[flink_wasm::process]
    impl Function {
        fn open() {}

        fn process(&self, _id: i64, _ctx: &KeyedContext<i64>, _out: &mut Collector<i64>) {}
    }
}

mod a_function {
    #[flink_wasm::process]
    fn process(id: i64) -> i64 {
        id
    }
}

mod generic {
    use super::*;

    struct Function<T>(T);

    #[flink_wasm::process]
    impl<T> Function<T> {
        fn process(&self, _id: i64, _ctx: &KeyedContext<i64>, _out: &mut Collector<i64>) {}
    }
}

fn main() {}
