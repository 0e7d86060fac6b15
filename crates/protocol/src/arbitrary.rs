//! Random types, cells and rows for property tests; feature `arbitrary`.
//!
//! Values stay within what SQL text can write, so that they survive JSON: years 1 to 9999, one NaN, each key of a map once.

use proptest::collection::vec;
use proptest::prelude::*;

use crate::cell::Cell;
use crate::schema::{DataType, LogicalType, RowField};

const DAY_MS: i64 = 86_400_000;
/// 0001-01-01 and 9999-12-31: the dates that SQL text can hold.
const DAYS: std::ops::RangeInclusive<i64> = -719_162..=2_932_896;

fn leaf() -> impl Strategy<Value = LogicalType> {
    prop_oneof![
        Just(LogicalType::Boolean),
        Just(LogicalType::TinyInt),
        Just(LogicalType::SmallInt),
        Just(LogicalType::Int),
        Just(LogicalType::BigInt),
        Just(LogicalType::Float),
        Just(LogicalType::Double),
        (1_u8..=38)
            .prop_flat_map(|precision| (Just(precision), 0..=precision))
            .prop_map(|(precision, scale)| LogicalType::Decimal { precision, scale }),
        (1_u32..20).prop_map(LogicalType::Char),
        (1_u32..20).prop_map(LogicalType::VarChar),
        (1_u32..20).prop_map(LogicalType::Binary),
        (1_u32..20).prop_map(LogicalType::VarBinary),
        Just(LogicalType::Date),
        (0_u8..=9).prop_map(LogicalType::Time),
        (0_u8..=9).prop_map(LogicalType::Timestamp),
        (0_u8..=9).prop_map(LogicalType::TimestampLtz),
    ]
}

fn nullability(logical: impl Strategy<Value = LogicalType>) -> impl Strategy<Value = DataType> {
    (logical, any::<bool>()).prop_map(|(logical, nullable)| DataType { logical, nullable })
}

/// A type: any leaf, and up to three levels of nesting.
pub fn data_type() -> impl Strategy<Value = DataType> {
    nullability(leaf()).prop_recursive(3, 12, 3, |inner| {
        let row = (vec(inner.clone(), 0..4)).prop_map(|types| {
            let field = |(index, data_type)| RowField { name: format!("f{index} `x`"), data_type };
            LogicalType::Row(types.into_iter().enumerate().map(field).collect())
        });
        nullability(prop_oneof![
            inner.clone().prop_map(|element| LogicalType::Array(Box::new(element))),
            (nullability(leaf()), inner).prop_map(|(mut key, value)| {
                key.nullable = false;
                LogicalType::Map(Box::new(key), Box::new(value))
            }),
            row,
        ])
    })
}

/// A cell of this type: NULL now and then where it may be.
pub fn cell(data_type: &DataType) -> BoxedStrategy<Cell> {
    let present = match data_type.logical.clone() {
        LogicalType::Boolean => any::<bool>().prop_map(Cell::Boolean).boxed(),
        LogicalType::TinyInt => any::<i8>().prop_map(Cell::Int8).boxed(),
        LogicalType::SmallInt => any::<i16>().prop_map(Cell::Int16).boxed(),
        LogicalType::Int => any::<i32>().prop_map(Cell::Int32).boxed(),
        LogicalType::BigInt => any::<i64>().prop_map(Cell::Int64).boxed(),
        // One NaN is like another.
        LogicalType::Float => any::<f32>()
            .prop_map(|value| Cell::Float32(if value.is_nan() { f32::NAN } else { value }))
            .boxed(),
        LogicalType::Double => any::<f64>()
            .prop_map(|value| Cell::Float64(if value.is_nan() { f64::NAN } else { value }))
            .boxed(),
        LogicalType::Decimal { precision, .. } => {
            let most = 10_i128.pow(precision.into()) - 1;
            (-most..=most).prop_map(Cell::Int128).boxed()
        }
        LogicalType::Char(length) | LogicalType::VarChar(length) => {
            vec(any::<char>(), 0..=most_length(length))
                .prop_map(|text| Cell::Text(text.into_iter().collect()))
                .boxed()
        }
        LogicalType::Binary(length) | LogicalType::VarBinary(length) => {
            vec(any::<u8>(), 0..=most_length(length)).prop_map(Cell::Bytes).boxed()
        }
        LogicalType::Date => DAYS.prop_map(|days| Cell::Int32(days as i32)).boxed(),
        LogicalType::Time(_) => (0..DAY_MS as i32).prop_map(Cell::Int32).boxed(),
        LogicalType::Timestamp(precision) | LogicalType::TimestampLtz(precision) => {
            (DAYS, 0..DAY_MS, 0_i64..1_000_000)
                .prop_map(move |(days, millis, nanos)| match precision {
                    0..=3 => Cell::Int64(days * DAY_MS + millis),
                    4..=6 => Cell::Int64((days * DAY_MS + millis) * 1000 + nanos / 1000),
                    _ => Cell::Int128(i128::from(days * DAY_MS + millis) * 1_000_000 + i128::from(nanos)),
                })
                .boxed()
        }
        LogicalType::Array(element) => vec(cell(&element), 0..4).prop_map(Cell::Array).boxed(),
        LogicalType::Map(key, value) => vec((cell(&key), cell(&value)), 0..4)
            .prop_map(|mut entries| {
                // JSON objects have each key once.
                let mut seen = Vec::new();
                entries.retain(|(key, _)| {
                    let is_new = !seen.contains(&format!("{key:?}"));
                    seen.push(format!("{key:?}"));
                    is_new
                });
                Cell::Map(entries)
            })
            .boxed(),
        LogicalType::Row(fields) => {
            fields.iter().map(|field| cell(&field.data_type)).collect::<Vec<_>>().prop_map(Cell::Row).boxed()
        }
    };
    if data_type.nullable { prop_oneof![1 => Just(Cell::Null), 3 => present].boxed() } else { present }
}

/// `STRING` may have 2^31 characters; a test needs some.
fn most_length(length: u32) -> usize {
    length.min(20) as usize
}

/// Random fields and random rows of them.
pub fn table() -> impl Strategy<Value = (Vec<RowField>, Vec<Vec<Cell>>)> {
    vec(data_type(), 0..5).prop_flat_map(|types| {
        let row = types.iter().map(cell).collect::<Vec<_>>();
        let field = |(index, data_type)| RowField { name: format!("c{index}"), data_type };
        (Just(types.into_iter().enumerate().map(field).collect()), vec(row, 0..20))
    })
}

/// Random rows of these fields.
pub fn rows(fields: &[RowField], most: usize) -> impl Strategy<Value = Vec<Vec<Cell>>> + use<> {
    vec(fields.iter().map(|field| cell(&field.data_type)).collect::<Vec<_>>(), 0..=most)
}
