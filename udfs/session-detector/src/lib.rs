//! Finds the sessions of users, which end when nothing has come for a while: event-time timers.
//!
//! A timer is not moved with every row. One waits while a session is open; when it fires too early, because rows have come since, it is
//! registered again for the end as it is known then. So a session costs a timer per gap and not two timer operations per row.
//!
//! One session per user is open at a time, which is enough when the rows of a user are nearly in order. `user-engagement` keeps
//! several open.

use flink_wasm::prelude::*;

/// Something that a user did.
#[derive(Row)]
pub struct Click {
    /// The user; also the key.
    pub user_id: i64,
    /// Where.
    pub page: String,
}

/// A session that is over.
#[derive(Debug, PartialEq, Row)]
pub struct Session {
    /// The user.
    pub user_id: i64,
    /// Of the first row, in milliseconds since the epoch.
    pub start_ms: i64,
    /// Of the last row, in milliseconds since the epoch.
    pub end_ms: i64,
    /// Rows in it.
    pub clicks: i64,
    /// The page of the last row.
    pub exit_page: String,
}

/// A session that begins.
#[derive(Debug, PartialEq, Row)]
pub struct Opened {
    /// The user.
    pub user_id: i64,
    /// Of the first row, in milliseconds since the epoch.
    pub start_ms: i64,
}

/// A row that came when its session was over.
#[derive(Debug, PartialEq, Row)]
pub struct Late {
    /// The user.
    pub user_id: i64,
    /// As it came.
    pub page: String,
    /// In milliseconds since the epoch.
    pub timestamp_ms: i64,
}

/// What a job can set.
#[derive(Parameters)]
pub struct Params {
    /// A session ends so long after its last row.
    #[parameter(default = 1_800_000)]
    pub gap_ms: i64,
}

/// Where sessions go.
#[derive(Outputs)]
pub struct Out {
    /// Sessions that are over.
    pub sessions: Collector<Session>,
    /// Sessions that begin.
    pub opened: Collector<Opened>,
    /// Rows that belong to no session any more.
    pub late: Collector<Late>,
}

/// A session as far as it is known.
#[derive(Clone, Debug, StateValue)]
pub struct Open {
    /// Of the first row.
    start_ms: i64,
    /// Of the last row.
    end_ms: i64,
    /// Rows so far.
    clicks: i64,
    /// The page of the last row.
    exit_page: String,
}

/// What is remembered of a user.
#[derive(State)]
pub struct SessionDetector {
    /// The session that is open. Its timer is registered while there is one.
    #[state]
    open: ValueState<Open>,
    gap_ms: i64,
}

/// Gives a row for each session of a user. A session ends when the watermark is `gap_ms` behind its last row. `opened` tells
/// when one begins, `late` has the rows whose session is over already.
#[flink_wasm::process]
impl SessionDetector {
    fn open(params: &Params) -> Result<Self, String> {
        if params.gap_ms < 1 {
            return Err(format!("gap_ms is {}: give at least 1", params.gap_ms));
        }
        Ok(Self { open: ValueState::default(), gap_ms: params.gap_ms })
    }

    fn process(&self, click: Click, ctx: &KeyedContext<i64>, out: &mut Out) -> Result<(), String> {
        let Some(timestamp_ms) = ctx.timestamp() else {
            return Err("the row has no timestamp: give the source a `WATERMARK FOR` a column".into());
        };
        let Click { user_id, page } = click;
        let open = self.open.get();
        let over_until_ms = open.as_ref().map_or(ctx.watermark(), |open| open.start_ms);
        if timestamp_ms + self.gap_ms <= over_until_ms {
            out.late.collect(Late { user_id, page, timestamp_ms });
            return Ok(());
        }
        let session = match open {
            Some(open) if timestamp_ms < open.end_ms + self.gap_ms => open.with(timestamp_ms, page),
            before => {
                match before {
                    // The watermark is behind the rows: the next session begins before the timer has ended this one.
                    Some(open) => out.sessions.collect(open.over(user_id)),
                    None => ctx.register_event_time_timer(timestamp_ms + self.gap_ms),
                }
                out.opened.collect(Opened { user_id, start_ms: timestamp_ms });
                Open { start_ms: timestamp_ms, end_ms: timestamp_ms, clicks: 1, exit_page: page }
            }
        };
        self.open.set(session);
        Ok(())
    }

    fn on_timer(&self, timer: Timer, ctx: &KeyedContext<i64>, out: &mut Out) {
        let Some(open) = self.open.get() else { return };
        let end_ms = open.end_ms + self.gap_ms;
        if end_ms > timer.timestamp {
            ctx.register_event_time_timer(end_ms);
            return;
        }
        self.open.clear();
        out.sessions.collect(open.over(*ctx.key()));
    }
}

impl Open {
    /// The session with one more row.
    fn with(self, timestamp_ms: i64, page: String) -> Self {
        Self {
            start_ms: self.start_ms.min(timestamp_ms),
            end_ms: self.end_ms.max(timestamp_ms),
            clicks: self.clicks + 1,
            exit_page: if timestamp_ms >= self.end_ms { page } else { self.exit_page },
        }
    }

    fn over(self, user_id: i64) -> Session {
        let Self { start_ms, end_ms, clicks, exit_page } = self;
        Session { user_id, start_ms, end_ms, clicks, exit_page }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flink_wasm::testing::ProcessHarness;

    type Harness = ProcessHarness<SessionDetector, i64>;

    fn open() -> Harness {
        Harness::open(r#"{"gap_ms": 100}"#).expect("opens")
    }

    fn click(harness: &mut Harness, user_id: i64, timestamp: i64) {
        let page = format!("/{timestamp}");
        assert_eq!(harness.process_at(user_id, Click { user_id, page }, timestamp), Ok(()));
    }

    /// User, start, end and clicks of the sessions that are over, with their timestamps.
    fn sessions(harness: &mut Harness) -> Vec<(i64, i64, i64, i64, Option<i64>)> {
        let sessions = harness.output_with_timestamps::<Session>().into_iter();
        sessions
            .map(|(session, timestamp)| {
                assert_eq!(session.exit_page, format!("/{}", session.end_ms));
                (session.user_id, session.start_ms, session.end_ms, session.clicks, timestamp)
            })
            .collect()
    }

    #[test]
    fn a_session_ends_with_its_gap() {
        let mut harness = open();
        for (user_id, timestamp) in [(1, 1000), (2, 1010), (1, 1090), (1, 1050)] {
            click(&mut harness, user_id, timestamp);
        }
        assert_eq!(harness.advance_watermark(1109), Ok(()));
        assert_eq!(sessions(&mut harness), []);
        assert_eq!(harness.advance_watermark(1189), Ok(()));
        assert_eq!(sessions(&mut harness), [(2, 1010, 1010, 1, Some(1110))]);
        assert_eq!(harness.advance_watermark(1190), Ok(()));
        assert_eq!(sessions(&mut harness), [(1, 1000, 1090, 3, Some(1190))]);
        assert_eq!(harness.timers(), []);
        let opened = harness.side_output::<Opened>("opened").into_iter();
        assert_eq!(opened.map(|(opened, _)| opened.start_ms).collect::<Vec<_>>(), [1000, 1010]);
    }

    #[test]
    fn the_next_session_does_not_wait_for_the_watermark() {
        let mut harness = open();
        for timestamp in [1000, 1099, 1199, 1200] {
            click(&mut harness, 1, timestamp);
        }
        assert_eq!(sessions(&mut harness), [(1, 1000, 1099, 2, Some(1199))]);
        assert_eq!(harness.advance_watermark(i64::MAX), Ok(()));
        assert_eq!(sessions(&mut harness), [(1, 1199, 1200, 2, Some(1300))]);
        assert_eq!(harness.timers(), []);
    }

    #[test]
    fn a_row_whose_session_is_over_is_late() {
        let mut harness = open();
        assert_eq!(harness.advance_watermark(1000), Ok(()));
        for timestamp in [900, 901, 1100, 1000, 999] {
            click(&mut harness, 1, timestamp);
        }
        let late = harness.side_output::<Late>("late").into_iter();
        assert_eq!(late.map(|(late, _)| late.timestamp_ms).collect::<Vec<_>>(), [900, 1000, 999]);
    }

    #[test]
    fn a_row_within_an_open_session_is_never_late() {
        let mut harness = open();
        for timestamp in [1000, 1090, 1180] {
            click(&mut harness, 1, timestamp);
        }
        assert_eq!(harness.advance_watermark(1200), Ok(()));
        click(&mut harness, 1, 1050);
        assert_eq!(harness.advance_watermark(1280), Ok(()));
        assert_eq!(sessions(&mut harness), [(1, 1000, 1180, 4, Some(1280))]);
    }

    #[test]
    fn a_row_needs_a_timestamp() {
        let click = Click { user_id: 1, page: "/".into() };
        assert!(
            open().process(1, click).expect_err("refused").message.starts_with("the row has no timestamp")
        );
        assert!(Harness::open(r#"{"gap_ms": 0}"#).is_err());
    }
}
