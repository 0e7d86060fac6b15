//! Keeps running sums of the orders of a customer, in all and for each category: reducing state and map state.
//!
//! A row looks at one category: of the map, that element alone is read and written, however many there are.

use flink_wasm::prelude::*;

/// An amount of money.
type Money = Decimal<12, 2>;

/// An order.
#[derive(Row)]
pub struct Order {
    /// Who ordered; also the key.
    pub customer: i64,
    /// Of what was ordered.
    pub category: String,
    /// What it cost.
    pub amount: Money,
}

/// What a customer has spent so far.
#[derive(Debug, PartialEq, Row)]
pub struct Spent {
    /// The customer.
    pub customer: i64,
    /// The category of this order.
    pub category: String,
    /// Orders in the category, this one counted.
    pub orders: i64,
    /// What orders in the category cost together.
    pub category_total: Money,
    /// What the most expensive order in the category cost.
    pub category_highest: Money,
    /// What all orders cost together.
    pub total: Money,
}

/// The sums of a category.
#[derive(Clone, Debug, StateValue)]
pub struct Sums {
    /// How many orders.
    orders: i64,
    /// What they cost together.
    total: Money,
    /// What the most expensive one cost.
    highest: Money,
}

/// What is remembered of a customer.
#[derive(Default, State)]
pub struct RunningAggregate {
    /// What all orders cost together.
    #[state(reduce = |total, amount| total + amount)]
    total: ReducingState<Money>,
    /// By category.
    #[state]
    categories: MapState<String, Sums>,
}

/// Gives for each order the sums of its customer up to it, in all and in the category.
#[flink_wasm::process]
impl RunningAggregate {
    fn process(
        &self,
        order: Order,
        _ctx: &KeyedContext<()>,
        out: &mut Collector<Spent>,
    ) -> Result<(), String> {
        let Order { customer, category, amount } = order;
        if amount < Money::ZERO {
            return Err(format!("an order of {customer} costs {amount}"));
        }
        // The sums of a category are never above it.
        let Some(total) = self.total.get().unwrap_or(Money::ZERO).checked_add(amount) else {
            return Err(format!("what {customer} has spent has more digits than DECIMAL(12, 2)"));
        };
        self.total.add(amount);
        let sums = self.categories.update(category.clone(), |sums| match sums {
            None => Sums { orders: 1, total: amount, highest: amount },
            Some(Sums { orders, total, highest }) => {
                Sums { orders: orders + 1, total: total + amount, highest: highest.max(amount) }
            }
        });
        let Sums { orders, total: category_total, highest: category_highest } = sums;
        out.collect(Spent { customer, category, orders, category_total, category_highest, total });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flink_wasm::testing::ProcessHarness;

    type Harness = ProcessHarness<RunningAggregate, i64>;

    fn order(customer: i64, category: &str, amount: &str) -> (i64, Order, Option<i64>) {
        let amount = amount.parse().expect("a number");
        (customer, Order { customer, category: category.into(), amount }, None)
    }

    /// Customer, orders, sum and highest of the category, and sum of all.
    fn spent(harness: &mut Harness) -> Vec<String> {
        let spent = harness.output::<Spent>().into_iter();
        spent
            .map(|row| {
                let Spent { customer, category, orders, category_total, category_highest, total } = row;
                format!("{customer} {category} {orders} {category_total} {category_highest} {total}")
            })
            .collect()
    }

    #[test]
    fn sums_run_by_customer_and_category() {
        let mut harness = Harness::open("{}").expect("opens");
        let first = [order(1, "tea", "4.50"), order(1, "tea", "2.00"), order(2, "tea", "9.00")];
        let second = [order(1, "cups", "10.00"), order(1, "tea", "3.25")];
        assert_eq!(harness.process_batch(first), Ok(()));
        assert_eq!(harness.process_batch(second), Ok(()));
        assert_eq!(
            spent(&mut harness),
            [
                "1 tea 1 4.50 4.50 4.50",
                "1 tea 2 6.50 4.50 6.50",
                "2 tea 1 9.00 9.00 9.00",
                "1 cups 1 10.00 10.00 16.50",
                "1 tea 3 9.75 4.50 19.75",
            ]
        );
    }

    #[test]
    fn a_refused_order_changes_nothing() {
        let mut harness = Harness::open("{}").expect("opens");
        assert_eq!(harness.process_batch([order(1, "tea", "9999999999.99")]), Ok(()));
        for (amount, message) in [
            ("-1.00", "an order of 1 costs -1.00"),
            ("0.01", "what 1 has spent has more digits than DECIMAL(12, 2)"),
        ] {
            let failure = harness.process_batch([order(1, "cups", amount)]).expect_err("refused");
            assert_eq!(failure.message, message);
        }
        assert_eq!(harness.process_batch([order(1, "tea", "0.00")]), Ok(()));
        assert_eq!(spent(&mut harness)[1], "1 tea 2 9999999999.99 9999999999.99 9999999999.99");
    }
}
