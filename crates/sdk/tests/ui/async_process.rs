use flink_wasm::prelude::*;

#[derive(Default, State)]
struct Enrich {}

#[flink_wasm::process]
impl Enrich {
    async fn process(&self, id: i64, _ctx: &KeyedContext<i64>, out: &mut Collector<i64>) {
        out.collect(id);
    }
}

#[derive(Default, State)]
struct Wait {}

#[flink_wasm::process]
impl Wait {
    fn process(&self, _id: i64, _ctx: &KeyedContext<i64>, _out: &mut Collector<i64>) {}

    async fn on_timer(&self, _timer: Timer, _ctx: &KeyedContext<i64>, _out: &mut Collector<i64>) {}
}

fn main() {}
