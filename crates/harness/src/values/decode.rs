//! Bytes of a state value to JSON.

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use flink_wasm_protocol::schema::RowField;
use flink_wasm_protocol::{Cell, DataType, LogicalType, json};
use serde_json::{Map, Number, Value};

use super::map_to_json;
use super::schema::{Sql, Type};

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
        let number = i128::from_le_bytes(wide);
        Ok(match (i64::try_from(number), u64::try_from(number)) {
            (Ok(number), _) => number.into(),
            (_, Ok(number)) => number.into(),
            _ if signed => number.to_string().into(),
            _ => u128::from_le_bytes(wide).to_string().into(),
        })
    }
}

fn float(value: f64) -> Value {
    match Number::from_f64(value) {
        Some(number) => Value::Number(number),
        None => Value::String(value.to_string()),
    }
}
