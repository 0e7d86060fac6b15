//! Keeps orders of at least some amount: a filter with a parameter.

use flink_wasm::prelude::*;

/// The columns that the decision needs. A job may give more: they are matched by name.
#[derive(Row)]
pub struct Order {
    /// What was ordered is worth.
    pub amount: f64,
}

/// What a job can set.
#[derive(Parameters)]
pub struct Limit {
    /// The least amount that is kept.
    #[parameter(default = 100.0)]
    pub minimum: f64,
}

/// Keeps orders of at least `minimum`.
#[flink_wasm::filter]
pub fn large_order(order: Order, limit: &Limit) -> bool {
    order.amount >= limit.minimum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_itself_is_kept() {
        for (amount, kept) in [(99.99, false), (100.0, true), (1e9, true), (f64::NAN, false)] {
            assert_eq!(large_order(Order { amount }, &Limit { minimum: 100.0 }), kept, "{amount}");
        }
    }
}
