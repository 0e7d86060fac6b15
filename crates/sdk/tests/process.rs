//! What the macros make of process functions: descriptors, outputs, timers, rate limiters, refusals, and panics on what does not fit.

use std::panic::{AssertUnwindSafe, catch_unwind};

use flink_wasm::prelude::*;
use flink_wasm::testing::{ProcessHarness, TestContext, batch};
use flink_wasm::{
    Batch, Cells, Column, Descriptor, Effects, Elements, Failure, Field, Keyed, Kind, Parameter,
    ProcessFunction, Processor, RowFailure, SideOutput, StateDescriptor, StateKind, Varlen,
};

#[derive(Clone, Debug, PartialEq, Row)]
struct Click<'a> {
    page: &'a str,
    millis: i64,
}

#[derive(Debug, PartialEq, Row)]
struct Session {
    clicks: i64,
    by: String,
}

#[derive(Outputs)]
struct Out {
    sessions: Collector<Session>,
    late: Collector<Click<'static>>,
    #[output(name = "fired-at")]
    fired: Collector<i64>,
}

#[derive(Parameters)]
struct Params {
    /// How long a session may pause, in milliseconds.
    #[parameter(default = 10)]
    gap: i64,
}

#[derive(State)]
struct Sessions {
    #[state(ttl = "30 min")]
    clicks: ValueState<i64>,
    #[state(name = "longest-page")]
    longest: ReducingState<i64>,
    gap: i64,
}

/// Counts the clicks of sessions.
#[flink_wasm::process(name = "sessions")]
impl Sessions {
    fn open(params: &Params) -> Result<Self, String> {
        if params.gap <= 0 {
            return Err(format!("a gap of {} ms is none", params.gap));
        }
        let (clicks, longest) = (ValueState::default(), ReducingState::new(i64::max));
        Ok(Self { clicks, longest, gap: params.gap })
    }

    fn process(&self, click: Click<'_>, ctx: &KeyedContext<&str>, out: &mut Out) -> Result<(), Failure> {
        match click.page {
            "" => return Err("no page".into()),
            "busy" => return Err(Transient("come again").into()),
            _ => {}
        }
        if click.millis < ctx.watermark() {
            out.late.collect_borrowed(&click);
            return Ok(());
        }
        self.clicks.update(|clicks| clicks.unwrap_or(0) + 1);
        self.longest.add(click.page.len() as i64);
        ctx.register_event_time_timer(click.millis + self.gap);
        ctx.register_processing_time_timer(ctx.processing_time() + 1000);
        Ok(())
    }

    fn on_timer(&self, timer: Timer, ctx: &KeyedContext<&str>, out: &mut Out) {
        out.fired.collect(ctx.timestamp().unwrap_or(-1));
        let by = match timer.domain {
            TimeDomain::EventTime => format!("{} {:?}", ctx.key(), self.longest.get()),
            TimeDomain::ProcessingTime => format!("{} at {}", ctx.key(), timer.timestamp),
        };
        out.sessions.collect(Session { clicks: self.clicks.get().unwrap_or(0), by });
        self.clicks.clear();
        self.longest.clear();
    }
}

fn field(name: &str, sql_type: &str) -> Field {
    Field { name: name.into(), sql_type: sql_type.into() }
}

#[test]
fn a_process_function_describes_itself() {
    let state = |name: &str, kind, ttl_ms| StateDescriptor {
        name: name.into(),
        kind,
        schema: "v1:i64".into(),
        ttl_ms,
    };
    let click = vec![field("page", "STRING NOT NULL"), field("millis", "BIGINT NOT NULL")];
    assert_eq!(
        Sessions::describe(),
        Descriptor {
            name: "sessions".into(),
            version: env!("CARGO_PKG_VERSION").into(),
            kind: Kind::Process,
            description: "Counts the clicks of sessions.".into(),
            input: click.clone(),
            output: vec![field("clicks", "BIGINT NOT NULL"), field("by", "STRING NOT NULL")],
            parameters: vec![Parameter {
                name: "gap".into(),
                sql_type: "BIGINT NOT NULL".into(),
                default_json: Some("10".into()),
                description: "How long a session may pause, in milliseconds.".into(),
            }],
            key: vec![field("value", "STRING NOT NULL")],
            states: vec![
                state("clicks", StateKind::Value, Some(1_800_000)),
                state("longest-page", StateKind::Reducing, None),
            ],
            side_outputs: vec![
                SideOutput { name: "late".into(), fields: click },
                SideOutput { name: "fired-at".into(), fields: vec![field("value", "BIGINT NOT NULL")] },
            ],
            timers: true,
        }
    );
}

fn sessions() -> ProcessHarness<Sessions, String> {
    ProcessHarness::open("{}").expect("opens")
}

fn click<'a>(key: &str, page: &'a str, millis: i64) -> (String, Click<'a>, Option<i64>) {
    (key.into(), Click { page, millis }, Some(millis))
}

fn session(clicks: i64, by: &str) -> Session {
    Session { clicks, by: by.into() }
}

#[derive(Debug, PartialEq, Row)]
struct Late {
    page: String,
    millis: i64,
}

#[test]
fn rows_and_timers_go_to_their_outputs_with_their_timestamps() {
    let mut harness = sessions();
    harness
        .process_batch([click("ada", "a", 1), click("bob", "bb", 2), click("ada", "ccc", 5)])
        .expect("good rows");
    assert_eq!(
        harness.timers(),
        [
            (TimeDomain::EventTime, 11, "ada".into()),
            (TimeDomain::EventTime, 12, "bob".into()),
            (TimeDomain::EventTime, 15, "ada".into()),
            (TimeDomain::ProcessingTime, 1000, "ada".into()),
            (TimeDomain::ProcessingTime, 1000, "bob".into()),
        ]
    );
    harness.advance_watermark(12).expect("good timers");
    assert_eq!(
        harness.output_with_timestamps::<Session>(),
        [(session(2, "ada Some(3)"), Some(11)), (session(1, "bob Some(2)"), Some(12))]
    );
    harness.process_batch([click("ada", "late", 11)]).expect("a good row");
    assert_eq!(harness.side_output("late"), [(Late { page: "late".into(), millis: 11 }, Some(11))]);
    assert_eq!(harness.side_output::<i64>("fired-at"), [(11, Some(11)), (12, Some(12))]);
    // As in Flink, a processing-time timer gives its time to side outputs, and none to the main output.
    harness.advance_processing_time(1000).expect("good timers");
    assert_eq!(
        harness.output_with_timestamps::<Session>(),
        [(session(0, "ada at 1000"), None), (session(0, "bob at 1000"), None)]
    );
    assert_eq!(harness.side_output::<i64>("fired-at"), [(1000, Some(1000)), (1000, Some(1000))]);
}

#[test]
fn a_refused_row_ends_the_batch_and_nothing_of_it_is_told() {
    let mut harness = sessions();
    for (page, message, transient) in [("", "no page", false), ("busy", "come again", true)] {
        let rows = [click("ada", "a", 1), click("ada", page, 2), click("ada", "a", 3)];
        assert_eq!(
            harness.process_batch(rows),
            Err(RowFailure { row: 1, message: message.into(), transient })
        );
    }
    assert_eq!(harness.timers(), []);
    harness.process_batch([click("ada", "a", 4)]).expect("a good row");
    harness.advance_watermark(100).expect("good timers");
    assert_eq!(harness.output::<Session>(), [session(1, "ada Some(1)")]);
    let opened = ProcessHarness::<Sessions, String>::open(r#"{"gap": 0}"#);
    assert_eq!(opened.err(), Some("a gap of 0 ms is none".into()));
}

/// A key of two columns.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Row)]
struct Ticker {
    step: i64,
    by_event_time: bool,
}

/// A timer each `step` milliseconds, for ever.
#[derive(Default, State)]
struct Ticks {
    #[state]
    count: ValueState<i64>,
}

#[flink_wasm::process]
impl Ticks {
    fn process(&self, start: i64, ctx: &KeyedContext<Ticker>, _out: &mut Collector<i64>) {
        for timestamp in [start, start + 1] {
            self.register(timestamp, ctx);
        }
        if ctx.key().by_event_time {
            ctx.delete_event_time_timer(start + 1);
        } else {
            ctx.delete_processing_time_timer(start + 1);
        }
    }

    fn on_timer(
        &self,
        timer: Timer,
        ctx: &KeyedContext<Ticker>,
        out: &mut Collector<i64>,
    ) -> Result<(), String> {
        if timer.timestamp == 666 {
            return Err("a bad number".into());
        }
        self.count.update(|count| count.unwrap_or(0) + 1);
        out.collect(timer.timestamp);
        self.register(timer.timestamp + ctx.key().step, ctx);
        Ok(())
    }

    fn register(&self, timestamp: i64, ctx: &KeyedContext<Ticker>) {
        if ctx.key().by_event_time {
            ctx.register_event_time_timer(timestamp);
        } else {
            ctx.register_processing_time_timer(timestamp);
        }
    }
}

#[test]
fn a_timer_that_registers_a_due_one_fires_it_in_the_same_call() {
    let ticker = |step, by_event_time| Ticker { step, by_event_time };
    let mut harness = ProcessHarness::<Ticks, Ticker>::open("{}").expect("opens");
    harness.process(ticker(10, true), 5_i64).expect("a good row");
    harness.process(ticker(7, true), 6_i64).expect("a good row");
    harness.process(ticker(20, false), 30_i64).expect("a good row");
    // By the processing time, and not by the watermark.
    harness.advance_watermark(27).expect("good timers");
    assert_eq!(harness.output::<i64>(), [5, 6, 13, 15, 20, 25, 27]);
    harness.advance_processing_time(70).expect("good timers");
    assert_eq!(harness.output::<i64>(), [30, 50, 70]);
    assert_eq!(
        harness.timers(),
        [
            (TimeDomain::EventTime, 34, ticker(7, true)),
            (TimeDomain::EventTime, 35, ticker(10, true)),
            (TimeDomain::ProcessingTime, 90, ticker(20, false)),
        ]
    );
}

#[test]
fn a_refused_timer_is_that_of_the_call_which_led_to_it() {
    let ticker = |step| Ticker { step, by_event_time: true };
    let mut harness = ProcessHarness::<Ticks, Ticker>::open("{}").expect("opens");
    // 660 fires as the second timer of the call, and leads to 666.
    harness.process(ticker(1000), 1_i64).expect("a good row");
    harness.process(ticker(6), 660_i64).expect("a good row");
    let refused = RowFailure { row: 1, message: "a bad number".into(), transient: false };
    assert_eq!(harness.advance_watermark(700), Err(refused));
    assert_eq!(harness.output::<i64>(), [0_i64; 0]);

    let mut harness = ProcessHarness::<Ticks, Ticker>::open("{}").expect("opens");
    harness.process(ticker(0), 1_i64).expect("a good row");
    let message = "timers fire without end: more than 100000 (MAX_TIMERS_PER_CALL) were registered at or before the watermark, \
                   the last one for 1; register the next timer behind it";
    let endless = RowFailure { row: 0, message: message.into(), transient: false };
    assert_eq!(harness.advance_watermark(1), Err(endless));
}

/// Lets a row pass when a limiter grants it, and says how.
#[derive(Default, State)]
struct Limited {}

#[flink_wasm::process]
impl Limited {
    fn process(&self, permits: i32, ctx: &KeyedContext<()>, out: &mut Collector<bool>) {
        let granted = ctx.rate_limiter("api").try_acquire(permits as u32);
        ctx.counter_add(if granted { "granted" } else { "refused" }, 1);
        out.collect(granted);
    }
}

#[test]
fn a_rate_limiter_grants_all_permits_or_none() {
    assert_eq!((Limited::describe().key, Limited::describe().timers), (vec![], false));
    let mut harness = ProcessHarness::<Limited, i64>::open("{}").expect("opens");
    harness.context().set_permits("api", 5);
    harness.process_batch([3, 3, 2, 1].map(|permits| (1_i64, permits, None))).expect("good rows");
    assert_eq!(harness.output::<bool>(), [true, false, true, false]);
    assert_eq!((harness.context().counter("granted"), harness.context().counter("refused")), (2, 2));
}

/// Does what the row says, all of it wrong.
#[derive(Default, State)]
struct Wrong {
    #[state]
    count: ValueState<i64>,
    #[state]
    map: MapState<i64, bool>,
    #[state]
    list: ListState<i64>,
}

#[flink_wasm::process]
impl Wrong {
    fn process(&self, what: &str, ctx: &KeyedContext<i64>, _out: &mut Collector<i64>) {
        match what {
            "register" => ctx.register_event_time_timer(1),
            "value" => drop(self.count.get()),
            "map" => drop(self.map.get(&1)),
            "all" => drop(self.map.iter()),
            "list" => drop(self.list.iter()),
            _ => {}
        }
    }
}

/// A backend that holds bytes which are no values.
struct Broken;

impl Elements for Broken {
    fn get(&self, _state: u32, _key: u32, _element: &[u8]) -> Option<Vec<u8>> {
        Some(vec![2])
    }

    fn scan(&self, _state: u32, _key: u32) -> (Column, Column) {
        (bytes(&[1]), bytes(&[1, 2]))
    }
}

impl Effects for Broken {
    fn emit(&mut self, _output: u32, _rows: &Batch, _timestamps: &[i64]) {}
    fn put_values(&mut self, _state: u32, _keys: &[u32], _values: &Column) {}
    fn put_elements(
        &mut self,
        _state: u32,
        _keys: &[u32],
        _ops: &[u8],
        _elements: &Column,
        _values: &Column,
    ) {
    }
    fn put_timers(&mut self, _keys: &[u32], _timestamps: &[i64], _flags: &[u8]) {}
}

fn bytes(data: &[u8]) -> Column {
    let varlen = Varlen { offsets: vec![0, data.len() as u32], data: data.to_vec() };
    Column { validity: None, cells: Cells::Varlen(varlen) }
}

#[track_caller]
fn check_panic(run: impl FnOnce(), expected: &str) {
    let payload = catch_unwind(AssertUnwindSafe(run)).expect_err("what does not fit");
    let text = payload.downcast_ref::<&str>().map(|text| text.to_string());
    assert_eq!(text.or_else(|| payload.downcast_ref::<String>().cloned()), Some(expected.into()));
}

#[test]
fn what_does_not_fit_panics_with_the_place() {
    let open = || Processor::<Wrong>::open("{}", Box::new(Broken)).expect("opens");
    let run = |what: &str, keys: &[u32], timestamps: &[i64], values: Vec<Column>| {
        let keyed = Keyed { keys: keys.to_vec(), key_rows: batch([7_i64]), values };
        let result =
            open().process_batch(&batch([what]), timestamps, keyed, &TestContext::new(), &mut Broken);
        assert_eq!(result, Ok(()));
    };
    let value = || vec![bytes(&[0; 8])];
    run("", &[0], &[1], value());
    for (what, expected) in [
        (
            "register",
            "a timer is registered, and the function has no `on_timer`: write `fn on_timer(&self, timer: Timer, ..)`",
        ),
        ("map", "state `map` does not hold v1:map<i64,bool>: expected bool: 0 or 1 at byte 0 of 1"),
        ("all", "state `map` does not hold v1:map<i64,bool>: expected i64 at byte 0 of 1"),
        ("list", "state `list` does not hold v1:list<i64>: expected i64 at byte 0 of 2"),
    ] {
        check_panic(|| run(what, &[0], &[1], value()), expected);
    }
    check_panic(
        || run("value", &[0], &[1], vec![bytes(&[0; 7])]),
        "state `count` does not hold v1:i64: expected i64 at byte 0 of 7",
    );
    check_panic(|| run("", &[0], &[1], vec![]), "the batch brings no column for a value state");
    check_panic(|| run("", &[1], &[1], value()), "an item of the batch has key 1 of 1");
    check_panic(|| run("", &[0], &[], value()), "the batch has 0 timestamps for 1 items");
    check_panic(|| run("", &[0, 0], &[1, 1], value()), "the batch has 2 keys for 1 rows");
    let outside = Wrong::default();
    check_panic(
        || outside.count.clear(),
        "state is there in `process` and `on_timer` only, and not in `open`",
    );
}

#[test]
fn a_reducing_state_without_a_function_does_not_open() {
    #[derive(Default, State)]
    struct Unfinished {
        #[state]
        sum: ReducingState<i64>,
    }

    #[flink_wasm::process]
    impl Unfinished {
        fn process(&self, more: i64, _ctx: &KeyedContext<i64>, _out: &mut Collector<i64>) {
            self.sum.add(more);
        }
    }

    let opened = ProcessHarness::<Unfinished, i64>::open("{}");
    let expected = "state `sum` has no function that puts values together: write `#[state(reduce = |all, one| ..)]`, or make it \
                    with `ReducingState::new(|all, one| ..)` in `open`";
    assert_eq!(opened.err(), Some(expected.into()));
}
