//! Rate limiters: token buckets that the connections of a job share, and the answers that a bundle got from them.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use flink_wasm_diagnostic::{Code, Diagnostic, Result};
use flink_wasm_protocol::handshake::RateLimiter;
use flink_wasm_protocol::limits::{MAX_RATE_LIMITERS, MAX_TIERS};

/// Requests for permits in one bundle. Their answers are kept, so that a bundle that is run again gets them again.
const MAX_REQUESTS: usize = 1 << 20;

/// By what time permits come back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LimiterClock {
    /// Time that passes.
    #[default]
    Monotonic,
    /// The processing time of the bundles, which a test moves.
    ProcessingTime,
}

impl LimiterClock {
    /// Only differences count.
    fn now(self, processing_time_ms: i64) -> Duration {
        static START: LazyLock<Instant> = LazyLock::new(Instant::now);
        match self {
            Self::Monotonic => START.elapsed(),
            Self::ProcessingTime => Duration::from_millis(processing_time_ms.try_into().unwrap_or(0)),
        }
    }
}

/// The limiters of a sidecar. One goes with the last connection that uses it.
#[derive(Clone, Debug, Default)]
pub struct RateLimiters {
    clock: LimiterClock,
    shared: Arc<Mutex<HashMap<LimiterId, Weak<Limiter>>>>,
}

/// Job and name.
type LimiterId = (String, String);

/// The limiters that one function may ask.
#[derive(Clone, Debug, Default)]
pub struct FunctionLimiters {
    clock: LimiterClock,
    limiters: Arc<[Arc<Limiter>]>,
}

#[derive(Debug)]
struct Limiter {
    declared: RateLimiter,
    /// The limiter's own bucket, then those of its tiers.
    buckets: Mutex<Vec<Bucket>>,
}

#[derive(Debug)]
struct Bucket {
    rate: f64,
    burst: f64,
    level: f64,
    filled_at: Duration,
}

impl RateLimiters {
    /// None yet. `default()` has those that follow the time that passes.
    pub fn new(clock: LimiterClock) -> Self {
        Self { clock, ..Self::default() }
    }

    /// The limiters that a connection of a job declares. FW0503 when they make no sense, or another function of the job has declared a
    /// shared one in another way.
    pub fn connect(&self, job_id: &str, declared: &[RateLimiter]) -> Result<FunctionLimiters> {
        let refused = |message: String| Diagnostic::new(Code::ProtocolViolation, message);
        if declared.len() > MAX_RATE_LIMITERS {
            return Err(refused(format!(
                "{} rate limiters, at most {MAX_RATE_LIMITERS} are taken",
                declared.len()
            )));
        }
        let mut limiters: Vec<Arc<Limiter>> = Vec::new();
        for limiter in declared {
            let rates = limiter.tiers.iter().map(|tier| (tier.rate, tier.burst));
            let is_right = std::iter::once((limiter.rate, limiter.burst))
                .chain(rates)
                .all(|(rate, burst)| rate.is_finite() && rate > 0.0 && burst > 0);
            if !is_right || limiter.tiers.len() > MAX_TIERS {
                return Err(refused(format!(
                    "rate limiter `{}` has more than {MAX_TIERS} tiers, or a rate or burst that is not above 0",
                    limiter.name
                )));
            }
            if limiters.iter().any(|known| known.declared.name == limiter.name) {
                return Err(refused(format!("rate limiter `{}` is declared twice", limiter.name)));
            }
            limiters.push(if limiter.shared { self.share(job_id, limiter)? } else { Limiter::new(limiter) });
        }
        Ok(FunctionLimiters { clock: self.clock, limiters: limiters.into() })
    }

    fn share(&self, job_id: &str, declared: &RateLimiter) -> Result<Arc<Limiter>> {
        let mut shared = lock(&self.shared);
        shared.retain(|_, limiter| limiter.strong_count() > 0);
        let key = (job_id.to_owned(), declared.name.clone());
        if let Some(limiter) = shared.get(&key).and_then(Weak::upgrade) {
            if limiter.declared != *declared {
                return Err(Diagnostic::new(
                    Code::ProtocolViolation,
                    format!("rate limiter `{}` is declared in two ways by one job", declared.name),
                )
                .help("declare it in the same way for each function, or give one of them another name"));
            }
            return Ok(limiter);
        }
        let limiter = Limiter::new(declared);
        shared.insert(key, Arc::downgrade(&limiter));
        Ok(limiter)
    }
}

impl Limiter {
    fn new(declared: &RateLimiter) -> Arc<Self> {
        let bucket = |(rate, burst): (f64, u32)| Bucket {
            rate,
            burst: f64::from(burst),
            level: f64::from(burst),
            // It is full, so how long it has been filling up does not matter.
            filled_at: Duration::ZERO,
        };
        let tiers = declared.tiers.iter().map(|tier| (tier.rate, tier.burst));
        let buckets = std::iter::once((declared.rate, declared.burst)).chain(tiers).map(bucket).collect();
        Arc::new(Self { declared: declared.clone(), buckets: Mutex::new(buckets) })
    }

    /// Takes the permits from every bucket, or from none.
    fn try_acquire(&self, permits: u32, now: Duration) -> bool {
        let mut buckets = lock(&self.buckets);
        let level = |bucket: &Bucket| {
            let seconds = now.saturating_sub(bucket.filled_at).as_secs_f64();
            (bucket.level + seconds * bucket.rate).min(bucket.burst)
        };
        let permits = f64::from(permits);
        let is_granted = buckets.iter().all(|bucket| level(bucket) >= permits);
        // A refusal changes nothing, so that it does not matter how often one asks.
        if is_granted && permits > 0.0 {
            for bucket in buckets.iter_mut() {
                bucket.level = level(bucket) - permits;
                bucket.filled_at = bucket.filled_at.max(now);
            }
        }
        is_granted
    }

    fn give_back(&self, permits: u32) {
        for bucket in lock(&self.buckets).iter_mut() {
            bucket.level = (bucket.level + f64::from(permits)).min(bucket.burst);
        }
    }
}

/// An update is done before the lock is let go, so a poisoned lock is as good as any.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a bundle has asked for and got. When its items are run again, the same requests get the same answers.
#[derive(Debug, Default)]
pub(crate) struct Requests {
    limiters: FunctionLimiters,
    answers: Vec<Answer>,
    /// How many of the answers the run under way has got.
    at: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    limiter: usize,
    permits: u32,
    is_granted: bool,
}

/// Permits that a function was granted, and was refused, by one limiter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimiterUse {
    /// The limiter.
    pub name: String,
    /// Permits granted.
    pub granted: u64,
    /// Permits refused.
    pub refused: u64,
}

impl Requests {
    pub(crate) fn new(limiters: FunctionLimiters) -> Self {
        Self { limiters, answers: Vec::new(), at: 0 }
    }

    /// From here the items are run from the first on.
    pub(crate) fn rewind(&mut self) {
        self.at = 0;
    }

    /// How many answers the last run has got.
    pub(crate) fn count(&self) -> usize {
        self.at
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.answers.is_empty()
    }

    /// FW0513 for an unknown limiter, FW0510 for too many requests.
    pub(crate) fn try_acquire(&mut self, name: &str, permits: u32, processing_time_ms: i64) -> Result<bool> {
        let known = self.limiters.limiters.iter().position(|limiter| limiter.declared.name == name);
        let Some(limiter) = known else {
            return Err(Diagnostic::new(
                Code::UnknownLimiter,
                format!("the function asks for the rate limiter `{name}`, which the job does not declare"),
            )
            .help("declare it in `functions.<name>.rateLimiters`, with rate and burst"));
        };
        match self.answers.get(self.at) {
            Some(answer) if (answer.limiter, answer.permits) == (limiter, permits) => {
                self.at += 1;
                return Ok(answer.is_granted);
            }
            // Other items are run than those that got the answers.
            Some(_) => self.cut(self.at),
            None => {}
        }
        if self.answers.len() == MAX_REQUESTS {
            return Err(Diagnostic::new(
                Code::OutputExceeded,
                format!("the function asked for permits more than {MAX_REQUESTS} times in one bundle"),
            ));
        }
        let now = self.limiters.clock.now(processing_time_ms);
        let is_granted = self.limiters.limiters[limiter].try_acquire(permits, now);
        self.answers.push(Answer { limiter, permits, is_granted });
        self.at += 1;
        Ok(is_granted)
    }

    /// Forgets the answers behind the first ones, and gives their permits back.
    pub(crate) fn cut(&mut self, count: usize) {
        for answer in self.answers.drain(count.min(self.answers.len())..) {
            if answer.is_granted {
                self.limiters.limiters[answer.limiter].give_back(answer.permits);
            }
        }
        self.at = self.at.min(self.answers.len());
    }

    /// Puts the answers aside, so that what is run next gets its own.
    pub(crate) fn put_aside(&mut self) -> Vec<Answer> {
        self.at = 0;
        std::mem::take(&mut self.answers)
    }

    /// Puts answers that were put aside in front again.
    pub(crate) fn put_back(&mut self, mut aside: Vec<Answer>) {
        aside.append(&mut self.answers);
        self.answers = aside;
    }

    /// Ends a bundle: its permits are used.
    pub(crate) fn finish(&mut self) -> Vec<LimiterUse> {
        self.at = 0;
        let limiters = &self.limiters.limiters;
        let mut used: Vec<LimiterUse> = Vec::new();
        for answer in self.answers.drain(..) {
            let name = &limiters[answer.limiter].declared.name;
            let known = used.iter().position(|one| one.name == *name);
            let index = known.unwrap_or_else(|| {
                used.push(LimiterUse { name: name.clone(), granted: 0, refused: 0 });
                used.len() - 1
            });
            let count = match answer.is_granted {
                true => &mut used[index].granted,
                false => &mut used[index].refused,
            };
            *count += u64::from(answer.permits);
        }
        used
    }
}

#[cfg(test)]
mod tests {
    use flink_wasm_protocol::handshake::Tier;

    use super::*;

    fn declared(rate: f64, burst: u32, tiers: &[(f64, u32)]) -> RateLimiter {
        let tier = |(rate, burst): &(f64, u32)| Tier { name: "tier".into(), rate: *rate, burst: *burst };
        RateLimiter { name: "api".into(), rate, burst, shared: true, tiers: tiers.iter().map(tier).collect() }
    }

    #[test]
    fn a_bucket_starts_full_and_fills_with_time() {
        let limiter = Limiter::new(&declared(10.0, 5, &[]));
        let start = Duration::from_secs(1);
        assert!(limiter.try_acquire(0, start));
        assert!(!limiter.try_acquire(6, start), "more than the burst");
        assert!(limiter.try_acquire(5, start));
        assert!(!limiter.try_acquire(1, start));
        assert!(!limiter.try_acquire(1, start + Duration::from_millis(99)));
        assert!(limiter.try_acquire(1, start + Duration::from_millis(101)));
        assert!(limiter.try_acquire(5, start + Duration::from_secs(60)), "never more than the burst");
        assert!(!limiter.try_acquire(1, start + Duration::from_secs(60)));
        // A clock that is read by two threads may be seen out of order.
        assert!(!limiter.try_acquire(1, start));
    }

    #[test]
    fn all_tiers_grant_or_none_loses_permits() {
        let limiter = Limiter::new(&declared(1.0, 10, &[(1.0, 3)]));
        let now = Duration::from_secs(1);
        assert!(!limiter.try_acquire(4, now));
        assert!(limiter.try_acquire(3, now));
        assert!(!limiter.try_acquire(1, now));
        let levels: Vec<f64> = lock(&limiter.buckets).iter().map(|bucket| bucket.level).collect();
        assert_eq!(levels, [7.0, 0.0]);
        limiter.give_back(1);
        assert!(limiter.try_acquire(1, now));
    }

    #[test]
    fn connections_of_a_job_share_until_the_last_has_gone() {
        let registry = RateLimiters::default();
        let slow = [declared(1e-6, 2, &[])];
        let take = |limiters: &FunctionLimiters| limiters.limiters[0].try_acquire(1, limiters.clock.now(0));
        let one = registry.connect("job", &slow).unwrap();
        let two = registry.connect("job", &slow).unwrap();
        let other = registry.connect("other job", &slow).unwrap();
        assert!(take(&one) && take(&two) && !take(&one) && !take(&two));
        assert!(take(&other));
        let own = registry.connect("job", &[RateLimiter { shared: false, ..slow[0].clone() }]).unwrap();
        assert!(take(&own));
        let error = registry.connect("job", &[declared(2.0, 2, &[])]).unwrap_err();
        assert_eq!(error.message, "rate limiter `api` is declared in two ways by one job");
        drop((one, two));
        assert!(take(&registry.connect("job", &[declared(2.0, 2, &[])]).unwrap()), "a bucket starts full");
        assert_eq!(lock(&registry.shared).len(), 2);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let registry = RateLimiters::default();
        for wrong in [
            declared(0.0, 1, &[]),
            declared(f64::NAN, 1, &[]),
            declared(f64::INFINITY, 1, &[]),
            declared(1.0, 0, &[]),
            declared(1.0, 1, &[(1.0, 1); 17]),
            declared(1.0, 1, &[(-1.0, 1)]),
        ] {
            assert_eq!(registry.connect("job", &[wrong]).unwrap_err().code, Code::ProtocolViolation);
        }
        let twice = [declared(1.0, 1, &[]), declared(1.0, 1, &[])];
        assert_eq!(
            registry.connect("job", &twice).unwrap_err().message,
            "rate limiter `api` is declared twice"
        );
        assert!(registry.connect("job", &vec![declared(1.0, 1, &[]); 65]).is_err());
    }

    #[test]
    fn requests_that_are_run_again_get_the_same_answers() {
        let registry = RateLimiters::default();
        let mut requests = Requests::new(registry.connect("job", &[declared(1e-6, 3, &[])]).unwrap());
        let ask = |requests: &mut Requests| requests.try_acquire("api", 2, 0).unwrap();
        assert_eq!([ask(&mut requests), ask(&mut requests)], [true, false]);
        requests.rewind();
        assert_eq!([ask(&mut requests), ask(&mut requests)], [true, false]);
        // The first answer and its permits are discarded.
        requests.cut(0);
        assert_eq!([ask(&mut requests), ask(&mut requests)], [true, false]);
        let used = LimiterUse { name: "api".into(), granted: 2, refused: 2 };
        assert_eq!(requests.finish(), [used]);
        assert_eq!(requests.try_acquire("none", 1, 0).unwrap_err().code, Code::UnknownLimiter);
    }

    #[test]
    fn permits_come_back_by_the_time_of_the_bundles() {
        let registry = RateLimiters::new(LimiterClock::ProcessingTime);
        let mut requests = Requests::new(registry.connect("job", &[declared(10.0, 2, &[])]).unwrap());
        for (now_ms, is_granted) in
            [(i64::MIN, true), (0, true), (0, false), (99, false), (100, true), (100, false), (60_000, true)]
        {
            assert_eq!(requests.try_acquire("api", 1, now_ms).unwrap(), is_granted, "{now_ms}");
        }
    }
}
