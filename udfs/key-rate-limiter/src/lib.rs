//! Limits the rows of each key: a token bucket in keyed state.
//!
//! The bucket is filled by the timestamps of the rows, so the same rows are let through when a job runs again, at whatever speed.
//! The limit is of each key, and survives restarts, since it is state. To limit what all keys do together, or to spare
//! a service, see `shared-rate-limiter`.

use flink_wasm::prelude::*;

/// A request of a client.
#[derive(Debug, PartialEq, Row)]
pub struct Request {
    /// Who asks; also the key.
    pub client: String,
    /// Identifies the request.
    pub id: i64,
}

/// A request above the limit.
#[derive(Debug, PartialEq, Row)]
pub struct Limited {
    /// Who asked.
    pub client: String,
    /// Identifies the request.
    pub id: i64,
    /// How long until the bucket has a permit again, if no other request comes.
    pub retry_after_ms: i64,
}

/// What a job can set.
#[derive(Parameters)]
pub struct Params {
    /// Permits a second that each key gets.
    #[parameter(default = 10.0)]
    pub rate: f64,
    /// Permits that a key can have at once.
    #[parameter(default = 20)]
    pub burst: i32,
}

/// Where requests go.
#[derive(Outputs)]
pub struct Out {
    /// Within the limit.
    pub admitted: Collector<Request>,
    /// Above the limit.
    pub limited: Collector<Limited>,
}

/// What a key may still do.
#[derive(Clone, Debug, StateValue)]
pub struct Bucket {
    /// Permits; parts of one count.
    permits: f64,
    /// When permits were last added.
    filled_at_ms: i64,
}

/// What is remembered of a key.
#[derive(State)]
pub struct KeyRateLimiter {
    #[state]
    bucket: ValueState<Bucket>,
    rate: f64,
    burst: f64,
}

/// Lets so many requests of each key through as `rate` and `burst` admit; the others go to `limited`. Time is that of the
/// rows, or the clock for rows without a timestamp.
#[flink_wasm::process]
impl KeyRateLimiter {
    fn open(params: &Params) -> Result<Self, String> {
        let Params { rate, burst } = *params;
        if !(rate > 0.0 && rate.is_finite()) {
            return Err(format!("rate is {rate}: give a number above 0"));
        }
        if burst < 1 {
            return Err(format!("burst is {burst}: give at least 1"));
        }
        Ok(Self { bucket: ValueState::default(), rate, burst: f64::from(burst) })
    }

    fn process(&self, request: Request, ctx: &KeyedContext<()>, out: &mut Out) {
        let now_ms = ctx.timestamp().unwrap_or_else(|| ctx.processing_time());
        let mut bucket = self.filled(now_ms);
        if bucket.permits >= 1.0 {
            bucket.permits -= 1.0;
            out.admitted.collect(request);
        } else {
            let retry_after_ms = ((1.0 - bucket.permits) / self.rate * 1000.0).ceil() as i64;
            out.limited.collect(Limited { client: request.client, id: request.id, retry_after_ms });
        }
        self.bucket.set(bucket);
    }

    /// The key's bucket with what has flown in since its last row. A new one is full.
    fn filled(&self, now_ms: i64) -> Bucket {
        let Some(Bucket { permits, filled_at_ms }) = self.bucket.get() else {
            return Bucket { permits: self.burst, filled_at_ms: now_ms };
        };
        // A row behind its time adds nothing.
        let seconds = now_ms.saturating_sub(filled_at_ms).max(0) as f64 / 1000.0;
        Bucket {
            permits: (permits + seconds * self.rate).min(self.burst),
            filled_at_ms: now_ms.max(filled_at_ms),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flink_wasm::testing::ProcessHarness;

    type Harness = ProcessHarness<KeyRateLimiter, String>;

    /// The ids of requests at these times that are admitted, and of those that are not their waits.
    #[track_caller]
    fn check(parameters: &str, requests: &[(&str, i64)], admitted: &[i64], limited: &[(i64, i64)]) {
        let mut harness = Harness::open(parameters).expect("opens");
        for (id, (client, timestamp)) in (0..).zip(requests) {
            let client = String::from(*client);
            assert_eq!(harness.process_at(client.clone(), Request { client, id }, *timestamp), Ok(()));
        }
        let ids: Vec<_> = harness.output::<Request>().into_iter().map(|request| request.id).collect();
        let waits = harness.side_output::<Limited>("limited").into_iter();
        assert_eq!(ids, admitted);
        assert_eq!(
            waits.map(|(limited, _)| (limited.id, limited.retry_after_ms)).collect::<Vec<_>>(),
            limited
        );
    }

    #[test]
    fn a_key_has_its_burst_and_then_its_rate() {
        let requests = [("a", 0), ("a", 0), ("a", 0), ("a", 250), ("a", 500), ("a", 500)];
        check(r#"{"rate": 2, "burst": 2}"#, &requests, &[0, 1, 4], &[(2, 500), (3, 250), (5, 500)]);
    }

    #[test]
    fn keys_do_not_share_a_bucket() {
        check(r#"{"rate": 1, "burst": 1}"#, &[("a", 0), ("b", 0), ("a", 0)], &[0, 1], &[(2, 1000)]);
    }

    #[test]
    fn a_long_pause_fills_no_more_than_the_burst() {
        let requests = [("a", 0), ("a", 86_400_000), ("a", 86_400_000), ("a", 86_400_000)];
        check(r#"{"rate": 1, "burst": 2}"#, &requests, &[0, 1, 2], &[(3, 1000)]);
    }

    #[test]
    fn a_row_behind_its_time_adds_nothing() {
        check(
            r#"{"rate": 1, "burst": 1}"#,
            &[("a", 5000), ("a", 0), ("a", 5500)],
            &[0],
            &[(1, 1000), (2, 500)],
        );
    }

    #[test]
    fn parameters_that_admit_nothing_are_refused() {
        for parameters in [r#"{"rate": 0}"#, r#"{"rate": -1}"#, r#"{"burst": 0}"#] {
            assert!(Harness::open(parameters).is_err(), "{parameters}");
        }
    }
}
