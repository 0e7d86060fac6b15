//! Adds tax to an order: a map with parameters, reading text without copying it.

use std::collections::BTreeMap;

use flink_wasm::prelude::*;

/// An order, as it comes.
#[derive(Row)]
pub struct Order<'a> {
    /// Identifies the order.
    pub id: i64,
    /// Where it was placed.
    pub region: &'a str,
    /// Before tax.
    pub amount: f64,
}

/// The order with what is to be paid. Used with `output: append`, only `total` is a new column.
#[derive(Debug, PartialEq, Row)]
pub struct Taxed<'a> {
    /// As it came.
    pub id: i64,
    /// As it came.
    pub region: &'a str,
    /// As it came.
    pub amount: f64,
    /// With tax.
    pub total: f64,
}

/// What a job can set.
#[derive(Parameters)]
pub struct Rates {
    /// The tax rate, such as 0.2 for 20 %.
    #[parameter(default = 0.2)]
    pub rate: f64,
    /// Rates of single regions, which go before `rate`.
    #[parameter(default)]
    pub regions: BTreeMap<String, f64>,
}

/// Adds tax.
#[flink_wasm::map]
pub fn tax<'a>(order: Order<'a>, rates: &Rates) -> Result<Taxed<'a>, String> {
    let Order { id, region, amount } = order;
    if amount < 0.0 {
        return Err(format!("order {id} has the negative amount {amount}"));
    }
    let rate = rates.regions.get(region).unwrap_or(&rates.rate);
    Ok(Taxed { id, region, amount, total: amount * (1.0 + rate) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(region: &str, amount: f64, expected: Result<f64, &str>) {
        let rates = Rates { rate: 0.25, regions: BTreeMap::from([("eu".into(), 0.5)]) };
        let total = tax(Order { id: 1, region, amount }, &rates).map(|taxed| taxed.total);
        assert_eq!(total, expected.map_err(String::from));
    }

    #[test]
    fn a_region_can_have_its_own_rate() {
        check("us", 100.0, Ok(125.0));
        check("eu", 100.0, Ok(150.0));
    }

    #[test]
    fn a_negative_amount_is_refused() {
        check("us", -1.0, Err("order 1 has the negative amount -1"));
    }
}
