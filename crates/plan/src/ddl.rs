//! The column list of a declared schema: the text between the parentheses of `CREATE TABLE`.

use flink_wasm_diagnostic::{Code, Diagnostic};
use flink_wasm_ir::Field;
use sqlparser::tokenizer::Token;

use crate::expression::{FlinkDialect, Tok, render, tokenize};
use crate::quote;

/// A column whose name is known; its type only when it was declared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) sql_type: Option<String>,
}

impl Column {
    pub(crate) fn untyped(name: impl Into<String>) -> Self {
        Self { name: name.into(), sql_type: None }
    }
}

impl From<&Field> for Column {
    fn from(field: &Field) -> Self {
        Self { name: field.name.clone(), sql_type: Some(field.sql_type.clone()) }
    }
}

/// A checked column list.
#[derive(Debug)]
pub(crate) struct Schema {
    pub(crate) columns: Vec<Column>,
    /// One element a line, names quoted.
    pub(crate) sql: String,
}

/// Reads a column list such as `id BIGINT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '5' SECOND`.
/// Types and watermark are left to Flink; the list can't end early and go on with something else.
pub(crate) fn parse_schema(text: &str) -> Result<Schema, Diagnostic> {
    let tokens = tokenize(&FlinkDialect, text)?;
    let mut schema = Schema { columns: Vec::new(), sql: String::new() };
    let mut elements = Vec::new();
    for element in split_elements(&tokens)? {
        elements.push(format!("  {}", read_element(element, &mut schema.columns)?));
    }
    if schema.columns.is_empty() {
        return Err(bad("the schema has no column", 0, text.len()).help("such as \"id BIGINT, name STRING\""));
    }
    for (at, column) in schema.columns.iter().enumerate() {
        if schema.columns[..at].iter().any(|c| c.name == column.name) {
            return Err(bad(format!("the schema has two columns `{}`", column.name), 0, text.len()));
        }
    }
    schema.sql = elements.join(",\n");
    Ok(schema)
}

/// The column list of fields, all nullable: a source can hold a NULL whatever it declares, and the function says so
/// with the row's number.
pub(crate) fn schema_of(fields: &[Field]) -> Schema {
    let columns: Vec<Column> = fields
        .iter()
        .map(|field| Column {
            name: field.name.clone(),
            sql_type: Some(nullable(&field.sql_type).to_owned()),
        })
        .collect();
    let lines: Vec<String> = fields
        .iter()
        .map(|field| format!("  {} {}", quote::identifier(&field.name), nullable(&field.sql_type)))
        .collect();
    Schema { columns, sql: lines.join(",\n") }
}

/// A type without its last `NOT NULL`.
pub(crate) fn nullable(sql_type: &str) -> &str {
    let trimmed = sql_type.trim_end();
    let Some(at) = trimmed.len().checked_sub(4).filter(|&at| trimmed.is_char_boundary(at)) else {
        return trimmed;
    };
    if !trimmed[at..].eq_ignore_ascii_case("NULL") {
        return trimmed;
    }
    let before = trimmed[..at].trim_end();
    match before.len().checked_sub(3).filter(|&at| before.is_char_boundary(at)) {
        Some(at) if before[at..].eq_ignore_ascii_case("NOT") => before[..at].trim_end(),
        _ => trimmed,
    }
}

fn bad(message: impl Into<String>, start: usize, end: usize) -> Diagnostic {
    Diagnostic::new(Code::BadExpression, message).span(start, end)
}

/// Splits at commas outside of `()`, `<>` and `[]`.
fn split_elements(tokens: &[Tok]) -> Result<Vec<&[Tok]>, Diagnostic> {
    let mut elements = Vec::new();
    let mut open: Vec<char> = Vec::new();
    let mut start = 0;
    for (at, tok) in tokens.iter().enumerate() {
        // `>` and `<` also compare, in a computed column: only types nest by them.
        let nests =
            at > 0 && ["ARRAY", "MAP", "ROW", "MULTISET", "RAW"].iter().any(|w| tokens[at - 1].is_word(w));
        for c in bracket(&tok.token).chars() {
            match c {
                '(' | '[' => open.push(c),
                '<' if nests => open.push(c),
                '<' => {}
                '>' if open.last() != Some(&'<') => {}
                _ => {
                    let fits =
                        matches!((open.pop(), c), (Some('('), ')') | (Some('['), ']') | (Some('<'), '>'));
                    if !fits {
                        return Err(bad(format!("`{c}` closes nothing"), tok.range.start, tok.range.end));
                    }
                }
            }
        }
        match tok.token {
            Token::SemiColon => {
                return Err(bad("`;` can't stand in a schema", tok.range.start, tok.range.end));
            }
            Token::Comma if open.is_empty() => {
                elements.push(&tokens[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    if let Some(c) = open.last() {
        let end = tokens.last().map_or(0, |t| t.range.end);
        return Err(bad(format!("`{c}` is never closed"), end, end));
    }
    elements.push(&tokens[start..]);
    if let Some(at) = elements.iter().position(|e| e.is_empty()).filter(|_| elements.len() > 1) {
        let end = elements[..at].last().and_then(|e| e.last()).map_or(0, |t| t.range.end);
        return Err(bad("a column is missing beside this comma", end, end + 1));
    }
    Ok(elements.into_iter().filter(|e| !e.is_empty()).collect())
}

fn bracket(token: &Token) -> &'static str {
    match token {
        Token::LParen => "(",
        Token::RParen => ")",
        Token::LBracket => "[",
        Token::RBracket => "]",
        Token::Lt => "<",
        Token::Gt => ">",
        Token::ShiftRight => ">>",
        _ => "",
    }
}

/// Reads one element, adds its column if it is one, and gives its text.
fn read_element(element: &[Tok], columns: &mut Vec<Column>) -> Result<String, Diagnostic> {
    let (first, rest) = element.split_first().ok_or_else(|| bad("a column is missing", 0, 0))?;
    let next_is = |word: &str| rest.first().is_some_and(|t| t.is_word(word));
    let is_clause = (first.is_word("WATERMARK") && next_is("FOR"))
        || (first.is_word("PRIMARY") && next_is("KEY"))
        || (first.is_word("CONSTRAINT") && rest.len() > 2);
    if is_clause {
        return Ok(render(element));
    }
    let Some(word) = first.word() else {
        return Err(bad("a column begins with its name", first.range.start, first.range.end));
    };
    if rest.is_empty() {
        return Err(bad(format!("column `{}` has no type", word.value), first.range.start, first.range.end)
            .help(format!("such as \"{} STRING\"", word.value)));
    }
    let computed = rest[0].is_word("AS");
    let sql_type = (!computed).then(|| {
        let end = rest
            .iter()
            .position(|t| ["METADATA", "COMMENT", "PRIMARY"].iter().any(|w| t.is_word(w)))
            .unwrap_or(rest.len());
        render(&rest[..end])
    });
    columns.push(Column { name: word.value.clone(), sql_type });
    Ok(format!("{} {}", quote::identifier(&word.value), render(rest)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    #[track_caller]
    fn check(text: &str, expected: Expect) {
        let shown = match parse_schema(text) {
            Ok(schema) => {
                let types: Vec<String> = schema
                    .columns
                    .iter()
                    .map(|c| format!("{}: {}", c.name, c.sql_type.as_deref().unwrap_or("?")))
                    .collect();
                format!("{}\n-- {}\n", schema.sql, types.join("; "))
            }
            Err(error) => format!("{:?} {error}\n", error.location.span),
        };
        expected.assert_eq(&shown);
    }

    #[test]
    fn reads_column_lists() {
        check("id BIGINT NOT NULL, `a b` ROW<x INT, y ARRAY<ROW<z INT>>>, ts TIMESTAMP(3) METADATA FROM 'timestamp' VIRTUAL,
               big AS amount > 10 AND amount < 20, WATERMARK FOR ts AS ts - INTERVAL '5' SECOND, PRIMARY KEY (id) NOT ENFORCED",
            expect![[r#"
                  `id` BIGINT NOT NULL,
                  `a b` ROW<x INT, y ARRAY<ROW<z INT>>>,
                  `ts` TIMESTAMP(3) METADATA FROM 'timestamp' VIRTUAL,
                  `big` AS amount > 10 AND amount < 20,
                  WATERMARK FOR ts AS ts - INTERVAL '5' SECOND,
                  PRIMARY KEY (id) NOT ENFORCED
                -- id: BIGINT NOT NULL; a b: ROW<x INT, y ARRAY<ROW<z INT>>>; ts: TIMESTAMP(3); big: ?
            "#]]);
    }

    #[test]
    fn refuses_what_would_leave_the_list() {
        check(
            "",
            expect![[r#"
            Some((0, 0)) error[FW0202]: the schema has no column
               = help: such as "id BIGINT, name STRING"
        "#]],
        );
        check(
            "id BIGINT) WITH ('connector'='x'",
            expect![[r#"
            Some((9, 10)) error[FW0202]: `)` closes nothing
        "#]],
        );
        check(
            "id BIGINT; DROP TABLE x",
            expect![[r#"
            Some((9, 10)) error[FW0202]: `;` can't stand in a schema
        "#]],
        );
        check(
            "id BIGINT -- , name STRING",
            expect![[r#"
              `id` BIGINT
            -- id: BIGINT
        "#]],
        );
        check(
            "id",
            expect![[r#"
            Some((0, 2)) error[FW0202]: column `id` has no type
               = help: such as "id STRING"
        "#]],
        );
        check(
            "id INT,, b INT",
            expect![[r#"
            Some((6, 7)) error[FW0202]: a column is missing beside this comma
        "#]],
        );
        check(
            "id DECIMAL(10, 2",
            expect![[r#"
            Some((16, 16)) error[FW0202]: `(` is never closed
        "#]],
        );
        check(
            "id INT, id INT",
            expect![[r#"
            Some((0, 14)) error[FW0202]: the schema has two columns `id`
        "#]],
        );
    }

    #[test]
    fn nullable_takes_off_the_last_not_null() {
        for (sql_type, expected) in [
            ("BIGINT NOT NULL", "BIGINT"),
            ("bigint not  null ", "bigint"),
            ("ROW<a INT NOT NULL> NOT NULL", "ROW<a INT NOT NULL>"),
            ("ROW<a INT NOT NULL>", "ROW<a INT NOT NULL>"),
            ("STRING NULL", "STRING NULL"),
            ("é", "é"),
        ] {
            assert_eq!(nullable(sql_type), expected);
        }
    }
}
