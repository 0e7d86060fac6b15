//! A recursive-descent parser of Flink's SQL types, after Flink's `LogicalTypeParser`.

use flink_wasm_diagnostic::{Code, Diagnostic, Result};

use super::{DataType, LogicalType, MAX_LENGTH, RowField};
use crate::limits::{MAX_COLUMNS, MAX_TYPE_BYTES, MAX_TYPE_DEPTH};

pub(super) fn parse(text: &str) -> Result<DataType> {
    if text.len() > MAX_TYPE_BYTES {
        return Err(Diagnostic::new(
            Code::BadDescriptor,
            format!("a SQL type has more than {MAX_TYPE_BYTES} bytes"),
        ));
    }
    let mut parser = Parser { text, at: 0, depth: 0 };
    let data_type = parser.data_type()?;
    parser.skip_space();
    if parser.at < text.len() {
        return Err(parser.error("the end of the type"));
    }
    Ok(data_type)
}

struct Parser<'a> {
    text: &'a str,
    /// Byte position, always on a character.
    at: usize,
    depth: usize,
}

impl<'a> Parser<'a> {
    fn data_type(&mut self) -> Result<DataType> {
        let depth = self.depth;
        self.descend()?;
        let logical = self.logical()?;
        let mut data_type = DataType { logical, nullable: self.nullability()? };
        // `INT NOT NULL ARRAY` is an old way to write `ARRAY<INT NOT NULL>`.
        while self.keyword("ARRAY") {
            self.descend()?;
            data_type =
                DataType { logical: LogicalType::Array(Box::new(data_type)), nullable: self.nullability()? };
        }
        self.depth = depth;
        Ok(data_type)
    }

    fn descend(&mut self) -> Result<()> {
        self.depth += 1;
        if self.depth > MAX_TYPE_DEPTH {
            return Err(self.fail(format!("a SQL type is nested deeper than {MAX_TYPE_DEPTH}"), self.at));
        }
        Ok(())
    }

    fn nullability(&mut self) -> Result<bool> {
        if self.keyword("NOT") {
            return if self.keyword("NULL") { Ok(false) } else { Err(self.error("`NULL` after `NOT`")) };
        }
        self.keyword("NULL");
        Ok(true)
    }

    fn logical(&mut self) -> Result<LogicalType> {
        self.skip_space();
        let start = self.at;
        let Some(word) = self.word() else { return Err(self.error("a SQL type")) };
        Ok(match word.to_ascii_uppercase().as_str() {
            "BOOLEAN" => LogicalType::Boolean,
            "TINYINT" => LogicalType::TinyInt,
            "SMALLINT" => LogicalType::SmallInt,
            "INT" | "INTEGER" => LogicalType::Int,
            "BIGINT" => LogicalType::BigInt,
            "FLOAT" => LogicalType::Float,
            "DOUBLE" => {
                self.keyword("PRECISION");
                LogicalType::Double
            }
            "DECIMAL" | "DEC" | "NUMERIC" => self.decimal()?,
            "CHAR" => LogicalType::Char(self.argument(1, 1, MAX_LENGTH)?),
            "VARCHAR" => LogicalType::VarChar(self.argument(1, 1, MAX_LENGTH)?),
            "STRING" => LogicalType::VarChar(MAX_LENGTH),
            "BINARY" => LogicalType::Binary(self.argument(1, 1, MAX_LENGTH)?),
            "VARBINARY" => LogicalType::VarBinary(self.argument(1, 1, MAX_LENGTH)?),
            "BYTES" => LogicalType::VarBinary(MAX_LENGTH),
            "DATE" => LogicalType::Date,
            "TIME" => {
                let precision = self.argument(0, 0, 9)? as u8;
                if self.keyword("WITHOUT") {
                    self.words(&["TIME", "ZONE"])?;
                }
                LogicalType::Time(precision)
            }
            "TIMESTAMP" => {
                let precision = self.argument(6, 0, 9)? as u8;
                if self.keyword("WITHOUT") {
                    self.words(&["TIME", "ZONE"])?;
                    LogicalType::Timestamp(precision)
                } else if self.keyword("WITH") {
                    if !self.keyword("LOCAL") {
                        return Err(self.unsupported("TIMESTAMP WITH TIME ZONE", start));
                    }
                    self.words(&["TIME", "ZONE"])?;
                    LogicalType::TimestampLtz(precision)
                } else {
                    LogicalType::Timestamp(precision)
                }
            }
            "TIMESTAMP_LTZ" => LogicalType::TimestampLtz(self.argument(6, 0, 9)? as u8),
            "ARRAY" => {
                self.expect('<')?;
                let element = self.data_type()?;
                self.expect('>')?;
                LogicalType::Array(Box::new(element))
            }
            "MAP" => {
                self.expect('<')?;
                let key = self.data_type()?;
                self.expect(',')?;
                let value = self.data_type()?;
                self.expect('>')?;
                LogicalType::Map(Box::new(key), Box::new(value))
            }
            "ROW" => self.row()?,
            other => {
                let known = ["MULTISET", "INTERVAL", "RAW", "VARIANT", "NULL", "SYMBOL", "STRUCTURED"];
                return Err(if known.contains(&other) {
                    self.unsupported(other, start)
                } else {
                    self.fail(format!("unknown SQL type `{word}`"), start)
                });
            }
        })
    }

    fn decimal(&mut self) -> Result<LogicalType> {
        let start = self.at;
        let (mut precision, mut scale) = (10, 0);
        if self.symbol('(') {
            precision = self.number(1, 38)? as u8;
            if self.symbol(',') {
                scale = self.number(0, 38)? as u8;
            }
            self.expect(')')?;
        }
        if scale > precision {
            return Err(self.fail(
                format!("DECIMAL({precision}, {scale}) has more digits after the point than digits"),
                start,
            ));
        }
        Ok(LogicalType::Decimal { precision, scale })
    }

    fn row(&mut self) -> Result<LogicalType> {
        let close = if self.symbol('(') {
            ')'
        } else {
            self.expect('<')?;
            '>'
        };
        let mut fields: Vec<RowField> = Vec::new();
        if self.symbol(close) {
            return Ok(LogicalType::Row(fields));
        }
        loop {
            self.skip_space();
            let start = self.at;
            let name = self.name()?;
            if fields.iter().any(|field| field.name == name) {
                return Err(self.fail(format!("the ROW has two fields named `{name}`"), start));
            }
            fields.push(RowField { name, data_type: self.data_type()? });
            if fields.len() > MAX_COLUMNS {
                return Err(self.fail(format!("a ROW has more than {MAX_COLUMNS} fields"), start));
            }
            self.skip_space();
            if self.text[self.at..].starts_with('\'') {
                self.quoted('\'')?; // the field's description
            }
            if !self.symbol(',') {
                self.expect(close)?;
                return Ok(LogicalType::Row(fields));
            }
        }
    }

    /// An optional length or precision in brackets.
    fn argument(&mut self, default: u32, least: u32, most: u32) -> Result<u32> {
        if !self.symbol('(') {
            return Ok(default);
        }
        let number = self.number(least, most)?;
        self.expect(')')?;
        Ok(number)
    }

    fn number(&mut self, least: u32, most: u32) -> Result<u32> {
        self.skip_space();
        let rest = &self.text[self.at..];
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let number = rest[..digits].parse().ok().filter(|number| (least..=most).contains(number));
        let number = number.ok_or_else(|| self.error(&format!("a number from {least} to {most}")))?;
        self.at += digits;
        Ok(number)
    }

    fn name(&mut self) -> Result<String> {
        if self.text[self.at..].starts_with('`') {
            return self.quoted('`');
        }
        self.word().map(str::to_owned).ok_or_else(|| self.error("a field name"))
    }

    /// Text in quotes, in which a doubled quote stands for one.
    fn quoted(&mut self, quote: char) -> Result<String> {
        let start = self.at;
        let mut value = String::new();
        let mut rest = self.text[self.at + 1..].char_indices();
        while let Some((index, character)) = rest.next() {
            if character != quote {
                value.push(character);
                continue;
            }
            if rest.as_str().starts_with(quote) {
                rest.next();
                value.push(quote);
                continue;
            }
            self.at = start + 1 + index + 1;
            return Ok(value);
        }
        Err(self.fail(format!("the closing {quote} is missing"), start))
    }

    fn word(&mut self) -> Option<&'a str> {
        let rest = &self.text[self.at..];
        let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
        let length = rest.len() - rest.trim_start_matches(is_part).len();
        let word = &rest[..length];
        if word.is_empty() || word.starts_with(|c: char| c.is_numeric()) {
            return None;
        }
        self.at += length;
        Some(word)
    }

    fn words(&mut self, words: &[&str]) -> Result<()> {
        for word in words {
            if !self.keyword(word) {
                return Err(self.error(&format!("`{word}`")));
            }
        }
        Ok(())
    }

    fn keyword(&mut self, keyword: &str) -> bool {
        self.skip_space();
        let start = self.at;
        if self.word().is_some_and(|word| word.eq_ignore_ascii_case(keyword)) {
            return true;
        }
        self.at = start;
        false
    }

    fn symbol(&mut self, symbol: char) -> bool {
        self.skip_space();
        let found = self.text[self.at..].starts_with(symbol);
        if found {
            self.at += symbol.len_utf8();
        }
        found
    }

    fn expect(&mut self, symbol: char) -> Result<()> {
        if self.symbol(symbol) { Ok(()) } else { Err(self.error(&format!("`{symbol}`"))) }
    }

    fn skip_space(&mut self) {
        let rest = &self.text[self.at..];
        self.at += rest.len() - rest.trim_start().len();
    }

    fn error(&self, expected: &str) -> Diagnostic {
        let found = match self.text[self.at..].chars().next() {
            Some(character) => format!("`{}`", character.escape_debug()),
            None => "the end".to_owned(),
        };
        self.fail(format!("expected {expected}, found {found}"), self.at)
    }

    fn unsupported(&self, name: &str, at: usize) -> Diagnostic {
        self.fail(format!("functions can't take or give {name}"), at)
            .help("cast it to another type in the job before it reaches the function")
    }

    fn fail(&self, message: String, at: usize) -> Diagnostic {
        Diagnostic::new(Code::BadDescriptor, message)
            .note(format!("in `{}` at byte {at}", self.text.escape_debug()))
            .span(at, self.text.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let data_type = parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(data_type.to_string(), expected, "{text}");
        assert_eq!(parse(expected).unwrap(), data_type, "the written form of {text} reads differently");
    }

    #[test]
    fn reads_what_flink_writes() {
        check("BIGINT NOT NULL", "BIGINT NOT NULL");
        check(" bigint  not null ", "BIGINT NOT NULL");
        check("INTEGER NULL", "INT");
        check("DECIMAL", "DECIMAL(10, 0)");
        check("DEC(5)", "DECIMAL(5, 0)");
        check("NUMERIC(38,38)", "DECIMAL(38, 38)");
        check("DOUBLE PRECISION", "DOUBLE");
        check("STRING", "VARCHAR(2147483647)");
        check("BYTES", "VARBINARY(2147483647)");
        check("CHAR", "CHAR(1)");
        check("VARCHAR(20)", "VARCHAR(20)");
        check("BINARY(3)", "BINARY(3)");
        check("TIME", "TIME(0)");
        check("TIME(3) WITHOUT TIME ZONE", "TIME(3)");
        check("TIMESTAMP", "TIMESTAMP(6)");
        check("TIMESTAMP(3) WITHOUT TIME ZONE NOT NULL", "TIMESTAMP(3) NOT NULL");
        check("TIMESTAMP_LTZ(3)", "TIMESTAMP(3) WITH LOCAL TIME ZONE");
        check("TIMESTAMP(3) WITH LOCAL TIME ZONE", "TIMESTAMP(3) WITH LOCAL TIME ZONE");
        check("ARRAY<INT NOT NULL> NOT NULL", "ARRAY<INT NOT NULL> NOT NULL");
        check("INT NOT NULL ARRAY", "ARRAY<INT NOT NULL>");
        check("MAP<STRING NOT NULL, ROW<a INT>>", "MAP<VARCHAR(2147483647) NOT NULL, ROW<`a` INT>>");
        check(
            "ROW<a INT, b STRING NOT NULL> NOT NULL",
            "ROW<`a` INT, `b` VARCHAR(2147483647) NOT NULL> NOT NULL",
        );
        check("ROW(`a``b` INT 'it''s a field', c DATE)", "ROW<`a``b` INT, `c` DATE>");
        check("ROW<>", "ROW<>");
        let wide = (0..40).map(|i| format!("`c{i}` ARRAY<INT>")).collect::<Vec<_>>().join(", ");
        check(&format!("ROW<{}>", wide.replace("ARRAY<INT>", "INT ARRAY")), &format!("ROW<{wide}>"));
    }

    #[track_caller]
    fn refuse(text: &str, message: &str) {
        let error = parse(text).unwrap_err();
        assert_eq!((error.code, error.message.as_str()), (Code::BadDescriptor, message), "{text}");
    }

    #[test]
    fn says_what_is_wrong_and_where() {
        refuse("", "expected a SQL type, found the end");
        refuse("INTT", "unknown SQL type `INTT`");
        refuse("INT INT", "expected the end of the type, found `I`");
        refuse("INT NOT", "expected `NULL` after `NOT`, found the end");
        refuse("DECIMAL(39, 1)", "expected a number from 1 to 38, found `3`");
        refuse("DECIMAL(2, 3)", "DECIMAL(2, 3) has more digits after the point than digits");
        refuse("VARCHAR(0)", "expected a number from 1 to 2147483647, found `0`");
        refuse("VARCHAR(99999999999)", "expected a number from 1 to 2147483647, found `9`");
        refuse("TIMESTAMP(10)", "expected a number from 0 to 9, found `1`");
        refuse("TIMESTAMP WITH TIME ZONE", "functions can't take or give TIMESTAMP WITH TIME ZONE");
        refuse("MULTISET<INT>", "functions can't take or give MULTISET");
        refuse("ROW<a INT, a INT>", "the ROW has two fields named `a`");
        refuse("ROW<`a INT>", "the closing ` is missing");
        refuse("ARRAY<INT", "expected `>`, found the end");
        refuse(&"ARRAY<".repeat(40), "a SQL type is nested deeper than 32");
        refuse(&format!("INT{}", " ARRAY".repeat(40)), "a SQL type is nested deeper than 32");
        assert_eq!(*parse("ROW<a INTT>").unwrap_err().location.span.as_ref().unwrap(), (6, 11));
    }
}
