//! Sums the lines of an order: a map over nested rows, arrays and maps.

use std::collections::BTreeMap;

use flink_wasm::prelude::*;

/// Money.
pub type Amount = Decimal<12, 2>;

/// An order with its lines.
#[derive(Row)]
pub struct Order<'a> {
    /// Identifies the order.
    pub id: i64,
    /// What was ordered.
    pub lines: Vec<Line<'a>>,
    /// What is known of it.
    pub tags: Option<Vec<(&'a str, Option<&'a str>)>>,
}

/// One line of an order.
#[derive(Clone, Copy, Row)]
pub struct Line<'a> {
    /// The article.
    pub sku: &'a str,
    /// How many.
    pub quantity: i32,
    /// Of one.
    pub price: Amount,
}

/// What the lines sum up to.
#[derive(Debug, PartialEq, Row)]
pub struct Summary<'a> {
    /// As it came.
    pub id: i64,
    /// Of all lines.
    pub total: Amount,
    /// Quantities by article, in the order of the articles.
    pub quantities: BTreeMap<&'a str, i64>,
    /// The line with the greatest total; none when there is no line.
    pub largest: Option<Largest<'a>>,
    /// The names of the tags that have no value.
    pub flags: Vec<&'a str>,
}

/// The line with the greatest total.
#[derive(Clone, Copy, Debug, PartialEq, Row)]
pub struct Largest<'a> {
    /// The article.
    pub sku: &'a str,
    /// Quantity times price.
    pub total: Amount,
}

/// Sums the lines of an order.
#[flink_wasm::map]
pub fn order_lines<'a>(order: Order<'a>) -> Result<Summary<'a>, String> {
    let overflow = || format!("order {}: the total has more than 12 digits", order.id);
    let mut summary = Summary {
        id: order.id,
        total: Amount::ZERO,
        quantities: BTreeMap::new(),
        largest: None,
        flags: Vec::new(),
    };
    for Line { sku, quantity, price } in order.lines {
        let quantity = i64::from(quantity);
        let total =
            Decimal::<10, 0>::from_integer(quantity.into()).and_then(|count| price.checked_mul(count));
        let total = total.ok_or_else(overflow)?;
        summary.total = summary.total.checked_add(total).ok_or_else(overflow)?;
        *summary.quantities.entry(sku).or_default() += quantity;
        if summary.largest.is_none_or(|largest| total > largest.total) {
            summary.largest = Some(Largest { sku, total });
        }
    }
    summary.flags =
        order.tags.iter().flatten().filter(|(_, value)| value.is_none()).map(|&(name, _)| name).collect();
    Ok(summary)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn amount(text: &str) -> Amount {
        text.parse().expect(text)
    }

    fn line<'a>(sku: &'a str, quantity: i32, price: &str) -> Line<'a> {
        Line { sku, quantity, price: amount(price) }
    }

    #[test]
    fn sums_lines_and_finds_the_largest() {
        let lines = vec![line("pen", 3, "1.25"), line("ink", 1, "9.99"), line("pen", 1, "1.10")];
        let tags = Some(vec![("gift", None), ("channel", Some("web"))]);
        let summary = order_lines(Order { id: 7, lines, tags });
        assert_eq!(
            summary,
            Ok(Summary {
                id: 7,
                total: amount("14.84"),
                quantities: BTreeMap::from([("ink", 1), ("pen", 4)]),
                largest: Some(Largest { sku: "ink", total: amount("9.99") }),
                flags: vec!["gift"],
            })
        );
    }

    #[test]
    fn an_order_without_lines_has_no_largest() {
        let summary = order_lines(Order { id: 7, lines: vec![], tags: None }).expect("an empty order");
        assert_eq!((summary.total, summary.largest), (Amount::ZERO, None));
    }

    #[test]
    fn a_total_that_does_not_fit_is_refused() {
        let lines = vec![line("pen", 2, "9999999999.99")];
        let summary = order_lines(Order { id: 7, lines, tags: None });
        assert_eq!(summary, Err("order 7: the total has more than 12 digits".into()));
    }
}
