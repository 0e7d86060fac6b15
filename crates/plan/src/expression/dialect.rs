//! Flink's expressions for sqlparser. The parser only has to see columns, calls and where they stand: what the rest means
//! is left to Flink.

use sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList, FunctionArguments, ObjectName,
};
use sqlparser::dialect::Dialect;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::Token;

/// Flink SQL: backquotes around names, no backslash escapes.
#[derive(Debug)]
pub(crate) struct FlinkDialect;

/// Calls whose arguments carry words of their own (`AS type`, `RETURNING type`, `ON ERROR`): the words are skipped.
const WORDY: &[&str] =
    &["CAST", "TRY_CAST", "JSON_VALUE", "JSON_QUERY", "JSON_EXISTS", "JSON_OBJECT", "JSON_ARRAY"];

/// Calls whose first argument is a unit of time.
const TIME_UNIT_FIRST: &[&str] = &["TIMESTAMPADD", "TIMESTAMPDIFF"];

impl Dialect for FlinkDialect {
    fn is_identifier_start(&self, c: char) -> bool {
        c.is_alphabetic() || c == '_'
    }

    fn is_identifier_part(&self, c: char) -> bool {
        c.is_alphanumeric() || c == '_' || c == '$'
    }

    fn is_delimited_identifier_start(&self, c: char) -> bool {
        c == '`'
    }

    fn supports_filter_during_aggregation(&self) -> bool {
        true
    }

    fn parse_prefix(&self, parser: &mut Parser<'_>) -> Option<Result<Expr, ParserError>> {
        let Token::Word(word) = parser.peek_token_ref().token.clone() else { return None };
        if word.quote_style.is_some() {
            return None;
        }
        let is = |names: &[&str]| names.iter().any(|name| word.value.eq_ignore_ascii_case(name));
        match parser.peek_nth_token_ref(1).token {
            Token::LParen if is(WORDY) => Some(parse_call(parser, Token::RParen, false)),
            Token::LParen if is(TIME_UNIT_FIRST) => Some(parse_call(parser, Token::RParen, true)),
            Token::LBracket if is(&["MAP"]) => Some(parse_call(parser, Token::RBracket, false)),
            _ => None,
        }
    }
}

/// Parses `word ( expression [words], .. )` or `word [ .. ]`.
fn parse_call(parser: &mut Parser<'_>, close: Token, skip_first: bool) -> Result<Expr, ParserError> {
    let name = parser.parse_identifier()?;
    parser.next_token();
    let mut args = Vec::new();
    if skip_first {
        parser.next_token();
        parser.expect_token(&Token::Comma)?;
    }
    while parser.peek_token_ref().token != close {
        // `JSON_OBJECT(KEY 'a' VALUE b)`: the words between expressions are not ours to check.
        if matches!(&parser.peek_token_ref().token, Token::Word(w)
            if w.quote_style.is_none() && ["KEY", "VALUE", "NULL", "ABSENT"].iter().any(|k| w.value.eq_ignore_ascii_case(k))
                && name.value.to_ascii_uppercase().starts_with("JSON_"))
        {
            parser.next_token();
            continue;
        }
        args.push(FunctionArg::Unnamed(FunctionArgExpr::Expr(parser.parse_expr()?)));
        if !parser.consume_token(&Token::Comma) && parser.peek_token_ref().token != close {
            skip_words(parser, &close)?;
        }
    }
    parser.expect_token(&close)?;
    let arguments = FunctionArgumentList { duplicate_treatment: None, args, clauses: vec![] };
    Ok(Expr::Function(Function {
        name: ObjectName::from(vec![name]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(arguments),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: vec![],
    }))
}

/// Skips to the next comma, to `VALUE`, or to `close`, past nested parentheses.
fn skip_words(parser: &mut Parser<'_>, close: &Token) -> Result<(), ParserError> {
    let mut depth = 0usize;
    loop {
        let next = parser.peek_token();
        match next.token {
            Token::EOF => return parser.expected("a closing parenthesis", next),
            Token::LParen | Token::Lt | Token::LBracket => depth += 1,
            Token::RParen | Token::RBracket if depth == 0 && next.token == *close => return Ok(()),
            Token::RParen | Token::Gt | Token::RBracket => depth = depth.saturating_sub(1),
            Token::Comma if depth == 0 => {
                parser.next_token();
                return Ok(());
            }
            Token::Word(ref w) if depth == 0 && w.value.eq_ignore_ascii_case("VALUE") => {
                parser.next_token();
                return Ok(());
            }
            _ => {}
        }
        parser.next_token();
    }
}
