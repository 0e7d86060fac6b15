//! `calculateUserEngagement` of FlinkDotnet's guide: scores the sessions of users.
//!
//! Several sessions of a user can be open at once, as in Flink's session windows: a row opens one, joins one, or joins those together
//! between which it fills the gap. So rows may come out of order, as far as the watermark allows. Each session has a timer of its own,
//! and the state is a map from the start of a session to the session.
//!
//! Names are those of the guide, `userId` and so on, so that its job definition fits: its `state` operation describes
//! `userSessionState`, and its side output's condition `value > 1000` reads the column `value`.

use flink_wasm::prelude::*;

/// Points of a row, which says how much the user took part.
const POINTS: [(&str, f64); 3] = [("view", 1.0), ("click", 2.0), ("purchase", 5.0)];
/// Points of a row whose type is not among [`POINTS`].
const OTHER_POINTS: f64 = 1.0;
/// Points of a session whose score is one half.
const HALF_SCORE_POINTS: f64 = 10.0;

/// Something that a user did.
#[derive(Row)]
pub struct Event {
    /// The user; also the key.
    #[row(rename = "userId")]
    pub user_id: String,
    /// What: `view`, `click`, `purchase`, or anything else.
    #[row(rename = "eventType")]
    pub event_type: Option<String>,
    /// What it was worth, such as the price of what was bought.
    pub value: Option<f64>,
}

/// A session that is over.
#[derive(Debug, PartialEq, Row)]
pub struct Engagement {
    /// The user.
    #[row(rename = "userId")]
    pub user_id: String,
    /// When the first row came.
    #[row(rename = "sessionStart")]
    pub session_start: TimestampLtz<3>,
    /// When the last row came.
    #[row(rename = "sessionEnd")]
    pub session_end: TimestampLtz<3>,
    /// Rows in it.
    pub events: i64,
    /// The sum of their values.
    pub value: f64,
    /// How much the user took part, from 0 to 1: points / (points + 10), where a view has 1 point, a click 2, a purchase 5.
    #[row(rename = "engagementScore")]
    pub engagement_score: f64,
}

/// A row that came when its session was over.
#[derive(Debug, PartialEq, Row)]
pub struct Late {
    /// The user.
    #[row(rename = "userId")]
    pub user_id: String,
    /// As it came.
    #[row(rename = "eventType")]
    pub event_type: Option<String>,
    /// As it came.
    pub value: Option<f64>,
    /// When it happened.
    #[row(rename = "eventTime")]
    pub event_time: TimestampLtz<3>,
}

/// What a job can set.
#[derive(Parameters)]
pub struct Params {
    /// A session ends so many milliseconds after its last row.
    #[parameter(rename = "sessionTimeoutMs", default = 1_800_000)]
    pub session_timeout_ms: i64,
    /// Sessions with fewer rows are dropped, and counted as `short-sessions`.
    #[parameter(rename = "minEventsPerSession", default = 1)]
    pub min_events_per_session: i64,
}

/// Where sessions go.
#[derive(Outputs)]
pub struct Out {
    /// Sessions that are over.
    pub engagements: Collector<Engagement>,
    /// Rows that belong to no session any more.
    pub late: Collector<Late>,
}

/// A session that is open. Its start is its map key.
#[derive(Clone, Debug, StateValue)]
pub struct Session {
    /// When the last row came.
    end_ms: i64,
    /// Rows so far.
    events: i64,
    /// The sum of their values.
    value: f64,
    /// The sum of their points.
    points: f64,
}

/// What is remembered of a user.
#[derive(State)]
pub struct UserEngagement {
    /// The open sessions by their start. Two hours are longer than a session needs: they end what no watermark ends.
    #[state(name = "userSessionState", ttl = "2 h")]
    sessions: MapState<i64, Session>,
    timeout_ms: i64,
    min_events: i64,
}

/// Scores the sessions of users. A session ends when the watermark is `sessionTimeoutMs` behind its last row; it is told when it has
/// `minEventsPerSession` rows. `late` has the rows whose session is over already.
#[flink_wasm::process]
impl UserEngagement {
    fn open(params: &Params) -> Result<Self, String> {
        let Params { session_timeout_ms: timeout_ms, min_events_per_session: min_events } = *params;
        if timeout_ms < 1 {
            return Err(format!("sessionTimeoutMs is {timeout_ms}: give at least 1"));
        }
        Ok(Self { sessions: MapState::default(), timeout_ms, min_events })
    }

    fn process(&self, event: Event, ctx: &KeyedContext<String>, out: &mut Out) -> Result<(), String> {
        let Some(timestamp_ms) = ctx.timestamp() else {
            return Err("the row has no timestamp: give the source a `WATERMARK FOR` a column".into());
        };
        let (mut start_ms, mut session) = (timestamp_ms, Session::of(&event, timestamp_ms));
        let near: Vec<_> = self.sessions.iter().filter(|near| self.joins(timestamp_ms, near)).collect();
        if near.is_empty() && timestamp_ms + self.timeout_ms <= ctx.watermark() {
            let Event { user_id, event_type, value } = event;
            let event_time = TimestampLtz::from_millis(timestamp_ms);
            out.late.collect(Late { user_id, event_type, value, event_time });
            return Ok(());
        }
        for (near_start_ms, near) in near {
            ctx.delete_event_time_timer(near.end_ms + self.timeout_ms);
            self.sessions.remove(&near_start_ms);
            start_ms = start_ms.min(near_start_ms);
            session = session.joined(&near);
        }
        ctx.register_event_time_timer(session.end_ms + self.timeout_ms);
        self.sessions.insert(start_ms, session);
        Ok(())
    }

    fn on_timer(&self, timer: Timer, ctx: &KeyedContext<String>, out: &mut Out) {
        let end_ms = timer.timestamp - self.timeout_ms;
        // Sessions of one user have different ends. None has this one when its TTL was over first.
        let Some((start_ms, session)) = self.sessions.iter().find(|(_, session)| session.end_ms == end_ms)
        else {
            return;
        };
        self.sessions.remove(&start_ms);
        if session.events < self.min_events {
            ctx.counter_add("short-sessions", 1);
            return;
        }
        out.engagements.collect(Engagement {
            user_id: ctx.key().clone(),
            session_start: TimestampLtz::from_millis(start_ms),
            session_end: TimestampLtz::from_millis(end_ms),
            events: session.events,
            value: session.value,
            engagement_score: session.points / (session.points + HALF_SCORE_POINTS),
        });
    }

    /// Whether a row of this time is part of the session.
    fn joins(&self, timestamp_ms: i64, (start_ms, session): &(i64, Session)) -> bool {
        timestamp_ms > start_ms - self.timeout_ms && timestamp_ms < session.end_ms + self.timeout_ms
    }
}

impl Session {
    /// A session of one row.
    fn of(event: &Event, timestamp_ms: i64) -> Self {
        let event_type = event.event_type.as_deref().unwrap_or_default();
        let points =
            POINTS.iter().find(|(known, _)| *known == event_type).map_or(OTHER_POINTS, |(_, points)| *points);
        Self { end_ms: timestamp_ms, events: 1, value: event.value.unwrap_or(0.0), points }
    }

    fn joined(self, other: &Self) -> Self {
        Self {
            end_ms: self.end_ms.max(other.end_ms),
            events: self.events + other.events,
            value: self.value + other.value,
            points: self.points + other.points,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flink_wasm::testing::ProcessHarness;

    type Harness = ProcessHarness<UserEngagement, String>;

    const MINUTE_MS: i64 = 60_000;

    fn open(parameters: &str) -> Harness {
        Harness::open(parameters).expect("opens")
    }

    /// Processes an event of Ann, at a minute.
    fn event(harness: &mut Harness, minute: i64, event_type: &str, value: f64) {
        let event = Event { user_id: "ann".into(), event_type: Some(event_type.into()), value: Some(value) };
        assert_eq!(harness.process_at("ann".into(), event, minute * MINUTE_MS), Ok(()));
    }

    /// The minutes at which sessions start and end, their events and values.
    fn sessions(harness: &mut Harness) -> Vec<(i64, i64, i64, f64)> {
        let minute = |time: TimestampLtz<3>| time.millis() / MINUTE_MS;
        let sessions = harness.output::<Engagement>().into_iter();
        sessions
            .map(|session| {
                (minute(session.session_start), minute(session.session_end), session.events, session.value)
            })
            .collect()
    }

    #[test]
    fn a_session_ends_when_the_watermark_passes_its_timeout() {
        let mut harness = open("{}");
        for (minute, event_type) in [(0, "view"), (10, "click"), (39, "purchase")] {
            event(&mut harness, minute, event_type, 0.5);
        }
        assert_eq!(harness.advance_watermark(69 * MINUTE_MS - 1), Ok(()));
        assert_eq!(sessions(&mut harness), []);
        assert_eq!(harness.advance_watermark(69 * MINUTE_MS), Ok(()));
        let engagements = harness.output_with_timestamps::<Engagement>();
        let [(engagement, timestamp)] = &engagements[..] else { panic!("{engagements:?}") };
        assert_eq!(*timestamp, Some(69 * MINUTE_MS));
        assert_eq!((engagement.user_id.as_str(), engagement.events, engagement.value), ("ann", 3, 1.5));
        assert_eq!(engagement.engagement_score, 8.0 / 18.0);
        assert_eq!(harness.timers(), []);
    }

    #[test]
    fn a_row_between_two_sessions_joins_them() {
        let mut harness = open("{}");
        for minute in [0, 50, 100] {
            event(&mut harness, minute, "view", 1.0);
        }
        assert_eq!(harness.timers().len(), 3);
        event(&mut harness, 25, "view", 1.0);
        assert_eq!(harness.timers().len(), 2);
        assert_eq!(harness.advance_watermark(i64::MAX), Ok(()));
        assert_eq!(sessions(&mut harness), [(0, 50, 3, 3.0), (100, 100, 1, 1.0)]);
    }

    #[test]
    fn short_sessions_are_counted_only() {
        let mut harness = open(r#"{"minEventsPerSession": 2}"#);
        for minute in [0, 60, 61, 120] {
            event(&mut harness, minute, "view", 0.0);
        }
        assert_eq!(harness.advance_watermark(i64::MAX), Ok(()));
        assert_eq!(sessions(&mut harness), [(60, 61, 2, 0.0)]);
        assert_eq!(harness.context().counter("short-sessions"), 2);
    }

    #[test]
    fn a_row_is_late_when_no_session_has_room_for_it() {
        let mut harness = open("{}");
        event(&mut harness, 60, "view", 0.0);
        assert_eq!(harness.advance_watermark(80 * MINUTE_MS), Ok(()));
        // Its own session would be over; the open one takes it in.
        event(&mut harness, 40, "view", 0.0);
        event(&mut harness, 10, "click", 7.0);
        let late = harness.side_output::<Late>("late").into_iter();
        assert_eq!(late.map(|(late, _)| late.value).collect::<Vec<_>>(), [Some(7.0)]);
        assert_eq!(harness.advance_watermark(90 * MINUTE_MS), Ok(()));
        assert_eq!(sessions(&mut harness), [(40, 60, 2, 0.0)]);
    }

    #[test]
    fn a_session_that_no_watermark_ends_is_forgotten() {
        let mut harness = open("{}");
        event(&mut harness, 0, "view", 0.0);
        assert_eq!(harness.advance_processing_time(120 * MINUTE_MS), Ok(()));
        assert_eq!(harness.advance_watermark(i64::MAX), Ok(()));
        assert_eq!(sessions(&mut harness), []);
    }

    #[test]
    fn an_event_without_type_and_value_counts() {
        let mut harness = open("{}");
        let event = Event { user_id: "ann".into(), event_type: None, value: None };
        assert_eq!(harness.process_at("ann".into(), event, 0), Ok(()));
        assert_eq!(harness.advance_watermark(i64::MAX), Ok(()));
        let scores: Vec<_> =
            harness.output::<Engagement>().into_iter().map(|row| row.engagement_score).collect();
        assert_eq!(scores, [1.0 / 11.0]);
    }

    #[test]
    fn a_row_needs_a_timestamp() {
        let event = Event { user_id: "ann".into(), event_type: None, value: None };
        let failure = open("{}").process("ann".into(), event).expect_err("refused");
        assert!(failure.message.starts_with("the row has no timestamp"), "{}", failure.message);
        assert!(Harness::open(r#"{"sessionTimeoutMs": 0}"#).is_err());
    }
}
