//! Rate limiters of a native function, as the sidecar has them, but by the processing time of the bundles.
//!
//! That time stands while a bundle runs, so what a limiter can grant to it is a number: a run of the items starts with it, and is charged
//! for what it took when it counts.

use std::time::Duration;

use flink_wasm::testing::TestContext;
use flink_wasm_protocol::handshake::RateLimiter;

/// The limiters of a function.
#[derive(Default)]
pub(super) struct Limiters(Vec<Limiter>);

struct Limiter {
    name: String,
    /// The limiter's own bucket, then those of its tiers.
    buckets: Vec<Bucket>,
    filled_at_ms: i64,
}

struct Bucket {
    rate: f64,
    burst: f64,
    level: f64,
}

impl Limiters {
    /// With full buckets.
    pub(super) fn new(declared: &[RateLimiter]) -> Self {
        let limiter = |declared: &RateLimiter| {
            let tiers = declared.tiers.iter().map(|tier| (tier.rate, tier.burst));
            let bucket = |(rate, burst)| Bucket { rate, burst: f64::from(burst), level: f64::from(burst) };
            Limiter {
                name: declared.name.clone(),
                buckets: std::iter::once((declared.rate, declared.burst)).chain(tiers).map(bucket).collect(),
                filled_at_ms: 0,
            }
        };
        Self(declared.iter().map(limiter).collect())
    }

    /// Gives a run at this time what there is.
    pub(super) fn grant(&self, now_ms: i64, context: &TestContext) {
        for limiter in &self.0 {
            context.set_permits(&limiter.name, limiter.permits(now_ms));
        }
    }

    /// Takes what a run of [`Limiters::grant`] has used.
    pub(super) fn charge(&mut self, now_ms: i64, context: &TestContext) {
        for limiter in &mut self.0 {
            let left = context.permits(&limiter.name).unwrap_or_default();
            let used = limiter.permits(now_ms).saturating_sub(left);
            if used > 0 {
                let seconds = limiter.seconds(now_ms);
                limiter
                    .buckets
                    .iter_mut()
                    .for_each(|bucket| bucket.level = bucket.filled(seconds) - f64::from(used));
                limiter.filled_at_ms = limiter.filled_at_ms.max(now_ms);
            }
        }
    }
}

impl Limiter {
    /// All buckets must grant, and permits are whole.
    fn permits(&self, now_ms: i64) -> u32 {
        let seconds = self.seconds(now_ms);
        self.buckets.iter().map(|bucket| bucket.filled(seconds) as u32).min().unwrap_or_default()
    }

    fn seconds(&self, now_ms: i64) -> f64 {
        let millis = now_ms.saturating_sub(self.filled_at_ms).try_into().unwrap_or(0);
        Duration::from_millis(millis).as_secs_f64()
    }
}

impl Bucket {
    fn filled(&self, seconds: f64) -> f64 {
        (self.level + seconds * self.rate).min(self.burst)
    }
}

#[cfg(test)]
mod tests {
    use flink_wasm_protocol::handshake::Tier;

    use super::*;

    #[test]
    fn permits_come_back_with_the_clock_and_tiers_grant_together() {
        let tiers = vec![Tier { name: "tenant".into(), rate: 1.0, burst: 3 }];
        let mut limiters =
            Limiters::new(&[RateLimiter { name: "api".into(), rate: 10.0, burst: 5, shared: true, tiers }]);
        for (now_ms, taken, left) in [(0, 2, 1), (0, 1, 0), (999, 0, 0), (1000, 1, 0), (60_000, 0, 3)] {
            let context = TestContext::new();
            limiters.grant(now_ms, &context);
            assert!(taken == 0 || context.rate_limiter("api").try_acquire(taken), "{now_ms}");
            limiters.charge(now_ms, &context);
            assert_eq!(limiters.0[0].permits(now_ms), left, "{now_ms}");
        }
    }
}
