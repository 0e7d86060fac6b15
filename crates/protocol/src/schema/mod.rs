//! Flink SQL types, and how rows of them are flattened into columns.
//!
//! The one home in Rust of the parser of SQL types as a descriptor writes them.

use std::fmt;

use flink_wasm_diagnostic::{Code, Diagnostic, Result};

use crate::limits::MAX_COLUMNS;

mod parse;

/// The longest CHAR, VARCHAR, BINARY and VARBINARY; `STRING` and `BYTES` have it.
pub const MAX_LENGTH: u32 = i32::MAX as u32;

/// A SQL type and whether NULL belongs to it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DataType {
    /// The type.
    pub logical: LogicalType,
    /// Whether a cell may be null. Types are nullable unless they say `NOT NULL`.
    pub nullable: bool,
}

/// The SQL types that a function can take and give.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum LogicalType {
    /// `BOOLEAN`
    Boolean,
    /// `TINYINT`, 8 bits
    TinyInt,
    /// `SMALLINT`, 16 bits
    SmallInt,
    /// `INT`, 32 bits
    Int,
    /// `BIGINT`, 64 bits
    BigInt,
    /// `FLOAT`, 32 bits
    Float,
    /// `DOUBLE`, 64 bits
    Double,
    /// `DECIMAL(precision, scale)`, precision 1 to 38
    Decimal {
        /// All digits.
        precision: u8,
        /// Digits after the point.
        scale: u8,
    },
    /// `CHAR(n)` in characters
    Char(u32),
    /// `VARCHAR(n)` in characters; `STRING` is `VARCHAR(2147483647)`
    VarChar(u32),
    /// `BINARY(n)` in bytes
    Binary(u32),
    /// `VARBINARY(n)` in bytes; `BYTES` is `VARBINARY(2147483647)`
    VarBinary(u32),
    /// `DATE`
    Date,
    /// `TIME(p)`; milliseconds whatever the precision
    Time(u8),
    /// `TIMESTAMP(p)`, precision 0 to 9
    Timestamp(u8),
    /// `TIMESTAMP_LTZ(p)`, precision 0 to 9
    TimestampLtz(u8),
    /// `ARRAY<element>`
    Array(Box<DataType>),
    /// `MAP<key, value>`
    Map(Box<DataType>, Box<DataType>),
    /// `ROW<name type, ..>`
    Row(Vec<RowField>),
}

/// A field of a ROW.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RowField {
    /// The name.
    pub name: String,
    /// The type.
    pub data_type: DataType,
}

/// How the cells of a column are laid out; the numbers are those of the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum ColumnKind {
    /// Bitmap.
    Boolean = 0,
    /// One byte a cell.
    Int8 = 1,
    /// Two bytes a cell.
    Int16 = 2,
    /// Four bytes a cell.
    Int32 = 3,
    /// Eight bytes a cell.
    Int64 = 4,
    /// Four bytes a cell.
    Float32 = 5,
    /// Eight bytes a cell.
    Float64 = 6,
    /// Sixteen bytes a cell, two's complement.
    Decimal128 = 7,
    /// Offsets and bytes.
    Varlen = 8,
    /// Offsets into child columns.
    Nested = 9,
    /// No cells; child columns follow.
    Row = 10,
}

impl ColumnKind {
    /// Bytes of one cell where all have the same number.
    pub fn width(self) -> Option<usize> {
        match self {
            ColumnKind::Int8 => Some(1),
            ColumnKind::Int16 => Some(2),
            ColumnKind::Int32 | ColumnKind::Float32 => Some(4),
            ColumnKind::Int64 | ColumnKind::Float64 => Some(8),
            ColumnKind::Decimal128 => Some(16),
            ColumnKind::Boolean | ColumnKind::Varlen | ColumnKind::Nested | ColumnKind::Row => None,
        }
    }
}

impl DataType {
    /// A type that includes NULL.
    pub fn nullable(logical: LogicalType) -> Self {
        Self { logical, nullable: true }
    }

    /// A type without NULL.
    pub fn not_null(logical: LogicalType) -> Self {
        Self { logical, nullable: false }
    }

    /// Reads a type as Flink writes it, such as `ROW<a INT, b STRING NOT NULL> NOT NULL`.
    ///
    /// FW0309 with the byte position when the text is no type, or one that functions can't take.
    pub fn parse(text: &str) -> Result<Self> {
        parse::parse(text)
    }
}

impl LogicalType {
    /// The layout of a column of this type.
    pub fn kind(&self) -> ColumnKind {
        match self {
            LogicalType::Boolean => ColumnKind::Boolean,
            LogicalType::TinyInt => ColumnKind::Int8,
            LogicalType::SmallInt => ColumnKind::Int16,
            LogicalType::Int | LogicalType::Date | LogicalType::Time(_) => ColumnKind::Int32,
            LogicalType::BigInt => ColumnKind::Int64,
            LogicalType::Float => ColumnKind::Float32,
            LogicalType::Double => ColumnKind::Float64,
            LogicalType::Decimal { .. } => ColumnKind::Decimal128,
            LogicalType::Char(_) | LogicalType::VarChar(_) => ColumnKind::Varlen,
            LogicalType::Binary(_) | LogicalType::VarBinary(_) => ColumnKind::Varlen,
            LogicalType::Timestamp(p) | LogicalType::TimestampLtz(p) if *p <= 6 => ColumnKind::Int64,
            LogicalType::Timestamp(_) | LogicalType::TimestampLtz(_) => ColumnKind::Decimal128,
            LogicalType::Array(_) | LogicalType::Map(..) => ColumnKind::Nested,
            LogicalType::Row(_) => ColumnKind::Row,
        }
    }
}

/// Writes the type as Flink's `asSerializableString` does, so that equal texts mean equal types.
impl fmt::Display for DataType {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}{}", self.logical, if self.nullable { "" } else { " NOT NULL" })
    }
}

impl fmt::Display for LogicalType {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LogicalType::Boolean => out.write_str("BOOLEAN"),
            LogicalType::TinyInt => out.write_str("TINYINT"),
            LogicalType::SmallInt => out.write_str("SMALLINT"),
            LogicalType::Int => out.write_str("INT"),
            LogicalType::BigInt => out.write_str("BIGINT"),
            LogicalType::Float => out.write_str("FLOAT"),
            LogicalType::Double => out.write_str("DOUBLE"),
            LogicalType::Decimal { precision, scale } => write!(out, "DECIMAL({precision}, {scale})"),
            LogicalType::Char(length) => write!(out, "CHAR({length})"),
            LogicalType::VarChar(length) => write!(out, "VARCHAR({length})"),
            LogicalType::Binary(length) => write!(out, "BINARY({length})"),
            LogicalType::VarBinary(length) => write!(out, "VARBINARY({length})"),
            LogicalType::Date => out.write_str("DATE"),
            LogicalType::Time(precision) => write!(out, "TIME({precision})"),
            LogicalType::Timestamp(precision) => write!(out, "TIMESTAMP({precision})"),
            LogicalType::TimestampLtz(precision) => {
                write!(out, "TIMESTAMP({precision}) WITH LOCAL TIME ZONE")
            }
            LogicalType::Array(element) => write!(out, "ARRAY<{element}>"),
            LogicalType::Map(key, value) => write!(out, "MAP<{key}, {value}>"),
            LogicalType::Row(fields) => {
                out.write_str("ROW<")?;
                for (index, field) in fields.iter().enumerate() {
                    let separator = if index == 0 { "" } else { ", " };
                    write!(out, "{separator}`{}` {}", field.name.replace('`', "``"), field.data_type)?;
                }
                out.write_str(">")
            }
        }
    }
}

/// A flattened column: what a decoder must know of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Layout of the cells.
    pub kind: ColumnKind,
    /// What the values must satisfy beyond the layout.
    pub check: ValueCheck,
    /// Whether a cell may be null.
    pub nullable: bool,
    /// The column above, and how cells relate to it; `None` for a field of the row itself.
    pub parent: Option<Parent>,
    /// Index after the last column below this one.
    pub end: usize,
}

/// The column above another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parent {
    /// A ROW at this index: as many cells as it has.
    Row(usize),
    /// An ARRAY or MAP at this index: as many cells as its last offset says.
    Nested(usize),
}

/// What values must satisfy beyond the layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueCheck {
    /// Every bit pattern is a value.
    Any,
    /// UTF-8.
    Text,
    /// Absolute value below this power of ten.
    Decimal(u128),
    /// Milliseconds of a day.
    TimeOfDay,
}

/// The types of a row's fields and the columns that they are flattened into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schema {
    fields: Vec<DataType>,
    columns: Vec<Column>,
}

impl Schema {
    /// Flattens the fields depth first. FW0309 when there are more columns than a batch can have.
    pub fn new(fields: Vec<DataType>) -> Result<Self> {
        let mut columns = Vec::new();
        for field in &fields {
            flatten(field, None, &mut columns)?;
        }
        Ok(Self { fields, columns })
    }

    /// Parses and flattens.
    pub fn parse<T: AsRef<str>>(types: &[T]) -> Result<Self> {
        Self::new(types.iter().map(|text| DataType::parse(text.as_ref())).collect::<Result<_>>()?)
    }

    /// The types of the fields.
    pub fn fields(&self) -> &[DataType] {
        &self.fields
    }

    /// The flattened columns.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// The index of the field that a column belongs to.
    pub fn field_of(&self, column: usize) -> usize {
        self.columns[..=column].iter().filter(|column| column.parent.is_none()).count() - 1
    }
}

fn flatten(data_type: &DataType, parent: Option<Parent>, columns: &mut Vec<Column>) -> Result<()> {
    if columns.len() == MAX_COLUMNS {
        return Err(Diagnostic::new(
            Code::BadDescriptor,
            format!("more than {MAX_COLUMNS} columns, nested ones counted"),
        ));
    }
    let index = columns.len();
    let check = match &data_type.logical {
        LogicalType::Char(_) | LogicalType::VarChar(_) => ValueCheck::Text,
        LogicalType::Decimal { precision, .. } => ValueCheck::Decimal(10_u128.pow(u32::from(*precision))),
        LogicalType::Time(_) => ValueCheck::TimeOfDay,
        _ => ValueCheck::Any,
    };
    columns.push(Column {
        kind: data_type.logical.kind(),
        check,
        nullable: data_type.nullable,
        parent,
        end: 0,
    });
    match &data_type.logical {
        LogicalType::Array(element) => flatten(element, Some(Parent::Nested(index)), columns)?,
        LogicalType::Map(key, value) => {
            flatten(key, Some(Parent::Nested(index)), columns)?;
            flatten(value, Some(Parent::Nested(index)), columns)?;
        }
        LogicalType::Row(fields) => {
            for field in fields {
                flatten(&field.data_type, Some(Parent::Row(index)), columns)?;
            }
        }
        _ => {}
    }
    columns[index].end = columns.len();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flattens_depth_first() {
        let schema =
            Schema::parse(&["ROW<a INT, b ARRAY<MAP<STRING, TIMESTAMP(9)>>> NOT NULL", "DOUBLE"]).unwrap();
        let columns: Vec<_> = schema.columns().iter().map(|column| (column.kind, column.parent)).collect();
        assert_eq!(
            columns,
            [
                (ColumnKind::Row, None),
                (ColumnKind::Int32, Some(Parent::Row(0))),
                (ColumnKind::Nested, Some(Parent::Row(0))),
                (ColumnKind::Nested, Some(Parent::Nested(2))),
                (ColumnKind::Varlen, Some(Parent::Nested(3))),
                (ColumnKind::Decimal128, Some(Parent::Nested(3))),
                (ColumnKind::Float64, None),
            ]
        );
        assert_eq!((schema.field_of(5), schema.field_of(6)), (0, 1));
    }

    #[test]
    fn too_many_columns_are_refused() {
        let row = format!("ROW<{}>", (0..64).map(|i| format!("c{i} INT")).collect::<Vec<_>>().join(", "));
        assert_eq!(Schema::parse(&vec![row; 64]).unwrap_err().code, Code::BadDescriptor);
    }
}
