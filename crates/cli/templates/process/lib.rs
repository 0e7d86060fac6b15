//! A process function for Apache Flink: keeps state for each key, and sets timers.

use flink_wasm::prelude::*;

/// What the function reads. The fields are the columns, by name.
#[derive(Row)]
pub struct Click {
    pub user_id: i64,
}

/// What the function puts out.
#[derive(Debug, PartialEq, Row)]
pub struct Visit {
    pub user_id: i64,
    pub clicks: i64,
}

/// What the job may set under `functions.<name>.parameters`.
#[derive(Parameters)]
pub struct Settings {
    /// A visit ends when its user has not clicked for so long.
    #[parameter(default = 30)]
    pub gap_minutes: i64,
}

/// What is remembered of a user, in Flink's state: it survives failures, and upgrades of the function.
#[derive(State)]
pub struct {{type}} {
    #[state]
    clicks: ValueState<i64>,
    #[state]
    ends_at: ValueState<i64>,
    gap_ms: i64,
}

/// Counts the clicks of a user's visit, and tells when it has ended.
#[flink_wasm::process]
impl {{type}} {
    fn open(settings: &Settings) -> Self {
        let gap_ms = settings.gap_minutes * 60_000;
        Self { clicks: ValueState::default(), ends_at: ValueState::default(), gap_ms }
    }

    fn process(
        &self,
        _click: Click,
        ctx: &KeyedContext<i64>,
        out: &mut Collector<Visit>,
    ) -> Result<(), &'static str> {
        let at = ctx.timestamp().ok_or("a click has no time: does the source declare a WATERMARK?")?;
        // The watermark may not have come yet that ends the visit before this one.
        if self.ends_at.get().is_some_and(|ends_at| ends_at <= at) {
            self.end(ctx, out);
        }
        self.clicks.update(|clicks| clicks.unwrap_or(0) + 1);
        let before = self.ends_at.get();
        let ends_at = before.unwrap_or(i64::MIN).max(at + self.gap_ms);
        if before != Some(ends_at) {
            before.into_iter().for_each(|timer| ctx.delete_event_time_timer(timer));
            ctx.register_event_time_timer(ends_at);
            self.ends_at.set(ends_at);
        }
        Ok(())
    }

    fn on_timer(&self, _timer: Timer, ctx: &KeyedContext<i64>, out: &mut Collector<Visit>) {
        self.end(ctx, out);
    }
}

impl {{type}} {
    fn end(&self, ctx: &KeyedContext<i64>, out: &mut Collector<Visit>) {
        out.collect(Visit { user_id: *ctx.key(), clicks: self.clicks.get().unwrap_or(0) });
        self.ends_at.get().into_iter().for_each(|timer| ctx.delete_event_time_timer(timer));
        self.clicks.clear();
        self.ends_at.clear();
    }
}

// `cargo test` builds for the sandbox too; tests run natively.
#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use super::*;
    use flink_wasm::testing::ProcessHarness;

    const MINUTE: i64 = 60_000;

    #[test]
    fn a_visit_ends_when_its_user_is_quiet() {
        let mut visits = ProcessHarness::<{{type}}, i64>::open(r#"{"gap_minutes": 10}"#).unwrap();
        for (user_id, minute) in [(1, 0), (2, 1), (1, 9)] {
            visits.process_at(user_id, Click { user_id }, minute * MINUTE).unwrap();
        }
        visits.advance_watermark(11 * MINUTE).unwrap();
        assert_eq!(visits.output::<Visit>(), [Visit { user_id: 2, clicks: 1 }]);
        visits.advance_watermark(19 * MINUTE).unwrap();
        assert_eq!(visits.output::<Visit>(), [Visit { user_id: 1, clicks: 2 }]);
    }
}
