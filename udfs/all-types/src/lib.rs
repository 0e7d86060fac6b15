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
