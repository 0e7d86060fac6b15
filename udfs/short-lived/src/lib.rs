//! Remembers the rows of a key for 200 ms, in every kind of state: what a time to live does can be seen on a cluster, under its clock.

use flink_wasm::prelude::*;

/// Something of a key.
#[derive(Row)]
pub struct Event {
    /// The key.
    pub k: i64,
    /// A number of its own.
    pub id: i64,
}

/// What the states hold, in the order in which they are declared, `-` where one is empty.
#[derive(Debug, PartialEq, Row)]
pub struct Remembered {
    /// The key.
    pub k: i64,
    /// The row's number.
    pub id: i64,
    /// When the row came.
    pub before: String,
    /// Behind it.
    pub after: String,
}

/// The rows of a key that came within the last 200 ms.
#[derive(Default, State)]
pub struct ShortLived {
    #[state(ttl = "200 ms")]
    value: ValueState<i64>,
    #[state(ttl = "200 ms", reduce = |sum, more| sum + more)]
    sum: ReducingState<i64>,
    #[state(ttl = "200 ms")]
    list: ListState<i64>,
    #[state(ttl = "200 ms")]
    map: MapState<i64, i64>,
}

/// Puts the row into each state.
#[flink_wasm::process]
impl ShortLived {
    fn process(&self, event: Event, _ctx: &KeyedContext<i64>, out: &mut Collector<Remembered>) {
        let Event { k, id } = event;
        let before = self.text();
        self.value.set(id);
        self.sum.add(id);
        self.list.add(id);
        self.map.insert(id, id);
        out.collect(Remembered { k, id, before, after: self.text() });
    }

    fn text(&self) -> String {
        let list: Vec<String> = self.list.iter().map(|id| id.to_string()).collect();
        let map: Vec<String> = self.map.keys().map(|id| id.to_string()).collect();
        let texts = [self.value.get(), self.sum.get()].map(|number| number.map(|number| number.to_string()));
        let [value, sum] = texts.map(|text| text.unwrap_or("-".into()));
        let [list, map] = [list, map].map(|ids| if ids.is_empty() { "-".into() } else { ids.join(",") });
        format!("{value} {sum} {list} {map}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flink_wasm::testing::ProcessHarness;

    #[test]
    fn rows_are_remembered() {
        let mut harness = ProcessHarness::<ShortLived, i64>::open("{}").expect("opens");
        let event = |id| (1, Event { k: 1, id }, None);
        assert_eq!(harness.process_batch([event(3), event(4)]), Ok(()));
        let texts: Vec<_> =
            harness.output::<Remembered>().into_iter().map(|row| (row.before, row.after)).collect();
        let expected = [("- - - -", "3 3 3 3"), ("3 3 3 3", "4 7 3,4 3,4")];
        assert_eq!(texts, expected.map(|(before, after)| (before.to_owned(), after.to_owned())));
    }
}
