//! A filter function for Apache Flink: decides which rows go on.

use flink_wasm::prelude::*;

/// What the function reads. The fields are the columns, by name.
#[derive(Row)]
pub struct Order<'a> {
    pub region: &'a str,
    pub amount: f64,
}

/// What the job may set under `functions.<name>.parameters`.
#[derive(Parameters)]
pub struct Settings {
    /// Orders below this amount are dropped.
    #[parameter(default = 100.0)]
    pub minimum: f64,
}

/// Keeps large orders.
#[flink_wasm::filter]
pub fn {{function}}(order: Order<'_>, settings: &Settings) -> bool {
    !order.region.is_empty() && order.amount >= settings.minimum
}

// `cargo test` builds for the sandbox too; tests run natively.
#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use super::*;

    #[test]
    fn keeps_large_orders() {
        let settings = Settings { minimum: 50.0 };
        assert!({{function}}(Order { region: "north", amount: 50.0 }, &settings));
        assert!(!{{function}}(Order { region: "north", amount: 49.9 }, &settings));
    }
}
