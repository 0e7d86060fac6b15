//! Calls of functions in the sandbox. They are taken out of an expression and become steps before it; what is left is an
//! expression that Flink evaluates over the row and the helper columns that those steps add.
//!
//! Functions are pure, so a call inside CASE or AND is computed for every row, needed or not.

use std::collections::BTreeSet;

use flink_wasm_diagnostic::{Code, Diagnostic, nearest};
use flink_wasm_ir::FunctionKind;
use sqlparser::tokenizer::Token;

use super::{Lowering, Place, Relation, Wasm, set_column, unknown_column};
use crate::Function;
use crate::ddl::{Column, nullable};
use crate::expression::{
    FlinkDialect, Parts, Tok, closing, is_time_keyword, normalize, render, replace, split_commas, tokenize,
};
use crate::plan::{Step, WasmOutput};
use crate::quote;

/// An argument that means the whole row where no column has its name.
const ROW_WORDS: &[&str] = &["record", "row"];

/// An expression as tokens; `row` is the parameter of a lambda `x => ..`.
pub(super) struct Expression {
    pub(super) tokens: Vec<Tok>,
    pub(super) row: Option<String>,
}

impl Expression {
    /// Splits the text and takes off a lambda's head: `x => x.amount` means `amount`.
    pub(super) fn read(text: &str) -> Result<Self, Diagnostic> {
        let mut tokens = tokenize(&FlinkDialect, text)?;
        let is_arrow = |at: usize| tokens.get(at).is_some_and(|t| t.token == Token::RArrow);
        let word = |at: usize| tokens.get(at).and_then(Tok::word).map(|w| w.value.clone());
        let (row, head) = match tokens.first().map(|t| &t.token) {
            Some(Token::Word(_)) if is_arrow(1) => (word(0), 2),
            Some(Token::LParen) if is_arrow(3) => (word(1), 4),
            _ => (None, 0),
        };
        tokens.drain(..head);
        if let Some(row) = &row {
            let mut at = 0;
            while at + 1 < tokens.len() {
                let qualifies = tokens[at].word().is_some_and(|w| w.value == *row)
                    && tokens[at + 1].token == Token::Period
                    && (at == 0 || tokens[at - 1].token != Token::Period);
                if qualifies {
                    tokens.drain(at..at + 2);
                }
                at += 1;
            }
        }
        if tokens.is_empty() {
            return Err(Diagnostic::new(Code::MissingPart, "the expression is empty"));
        }
        Ok(Self { tokens, row })
    }

    pub(super) fn normalized(mut self) -> Self {
        normalize(&mut self.tokens);
        self
    }

    fn is_row(&self, tok: &Tok) -> bool {
        tok.word().is_some_and(|w| w.quote_style.is_none() && self.row.as_ref() == Some(&w.value))
    }

    /// Whether the expression is `x => x` or `*`.
    pub(super) fn is_identity(&self) -> bool {
        matches!(self.tokens.as_slice(), [tok] if self.is_row(tok) || tok.token == Token::Mul)
    }
}

/// A call that makes up a whole expression.
pub(super) struct Alone<'a> {
    pub(super) name: &'a str,
    pub(super) function: &'a Function,
    /// `f`, without parentheses.
    pub(super) bare: bool,
}

/// What an expression needs before it can be evaluated.
pub(super) struct Prepared {
    pub(super) relation: Relation,
    pub(super) helpers: Vec<Helper>,
    /// Arguments of the call that makes up the whole expression; `None` inside: the whole row.
    pub(super) outer: Option<Option<Vec<String>>>,
}

impl Prepared {
    pub(super) fn helper_names(&self) -> Vec<String> {
        self.helpers.iter().map(|h| h.column.clone()).collect()
    }

    /// The columns without helpers.
    pub(super) fn visible(&self) -> Option<Vec<Column>> {
        let mut columns = self.relation.columns.clone()?;
        columns.retain(|c| !self.helpers.iter().any(|h| h.column == c.name));
        Some(columns)
    }
}

/// A helper column, and how its value is called where nothing else names it.
pub(super) struct Helper {
    pub(super) column: String,
    pub(super) label: String,
}

enum Arguments {
    WholeRow,
    Expressions(Vec<std::ops::Range<usize>>),
}

impl<'a> Lowering<'a> {
    /// The function that takes the whole row when `text` is nothing but its call; used before columns are known.
    pub(super) fn whole_row_function(&self, text: &str) -> Option<&'a Function> {
        let expression = Expression::read(text).ok()?;
        let unknown = Relation { name: String::new(), columns: None };
        let alone = self.alone(&expression, &unknown)?;
        let whole = alone.bare
            || matches!(
                self.arguments(&expression, 0, expression.tokens.len() - 1, alone.function, &unknown),
                Ok(Arguments::WholeRow)
            );
        whole.then_some(alone.function)
    }

    /// The call that makes up the whole expression. A bare name that is a column is no call.
    pub(super) fn alone(&self, expression: &Expression, relation: &Relation) -> Option<Alone<'a>> {
        let tokens = &expression.tokens;
        let word = tokens[0].word().filter(|w| w.quote_style.is_none())?;
        let (name, function) = self.function(&word.value)?;
        let bare = tokens.len() == 1;
        let fits = if bare {
            !relation.has(&word.value)
        } else {
            tokens[1].token == Token::LParen && closing(tokens, 1) == Some(tokens.len() - 1)
        };
        fits.then_some(Alone { name, function, bare })
    }

    /// What a call `name(..)` with these tokens gives to the function.
    fn arguments(
        &self,
        expression: &Expression,
        name: usize,
        close: usize,
        function: &Function,
        relation: &Relation,
    ) -> Result<Arguments, Diagnostic> {
        let tokens = &expression.tokens;
        let fields = &function.descriptor.input;
        let ranges = split_commas(tokens, name + 2..close);
        if ranges.is_empty() {
            return Ok(Arguments::WholeRow);
        }
        if let [range] = ranges.as_slice()
            && range.len() == 1
        {
            let tok = &tokens[range.start];
            if tok.token == Token::Mul || expression.is_row(tok) {
                return Ok(Arguments::WholeRow);
            }
            if let Some(word) = tok.word().filter(|w| w.quote_style.is_none() && !relation.has(&w.value)) {
                let row_word = ROW_WORDS.iter().any(|r| word.value.eq_ignore_ascii_case(r));
                if row_word || fields.len() != 1 {
                    let names = relation.names();
                    return match nearest(&word.value, names.iter().copied()) {
                        Some(_) if !row_word => {
                            Err(unknown_column(&word.value, &names).span(tok.range.start, tok.range.end))
                        }
                        _ => Ok(Arguments::WholeRow),
                    };
                }
            }
        }
        if ranges.len() != fields.len() {
            let list: Vec<String> = fields.iter().map(|f| format!("{} {}", f.name, f.sql_type)).collect();
            let name_tok = &tokens[name];
            let problem = Diagnostic::new(
                Code::WrongArguments,
                format!(
                    "`{}` takes {}, but {} given",
                    name_tok.out,
                    if fields.len() == 1 {
                        "1 argument".into()
                    } else {
                        format!("{} arguments", fields.len())
                    },
                    if ranges.len() == 1 { "1 is".into() } else { format!("{} are", ranges.len()) },
                ),
            )
            .span(name_tok.range.start, tokens[close].range.end)
            .note(format!("its input: {}", list.join(", ")))
            .help(format!("`{}()` gives it the whole row, by name", name_tok.out));
            return Err(problem);
        }
        Ok(Arguments::Expressions(ranges))
    }

    /// Quotes and checks columns, and turns calls into steps. With `outer`, the call that makes up the whole expression is
    /// left to the caller and only its arguments are made ready.
    pub(super) fn prepare(
        &mut self,
        place: &Place,
        expression: &mut Expression,
        parts: &Parts,
        relation: Relation,
        outer: bool,
    ) -> Result<Prepared, Diagnostic> {
        let mut calls = Vec::new();
        let mut row_tokens = BTreeSet::new();
        for call in &parts.calls {
            let Some(word) = expression.tokens[call.name].word() else { continue };
            if is_time_keyword(word) && call.close == call.name + 2 {
                // Flink takes CURRENT_TIMESTAMP without parentheses only.
                let out = word.value.to_ascii_uppercase();
                replace(&mut expression.tokens, call.name..call.close + 1, out, None);
                continue;
            }
            let Some((name, function)) = self.function(&word.value) else { continue };
            if !call.plain {
                let (first, last) = (&expression.tokens[call.name], &expression.tokens[call.close]);
                return Err(Diagnostic::new(
                    Code::WrongArguments,
                    format!("`{name}` takes plain arguments only: no names, DISTINCT, FILTER or OVER"),
                )
                .span(first.range.start, last.range.end));
            }
            let arguments = self.arguments(expression, call.name, call.close, function, &relation)?;
            if matches!(arguments, Arguments::WholeRow) {
                self.check_row(name, function, &relation)
                    .map_err(|problem| spanned(problem, &expression.tokens, call.name, call.close))?;
                row_tokens.extend(call.name + 2..call.close);
            }
            calls.push((call, name, function, arguments));
        }
        quote_names(expression, parts, &relation, &row_tokens)?;

        let mut prepared = Prepared { relation, helpers: Vec::new(), outer: None };
        let mut computed: Vec<(&str, Option<Vec<String>>, String)> = Vec::new();
        for (number, (call, name, function, arguments)) in calls.into_iter().enumerate() {
            let columns = match arguments {
                Arguments::WholeRow => None,
                Arguments::Expressions(ranges) => {
                    Some(self.argument_columns(place, &expression.tokens, ranges, &mut prepared, number))
                }
            };
            if outer && call.name == 0 {
                prepared.outer = Some(columns);
                continue;
            }
            // Functions are pure: an equal call has been computed already.
            let equal = computed.iter().find(|(other, given, _)| *other == name && *given == columns);
            if let Some((_, _, column)) = equal {
                let column = column.clone();
                let out = quote::identifier(&column);
                replace(&mut expression.tokens, call.name..call.close + 1, out, Some(column));
                continue;
            }
            let prefix = format!("__call_{}_{number}_", place.index + 1);
            let descriptor = &function.descriptor;
            let (output, column, label) = match (descriptor.kind, descriptor.output.as_slice()) {
                (FunctionKind::Process, _) => {
                    let alone = Alone { name, function, bare: false };
                    return Err(spanned(
                        process_in_expression(&alone),
                        &expression.tokens,
                        call.name,
                        call.close,
                    ));
                }
                (FunctionKind::Filter, _) => (WasmOutput::Flag, prefix.clone(), name.to_owned()),
                (FunctionKind::Map, [only]) => {
                    (WasmOutput::Append, format!("{prefix}{}", only.name), only.name.clone())
                }
                (FunctionKind::Map, several) => {
                    let names: Vec<&str> = several.iter().map(|f| f.name.as_str()).collect();
                    let problem = Diagnostic::new(
                        Code::TypeMismatch,
                        format!("`{name}` gives {} columns and can't be used as a value", several.len()),
                    )
                    .note(format!("its output: {}", names.join(", ")))
                    .help(format!(
                        "call it in a map operation of its own: `{name}(..)` adds its columns to the row"
                    ));
                    return Err(spanned(problem, &expression.tokens, call.name, call.close));
                }
            };
            prepared.relation = self.wasm(Wasm {
                place,
                suffix: format!("_call_{number}"),
                input: prepared.relation,
                function: name,
                arguments: columns.clone(),
                output,
                prefix,
            });
            computed.push((name, columns, column.clone()));
            replace(
                &mut expression.tokens,
                call.name..call.close + 1,
                quote::identifier(&column),
                Some(column.clone()),
            );
            prepared.helpers.push(Helper { column, label });
        }
        Ok(prepared)
    }

    /// Names of the columns that hold a call's arguments. Those that are no columns are computed into one first.
    fn argument_columns(
        &mut self,
        place: &Place,
        tokens: &[Tok],
        ranges: Vec<std::ops::Range<usize>>,
        prepared: &mut Prepared,
        call: usize,
    ) -> Vec<String> {
        let mut names = Vec::new();
        for (position, range) in ranges.into_iter().enumerate() {
            let live: Vec<&Tok> = tokens[range.clone()].iter().filter(|t| !t.gone).collect();
            if let [Tok { column: Some(column), .. }] = live.as_slice() {
                names.push(column.clone());
                continue;
            }
            let column = format!("__arg_{}_{call}_{position}", place.index + 1);
            let name = self.free_name(&format!("{}_arg_{call}_{position}", place.name));
            self.steps.push(Step::Assign {
                from: place.from.clone(),
                name: name.clone(),
                input: std::mem::replace(&mut prepared.relation.name, name),
                column: column.clone(),
                sql: render(&tokens[range]),
            });
            if let Some(columns) = &mut prepared.relation.columns {
                set_column(columns, Column::untyped(column.clone()));
            }
            prepared.helpers.push(Helper { column: column.clone(), label: column.clone() });
            names.push(column);
        }
        names
    }

    /// A function that takes the whole row finds its fields by name.
    pub(super) fn check_row(
        &self,
        name: &str,
        function: &Function,
        relation: &Relation,
    ) -> Result<(), Diagnostic> {
        let Some(columns) = &relation.columns else { return Ok(()) };
        let missing: Vec<&str> = function
            .descriptor
            .input
            .iter()
            .map(|field| field.name.as_str())
            .filter(|field| !columns.iter().any(|c| c.name == *field))
            .collect();
        let Some(first) = missing.first() else { return Ok(()) };
        let names = relation.names();
        let message = match missing.len() {
            1 => format!("`{name}` takes the row's column `{first}`, which the row does not have"),
            _ => format!(
                "`{name}` takes the row's columns `{}`, which the row does not have",
                missing.join("`, `")
            ),
        };
        Err(Diagnostic::new(Code::UnknownColumn, message)
            .note(format!("columns: {}", names.join(", ")))
            .help(format!(
                "give it columns by position: `{name}({})`",
                vec![".."; function.descriptor.input.len()].join(", ")
            )))
    }

    /// FW0204 where a function of one kind stands for one of the other.
    pub(super) fn wrong_kind(&self, alone: &Alone<'_>, expression: &Expression) -> Diagnostic {
        let last = expression.tokens.len() - 1;
        let (is, help) = match alone.function.descriptor.kind {
            FunctionKind::Process => {
                return spanned(process_in_expression(alone), &expression.tokens, 0, last);
            }
            FunctionKind::Map => {
                ("a map function", "a filter function; compare its value, or use it in a `map` operation")
            }
            FunctionKind::Filter => (
                "a filter function",
                "a map function; use it in a `filter` operation, or assign it: `column = ..`",
            ),
        };
        let problem = Diagnostic::new(
            Code::TypeMismatch,
            format!("`{}` is {is} and can't be the whole of this operation", alone.name),
        )
        .help(format!("this operation needs {help}"));
        spanned(problem, &expression.tokens, 0, last)
    }
}

fn process_in_expression(alone: &Alone<'_>) -> Diagnostic {
    let message = format!("`{}` is a process function and can't be called in an expression", alone.name);
    Diagnostic::new(Code::TypeMismatch, message).help(format!(
        "run it by an operation: {{\"type\": \"processFunction\", \"function\": \"{}\"}} behind a `groupBy`",
        alone.name
    ))
}

/// Whether a map function can stand where a condition is wanted.
pub(super) fn gives_boolean(function: &Function) -> bool {
    matches!(function.descriptor.output.as_slice(), [only] if nullable(&only.sql_type).trim().eq_ignore_ascii_case("BOOLEAN"))
}

fn spanned(problem: Diagnostic, tokens: &[Tok], first: usize, last: usize) -> Diagnostic {
    problem.span(tokens[first].range.start, tokens[last].range.end)
}

/// Quotes every column and field name, and refuses columns that the relation does not have.
fn quote_names(
    expression: &mut Expression,
    parts: &Parts,
    relation: &Relation,
    row_tokens: &BTreeSet<usize>,
) -> Result<(), Diagnostic> {
    for &index in parts.columns.iter().filter(|index| !row_tokens.contains(index)) {
        let Some(word) = expression.tokens[index].word() else { continue };
        let (name, range) = (word.value.clone(), expression.tokens[index].range.clone());
        if expression.is_row(&expression.tokens[index]) && !relation.has(&name) {
            return Err(Diagnostic::new(
                Code::BadExpression,
                format!("`{name}` is the whole row, not a value"),
            )
            .span(range.start, range.end)
            .help(format!("name a column: `{name}.column`")));
        }
        if relation.columns.is_some() && !relation.has(&name) {
            return Err(unknown_column(&name, &relation.names()).span(range.start, range.end));
        }
        let tok = &mut expression.tokens[index];
        tok.out = quote::identifier(&name);
        tok.column = Some(name);
    }
    for &index in &parts.names {
        if let Some(word) = expression.tokens[index].word() {
            expression.tokens[index].out = quote::identifier(&word.value.clone());
        }
    }
    Ok(())
}
