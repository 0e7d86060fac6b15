//! Checks card payments by rules: two side outputs, a list of what came recently, and timers that forget it.
//!
//! | rule | when | the payment goes to |
//! |---|---|---|
//! | `test-payment` | it is large, and one below 1.00 came on the same card within a minute before: a stolen card is tried out first | `alerts` |
//! | `far-away` | its country is another one than that of the last payment, within an hour | `alerts` |
//! | `too-many` | it is the `max_per_minute + 1`st within a minute, or a further one | `reviews` |
//!
//! What no rule holds goes to the main output. Alerts go before reviews, and a payment goes to one output only. Time is that of the
//! rows.

use flink_wasm::prelude::*;

/// An amount of money.
type Money = Decimal<10, 2>;

/// Payments below one unit try a card out.
const SMALL_UNSCALED: i128 = 100;
/// How long a payment counts for `test-payment` and `too-many`.
const RECENT_MS: i64 = 60_000;
/// How long a country counts for `far-away`.
const TRAVEL_MS: u64 = 60 * 60_000;

/// A payment that wants to be approved.
#[derive(Debug, PartialEq, Row)]
pub struct Payment {
    /// The card; also the key.
    pub card: String,
    /// Identifies the payment.
    pub id: i64,
    /// How much.
    pub amount: Money,
    /// Where, as two letters.
    pub country: String,
}

/// A payment that is held.
#[derive(Debug, PartialEq, Row)]
pub struct Alert {
    /// The card.
    pub card: String,
    /// Identifies the payment.
    pub id: i64,
    /// By which rule.
    pub rule: String,
    /// For those who look at it.
    pub reason: String,
}

/// A payment that someone should look at.
#[derive(Debug, PartialEq, Row)]
pub struct Review {
    /// The card.
    pub card: String,
    /// Identifies the payment.
    pub id: i64,
    /// Payments of the card within the last minute, this one counted.
    pub payments: i64,
}

/// What a job can set.
#[derive(Parameters)]
pub struct Params {
    /// From here on a payment is large.
    #[parameter(default = 500)]
    pub large: i64,
    /// How many payments within a minute are normal.
    #[parameter(default = 5)]
    pub max_per_minute: i64,
}

/// Where payments go.
#[derive(Outputs)]
pub struct Out {
    /// Approved.
    pub approved: Collector<Payment>,
    /// Held.
    pub alerts: Collector<Alert>,
    /// To be looked at.
    pub reviews: Collector<Review>,
}

/// A payment of the last minute.
#[derive(Clone, Debug, StateValue)]
pub struct Recent {
    timestamp_ms: i64,
    small: bool,
}

/// Where a card was used last.
#[derive(Clone, Debug, StateValue)]
pub struct Place {
    timestamp_ms: i64,
    country: String,
}

/// What is remembered of a card.
#[derive(State)]
pub struct FraudRules {
    /// Payments of the last minute. A timer drops each when its minute is over.
    #[state]
    recent: ListState<Recent>,
    /// The last payment. The rule's hour is that of the rows; the state's day is that of the clock, and only frees cards that are not
    /// used any more.
    #[state(ttl = "1 d")]
    last: ValueState<Place>,
    large: Money,
    max_per_minute: usize,
}

/// Approves card payments that no rule holds. `alerts` has those that look like fraud, `reviews` those of a card that is used
/// unusually often.
#[flink_wasm::process]
impl FraudRules {
    fn open(params: &Params) -> Result<Self, String> {
        let large = Money::from_integer(params.large.into());
        let large = large.ok_or_else(|| format!("large is {}: give at most 8 digits", params.large))?;
        let max_per_minute = usize::try_from(params.max_per_minute);
        let max_per_minute = max_per_minute.map_err(|_| "max_per_minute is below 0".to_owned())?;
        Ok(Self { recent: ListState::default(), last: ValueState::default(), large, max_per_minute })
    }

    fn process(&self, payment: Payment, ctx: &KeyedContext<()>, out: &mut Out) -> Result<(), String> {
        let Some(timestamp_ms) = ctx.timestamp() else {
            return Err("the row has no timestamp: give the source a `WATERMARK FOR` a column".into());
        };
        let recent: Vec<Recent> = self.recent.iter().filter(|recent| recent.is_at(timestamp_ms)).collect();
        let payments = recent.len() + 1;
        if let Some((rule, reason)) = self.alert(&payment, timestamp_ms, &recent) {
            out.alerts.collect(Alert { card: payment.card, id: payment.id, rule: rule.into(), reason });
            // A held payment changes nothing: otherwise the thief's country would be the card's next one.
            return Ok(());
        }
        self.recent.add(Recent { timestamp_ms, small: payment.amount.unscaled() < SMALL_UNSCALED });
        ctx.register_event_time_timer(timestamp_ms + RECENT_MS);
        self.last.set(Place { timestamp_ms, country: payment.country.clone() });
        if payments > self.max_per_minute {
            out.reviews.collect(Review { card: payment.card, id: payment.id, payments: payments as i64 });
        } else {
            out.approved.collect(payment);
        }
        Ok(())
    }

    fn on_timer(&self, timer: Timer, _ctx: &KeyedContext<()>, _out: &mut Out) {
        let started_ms = timer.timestamp - RECENT_MS;
        self.recent.set(self.recent.iter().filter(|recent| recent.timestamp_ms > started_ms));
    }

    /// The rule that holds the payment, and why.
    fn alert(&self, payment: &Payment, now_ms: i64, recent: &[Recent]) -> Option<(&'static str, String)> {
        if payment.amount >= self.large && recent.iter().any(|recent| recent.small) {
            return Some(("test-payment", format!("{} within a minute of a small payment", payment.amount)));
        }
        let last = self.last.get()?;
        let passed_ms = now_ms.abs_diff(last.timestamp_ms);
        if last.country == payment.country || passed_ms >= TRAVEL_MS {
            return None;
        }
        let minutes = passed_ms / 60_000;
        Some(("far-away", format!("from {} to {} in {minutes} minutes", last.country, payment.country)))
    }
}

impl Recent {
    /// Whether it came in the minute before `now_ms`.
    fn is_at(&self, now_ms: i64) -> bool {
        self.timestamp_ms <= now_ms && self.timestamp_ms > now_ms - RECENT_MS
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flink_wasm::testing::ProcessHarness;

    type Harness = ProcessHarness<FraudRules, String>;

    /// Processes payments (seconds, amount, country) of one card, and says of each where it went.
    fn outputs(harness: &mut Harness, payments: &[(i64, &str, &str)]) -> Vec<String> {
        let mut went = Vec::new();
        for (id, (seconds, amount, country)) in (0..).zip(payments) {
            let amount = amount.parse().expect("a number");
            let payment = Payment { card: "4711".into(), id, amount, country: (*country).into() };
            assert_eq!(harness.process_at("4711".into(), payment, seconds * 1000), Ok(()));
            let approved = harness.output::<Payment>().into_iter().map(|_| "approved".to_owned());
            went.extend(approved);
            let alerts = harness.side_output::<Alert>("alerts").into_iter();
            went.extend(alerts.map(|(alert, _)| format!("{}: {}", alert.rule, alert.reason)));
            let reviews = harness.side_output::<Review>("reviews").into_iter();
            went.extend(reviews.map(|(review, _)| format!("review: {}", review.payments)));
            assert_eq!(went.len() as i64, id + 1, "one output a payment");
        }
        went
    }

    #[track_caller]
    fn check(parameters: &str, payments: &[(i64, &str, &str)], expected: &[&str]) {
        let mut harness = Harness::open(parameters).expect("opens");
        assert_eq!(outputs(&mut harness, payments), expected);
    }

    #[test]
    fn a_large_payment_behind_a_small_one_is_held() {
        let alert = "test-payment: 500.00 within a minute of a small payment";
        check("{}", &[(0, "0.99", "de"), (59, "500.00", "de")], &["approved", alert]);
        check("{}", &[(0, "0.99", "de"), (60, "500.00", "de")], &["approved", "approved"]);
        check("{}", &[(0, "1.00", "de"), (59, "500.00", "de")], &["approved", "approved"]);
        check("{}", &[(0, "0.99", "de"), (59, "499.99", "de")], &["approved", "approved"]);
        check(
            r#"{"large": 20}"#,
            &[(0, "0.99", "de"), (0, "20.00", "de")],
            &["approved", "test-payment: 20.00 within a minute of a small payment"],
        );
    }

    #[test]
    fn a_card_does_not_travel_within_an_hour() {
        let payments = [(0, "5.00", "de"), (600, "5.00", "us"), (1200, "5.00", "de"), (4800, "5.00", "us")];
        check(
            "{}",
            &payments,
            &["approved", "far-away: from de to us in 10 minutes", "approved", "approved"],
        );
    }

    #[test]
    fn payments_above_the_usual_number_are_reviewed() {
        let payments = [
            (0, "5.00", "de"),
            (10, "5.00", "de"),
            (20, "5.00", "de"),
            (75, "5.00", "de"),
            (79, "5.00", "de"),
        ];
        let expected = ["approved", "approved", "review: 3", "approved", "review: 3"];
        check(r#"{"max_per_minute": 2}"#, &payments, &expected);
    }

    #[test]
    fn a_timer_forgets_what_is_not_recent() {
        let mut harness = Harness::open("{}").expect("opens");
        outputs(&mut harness, &[(0, "5.00", "de"), (10, "5.00", "de")]);
        assert_eq!(harness.timers().len(), 2);
        assert_eq!(harness.advance_watermark(60_000), Ok(()));
        assert_eq!(harness.timers(), [(TimeDomain::EventTime, 70_000, "4711".into())]);
    }
}
