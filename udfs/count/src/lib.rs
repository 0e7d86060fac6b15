//! Counts the rows of a user: the smallest process function, which the benchmarks run.

use flink_wasm::prelude::*;

/// Something that a user did.
#[derive(Row)]
pub struct Event {
    /// The user; also the key.
    pub user_id: i64,
}

/// How much a user has done.
#[derive(Debug, PartialEq, Row)]
pub struct Counted {
    /// The user.
    pub user_id: i64,
    /// Rows so far, this one counted.
    pub count: i64,
}

/// What is remembered of a user.
#[derive(Default, State)]
pub struct Count {
    #[state]
    count: ValueState<i64>,
}

/// Counts the rows of a user.
#[flink_wasm::process]
impl Count {
    fn process(&self, event: Event, _ctx: &KeyedContext<i64>, out: &mut Collector<Counted>) {
        let count = self.count.update(|count| count.unwrap_or(0) + 1);
        out.collect(Counted { user_id: event.user_id, count });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flink_wasm::testing::ProcessHarness;

    #[test]
    fn each_user_is_counted_apart() {
        let mut harness = ProcessHarness::<Count, i64>::open("{}").expect("opens");
        let event = |user_id| (user_id, Event { user_id }, None);
        assert_eq!(harness.process_batch([event(1), event(2), event(1)]), Ok(()));
        assert_eq!(harness.process_batch([event(3), event(1)]), Ok(()));
        let counted: Vec<_> =
            harness.output::<Counted>().into_iter().map(|counted| (counted.user_id, counted.count)).collect();
        assert_eq!(counted, [(1, 1), (2, 1), (1, 2), (3, 1), (1, 3)]);
    }
}
