//! Quoting for Flink SQL. Every name and text that comes from a job passes through here.

/// A delimited identifier. A backquote inside is doubled, as Calcite's lexer wants it.
pub(crate) fn identifier(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// A string literal. Only the quote is special to Flink's parser; backslashes are not.
pub(crate) fn string(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// `WITH (...)` of a table, one option a line.
pub(crate) fn options<'a>(options: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let lines: Vec<String> =
        options.into_iter().map(|(key, value)| format!("  {} = {}", string(key), string(value))).collect();
    format!("WITH (\n{}\n)", lines.join(",\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_can_not_be_left() {
        assert_eq!(identifier("a`; DROP TABLE b; --"), "`a``; DROP TABLE b; --`");
        assert_eq!(string("x', 'connector' = 'y"), "'x'', ''connector'' = ''y'");
        assert_eq!(options([("path", "a'b")]), "WITH (\n  'path' = 'a''b'\n)");
    }
}
