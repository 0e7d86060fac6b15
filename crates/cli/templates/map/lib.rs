//! A map function for Apache Flink: one row in, one row out.

use flink_wasm::prelude::*;

/// What the function reads. The fields are the columns, by name.
#[derive(Row)]
pub struct Order<'a> {
    pub id: i64,
    pub region: &'a str,
    pub amount: f64,
}

/// What the function returns.
#[derive(Row)]
pub struct TaxedOrder<'a> {
    pub id: i64,
    pub region: &'a str,
    pub total: f64,
}

/// What the job may set under `functions.<name>.parameters`.
#[derive(Parameters)]
pub struct Settings {
    /// Share of the amount that is added.
    #[parameter(default = 0.2)]
    pub rate: f64,
}

/// Adds the tax to an order.
#[flink_wasm::map]
pub fn {{function}}<'a>(order: Order<'a>, settings: &Settings) -> Result<TaxedOrder<'a>, String> {
    if order.amount < 0.0 {
        return Err(format!("order {} has the negative amount {}", order.id, order.amount));
    }
    Ok(TaxedOrder { id: order.id, region: order.region, total: order.amount * (1.0 + settings.rate) })
}

// `cargo test` builds for the sandbox too; tests run natively.
#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use super::*;

    #[test]
    fn adds_the_tax() {
        let order = Order { id: 1, region: "north", amount: 100.0 };
        let taxed = {{function}}(order, &Settings { rate: 0.5 }).unwrap();
        assert_eq!(taxed.total, 150.0);
    }
}
