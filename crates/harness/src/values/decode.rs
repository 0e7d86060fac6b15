//! Bytes of a state value to JSON.

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use flink_wasm_protocol::schema::RowField;
use flink_wasm_protocol::{Cell, DataType, LogicalType, json};
use serde_json::{Map, Number, Value};

use super::map_to_json;
use super::schema::{Fields, Sql, Type};

type Decoded<T> = Result<T, String>;

/// Reads a value that fills `bytes`.
pub(super) fn decode(data_type: &Type, bytes: &[u8]) -> Decoded<Value> {
    let mut reader = Reader { rest: bytes };
    let value = reader.value(data_type)?;
    match reader.rest.len() {
        0 => Ok(value),
        left => Err(format!("{left} bytes follow the value")),
    }
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Decoded<&'a [u8]> {
        let Some((taken, rest)) = self.rest.split_at_checked(length) else {
            return Err(format!("{length} bytes are needed, {} are left", self.rest.len()));
        };
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Decoded<[u8; N]> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    /// A number of bytes or values that follow; every value takes at least one byte.
    fn length(&mut self) -> Decoded<usize> {
        let length = u32::from_le_bytes(self.array()?) as usize;
        match self.rest.len() {
            left if left < length => {
                Err(format!("{length} bytes or values are announced, {left} bytes are left"))
            }
            _ => Ok(length),
        }
    }

    fn flag(&mut self) -> Decoded<bool> {
        match self.array()? {
            [0] => Ok(false),
            [1] => Ok(true),
            [other] => Err(format!("{other} is neither 0 nor 1")),
        }
    }

    fn value(&mut self, data_type: &Type) -> Decoded<Value> {
        Ok(match data_type {
            Type::Bool => Value::Bool(self.flag()?),
            Type::Integer { bytes, signed } => self.integer(*bytes, *signed)?,
            Type::F32 => {
                // The shortest text that gives the same f32 is the number to show, not its widening.
                let narrow = f32::from_le_bytes(self.array()?);
                float(narrow.to_string().parse().unwrap_or(f64::NAN))
            }
            Type::F64 => float(f64::from_le_bytes(self.array()?)),
            Type::Text => {
                let length = self.length()?;
                let text = std::str::from_utf8(self.take(length)?).map_err(|_| "text is not UTF-8")?;
                Value::String(text.to_owned())
            }
            Type::Sql(sql) => self.sql(*sql)?,
            Type::Bytes => {
                let length = self.length()?;
                Value::String(BASE64.encode(self.take(length)?))
            }
            Type::Option(inner) => match self.flag()? {
                false => Value::Null,
                true => self.value(inner)?,
            },
            Type::List(element) => {
                (0..self.length()?).map(|_| self.value(element)).collect::<Decoded<Vec<_>>>()?.into()
            }
            Type::Map(key, value) => {
                let entries = (0..self.length()?).map(|_| Ok((self.value(key)?, self.value(value)?)));
                map_to_json(entries.collect::<Decoded<_>>()?)
            }
            Type::Tuple(types) => {
                types.iter().map(|inner| self.value(inner)).collect::<Decoded<Vec<_>>>()?.into()
            }
            Type::Struct(fields) => {
                let fields = fields.iter().map(|(name, inner)| Ok((name.clone(), self.value(inner)?)));
                Value::Object(fields.collect::<Decoded<Map<_, _>>>()?)
            }
            Type::Enum(variants) => {
                let [number] = self.array()?;
                let variant = variants.get(usize::from(number));
                let (name, fields) =
                    variant.ok_or_else(|| format!("variant {number} of {}", variants.len()))?;
                match fields {
                    Fields::None => Value::String(name.clone()),
                    Fields::Some(fields) => {
                        Value::Object(Map::from_iter([(name.clone(), self.value(fields)?)]))
                    }
                }
            }
        })
    }

    /// As rows show it.
    fn sql(&mut self, sql: Sql) -> Decoded<Value> {
        let (logical, cell) = match sql {
            Sql::Date => (LogicalType::Date, Cell::Int32(i32::from_le_bytes(self.array()?))),
            Sql::Time => (LogicalType::Time(3), Cell::Int32(i32::from_le_bytes(self.array()?))),
            Sql::Timestamp => (LogicalType::Timestamp(9), Cell::Int128(i128::from_le_bytes(self.array()?))),
            Sql::TimestampLtz => {
                (LogicalType::TimestampLtz(9), Cell::Int128(i128::from_le_bytes(self.array()?)))
            }
            Sql::Decimal { precision, scale } => {
                let unscaled = Cell::Int128(i128::from_le_bytes(self.array()?));
                (LogicalType::Decimal { precision, scale }, unscaled)
            }
        };
        let field = RowField { name: "value".into(), data_type: DataType::not_null(logical) };
        Ok(json::cells_to_row(&[field], &[cell])["value"].take())
    }

    /// A number, or its text when JSON can't hold it.
    fn integer(&mut self, length: usize, signed: bool) -> Decoded<Value> {
        let bytes = self.take(length)?;
        let is_negative = signed && bytes.last().is_some_and(|last| last & 0x80 != 0);
        let mut wide = [if is_negative { 0xff } else { 0 }; 16];
        wide[..length].copy_from_slice(bytes);
        if !signed {
            let number = u128::from_le_bytes(wide);
            return Ok(u64::try_from(number).map_or_else(|_| number.to_string().into(), Value::from));
        }
        let number = i128::from_le_bytes(wide);
        Ok(i64::try_from(number).map_or_else(|_| number.to_string().into(), Value::from))
    }
}

fn float(value: f64) -> Value {
    match Number::from_f64(value) {
        Some(number) => Value::Number(number),
        None => Value::String(value.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use flink_wasm::StateValue;
    use flink_wasm::state::schema_of;
    use serde_json::json;

    use super::*;

    #[derive(StateValue)]
    struct Visit {
        page: String,
        millis: Option<i64>,
    }

    #[derive(StateValue)]
    enum Step {
        Idle,
        At { x: f64 },
        Pair(i64, bool),
    }

    /// What the SDK has encoded, as it is shown.
    #[track_caller]
    fn check<T: StateValue>(value: T, shown: Value) {
        let schema = schema_of::<T>();
        let data_type = Type::parse(&schema).unwrap_or_else(|| panic!("{schema} can't be read"));
        let mut bytes = Vec::new();
        value.encode(&mut bytes);
        assert_eq!(decode(&data_type, &bytes), Ok(shown), "{schema}");
        for length in 0..bytes.len() {
            assert!(decode(&data_type, &bytes[..length]).is_err(), "{schema}, {length} bytes");
        }
        bytes.push(0);
        assert!(decode(&data_type, &bytes).is_err(), "{schema}, a byte too many");
    }

    #[test]
    fn what_the_sdk_encodes_is_shown() {
        check(true, json!(true));
        check(-1_i8, json!(-1));
        check(u64::MAX, json!(u64::MAX));
        check(i128::MIN, json!(i128::MIN.to_string()));
        check(u128::MAX, json!(u128::MAX.to_string()));
        check(0.1_f32, json!(0.1));
        check(f64::NAN, json!("NaN"));
        check(String::from("é"), json!("é"));
        check(Some(1_i32), json!(1));
        check(None::<i32>, json!(null));
        check(vec![1_i64, 2], json!([1, 2]));
        check(vec![1_u8, 2], json!("AQI="));
        check((1_i64, String::from("a")), json!([1, "a"]));
        check(BTreeMap::from([(1_i64, true)]), json!({"1": true}));
        check(BTreeMap::from([(String::from("a"), 1_i64)]), json!({"a": 1}));
        check(Visit { page: "/".into(), millis: None }, json!({"page": "/", "millis": null}));
        check(vec![Visit { page: "".into(), millis: Some(5) }], json!([{"page": "", "millis": 5}]));
        check(Step::Idle, json!("Idle"));
        check(Step::At { x: 1.5 }, json!({"At": {"x": 1.5}}));
        check(Some(Step::Pair(1, true)), json!({"Pair": [1, true]}));
    }

    #[test]
    fn types_of_sql_are_shown_as_in_rows() {
        for (schema, bytes, shown) in [
            ("v1:date", 1_i32.to_le_bytes().to_vec(), json!("1970-01-02")),
            ("v1:decimal(5,2)", (-150_i128).to_le_bytes().to_vec(), json!(-1.5)),
        ] {
            assert_eq!(decode(&Type::parse(schema).unwrap(), &bytes), Ok(shown), "{schema}");
        }
    }

    #[test]
    fn bytes_that_no_value_has_are_told() {
        for (schema, bytes, message) in [
            ("v1:bool", vec![2], "2 is neither 0 nor 1"),
            ("v1:enum{A,B(i8)}", vec![2], "variant 2 of 2"),
            ("v1:string", vec![1, 0, 0, 0, 0xff], "text is not UTF-8"),
            ("v1:[i64]", vec![9, 0, 0, 0, 1], "9 bytes or values are announced, 1 bytes are left"),
        ] {
            assert_eq!(decode(&Type::parse(schema).unwrap(), &bytes), Err(message.into()), "{schema}");
        }
    }
}
