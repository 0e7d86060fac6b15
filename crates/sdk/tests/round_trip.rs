//! Every type, written to a batch and read from it again: random values, nulls and the ends of their ranges.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::fmt::Debug;

use flink_wasm::prelude::*;
use flink_wasm::testing::{batch, rows};
use flink_wasm::{Batch, Cells, Input, Output};
use proptest::collection::{btree_map, hash_map, vec};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

/// A type by itself, nullable, and in an array.
macro_rules! property {
    ($name:ident, $type:ty, $strategy:expr, $sql:expr) => {
        mod $name {
            use super::*;

            #[derive(Clone, Debug, PartialEq, Row)]
            struct Cell {
                value: $type,
                nullable: Option<$type>,
                array: Vec<Option<$type>>,
            }

            #[test]
            fn round_trips() {
                check_round_trip($strategy.boxed(), |value, nullable, array| Cell { value, nullable, array });
            }

            #[test]
            fn is_declared() {
                let types: Vec<String> =
                    <Cell as Input>::fields().into_iter().map(|field| field.sql_type).collect();
                let sql: &str = $sql;
                assert_eq!(types, [format!("{sql} NOT NULL"), sql.into(), format!("ARRAY<{sql}> NOT NULL")]);
                assert_eq!(<Cell as Input>::fields(), <Cell as Output>::fields());
            }
        }
    };
}

/// Makes rows of random values, writes them, and reads them again.
fn check_round_trip<T, C>(value: BoxedStrategy<T>, cell: fn(T, Option<T>, Vec<Option<T>>) -> C)
where
    T: Clone + Debug,
    C: for<'a> Input<'a> + Output + Clone + PartialEq + Debug,
{
    let values = vec(proptest::option::of(value), 0..60);
    let config = proptest::test_runner::Config { cases: 64, failure_persistence: None, ..Default::default() };
    let result = TestRunner::new(config).run(&values, |values| {
        let cells = values.iter().enumerate().filter_map(|(index, value)| {
            let neighbours = &values[index..(index + index % 4).min(values.len())];
            Some(cell(value.clone()?, values[index / 2].clone(), neighbours.to_vec()))
        });
        let cells: Vec<C> = cells.collect();
        let written = batch(cells.clone());
        check_layout(&written);
        prop_assert_eq!(&rows::<C>(&written), &cells);
        // Bit by bit, which tells 0.0 from -0.0.
        prop_assert_eq!(format!("{:?}", batch(rows::<C>(&written))), format!("{written:?}"));
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
}

/// What `wit/types.wit` says of every column, whatever it means.
#[track_caller]
fn check_layout(batch: &Batch) {
    for column in &batch.columns {
        let cells = match &column.cells {
            Cells::Varlen(varlen) => {
                assert_eq!(varlen.offsets.last().map(|end| *end as usize), Some(varlen.data.len()));
                Some(&varlen.offsets)
            }
            Cells::Nested(offsets) => Some(offsets),
            _ => None,
        };
        if let Some(offsets) = cells {
            assert!(offsets[0] == 0 && offsets.is_sorted(), "{offsets:?}");
        }
        if let Some(validity) = &column.validity {
            assert!(validity.iter().any(|byte| *byte != 0xff), "a validity without a null: {validity:?}");
        }
    }
}

fn float() -> impl Strategy<Value = f64> {
    prop_oneof![any::<f64>(), Just(-0.0), Just(f64::MIN_POSITIVE), Just(f64::INFINITY)]
}

/// The whole range of a precision, its ends included.
fn nanos(unit: i128) -> impl Strategy<Value = i128> {
    const FIRST: i128 = -62_167_219_200 * 1_000_000_000;
    const LAST: i128 = 253_402_300_800 * 1_000_000_000 - 1;
    prop_oneof![FIRST..=LAST, Just(FIRST), Just(LAST), Just(-1), Just(0)]
        .prop_map(move |nanos| nanos / unit * unit)
}

fn unscaled(digits: u32) -> impl Strategy<Value = i128> {
    let end = 10_i128.pow(digits) - 1;
    prop_oneof![-end..=end, Just(end), Just(-end), Just(0)]
}

property!(boolean, bool, any::<bool>(), "BOOLEAN");
property!(tinyint, i8, any::<i8>(), "TINYINT");
property!(smallint, i16, any::<i16>(), "SMALLINT");
property!(int, i32, any::<i32>(), "INT");
property!(bigint, i64, any::<i64>(), "BIGINT");
property!(float32, f32, any::<f32>(), "FLOAT");
property!(float64, f64, float(), "DOUBLE");
property!(decimal_small, Decimal<5, 2>, unscaled(5).prop_map(|value| Decimal::from_unscaled(value).expect("5 digits")), "DECIMAL(5, 2)");
property!(decimal_great, Decimal<38, 18>, unscaled(38).prop_map(|value| Decimal::from_unscaled(value).expect("38 digits")), "DECIMAL(38, 18)");
property!(string, String, any::<String>(), "STRING");
property!(bytes, Vec<u8>, any::<Vec<u8>>(), "BYTES");
property!(date, Date, (-719_528..=2_932_896).prop_map(Date::from_days), "DATE");
property!(
    time,
    Time,
    (0..86_400_000).prop_map(|millis| Time::from_millis(millis).expect("a day")),
    "TIME(3)"
);
property!(timestamp_0, Timestamp<0>, nanos(1).prop_map(Timestamp::from_nanos), "TIMESTAMP(0)");
property!(timestamp_3, Timestamp<3>, nanos(1).prop_map(Timestamp::from_nanos), "TIMESTAMP(3)");
property!(timestamp_4, Timestamp<4>, nanos(1).prop_map(Timestamp::from_nanos), "TIMESTAMP(4)");
property!(timestamp_6, Timestamp, nanos(1).prop_map(Timestamp::from_nanos), "TIMESTAMP(6)");
property!(timestamp_7, Timestamp<7>, nanos(1).prop_map(Timestamp::from_nanos), "TIMESTAMP(7)");
property!(timestamp_9, Timestamp<9>, nanos(1).prop_map(Timestamp::from_nanos), "TIMESTAMP(9)");
property!(timestamp_ltz_3, TimestampLtz<3>, nanos(1).prop_map(TimestampLtz::from_nanos), "TIMESTAMP_LTZ(3)");
property!(timestamp_ltz_6, TimestampLtz, nanos(1).prop_map(TimestampLtz::from_nanos), "TIMESTAMP_LTZ(6)");
property!(timestamp_ltz_9, TimestampLtz<9>, nanos(1).prop_map(TimestampLtz::from_nanos), "TIMESTAMP_LTZ(9)");
property!(
    array,
    Vec<Vec<Option<i16>>>,
    vec(vec(any::<Option<i16>>(), 0..3), 0..3),
    "ARRAY<ARRAY<SMALLINT> NOT NULL>"
);
property!(map, BTreeMap<i32, Option<String>>, btree_map(any::<i32>(), any::<Option<String>>(), 0..3), "MAP<INT NOT NULL, STRING>");
property!(hash, HashMap<String, f32>, hash_map(any::<String>(), any::<f32>(), 0..3), "MAP<STRING NOT NULL, FLOAT NOT NULL>");
property!(
    entries,
    Vec<(i8, Vec<bool>)>,
    vec((any::<i8>(), any::<Vec<bool>>()), 0..3),
    "MAP<TINYINT NOT NULL, ARRAY<BOOLEAN NOT NULL> NOT NULL>"
);
property!(
    row,
    Outer,
    outer(),
    "ROW<`id` INT, `inner` ROW<`na``me` CHAR(3) NOT NULL, `type` BINARY(2)>, `both` MAP<INT NOT NULL, ROW<`na``me` CHAR(3) NOT NULL, `type` BINARY(2)> NOT NULL> NOT NULL>"
);

/// A row in a row.
#[derive(Clone, Debug, PartialEq, Row)]
pub struct Outer {
    id: Option<i32>,
    inner: Option<Inner>,
    both: BTreeMap<i32, Inner>,
}

/// Below a row, and below a map.
#[derive(Clone, Debug, PartialEq, Row)]
pub struct Inner {
    #[row(rename = "na`me", sql = "char( 3 )")]
    name: String,
    #[row(sql = "BINARY(2)")]
    r#type: Option<Vec<u8>>,
}

fn inner() -> impl Strategy<Value = Inner> {
    ("[a-z]{3}", any::<Option<[u8; 2]>>())
        .prop_map(|(name, bytes)| Inner { name, r#type: bytes.map(|bytes| bytes.to_vec()) })
}

fn outer() -> impl Strategy<Value = Outer> {
    (any::<Option<i32>>(), proptest::option::of(inner()), btree_map(any::<i32>(), inner(), 0..3))
        .prop_map(|(id, inner, both)| Outer { id, inner, both })
}

#[derive(Clone, Debug, PartialEq, Row)]
struct Borrowed<'a> {
    text: &'a str,
    cow: Cow<'a, str>,
    bytes: &'a [u8],
    cow_bytes: Cow<'a, [u8]>,
    optional: Option<&'a str>,
    many: Vec<&'a str>,
}

fn pointers<T>(text: &[T]) -> (usize, usize) {
    (text.as_ptr() as usize, text.as_ptr_range().end as usize)
}

#[test]
fn borrowed_cells_point_into_the_batch() {
    let row = Borrowed {
        text: "straße",
        cow: "b".into(),
        bytes: b"\xff",
        cow_bytes: Cow::Borrowed(b"d"),
        optional: None,
        many: vec!["", "f"],
    };
    let written = batch([row.clone(), row.clone()]);
    let read: Vec<Borrowed<'_>> = rows(&written);
    assert_eq!(read, [row.clone(), row]);
    let Cells::Varlen(varlen) = &written.columns[0].cells else { panic!("text is varlen") };
    let (start, end) = pointers(&varlen.data);
    assert_eq!((pointers(read[0].text.as_bytes()).0, pointers(read[1].text.as_bytes()).1), (start, end));
    assert!(matches!((&read[0].cow, &read[0].cow_bytes), (Cow::Borrowed(_), Cow::Borrowed(_))));
}

#[track_caller]
fn check_single<T>(values: &[T], name: &str, sql: &str)
where
    T: for<'a> Input<'a> + Output + Clone + PartialEq + Debug,
{
    let written = batch(values.iter().cloned());
    assert_eq!(rows::<T>(&written), values);
    let fields = <T as Output>::fields();
    assert_eq!((fields[0].name.as_str(), fields[0].sql_type.as_str(), fields.len()), (name, sql, 1));
}

#[test]
fn a_single_value_is_a_row() {
    check_single(&[1_i64, -1], "value", "BIGINT NOT NULL");
    check_single(&[None, Some(true)], "value", "BOOLEAN");
    check_single(&[String::from("a")], "value", "STRING NOT NULL");
    check_single(&[vec![1_u8], vec![]], "payload", "BYTES NOT NULL");
    check_single(&[None, Some(vec![1_u8])], "payload", "BYTES");
    check_single(&[Decimal::<3, 1>::ZERO], "value", "DECIMAL(3, 1) NOT NULL");
    check_single(&[Timestamp::<3>::from_millis(5)], "value", "TIMESTAMP(3) NOT NULL");
}

#[test]
fn children_of_a_null_are_empty() {
    let value = Outer { id: Some(1), inner: None, both: BTreeMap::new() };
    let written = batch([value.clone(), value]);
    let kinds: Vec<String> =
        written.columns.iter().map(|column| format!("{:?} {:?}", column.validity, column.cells)).collect();
    assert_eq!(
        kinds,
        [
            "None Cells::Int32([1, 1])",
            "Some([0]) Cells::Row",
            "None Cells::Varlen(Varlen { offsets: [0, 0, 0], data: [] })",
            "None Cells::Varlen(Varlen { offsets: [0, 0, 0], data: [] })",
            "None Cells::Nested([0, 0, 0])",
            "None Cells::Int32([])",
            "None Cells::Row",
            "None Cells::Varlen(Varlen { offsets: [0], data: [] })",
            "None Cells::Varlen(Varlen { offsets: [0], data: [] })",
        ]
    );
}
