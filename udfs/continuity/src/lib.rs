//! Checks that no row of a key is lost, comes twice or out of order, and that every timer fires once: what the tests that kill processes run.

use flink_wasm::prelude::*;

/// From the row that registers a timer to the timer, in event time.
const TIMER_DELAY_MS: i64 = 500;

/// A numbered row.
#[derive(Row)]
pub struct Numbered {
    /// Of the row, in the whole stream.
    pub id: i64,
    /// The key.
    pub k: i64,
    /// Its number among the rows of its key, from 1.
    pub seq: i64,
}

/// A row, and whether it is the one that was expected.
#[derive(Debug, PartialEq, Row)]
pub struct Checked {
    /// As it came.
    pub id: i64,
    /// As it came.
    pub k: i64,
    /// As it came.
    pub seq: i64,
    /// Empty when `seq` follows the last one of the key, else what was expected.
    pub gap: String,
}

/// A timer that fired.
#[derive(Debug, PartialEq, Row)]
pub struct Fired {
    /// The key.
    pub k: i64,
    /// Of the row that registered the timer.
    pub seq: i64,
    /// Of the timer, in milliseconds since the epoch.
    pub timestamp: i64,
}

/// What a job can set.
#[derive(Parameters)]
pub struct Params {
    /// Every so many rows of a key register a timer.
    #[parameter(default = 5)]
    pub timer_every: i64,
}

/// Where rows go.
#[derive(Outputs)]
pub struct Out {
    /// Every row.
    pub rows: Collector<Checked>,
    /// Every timer.
    pub fired: Collector<Fired>,
}

/// What is remembered of a key.
#[derive(State)]
pub struct Continuity {
    /// The number of the last row.
    #[state]
    last: ValueState<i64>,
    /// Of each timer that waits its timestamp, and the number of the row that registered it.
    #[state]
    waiting: ValueState<Vec<(i64, i64)>>,
    timer_every: i64,
}

/// Tells of each row whether it follows the last one of its key. Every `timer_every`-th row of a key registers an
/// event-time timer 500 ms behind it, which puts its number out to `fired`.
#[flink_wasm::process]
impl Continuity {
    fn open(params: &Params) -> Result<Self, String> {
        if params.timer_every < 1 {
            return Err(format!("timer_every is {}: give at least 1", params.timer_every));
        }
        Ok(Self {
            last: ValueState::default(),
            waiting: ValueState::default(),
            timer_every: params.timer_every,
        })
    }

    fn process(&self, row: Numbered, ctx: &KeyedContext<i64>, out: &mut Out) -> Result<(), String> {
        let Numbered { id, k, seq } = row;
        let expected = self.last.get().unwrap_or(0) + 1;
        let gap = if seq == expected { String::new() } else { format!("expected {expected}") };
        self.last.set(seq);
        if seq % self.timer_every == 0 {
            let Some(timestamp) = ctx.timestamp() else {
                return Err(format!("row {id} has no timestamp for its timer"));
            };
            let due = timestamp + TIMER_DELAY_MS;
            self.waiting.update(|waiting| {
                let mut waiting = waiting.unwrap_or_default();
                waiting.push((due, seq));
                waiting
            });
            ctx.register_event_time_timer(due);
        }
        out.rows.collect(Checked { id, k, seq, gap });
        Ok(())
    }

    fn on_timer(&self, timer: Timer, ctx: &KeyedContext<i64>, out: &mut Out) -> Result<(), String> {
        let timestamp = timer.timestamp;
        let waiting = self.waiting.get().unwrap_or_default();
        let (due, later): (Vec<_>, Vec<_>) = waiting.into_iter().partition(|(due, _)| *due == timestamp);
        if due.is_empty() {
            return Err(format!(
                "a timer fired for {timestamp}, and the state of {} knows of none",
                ctx.key()
            ));
        }
        if later.is_empty() {
            self.waiting.clear();
        } else {
            self.waiting.set(later);
        }
        for (_, seq) in due {
            out.fired.collect(Fired { k: *ctx.key(), seq, timestamp });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flink_wasm::testing::ProcessHarness;

    fn open(parameters: &str) -> ProcessHarness<Continuity, i64> {
        ProcessHarness::open(parameters).expect("opens")
    }

    fn gaps(harness: &mut ProcessHarness<Continuity, i64>) -> Vec<(i64, i64, String)> {
        harness.output::<Checked>().into_iter().map(|row| (row.k, row.seq, row.gap)).collect()
    }

    #[test]
    fn a_lost_a_repeated_and_a_late_row_are_told() {
        let mut harness = open(r#"{"timer_every": 100}"#);
        for (id, (k, seq)) in (0..).zip([(7, 1), (8, 1), (7, 2), (7, 2), (8, 3), (8, 2)]) {
            assert_eq!(harness.process(k, Numbered { id, k, seq }), Ok(()));
        }
        let expected = [
            (7, 1, ""),
            (8, 1, ""),
            (7, 2, ""),
            (7, 2, "expected 3"),
            (8, 3, "expected 2"),
            (8, 2, "expected 4"),
        ];
        assert_eq!(gaps(&mut harness), expected.map(|(k, seq, gap)| (k, seq, gap.to_owned())));
    }

    #[test]
    fn timers_that_wait_together_keep_their_numbers() {
        let mut harness = open(r#"{"timer_every": 2}"#);
        for seq in 1..=5 {
            assert_eq!(harness.process_at(7, Numbered { id: seq, k: 7, seq }, seq * 100), Ok(()));
        }
        let mut fired = |watermark| {
            assert_eq!(harness.advance_watermark(watermark), Ok(()));
            harness.side_output::<Fired>("fired")
        };
        assert_eq!(fired(699), []);
        assert_eq!(fired(700), [(Fired { k: 7, seq: 2, timestamp: 700 }, Some(700))]);
        assert_eq!(fired(i64::MAX), [(Fired { k: 7, seq: 4, timestamp: 900 }, Some(900))]);
        assert_eq!(harness.timers(), []);
    }

    #[test]
    fn a_row_without_timestamp_can_have_no_timer() {
        let mut harness = open(r#"{"timer_every": 1}"#);
        let failure = harness.process(7, Numbered { id: 3, k: 7, seq: 1 }).expect_err("refused");
        assert_eq!(failure.message, "row 3 has no timestamp for its timer");
        assert!(ProcessHarness::<Continuity, i64>::open(r#"{"timer_every": 0}"#).is_err());
    }
}
