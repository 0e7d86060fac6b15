//! Lets the first row of each id through, and drops those that repeat it: value state that ends by itself.
//!
//! A producer that sends again after a lost answer makes duplicates, and these come soon after the first row. So an id is
//! remembered for an hour only, and the state does not grow with the stream.

use flink_wasm::prelude::*;

/// An event. It borrows from the batch, and goes out as it came.
#[derive(Row)]
pub struct Event<'a> {
    /// Identifies the event; also the key.
    pub id: &'a str,
    /// What happened.
    pub payload: Option<&'a str>,
}

/// What is remembered of an id.
#[derive(Default, State)]
pub struct Deduplicate {
    /// Whether a row has come. The first one alone writes it, so the hour counts from there, however often the id is
    /// repeated.
    #[state(ttl = "1 h")]
    seen: ValueState<bool>,
}

/// Lets the first row of each id through; the others are counted as `duplicates`. An id is remembered for one hour.
#[flink_wasm::process]
impl Deduplicate {
    fn process(&self, event: Event<'_>, ctx: &KeyedContext<()>, out: &mut Collector<Event<'static>>) {
        if self.seen.get().is_some() {
            ctx.counter_add("duplicates", 1);
            return;
        }
        self.seen.set(true);
        out.collect_borrowed(&event);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flink_wasm::testing::ProcessHarness;

    const HOUR_MS: i64 = 60 * 60 * 1000;

    /// An event that a test can hold.
    #[derive(Debug, PartialEq, Row)]
    struct Owned {
        id: String,
        payload: Option<String>,
    }

    type Harness = ProcessHarness<Deduplicate, String>;

    /// Processes events in one batch, and gives the payloads that come through.
    fn through(harness: &mut Harness, events: &[(&str, &str)]) -> Vec<String> {
        let rows = events.iter().map(|(id, payload)| {
            let event = Event { id, payload: Some(payload) };
            (event.id.to_owned(), event, None)
        });
        assert_eq!(harness.process_batch(rows), Ok(()));
        harness.output::<Owned>().into_iter().filter_map(|event| event.payload).collect()
    }

    #[test]
    fn the_first_of_an_id_comes_through() {
        let mut harness = Harness::open("{}").expect("opens");
        assert_eq!(through(&mut harness, &[("a", "1"), ("b", "2"), ("a", "3")]), ["1", "2"]);
        assert_eq!(through(&mut harness, &[("b", "4"), ("c", "5")]), ["5"]);
        assert_eq!(harness.context().counter("duplicates"), 2);
    }

    #[test]
    fn an_id_is_forgotten_an_hour_after_its_first_row() {
        let mut harness = Harness::open("{}").expect("opens");
        assert_eq!(through(&mut harness, &[("a", "1")]), ["1"]);
        assert_eq!(harness.advance_processing_time(HOUR_MS - 1), Ok(()));
        assert_eq!(through(&mut harness, &[("a", "2")]), [""; 0]);
        assert_eq!(harness.advance_processing_time(HOUR_MS), Ok(()));
        assert_eq!(through(&mut harness, &[("a", "3"), ("a", "4")]), ["3"]);
    }
}
