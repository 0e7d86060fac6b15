//! Rows as JSON, in the conventions of Flink's `json` format with `json.timestamp-format.standard = SQL`.
//!
//! `BYTES` is base64, `DATE` `"2026-01-31"`, `TIME` `"12:34:56.789"`, `TIMESTAMP` `"2026-01-31 12:34:56.789"`, `TIMESTAMP_LTZ` the
//! same with a `Z`, `ROW` and `MAP` are objects. A number that JSON can't hold exactly may be given as a string: `DECIMAL`
//! above 15 digits, and NaN and the infinities of FLOAT and DOUBLE; it is written so too.
//!
//! Used by tools, never on the way of a job's rows.

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use flink_wasm_diagnostic::{Code, Diagnostic, Result};
use serde_json::{Map, Number, Value};

use crate::batch::{BatchView, BatchWriter};
use crate::cell::Cell;
use crate::schema::{DataType, LogicalType, RowField, Schema};

mod time;

/// A row's fields: names and types.
pub type Fields = [RowField];

/// Writes rows (JSON objects) as a batch. A missing property is NULL.
///
/// FW0508 with row and column when a value does not belong to its type, or a property names no field.
pub fn rows_to_batch(fields: &Fields, rows: &[Value]) -> Result<Vec<u8>> {
    let schema = schema_of(fields)?;
    let mut writer = BatchWriter::new(&schema);
    for (index, row) in rows.iter().enumerate() {
        let cells = row_to_cells(fields, row).map_err(|problem| problem.at_row(index))?;
        writer
            .push_row(&cells)
            .map_err(|error| Diagnostic { message: format!("row {index}: {}", error.message), ..error })?;
    }
    let mut bytes = Vec::new();
    writer.finish(&mut bytes)?;
    Ok(bytes)
}

/// The rows of a batch as JSON objects.
pub fn batch_to_rows(fields: &Fields, batch: &BatchView<'_>) -> Result<Vec<Value>> {
    let schema = schema_of(fields)?;
    Ok((0..batch.row_count()).map(|row| cells_to_row(fields, &batch.row(&schema, row))).collect())
}

/// One row of cells as a JSON object.
pub fn cells_to_row(fields: &Fields, cells: &[Cell]) -> Value {
    let entries =
        fields.iter().zip(cells).map(|(field, cell)| (field.name.clone(), to_json(&field.data_type, cell)));
    Value::Object(entries.collect())
}

/// The flattened schema of named fields.
pub fn schema_of(fields: &Fields) -> Result<Schema> {
    Schema::new(fields.iter().map(|field| field.data_type.clone()).collect())
}

/// What is wrong with a value, and where below the row.
struct Problem {
    path: String,
    message: String,
}

impl Problem {
    fn new(message: impl Into<String>) -> Self {
        Self { path: String::new(), message: message.into() }
    }

    fn below(mut self, step: &str) -> Self {
        self.path.insert_str(0, step);
        self
    }

    fn at_row(self, row: usize) -> Diagnostic {
        let column = if self.path.is_empty() {
            String::new()
        } else {
            format!(", column `{}`", self.path.trim_start_matches('.'))
        };
        Diagnostic::new(Code::SchemaViolated, format!("row {row}{column}: {}", self.message))
    }
}

type Checked<T> = std::result::Result<T, Problem>;

fn row_to_cells(fields: &Fields, row: &Value) -> Checked<Vec<Cell>> {
    let Value::Object(properties) = row else {
        return Err(Problem::new(format!("expected an object, found {}", shown(row))));
    };
    if let Some(name) = properties.keys().find(|name| fields.iter().all(|field| field.name != **name)) {
        let nearest = flink_wasm_diagnostic::nearest(name, fields.iter().map(|field| field.name.as_str()));
        let hint = nearest.map_or(String::new(), |name| format!("; did you mean `{name}`?"));
        return Err(Problem::new(format!("there is no field `{name}`{hint}")));
    }
    let cell = |field: &RowField| {
        let value = properties.get(&field.name).unwrap_or(&Value::Null);
        from_json(&field.data_type, value).map_err(|problem| problem.below(&format!(".{}", field.name)))
    };
    fields.iter().map(cell).collect()
}

fn from_json(data_type: &DataType, value: &Value) -> Checked<Cell> {
    let expected = || Problem::new(format!("expected {data_type}, found {}", shown(value)));
    if value.is_null() {
        return if data_type.nullable {
            Ok(Cell::Null)
        } else {
            Err(Problem::new(format!("NULL in a field of type {data_type}")))
        };
    }
    let text = || value.as_str().ok_or_else(expected);
    Ok(match &data_type.logical {
        LogicalType::Boolean => Cell::Boolean(value.as_bool().ok_or_else(expected)?),
        LogicalType::TinyInt => Cell::Int8(integer(value).ok_or_else(expected)?),
        LogicalType::SmallInt => Cell::Int16(integer(value).ok_or_else(expected)?),
        LogicalType::Int => Cell::Int32(integer(value).ok_or_else(expected)?),
        LogicalType::BigInt => Cell::Int64(integer(value).ok_or_else(expected)?),
        LogicalType::Float => {
            let wide = float(value).ok_or_else(expected)?;
            let narrow = wide as f32;
            if wide.is_finite() && !narrow.is_finite() {
                return Err(expected());
            }
            Cell::Float32(narrow)
        }
        LogicalType::Double => Cell::Float64(float(value).ok_or_else(expected)?),
        LogicalType::Decimal { precision, scale } => {
            Cell::Int128(decimal(value, *precision, *scale).ok_or_else(|| match value.is_f64() {
                true => Problem::new(format!(
                    "{}; give a number of more than 15 digits as a string",
                    expected().message
                )),
                false => expected(),
            })?)
        }
        LogicalType::Char(length) | LogicalType::VarChar(length) => {
            let text = text()?;
            let characters = text.chars().count();
            if characters > *length as usize {
                return Err(Problem::new(format!("{characters} characters do not fit in {data_type}")));
            }
            Cell::Text(text.to_owned())
        }
        LogicalType::Binary(length) | LogicalType::VarBinary(length) => {
            let bytes = BASE64
                .decode(text()?)
                .map_err(|_| Problem::new(format!("expected base64, found {}", shown(value))))?;
            if bytes.len() > *length as usize {
                return Err(Problem::new(format!("{} bytes do not fit in {data_type}", bytes.len())));
            }
            Cell::Bytes(bytes)
        }
        LogicalType::Date => Cell::Int32(time::parse_date(text()?).ok_or_else(expected)?),
        LogicalType::Time(_) => Cell::Int32(time::parse_time_millis(text()?).ok_or_else(expected)?),
        LogicalType::Timestamp(precision) => timestamp(text()?, *precision).ok_or_else(expected)?,
        LogicalType::TimestampLtz(precision) => {
            timestamp(text()?.strip_suffix('Z').ok_or_else(expected)?, *precision).ok_or_else(expected)?
        }
        LogicalType::Array(element) => {
            let elements = value.as_array().ok_or_else(expected)?.iter().enumerate();
            let cell = |(index, value)| {
                from_json(element, value).map_err(|problem| problem.below(&format!("[{index}]")))
            };
            Cell::Array(elements.map(cell).collect::<Checked<_>>()?)
        }
        LogicalType::Map(key, element) => {
            let entries = value.as_object().ok_or_else(expected)?.iter();
            let entry = |(name, value): (&String, &Value)| {
                let place = |problem: Problem| problem.below(&format!("[{name:?}]"));
                Ok((map_key(key, name).map_err(place)?, from_json(element, value).map_err(place)?))
            };
            Cell::Map(entries.map(entry).collect::<Checked<_>>()?)
        }
        LogicalType::Row(fields) => Cell::Row(row_to_cells(fields, value)?),
    })
}

/// A key is a property's name. Keys that are no text are read from their JSON text.
fn map_key(key: &DataType, name: &str) -> Checked<Cell> {
    let quoted = Value::String(name.to_owned());
    match &key.logical {
        LogicalType::Boolean
        | LogicalType::TinyInt
        | LogicalType::SmallInt
        | LogicalType::Int
        | LogicalType::BigInt => from_json(key, &serde_json::from_str(name).unwrap_or(quoted)),
        LogicalType::Float | LogicalType::Double => {
            from_json(key, &serde_json::from_str(name).ok().filter(Value::is_number).unwrap_or(quoted))
        }
        LogicalType::Array(_) | LogicalType::Map(..) | LogicalType::Row(_) => from_json(
            key,
            &serde_json::from_str(name)
                .map_err(|_| Problem::new(format!("expected {key} as JSON, found {}", shown(&quoted))))?,
        ),
        _ => from_json(key, &quoted),
    }
}

fn to_json(data_type: &DataType, cell: &Cell) -> Value {
    match (cell, &data_type.logical) {
        (Cell::Null, _) => Value::Null,
        (Cell::Boolean(value), _) => Value::Bool(*value),
        (Cell::Int8(value), _) => Value::from(*value),
        (Cell::Int16(value), _) => Value::from(*value),
        (Cell::Int32(value), LogicalType::Date) => Value::String(time::format_date(*value)),
        (Cell::Int32(value), LogicalType::Time(_)) => Value::String(time::format_time_millis(*value)),
        (Cell::Int32(value), _) => Value::from(*value),
        (Cell::Int64(value), LogicalType::Timestamp(precision)) => {
            Value::String(time::format_timestamp(i128::from(*value), time::unit_nanos(*precision)))
        }
        (Cell::Int64(value), LogicalType::TimestampLtz(precision)) => {
            Value::String(time::format_timestamp(i128::from(*value), time::unit_nanos(*precision)) + "Z")
        }
        (Cell::Int64(value), _) => Value::from(*value),
        // The shortest text that gives the same f32 is the number to show, not its widening.
        (Cell::Float32(value), _) => float_to_json(value.to_string().parse().unwrap_or(f64::NAN)),
        (Cell::Float64(value), _) => float_to_json(*value),
        (Cell::Int128(value), LogicalType::Decimal { scale, .. }) => decimal_to_json(*value, *scale),
        (Cell::Int128(value), LogicalType::TimestampLtz(_)) => {
            Value::String(time::format_timestamp(*value, 1) + "Z")
        }
        (Cell::Int128(value), _) => Value::String(time::format_timestamp(*value, 1)),
        (Cell::Text(value), _) => Value::String(value.clone()),
        (Cell::Bytes(value), _) => Value::String(BASE64.encode(value)),
        (Cell::Array(cells), LogicalType::Array(element)) => {
            cells.iter().map(|cell| to_json(element, cell)).collect()
        }
        (Cell::Map(entries), LogicalType::Map(key, element)) => {
            let entry = |(name, cell): &(Cell, Cell)| {
                let name = match to_json(key, name) {
                    Value::String(name) => name,
                    other => other.to_string(),
                };
                (name, to_json(element, cell))
            };
            Value::Object(entries.iter().map(entry).collect::<Map<_, _>>())
        }
        (Cell::Row(cells), LogicalType::Row(fields)) => cells_to_row(fields, cells),
        // Cells of a view always fit the schema that it was parsed with.
        (Cell::Array(_) | Cell::Map(_) | Cell::Row(_), _) => Value::Null,
    }
}

fn integer<T: TryFrom<i64>>(value: &Value) -> Option<T> {
    T::try_from(value.as_i64()?).ok()
}

fn float(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => match text.as_str() {
            "NaN" => Some(f64::NAN),
            "Infinity" => Some(f64::INFINITY),
            "-Infinity" => Some(f64::NEG_INFINITY),
            _ => None,
        },
        _ => None,
    }
}

fn float_to_json(value: f64) -> Value {
    match Number::from_f64(value) {
        Some(number) => Value::Number(number),
        None if value.is_nan() => "NaN".into(),
        None if value > 0.0 => "Infinity".into(),
        None => "-Infinity".into(),
    }
}

/// The unscaled value; `None` when the value is no number or does not fit exactly.
fn decimal(value: &Value, precision: u8, scale: u8) -> Option<i128> {
    let (text, is_exact) = match value {
        Value::String(text) => (text.clone(), true),
        Value::Number(number) => (number.to_string(), number.is_i64() || number.is_u64()),
        _ => return None,
    };
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (text.as_str(), 0),
    };
    let (is_negative, mantissa) = match mantissa.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, mantissa),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    if whole.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_digit()) || digits.len() > 400 {
        return None;
    }
    let significant = digits.trim_matches('0');
    if !is_exact && significant.len() > 15 {
        return None;
    }
    if significant.is_empty() {
        return Some(0);
    }
    // value = significant * 10^power, unscaled = value * 10^scale
    let trailing_zeros = digits.len() - digits.trim_end_matches('0').len();
    let power = exponent
        .checked_add(trailing_zeros as i32)?
        .checked_sub(fraction.len() as i32)?
        .checked_add(i32::from(scale))?;
    let unscaled =
        significant.parse::<i128>().ok()?.checked_mul(10_i128.checked_pow(u32::try_from(power).ok()?)?)?;
    (unscaled < 10_i128.pow(u32::from(precision))).then_some(if is_negative { -unscaled } else { unscaled })
}

fn decimal_to_json(unscaled: i128, scale: u8) -> Value {
    let scale = usize::from(scale);
    let digits = format!("{:0width$}", unscaled.unsigned_abs(), width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    let sign = if unscaled < 0 { "-" } else { "" };
    let text = if scale == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") };
    if scale == 0
        && let Ok(number) = i64::try_from(unscaled)
    {
        return Value::from(number);
    }
    let number = text.parse().ok().and_then(Number::from_f64);
    match number.filter(|_| digits.trim_matches('0').len() <= 15) {
        Some(number) => Value::Number(number),
        None => Value::String(text),
    }
}

/// Milliseconds since the epoch of a `TIMESTAMP(3)`, such as `2026-01-31 12:34:56.789`; a `T` may stand for the space.
pub fn parse_timestamp_millis(text: &str) -> Option<i64> {
    match timestamp(text, 3)? {
        Cell::Int64(millis) => Some(millis),
        _ => None,
    }
}

fn timestamp(text: &str, precision: u8) -> Option<Cell> {
    let nanos = time::parse_timestamp_nanos(text)?;
    let unit = time::unit_nanos(precision);
    if nanos % unit != 0 {
        return None;
    }
    if unit == 1 { Some(Cell::Int128(nanos)) } else { i64::try_from(nanos / unit).ok().map(Cell::Int64) }
}

/// A value as a message shows it: JSON, cut when it is long.
fn shown(value: &Value) -> String {
    let text = value.to_string();
    if text.len() <= 60 { text } else { format!("{}..", crate::reply::truncate(&text, 58)) }
}

#[cfg(test)]
mod tests;
