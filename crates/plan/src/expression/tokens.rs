//! Tokens of an expression with their byte range, and what replaces them in Flink's SQL.
//!
//! Text is rewritten token by token and never printed from a syntax tree: what the user wrote reaches Flink as it
//! is, apart from the places that are rewritten on purpose.

use std::ops::Range;

use flink_wasm_diagnostic::{Code, Diagnostic};
use sqlparser::dialect::Dialect;
use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Location, Span, Token, TokenWithSpan, Tokenizer, Word};

/// A token, where it stands, and what is written for it.
#[derive(Clone, Debug)]
pub(crate) struct Tok {
    pub(crate) token: Token,
    /// Byte range in the expression.
    pub(crate) range: Range<usize>,
    /// SQL text.
    pub(crate) out: String,
    /// The column that this token now stands for, when it is one.
    pub(crate) column: Option<String>,
    /// Part of an earlier token's replacement.
    pub(crate) gone: bool,
    /// Not in the text: needs a space on both sides.
    inserted: bool,
}

impl Tok {
    /// The unquoted or quoted word that the token is.
    pub(crate) fn word(&self) -> Option<&Word> {
        match &self.token {
            Token::Word(word) => Some(word),
            _ => None,
        }
    }

    /// Whether the token is this keyword, unquoted.
    pub(crate) fn is_word(&self, text: &str) -> bool {
        self.word().is_some_and(|w| w.quote_style.is_none() && w.value.eq_ignore_ascii_case(text))
    }
}

/// Splits an expression; spaces and comments are left out.
pub(crate) fn tokenize(dialect: &dyn Dialect, text: &str) -> Result<Vec<Tok>, Diagnostic> {
    let offsets = Offsets::new(text);
    let tokens = Tokenizer::new(dialect, text).tokenize_with_location().map_err(|error| {
        let at = offsets.byte(error.location);
        Diagnostic::new(Code::BadExpression, lower_first(&error.message)).span(at, text.len())
    })?;
    tokens
        .into_iter()
        .filter(|t| !matches!(t.token, Token::Whitespace(_) | Token::EOF))
        .map(|TokenWithSpan { token, span }| {
            let range = offsets.byte(span.start)..offsets.byte(span.end);
            let out = text[range.clone()].to_owned();
            if is_foreign(&token) {
                return Err(Diagnostic::new(
                    Code::BadExpression,
                    format!("`{out}` is nothing in Flink's SQL"),
                )
                .span(range.start, range.end)
                .help("texts stand in single quotes, names that are no plain words in backquotes"));
            }
            Ok(Tok { token, range, out, column: None, gone: false, inserted: false })
        })
        .collect()
}

/// Literals of other dialects, which sqlparser knows for all. Flink would see where they end elsewhere.
fn is_foreign(token: &Token) -> bool {
    matches!(
        token,
        Token::DollarQuotedString(_)
            | Token::EscapedStringLiteral(_)
            | Token::DoubleQuotedString(_)
            | Token::TripleSingleQuotedString(_)
            | Token::TripleDoubleQuotedString(_)
            | Token::SingleQuotedByteStringLiteral(_)
            | Token::DoubleQuotedByteStringLiteral(_)
            | Token::TripleSingleQuotedByteStringLiteral(_)
            | Token::TripleDoubleQuotedByteStringLiteral(_)
            | Token::SingleQuotedRawStringLiteral(_)
            | Token::DoubleQuotedRawStringLiteral(_)
            | Token::TripleSingleQuotedRawStringLiteral(_)
            | Token::TripleDoubleQuotedRawStringLiteral(_)
            | Token::Placeholder(_)
            | Token::Char(_)
    )
}

pub(crate) fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_lowercase().chain(chars).collect()).unwrap_or_default()
}

/// From the tokenizer's line and column (in characters, from 1) to bytes.
struct Offsets<'t> {
    text: &'t str,
    lines: Vec<usize>,
}

impl<'t> Offsets<'t> {
    fn new(text: &'t str) -> Self {
        let lines = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { text, lines }
    }

    fn byte(&self, location: Location) -> usize {
        let line = (location.line as usize).saturating_sub(1);
        let start = self.lines.get(line).copied().unwrap_or(self.text.len());
        let skip = (location.column as usize).saturating_sub(1);
        self.text[start..].char_indices().nth(skip).map_or(self.text.len(), |(at, _)| start + at)
    }
}

/// Rewrites what FlinkDotnet's samples write and Flink's parser does not take: `==`, `!=`, `&&`, and comparison with NULL.
pub(crate) fn normalize(tokens: &mut Vec<Tok>) {
    let mut done: Vec<Tok> = Vec::with_capacity(tokens.len());
    let mut rest = std::mem::take(tokens).into_iter().peekable();
    while let Some(mut tok) = rest.next() {
        let comparison = matches!(tok.token, Token::Eq | Token::DoubleEq | Token::Neq);
        if comparison && rest.peek().is_some_and(|next| next.is_word("NULL")) {
            let negated = tok.token == Token::Neq;
            let end = rest.next().map_or(tok.range.end, |null| null.range.end);
            let words: &[&str] = if negated { &["IS", "NOT", "NULL"] } else { &["IS", "NULL"] };
            done.extend(words.iter().map(|word| inserted(word, tok.range.start..end)));
            continue;
        }
        match tok.token {
            Token::DoubleEq => {
                tok.token = Token::Eq;
                tok.out = "=".into();
            }
            Token::Neq => tok.out = "<>".into(),
            Token::Overlap => tok = inserted("AND", tok.range),
            _ => {}
        }
        done.push(tok);
    }
    *tokens = done;
}

fn inserted(word: &str, range: Range<usize>) -> Tok {
    let token = Token::make_keyword(word);
    Tok { token, range, out: word.into(), column: None, gone: false, inserted: true }
}

/// The tokens for sqlparser, with byte offsets in the place of columns.
pub(crate) fn for_parser(tokens: &[Tok]) -> Vec<TokenWithSpan> {
    let location = |byte: usize| Location { line: 1, column: byte as u64 + 1 };
    tokens
        .iter()
        .map(|t| TokenWithSpan {
            token: t.token.clone(),
            span: Span { start: location(t.range.start), end: location(t.range.end) },
        })
        .collect()
}

/// The byte where a span begins that came through [`for_parser`].
pub(crate) fn byte_of(span: Span) -> usize {
    (span.start.column as usize).saturating_sub(1)
}

/// Replaces `range` of the tokens by one text.
pub(crate) fn replace(tokens: &mut [Tok], range: Range<usize>, out: String, column: Option<String>) {
    let end = tokens[range.end - 1].range.end;
    for tok in &mut tokens[range.clone()] {
        tok.gone = true;
    }
    let first = &mut tokens[range.start];
    first.gone = false;
    first.out = out;
    first.column = column;
    first.range.end = end;
}

/// The SQL text of tokens. A comment, or any white space, becomes one space.
pub(crate) fn render(tokens: &[Tok]) -> String {
    let mut text = String::new();
    let mut previous: Option<&Tok> = None;
    for tok in tokens.iter().filter(|t| !t.gone) {
        if previous.is_some_and(|p| p.range.end < tok.range.start || p.inserted || tok.inserted) {
            text.push(' ');
        }
        text.push_str(&tok.out);
        previous = Some(tok);
    }
    text
}

/// Index of the parenthesis that closes the one at `open`.
pub(crate) fn closing(tokens: &[Tok], open: usize) -> Option<usize> {
    let mut depth = 0usize;
    for (at, tok) in tokens.iter().enumerate().skip(open) {
        match tok.token {
            Token::LParen | Token::LBracket | Token::LBrace => depth += 1,
            Token::RParen | Token::RBracket | Token::RBrace => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(at);
                }
            }
            _ => {}
        }
    }
    None
}

/// Splits at commas outside of parentheses. An empty range gives nothing.
pub(crate) fn split_commas(tokens: &[Tok], range: Range<usize>) -> Vec<Range<usize>> {
    let mut parts = Vec::new();
    let (mut depth, mut start) = (0usize, range.start);
    for at in range.clone() {
        match tokens[at].token {
            Token::LParen | Token::LBracket | Token::LBrace => depth += 1,
            Token::RParen | Token::RBracket | Token::RBrace => depth = depth.saturating_sub(1),
            Token::Comma if depth == 0 => {
                parts.push(start..at);
                start = at + 1;
            }
            _ => {}
        }
    }
    if !range.is_empty() {
        parts.push(start..range.end);
    }
    parts
}

/// Whether a keyword, in Flink or in standard SQL, makes a word no column although it stands where one could.
pub(crate) fn is_time_keyword(word: &Word) -> bool {
    word.quote_style.is_none()
        && matches!(
            word.keyword,
            Keyword::CURRENT_TIMESTAMP
                | Keyword::CURRENT_TIME
                | Keyword::CURRENT_DATE
                | Keyword::LOCALTIME
                | Keyword::LOCALTIMESTAMP
        )
}
