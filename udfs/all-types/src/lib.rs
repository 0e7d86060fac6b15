//! Gives every SQL type back as it is, nullable and not: for the tests of everything that rows pass on their way.
//!
//! Fields are named after their SQL type; those that start with `nullable_` may be null.

use std::collections::BTreeMap;

use flink_wasm::prelude::*;

/// Every type.
#[allow(missing_docs)]
#[derive(Clone, Debug, PartialEq, Row)]
pub struct AllTypes<'a> {
    pub boolean_field: bool,
    pub tinyint_field: i8,
    pub smallint_field: i16,
    pub int_field: i32,
    pub bigint_field: i64,
    pub float_field: f32,
    pub double_field: f64,
    pub decimal_10_2: Decimal<10, 2>,
    pub decimal_38_18: Decimal<38, 18>,
    #[row(sql = "CHAR(5)")]
    pub char_5: &'a str,
    #[row(sql = "VARCHAR(20)")]
    pub varchar_20: &'a str,
    pub string_field: &'a str,
    #[row(sql = "BINARY(4)")]
    pub binary_4: &'a [u8],
    #[row(sql = "VARBINARY(8)")]
    pub varbinary_8: &'a [u8],
    pub bytes_field: &'a [u8],
    pub date_field: Date,
    #[row(sql = "TIME(0)")]
    pub time_0: Time,
    pub time_3: Time,
    pub timestamp_0: Timestamp<0>,
    pub timestamp_3: Timestamp<3>,
    pub timestamp_6: Timestamp<6>,
    pub timestamp_9: Timestamp<9>,
    pub timestamp_ltz_0: TimestampLtz<0>,
    pub timestamp_ltz_3: TimestampLtz<3>,
    pub timestamp_ltz_6: TimestampLtz<6>,
    pub timestamp_ltz_9: TimestampLtz<9>,
    pub array_field: Vec<i64>,
    pub map_field: BTreeMap<&'a str, i32>,
    pub row_field: Inner<'a>,
    pub nullable_boolean: Option<bool>,
    pub nullable_tinyint: Option<i8>,
    pub nullable_smallint: Option<i16>,
    pub nullable_int: Option<i32>,
    pub nullable_bigint: Option<i64>,
    pub nullable_float: Option<f32>,
    pub nullable_double: Option<f64>,
    pub nullable_decimal: Option<Decimal<20, 5>>,
    #[row(sql = "CHAR(5)")]
    pub nullable_char: Option<&'a str>,
    pub nullable_string: Option<&'a str>,
    #[row(sql = "BINARY(4)")]
    pub nullable_binary: Option<&'a [u8]>,
    pub nullable_bytes: Option<&'a [u8]>,
    pub nullable_date: Option<Date>,
    pub nullable_time: Option<Time>,
    pub nullable_timestamp_3: Option<Timestamp<3>>,
    pub nullable_timestamp_9: Option<Timestamp<9>>,
    pub nullable_timestamp_ltz_3: Option<TimestampLtz<3>>,
    pub nullable_timestamp_ltz_6: Option<TimestampLtz<6>>,
    pub nullable_array: Option<Vec<Option<&'a str>>>,
    pub nullable_map: Option<BTreeMap<i32, Option<f64>>>,
    pub nullable_row: Option<Inner<'a>>,
    pub array_of_rows: Vec<Option<Inner<'a>>>,
    pub array_of_arrays: Vec<Vec<Option<i16>>>,
    pub map_of_rows: BTreeMap<i64, Inner<'a>>,
}

/// A row in a row.
#[allow(missing_docs)]
#[derive(Clone, Debug, PartialEq, Row)]
pub struct Inner<'a> {
    pub id: i32,
    pub name: Option<&'a str>,
    pub tags: Vec<&'a str>,
    pub amount: Option<Decimal<10, 2>>,
}

/// Gives the row back.
#[flink_wasm::map]
pub fn all_types(row: AllTypes<'_>) -> AllTypes<'_> {
    row
}

#[cfg(test)]
mod tests {
    use super::*;
    use flink_wasm::testing::{TestContext, batch, rows, run_map};

    fn inner(id: i32) -> Inner<'static> {
        Inner {
            id, name: (id % 2 == 0).then_some("straße"), tags: vec!["", "t"], amount: Some(Decimal::MAX)
        }
    }

    fn row(present: bool) -> AllTypes<'static> {
        fn timestamp<T: std::str::FromStr>(text: &str) -> T {
            text.parse().unwrap_or_else(|_| panic!("{text} is a timestamp"))
        }
        AllTypes {
            boolean_field: present,
            tinyint_field: i8::MIN,
            smallint_field: i16::MIN,
            int_field: i32::MIN,
            bigint_field: i64::MIN,
            float_field: f32::MIN_POSITIVE,
            double_field: f64::NEG_INFINITY,
            decimal_10_2: Decimal::MAX,
            decimal_38_18: -Decimal::MAX,
            char_5: "abcde",
            varchar_20: "日本",
            string_field: "",
            binary_4: &[0, 1, 2, 3],
            varbinary_8: &[255],
            bytes_field: &[],
            date_field: timestamp("9999-12-31"),
            time_0: timestamp("12:34:56"),
            time_3: timestamp("23:59:59.999"),
            timestamp_0: timestamp("0000-01-01 00:00:00"),
            timestamp_3: timestamp("0000-01-01 00:00:00.001"),
            timestamp_6: timestamp("9999-12-31 23:59:59.999999"),
            timestamp_9: timestamp("9999-12-31 23:59:59.999999999"),
            timestamp_ltz_0: timestamp("0000-01-01 00:00:00Z"),
            timestamp_ltz_3: timestamp("1969-12-31 23:59:59.999Z"),
            timestamp_ltz_6: timestamp("1969-12-31 23:59:59.999999Z"),
            timestamp_ltz_9: timestamp("0000-01-01 00:00:00.000000001Z"),
            array_field: vec![i64::MAX, 0],
            map_field: BTreeMap::from([("", 1), ("k", -1)]),
            row_field: inner(1),
            nullable_boolean: present.then_some(true),
            nullable_tinyint: present.then_some(i8::MAX),
            nullable_smallint: present.then_some(i16::MAX),
            nullable_int: present.then_some(i32::MAX),
            nullable_bigint: present.then_some(i64::MAX),
            nullable_float: present.then_some(f32::MAX),
            nullable_double: present.then_some(-0.0),
            nullable_decimal: present.then_some(Decimal::MAX),
            nullable_char: present.then_some("fghij"),
            nullable_string: present.then_some("x"),
            nullable_binary: present.then_some(&[0; 4]),
            nullable_bytes: present.then_some(&[]),
            nullable_date: present.then(|| timestamp("0000-01-01")),
            nullable_time: present.then(|| timestamp("00:00:00.001")),
            nullable_timestamp_3: present.then(|| timestamp("1970-01-01 00:00:00.001")),
            nullable_timestamp_9: present.then(|| timestamp("1970-01-01 00:00:00.000000001")),
            nullable_timestamp_ltz_3: present.then(|| timestamp("1970-01-01 00:00:00.001Z")),
            nullable_timestamp_ltz_6: present.then(|| timestamp("1970-01-01 00:00:00.000001Z")),
            nullable_array: present.then(|| vec![None, Some("a")]),
            nullable_map: present.then(|| BTreeMap::from([(1, None), (2, Some(0.5))])),
            nullable_row: present.then(|| inner(2)),
            array_of_rows: vec![None, Some(inner(3))],
            array_of_arrays: vec![vec![], vec![Some(1), None]],
            map_of_rows: BTreeMap::from([(5, inner(4))]),
        }
    }

    #[test]
    fn every_type_comes_back() {
        let input = [row(true), row(false), row(true)];
        let batch = batch(input.clone());
        let mapped = run_map::<all_types>("", &batch, &TestContext::new()).expect("no parameters");
        assert_eq!(rows::<AllTypes<'_>>(&mapped.rows), input);
        assert_eq!((&mapped.rows, mapped.failures.len()), (&batch, 0));
    }
}
