//! What SQL statements of a job are, as far as lowering has to know: their first words and the name that they make.

use sqlparser::tokenizer::Token;

use crate::expression::{FlinkDialect, Tok, tokenize};

/// A statement by what it does to the plan.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Statement {
    /// `SELECT`, `WITH .. SELECT`, `VALUES`.
    Query,
    /// Makes a table or view, of this (quoted, maybe qualified) name.
    Create { name: String, last: String },
    /// `SET 'key' = 'value'`.
    Set,
    /// `EXECUTE STATEMENT SET`, `BEGIN STATEMENT SET`, `END`: this product makes the set itself.
    InsertSet,
    /// Anything else, `INSERT` among them.
    Other,
    /// Nothing.
    Empty,
    /// More than one statement.
    Several,
}

/// The statement without comments around it and without its last semicolon.
pub(super) fn trimmed(sql: &str) -> &str {
    match tokenize(&FlinkDialect, sql) {
        Ok(tokens) => {
            let end = tokens.iter().rposition(|t| t.token != Token::SemiColon);
            match (tokens.first(), end) {
                (Some(first), Some(last)) => &sql[first.range.start..tokens[last].range.end],
                _ => "",
            }
        }
        Err(_) => sql.trim(),
    }
}

/// Tells what a statement is. One that can't even be tokenized is left to Flink.
pub(super) fn classify(sql: &str) -> Statement {
    let Ok(tokens) = tokenize(&FlinkDialect, trimmed(sql)) else { return Statement::Other };
    let Some(first) = tokens.first() else { return Statement::Empty };
    let is = |at: usize, word: &str| tokens.get(at).is_some_and(|t: &Tok| t.is_word(word));
    if is(0, "EXECUTE") && is(1, "STATEMENT") || is(0, "BEGIN") && is(1, "STATEMENT") || is(0, "END") {
        return Statement::InsertSet;
    }
    if tokens.iter().any(|t| t.token == Token::SemiColon) {
        return Statement::Several;
    }
    if is(0, "SELECT") || is(0, "WITH") || is(0, "VALUES") || first.token == Token::LParen {
        return Statement::Query;
    }
    if is(0, "SET") {
        return Statement::Set;
    }
    if is(0, "CREATE") {
        let words = ["OR", "REPLACE", "TEMPORARY"];
        let mut at = 1;
        while words.iter().any(|w| is(at, w)) {
            at += 1;
        }
        if is(at, "TABLE") || is(at, "VIEW") {
            at += 1;
            if is(at, "IF") {
                at += 3;
            }
            return created(&tokens[at.min(tokens.len())..]).unwrap_or(Statement::Other);
        }
    }
    Statement::Other
}

/// The name at the start of tokens.
fn created(tokens: &[Tok]) -> Option<Statement> {
    let mut parts = vec![tokens.first()?.word()?.value.clone()];
    let mut rest = &tokens[1..];
    while let [period, part, ..] = rest
        && period.token == Token::Period
    {
        parts.push(part.word()?.value.clone());
        rest = &rest[2..];
    }
    let quoted: Vec<String> = parts.iter().map(|part| crate::quote::identifier(part)).collect();
    Some(Statement::Create { name: quoted.join("."), last: parts.pop()? })
}

/// Key and value of a `SET` statement.
pub(super) fn set_option(sql: &str) -> Option<(String, String)> {
    let tokens = tokenize(&FlinkDialect, trimmed(sql)).ok()?;
    match tokens.as_slice() {
        [set, key, eq, value] if set.is_word("SET") && eq.token == Token::Eq => {
            let text = |tok: &Tok| match &tok.token {
                Token::SingleQuotedString(text) => Some(text.clone()),
                _ => None,
            };
            Some((text(key)?, text(value)?))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_are_told_apart() {
        let create = |name: &str, last: &str| Statement::Create { name: name.into(), last: last.into() };
        for (sql, expected) in [
            ("SELECT 1;", Statement::Query),
            ("-- first\n WITH a AS (SELECT 1) SELECT * FROM a", Statement::Query),
            ("create temporary table if not exists `a b` (id INT) WITH ('x'=';')", create("`a b`", "a b")),
            ("CREATE OR REPLACE VIEW cat.db.v AS SELECT 1", create("`cat`.`db`.`v`", "v")),
            ("CREATE TABLE", Statement::Other),
            ("INSERT INTO a SELECT 1", Statement::Other),
            ("CREATE CATALOG c WITH ('type'='x')", Statement::Other),
            ("SET 'table.local-time-zone' = 'UTC'", Statement::Set),
            ("EXECUTE STATEMENT SET BEGIN INSERT INTO a SELECT 1; END", Statement::InsertSet),
            ("SELECT 1; SELECT 2", Statement::Several),
            (" ; ", Statement::Empty),
            ("SELECT 'never closed", Statement::Other),
        ] {
            assert_eq!(classify(sql), expected, "{sql}");
        }
        assert_eq!(set_option("SET 'a.b' = 'it''s';"), Some(("a.b".into(), "it's".into())));
        assert_eq!(set_option("SET a = b"), None);
    }
}
