//! Sends messages as fast as a service admits that many functions call: a rate limiter that the job declares.
//!
//! The limiter `messages` lives in the sidecar, beside the function, and all subtasks of a task manager share it (or, with the
//! scope `job`, all of the job). `try_acquire` never waits, because an operator that waits holds its checkpoint up. What a
//! function does without a permit is its own choice, and three are shown here:
//!
//! | a row has | permits | without them |
//! |---|---|---|
//! | one message | `try_acquire(1)` | to the side output `deferred` |
//! | several | `try_acquire(n)`: all at once, or none | to the side output `deferred`, all |
//! | any number, and the parameter `on_limit` is `"retry"` | the same | the row fails, and may go well later: the retries of the job's error policy apply |
//!
//! In the job, the function's entry has
//!
//! ```json
//! "rateLimiters": [{"name": "messages", "rate": 100.0, "burst": 200}]
//! ```
//!
//! Permits are not part of a batch: those that were taken stay taken when the batch is run again. State is what counts exactly: see
//! `key-rate-limiter`.

use flink_wasm::prelude::*;

/// The limiter's name in `rateLimiters` of the job.
const LIMITER: &str = "messages";

/// Messages that belong together.
#[derive(Row)]
pub struct Messages {
    /// Who gets them; also the key.
    pub recipient: String,
    /// Their texts.
    pub texts: Vec<String>,
}

/// A message on its way.
#[derive(Debug, PartialEq, Row)]
pub struct Message {
    /// Who gets it.
    pub recipient: String,
    /// Counts the messages of the recipient, from 1.
    pub number: i64,
    /// As it came.
    pub text: String,
}

/// A message for which there was no permit.
#[derive(Debug, PartialEq, Row)]
pub struct Deferred {
    /// Who should have got it.
    pub recipient: String,
    /// As it came.
    pub text: String,
}

/// What a job can set.
#[derive(Parameters)]
pub struct Params {
    /// What becomes of messages above the limit: `defer` or `retry`.
    #[parameter(default = "defer")]
    pub on_limit: String,
}

/// Where messages go.
#[derive(Outputs)]
pub struct Out {
    /// With a permit.
    pub sent: Collector<Message>,
    /// Without one.
    pub deferred: Collector<Deferred>,
}

/// What is remembered of a recipient.
#[derive(State)]
pub struct SharedRateLimiter {
    /// Messages sent so far.
    #[state]
    sent: ValueState<i64>,
    /// Whether a row fails for want of permits.
    retry: bool,
}

/// Sends the messages of a row when the rate limiter `messages` has permits for all of them. Else they go to `deferred`, or
/// the row fails and is tried again.
#[flink_wasm::process]
impl SharedRateLimiter {
    fn open(params: &Params) -> Result<Self, String> {
        let retry = match params.on_limit.as_str() {
            "defer" => false,
            "retry" => true,
            other => return Err(format!("on_limit is `{other}`: give `defer` or `retry`")),
        };
        Ok(Self { sent: ValueState::default(), retry })
    }

    fn process(
        &self,
        messages: Messages,
        ctx: &KeyedContext<()>,
        out: &mut Out,
    ) -> Result<(), Transient<String>> {
        let Messages { recipient, texts } = messages;
        // Asked once for all of them: half of what belongs together is not to be sent.
        let permits = texts.len() as u32;
        if ctx.rate_limiter(LIMITER).try_acquire(permits) {
            let before = self.sent.get().unwrap_or(0);
            self.sent.set(before + i64::from(permits));
            for (number, text) in (before + 1..).zip(texts) {
                out.sent.collect(Message { recipient: recipient.clone(), number, text });
            }
            return Ok(());
        }
        if self.retry {
            return Err(Transient(format!("no {permits} permits for {recipient} now")));
        }
        ctx.counter_add("deferred", u64::from(permits));
        for text in texts {
            out.deferred.collect(Deferred { recipient: recipient.clone(), text });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flink_wasm::testing::ProcessHarness;

    type Harness = ProcessHarness<SharedRateLimiter, String>;

    fn open(parameters: &str, permits: u32) -> Harness {
        let harness = Harness::open(parameters).expect("opens");
        harness.context().set_permits(LIMITER, permits);
        harness
    }

    fn messages(texts: &[&str]) -> Messages {
        Messages { recipient: "ann".into(), texts: texts.iter().map(|text| String::from(*text)).collect() }
    }

    #[test]
    fn permits_are_taken_for_all_messages_of_a_row_or_for_none() {
        let mut harness = open("{}", 3);
        for texts in [&["a"][..], &["b", "c", "d"], &["e", "f"], &["g"]] {
            assert_eq!(harness.process("ann".into(), messages(texts)), Ok(()));
        }
        let sent: Vec<_> =
            harness.output::<Message>().into_iter().map(|sent| (sent.number, sent.text)).collect();
        assert_eq!(sent, [(1, "a".into()), (2, "e".into()), (3, "f".into())]);
        let deferred = harness.side_output::<Deferred>("deferred").into_iter();
        assert_eq!(deferred.map(|(deferred, _)| deferred.text).collect::<Vec<_>>(), ["b", "c", "d", "g"]);
        assert_eq!(harness.context().counter("deferred"), 4);
    }

    #[test]
    fn a_row_can_fail_to_be_tried_again() {
        let mut harness = open(r#"{"on_limit": "retry"}"#, 1);
        let failure = harness.process("ann".into(), messages(&["a", "b"])).expect_err("no permits");
        assert_eq!((failure.message.as_str(), failure.transient), ("no 2 permits for ann now", true));
        harness.context().set_permits(LIMITER, 2);
        assert_eq!(harness.process("ann".into(), messages(&["a", "b"])), Ok(()));
        assert_eq!(harness.output::<Message>().len(), 2);
    }

    #[test]
    fn what_to_do_must_be_known() {
        let refused = Harness::open(r#"{"on_limit": "wait"}"#).err();
        assert_eq!(refused.as_deref(), Some("on_limit is `wait`: give `defer` or `retry`"));
    }
}
