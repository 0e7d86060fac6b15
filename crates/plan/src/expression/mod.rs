//! Parses an expression, and finds the columns and calls in it with their places.

use std::ops::ControlFlow;

use flink_wasm_diagnostic::{Code, Diagnostic};
use sqlparser::ast::{Expr, FunctionArg, FunctionArgExpr, FunctionArguments, SelectItem, Visit, Visitor};
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::Token;

mod dialect;
mod tokens;

pub(crate) use dialect::FlinkDialect;
pub(crate) use tokens::{
    Tok, closing, is_time_keyword, lower_first, normalize, render, replace, split_commas, tokenize,
};
use tokens::{byte_of, for_parser};

/// Nested parentheses and operators of one expression. sqlparser recurses; so does Flink's planner.
const MAX_EXPRESSION_DEPTH: usize = 60;

/// What stands in an expression. Numbers are indexes of tokens.
#[derive(Debug, Default)]
pub(crate) struct Parts {
    /// Words that name a column, with the fields of nested rows left out.
    pub(crate) columns: Vec<usize>,
    /// Words that name a field of a nested row, or an alias: only to be quoted.
    pub(crate) names: Vec<usize>,
    /// Calls, inner ones first.
    pub(crate) calls: Vec<Call>,
    /// Items of a select list.
    pub(crate) items: Vec<Item>,
}

/// A call `name(..)`.
#[derive(Debug)]
pub(crate) struct Call {
    /// The name.
    pub(crate) name: usize,
    /// The closing parenthesis.
    pub(crate) close: usize,
    /// Whether arguments are plain expressions.
    pub(crate) plain: bool,
}

/// One item of a select list.
#[derive(Debug)]
pub(crate) enum Item {
    /// `*`.
    Wildcard,
    /// `expression AS name`.
    Named(String),
    /// A column alone.
    Column(String),
    /// An expression without a name.
    Unnamed,
}

/// Parses one expression that takes up all the tokens.
pub(crate) fn parse_expression(tokens: &[Tok]) -> Result<Parts, Diagnostic> {
    let expression = parse_with(tokens, |parser| parser.parse_expr())?;
    collect(tokens, &expression)
}

/// Parses a select list that takes up all the tokens.
pub(crate) fn parse_select_list(tokens: &[Tok]) -> Result<Parts, Diagnostic> {
    let items = parse_with(tokens, |parser| parser.parse_projection())?;
    let mut parts = collect(tokens, &items)?;
    let ranges = split_commas(tokens, 0..tokens.len());
    for (item, range) in items.iter().zip(ranges) {
        parts.items.push(match item {
            SelectItem::UnnamedExpr(Expr::Identifier(ident)) => Item::Column(ident.value.clone()),
            SelectItem::UnnamedExpr(_) => Item::Unnamed,
            SelectItem::ExprWithAlias { alias, .. } => {
                parts.names.extend(index_of(tokens, byte_of(alias.span)));
                Item::Named(alias.value.clone())
            }
            SelectItem::Wildcard(_) => Item::Wildcard,
            SelectItem::QualifiedWildcard(..) => {
                return Err(bad("`name.*` can't be used here", &tokens[range.start]).help("write `*`"));
            }
        });
    }
    Ok(parts)
}

fn bad(message: impl Into<String>, tok: &Tok) -> Diagnostic {
    Diagnostic::new(Code::BadExpression, message).span(tok.range.start, tok.range.end)
}

fn parse_with<T>(
    tokens: &[Tok],
    parse: impl FnOnce(&mut Parser<'_>) -> Result<T, ParserError>,
) -> Result<T, Diagnostic> {
    let mut parser = Parser::new(&FlinkDialect)
        .with_recursion_limit(MAX_EXPRESSION_DEPTH)
        .with_tokens_with_locations(for_parser(tokens));
    let end = tokens.last().map_or(0, |t| t.range.end);
    let parsed = parse(&mut parser).map_err(|error| parser_error(tokens, error))?;
    let next = parser.peek_token();
    if next.token == Token::EOF {
        return Ok(parsed);
    }
    let at = byte_of(next.span);
    let range = index_of(tokens, at).map_or(at..end, |index| tokens[index].range.clone());
    Err(Diagnostic::new(Code::BadExpression, format!("`{}` is not expected here", next.token))
        .span(range.start, range.end))
}

/// sqlparser gives its position as text.
fn parser_error(tokens: &[Tok], error: ParserError) -> Diagnostic {
    let end = tokens.last().map_or(0, |t| t.range.end);
    let text = match error {
        ParserError::ParserError(text) | ParserError::TokenizerError(text) => text,
        ParserError::RecursionLimitExceeded => {
            let message = format!("the expression is nested deeper than {MAX_EXPRESSION_DEPTH}");
            return Diagnostic::new(Code::BadExpression, message).span(0, end);
        }
    };
    let (message, column) = match text.rsplit_once(" at Line: 1, Column: ") {
        Some((message, column)) => (message, column.parse::<usize>().ok()),
        None => (text.as_str(), None),
    };
    let message =
        message.replace(", found: EOF", ", but the expression ends here").replace("Expected: ", "expected ");
    let range = match column {
        Some(column) => {
            index_of(tokens, column.saturating_sub(1)).map_or(end..end, |index| tokens[index].range.clone())
        }
        None if message.contains("ends here") => end..end,
        None => 0..end,
    };
    Diagnostic::new(Code::BadExpression, lower_first(&message)).span(range.start, range.end)
}

/// The token that begins at a byte.
fn index_of(tokens: &[Tok], byte: usize) -> Option<usize> {
    tokens.iter().position(|t| t.range.start == byte)
}

fn collect<V: Visit>(tokens: &[Tok], tree: &V) -> Result<Parts, Diagnostic> {
    let mut collector = Collector { tokens, parts: Parts::default() };
    match tree.visit(&mut collector) {
        ControlFlow::Continue(()) => Ok(collector.parts),
        ControlFlow::Break(diagnostic) => Err(*diagnostic),
    }
}

struct Collector<'a> {
    tokens: &'a [Tok],
    parts: Parts,
}

impl Collector<'_> {
    fn after_period(&self, index: usize) -> bool {
        index > 0 && self.tokens[index - 1].token == Token::Period
    }
}

impl Visitor for Collector<'_> {
    /// Boxed: every node returns one.
    type Break = Box<Diagnostic>;

    fn pre_visit_query(&mut self, query: &sqlparser::ast::Query) -> ControlFlow<Self::Break> {
        use sqlparser::ast::Spanned;
        let tok = index_of(self.tokens, byte_of(query.span())).unwrap_or_default();
        ControlFlow::Break(Box::new(
            bad("a subquery can't be used in an expression", &self.tokens[tok])
                .help("a source of type `sql` takes whole queries"),
        ))
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<Self::Break> {
        match expr {
            Expr::Identifier(ident) => {
                if let Some(index) = index_of(self.tokens, byte_of(ident.span)) {
                    let names = if self.after_period(index) {
                        &mut self.parts.names
                    } else {
                        &mut self.parts.columns
                    };
                    names.push(index);
                }
            }
            Expr::CompoundIdentifier(idents) => {
                for (position, ident) in idents.iter().enumerate() {
                    let Some(index) = index_of(self.tokens, byte_of(ident.span)) else { continue };
                    let first = position == 0 && !self.after_period(index);
                    if first { &mut self.parts.columns } else { &mut self.parts.names }.push(index);
                }
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &Expr) -> ControlFlow<Self::Break> {
        let Expr::Function(function) = expr else { return ControlFlow::Continue(()) };
        let Some(ident) = function.name.0.first().and_then(|part| part.as_ident()) else {
            return ControlFlow::Continue(());
        };
        let Some(name) = index_of(self.tokens, byte_of(ident.span)) else { return ControlFlow::Continue(()) };
        if function.name.0.len() > 1 || self.tokens.get(name + 1).is_none_or(|t| t.token != Token::LParen) {
            return ControlFlow::Continue(());
        }
        let Some(close) = closing(self.tokens, name + 1) else { return ControlFlow::Continue(()) };
        let plain = function.over.is_none()
            && function.filter.is_none()
            && match &function.args {
                FunctionArguments::List(list) => {
                    list.duplicate_treatment.is_none()
                        && list.clauses.is_empty()
                        && list.args.iter().all(|arg| {
                            matches!(
                                arg,
                                FunctionArg::Unnamed(FunctionArgExpr::Expr(_) | FunctionArgExpr::Wildcard)
                            )
                        })
                }
                _ => false,
            };
        self.parts.calls.push(Call { name, close, plain });
        ControlFlow::Continue(())
    }
}
