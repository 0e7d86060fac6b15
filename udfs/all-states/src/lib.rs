//! Every kind of state, both kinds of timers and a side output, by rules so simple that they can be written in Java too: a test runs
//! this function and the same rules as a `KeyedProcessFunction` over the same rows, and compares.
//!
//! # The rules
//!
//! A row has a key `k`, a number `id`, a command `op`, a text `name` and a number `n`. The state of a key is
//!
//! | state | kind | holds |
//! |---|---|---|
//! | `value` | value, TTL 1 h | BIGINT |
//! | `sum` | reducing, by adding | BIGINT |
//! | `list` | list | BIGINT |
//! | `map` | map | STRING to BIGINT |
//!
//! What a row does:
//!
//! | `op` | |
//! |---|---|
//! | `set` | `value` becomes `n` |
//! | `unset` | `value` is cleared |
//! | `sum` | adds `n` to `sum` |
//! | `append` | adds `n` to `list`. When it has more than [`MAX_LIST`] elements then, the last [`KEPT_OF_LIST`] take its place |
//! | `put` | `map[name]` becomes `n` |
//! | `count` | `map[name]` grows by `n`; it is 0 when there is none |
//! | `remove` | `map` loses `name` |
//! | `clear` | all four are cleared |
//! | `timer` | registers an event-time timer for `n`, milliseconds since the epoch |
//! | `delete-timer` | deletes the event-time timer for `n` |
//! | `alarm` | registers a processing-time timer for `n` |
//! | `delete-alarm` | deletes the processing-time timer for `n` |
//! | `copy` | puts a row out to `events`, as a timer does, with `source` `row` and `n` as `timestamp` |
//! | `read` | nothing |
//! | any other | the row is refused, with the error `unknown op <op>` |
//!
//! Then every row puts out a row with all of the state as it is now: `value` and `sum` (NULL when there is none), `list` as its
//! elements joined by commas, and `map` as `name=n` joined by commas, names rising by their UTF-8 bytes. `timestamp` is that of
//! the row, NULL when it has none.
//!
//! A timer adds 1 to `sum` and puts a row out to `events`: `k`, its `source` (`event-time` or `processing-time`), its `timestamp`,
//! and the new `sum`. An event-time timer whose timestamp is a multiple of [`CHAIN_MULTIPLE_MS`] registers another one
//! [`CHAIN_STEP_MS`] later, before it puts its row out.

use flink_wasm::prelude::*;

/// Elements that the list may have.
const MAX_LIST: usize = 4;
/// Elements that are kept when it has more.
const KEPT_OF_LIST: usize = 2;
/// Event-time timers for multiples of this register another one. No multiple itself, the other one ends the chain.
const CHAIN_MULTIPLE_MS: i64 = 10;
/// How much later the other one is.
const CHAIN_STEP_MS: i64 = 5;

/// A command.
#[derive(Row)]
pub struct Command {
    /// The key.
    pub k: i64,
    /// Identifies the row.
    pub id: i64,
    /// What to do.
    pub op: String,
    /// The map key.
    pub name: String,
    /// The number.
    pub n: i64,
}

/// The state behind a row.
#[derive(Debug, PartialEq, Row)]
pub struct Snapshot {
    /// As it came.
    pub k: i64,
    /// As it came.
    pub id: i64,
    /// Of the row, in milliseconds since the epoch.
    pub timestamp: Option<i64>,
    /// What `value` holds.
    pub value: Option<i64>,
    /// What `sum` holds.
    pub sum: Option<i64>,
    /// What `list` holds, such as `1,2`.
    pub list: String,
    /// What `map` holds, such as `a=1,b=2`.
    pub map: String,
}

/// A timer that fired, or a row that was copied.
#[derive(Debug, PartialEq, Row)]
pub struct Event {
    /// The key.
    pub k: i64,
    /// `event-time`, `processing-time` or `row`.
    pub source: String,
    /// Of the timer, in milliseconds since the epoch; `n` of a row.
    pub timestamp: i64,
    /// What `sum` holds.
    pub sum: Option<i64>,
}

/// Where rows go.
#[derive(Outputs)]
pub struct Out {
    /// One for each row.
    pub snapshots: Collector<Snapshot>,
    /// One for each timer, and for each `copy`.
    pub events: Collector<Event>,
}

/// Every kind of state.
#[derive(Default, State)]
pub struct AllStates {
    #[state(ttl = "1 h")]
    value: ValueState<i64>,
    #[state(reduce = |sum, more| sum + more)]
    sum: ReducingState<i64>,
    #[state]
    list: ListState<i64>,
    #[state]
    map: MapState<String, i64>,
}

/// Does with its state what rows say, and puts it out after each.
#[flink_wasm::process]
impl AllStates {
    fn process(&self, command: Command, ctx: &KeyedContext<i64>, out: &mut Out) -> Result<(), String> {
        let Command { k, id, op, name, n } = command;
        match op.as_str() {
            "set" => self.value.set(n),
            "unset" => self.value.clear(),
            "sum" => self.sum.add(n),
            "append" => self.append(n),
            "put" => self.map.insert(name, n),
            "count" => {
                self.map.update(name, |count| count.unwrap_or(0) + n);
            }
            "remove" => self.map.remove(&name),
            "clear" => self.clear(),
            "timer" => ctx.register_event_time_timer(n),
            "delete-timer" => ctx.delete_event_time_timer(n),
            "alarm" => ctx.register_processing_time_timer(n),
            "delete-alarm" => ctx.delete_processing_time_timer(n),
            "copy" => self.event(k, "row", n, out),
            "read" => {}
            other => return Err(format!("unknown op {other}")),
        }
        let list: Vec<_> = self.list.iter().map(|n| n.to_string()).collect();
        let map: Vec<_> = self.map.iter().map(|(name, n)| format!("{name}={n}")).collect();
        out.snapshots.collect(Snapshot {
            k,
            id,
            timestamp: ctx.timestamp(),
            value: self.value.get(),
            sum: self.sum.get(),
            list: list.join(","),
            map: map.join(","),
        });
        Ok(())
    }

    fn on_timer(&self, timer: Timer, ctx: &KeyedContext<i64>, out: &mut Out) {
        self.sum.add(1);
        let source = match timer.domain {
            TimeDomain::EventTime => "event-time",
            TimeDomain::ProcessingTime => "processing-time",
        };
        if timer.domain == TimeDomain::EventTime && timer.timestamp % CHAIN_MULTIPLE_MS == 0 {
            ctx.register_event_time_timer(timer.timestamp + CHAIN_STEP_MS);
        }
        self.event(*ctx.key(), source, timer.timestamp, out);
    }

    fn append(&self, n: i64) {
        self.list.add(n);
        let length = self.list.len();
        if length > MAX_LIST {
            self.list.set(self.list.iter().skip(length - KEPT_OF_LIST));
        }
    }

    fn clear(&self) {
        self.value.clear();
        self.sum.clear();
        self.list.clear();
        self.map.clear();
    }

    fn event(&self, k: i64, source: &str, timestamp: i64, out: &mut Out) {
        out.events.collect(Event { k, source: source.into(), timestamp, sum: self.sum.get() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flink_wasm::testing::ProcessHarness;

    type Harness = ProcessHarness<AllStates, i64>;

    /// Runs commands of key 1, such as `put a 3`, in one batch.
    fn run(harness: &mut Harness, commands: &str) {
        let rows = (0..).zip(commands.split(", ")).map(|(id, command)| {
            let mut words = command.split(' ');
            let op = words.next().unwrap_or_default().to_owned();
            let name = words.next().unwrap_or_default().to_owned();
            let n = words.next().map_or(0, |n| n.parse().expect("a number"));
            (1, Command { k: 1, id, op, name, n }, Some(1000 + id))
        });
        assert_eq!(harness.process_batch(rows.collect::<Vec<_>>()), Ok(()));
    }

    /// The state behind the last row.
    fn last(harness: &mut Harness) -> (Option<i64>, Option<i64>, String, String) {
        let snapshot = harness.output::<Snapshot>().pop().expect("a row");
        (snapshot.value, snapshot.sum, snapshot.list, snapshot.map)
    }

    fn events(harness: &mut Harness) -> Vec<(String, i64, Option<i64>)> {
        let events = harness.side_output::<Event>("events").into_iter();
        events.map(|(event, _)| (event.source, event.timestamp, event.sum)).collect()
    }

    /// However commands are cut into batches, the state behind the last one is the same.
    #[track_caller]
    fn check(commands: &str, expected: (Option<i64>, Option<i64>, &str, &str)) {
        let expected = (expected.0, expected.1, expected.2.to_owned(), expected.3.to_owned());
        let mut harness = Harness::open("{}").expect("opens");
        run(&mut harness, commands);
        assert_eq!(last(&mut harness), expected, "in one batch");
        let mut harness = Harness::open("{}").expect("opens");
        commands.split(", ").for_each(|command| run(&mut harness, command));
        assert_eq!(last(&mut harness), expected, "one by one");
    }

    #[test]
    fn commands_change_the_state() {
        check("read", (None, None, "", ""));
        check("set . 5, set . 7, sum . 1, sum . 2", (Some(7), Some(3), "", ""));
        check("set . 5, unset, sum . 1", (None, Some(1), "", ""));
        check("append . 1, append . 2, append . 3, append . 4", (None, None, "1,2,3,4", ""));
        check("append . 1, append . 2, append . 3, append . 4, append . 5", (None, None, "4,5", ""));
        check("put b 1, put a 2, count b 5, count c -1", (None, None, "", "a=2,b=6,c=-1"));
        check("put b 1, put a 2, remove b, remove x", (None, None, "", "a=2"));
        check("put é 1, put z 2, put ab 3", (None, None, "", "ab=3,z=2,é=1"));
        check("set . 1, sum . 1, append . 1, put a 1, clear, sum . 4", (None, Some(4), "", ""));
    }

    #[test]
    fn timers_fire_in_order_and_register_others() {
        let mut harness = Harness::open("{}").expect("opens");
        run(
            &mut harness,
            "timer . 2010, timer . 2012, timer . 2013, delete-timer . 2013, timer . 3000, copy . 9",
        );
        assert_eq!(events(&mut harness), [("row".into(), 9, None)]);
        assert_eq!(harness.advance_watermark(2999), Ok(()));
        let event = |timestamp, sum| ("event-time".to_owned(), timestamp, Some(sum));
        assert_eq!(events(&mut harness), [event(2010, 1), event(2012, 2), event(2015, 3)]);
        assert_eq!(harness.advance_watermark(3000), Ok(()));
        assert_eq!(events(&mut harness), [event(3000, 4)]);
        assert_eq!(harness.timers(), [(TimeDomain::EventTime, 3005, 1)]);
    }

    #[test]
    fn alarms_go_by_the_clock() {
        let mut harness = Harness::open("{}").expect("opens");
        run(&mut harness, "alarm . 20, alarm . 30, delete-alarm . 30");
        assert_eq!(harness.advance_watermark(i64::MAX), Ok(()));
        assert_eq!(events(&mut harness), []);
        assert_eq!(harness.advance_processing_time(100), Ok(()));
        assert_eq!(events(&mut harness), [("processing-time".into(), 20, Some(1))]);
    }

    #[test]
    fn the_value_ends_after_an_hour() {
        let mut harness = Harness::open("{}").expect("opens");
        run(&mut harness, "set . 1, sum . 1");
        assert_eq!(harness.advance_processing_time(3_600_000), Ok(()));
        run(&mut harness, "read");
        assert_eq!(last(&mut harness), (None, Some(1), String::new(), String::new()));
    }

    #[test]
    fn an_unknown_command_is_refused() {
        let mut harness = Harness::open("{}").expect("opens");
        let command = Command { k: 1, id: 1, op: "sing".into(), name: String::new(), n: 0 };
        assert_eq!(harness.process(1, command).expect_err("refused").message, "unknown op sing");
    }
}
