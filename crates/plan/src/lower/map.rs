//! `map`: a map function alone, `column = expression`, or a select list.

use flink_wasm_diagnostic::{Code, Diagnostic, nearest};
use flink_wasm_ir::{FunctionKind, MapOperation};
use sqlparser::tokenizer::Token;

use super::call::{Expression, Prepared};
use super::{Lowering, Place, Relation, set_column};
use crate::ddl::Column;
use crate::expression::{Item, Parts, Tok, parse_expression, parse_select_list, render, split_commas};
use crate::plan::{Step, WasmOutput};
use crate::quote;

impl Lowering<'_> {
    pub(super) fn map(&mut self, place: &Place, map: &MapOperation, input: Relation) -> Relation {
        match self.try_map(place, &map.expression, input.clone()) {
            Ok(relation) => relation,
            Err(problem) => {
                self.problems.push(problem.pointer(place.expression()));
                // What later operations see is not known: no more complaints about columns.
                Relation { columns: None, ..input }
            }
        }
    }

    fn try_map(&mut self, place: &Place, text: &str, input: Relation) -> Result<Relation, Diagnostic> {
        let mut expression = Expression::read(text)?;
        if expression.is_identity() {
            return Ok(input);
        }
        if let Some(target) = take_target(&mut expression)? {
            return self.assign(place, &target, expression.normalized(), input);
        }
        let mut expression = expression.normalized();
        if let Some(alone) = self.alone(&expression, &input) {
            if alone.function.descriptor.kind != FunctionKind::Map {
                return Err(self.wrong_kind(&alone, &expression));
            }
            let (row, columns) = (WasmOutput::Replace, WasmOutput::Append);
            return self.wasm_alone(place, &mut expression, &alone, input, row, columns);
        }
        self.check_bare_name(&expression, &input)?;
        self.select(place, expression, input)
    }

    /// A bare name is a function's or a column's; with neither, it was most likely meant for a function.
    fn check_bare_name(&self, expression: &Expression, input: &Relation) -> Result<(), Diagnostic> {
        let [tok] = expression.tokens.as_slice() else { return Ok(()) };
        let Some(word) = tok.word() else { return Ok(()) };
        if input.columns.is_none() || input.has(&word.value) {
            return Ok(());
        }
        let names = input.names();
        let candidates = self.functions.keys().map(String::as_str).chain(names.iter().copied());
        let problem =
            Diagnostic::new(Code::UnknownFunction, format!("no function and no column `{}`", word.value))
                .span(tok.range.start, tok.range.end)
                .note(format!("columns: {}", names.join(", ")));
        Err(match nearest(&word.value, candidates) {
            Some(near) => problem.help(format!("did you mean `{near}`?")),
            None => problem
                .help(format!("declare it: \"functions\": {{\"{}\": {{\"component\": ..}}}}", word.value)),
        })
    }

    /// `column = expression`: adds the column, or replaces it.
    fn assign(
        &mut self,
        place: &Place,
        target: &str,
        mut expression: Expression,
        input: Relation,
    ) -> Result<Relation, Diagnostic> {
        let parts = parse_expression(&expression.tokens)?;
        let mut prepared = self.prepare(place, &mut expression, &parts, input, false)?;
        let helpers = prepared.helper_names();
        let suffix = if helpers.is_empty() { "" } else { "_assign" };
        let name = self.free_name(&format!("{}{suffix}", place.name));
        self.steps.push(Step::Assign {
            from: place.from.clone(),
            name: name.clone(),
            input: std::mem::replace(&mut prepared.relation.name, name.clone()),
            column: target.to_owned(),
            sql: render(&expression.tokens),
        });
        if let Some(columns) = &mut prepared.relation.columns {
            set_column(columns, Column::untyped(target));
        }
        if helpers.is_empty() {
            return Ok(prepared.relation);
        }
        let sql = format!("SELECT * FROM {}", quote::identifier(&name));
        Ok(self.view(place, sql, helpers, prepared.visible()))
    }

    /// A select list: its items are the new row.
    fn select(
        &mut self,
        place: &Place,
        mut expression: Expression,
        input: Relation,
    ) -> Result<Relation, Diagnostic> {
        let parts = parse_select_list(&expression.tokens)?;
        let ranges = split_commas(&expression.tokens, 0..expression.tokens.len());
        let prepared = self.prepare(place, &mut expression, &parts, input, false)?;
        let items: Vec<String> = parts
            .items
            .iter()
            .zip(&ranges)
            .map(|(item, range)| {
                let tokens = &expression.tokens[range.clone()];
                match label(item, tokens, &prepared) {
                    Some(label) => format!("{} AS {}", render(tokens), quote::identifier(&label)),
                    None => render(tokens),
                }
            })
            .collect();
        let sql = format!("SELECT {} FROM {}", items.join(", "), quote::identifier(&prepared.relation.name));
        let wildcard = parts.items.iter().any(|item| matches!(item, Item::Wildcard));
        let drop = if wildcard { prepared.helper_names() } else { Vec::new() };
        let columns = selected(&parts, &ranges, &expression.tokens, &prepared);
        Ok(self.view(place, sql, drop, columns))
    }
}

/// The name for an unnamed item that is nothing but a call of a function in the sandbox.
fn label(item: &Item, tokens: &[Tok], prepared: &Prepared) -> Option<String> {
    let Item::Unnamed = item else { return None };
    let live: Vec<&Tok> = tokens.iter().filter(|t| !t.gone).collect();
    let [Tok { column: Some(column), .. }] = live.as_slice() else { return None };
    prepared.helpers.iter().find(|h| h.column == *column).map(|h| h.label.clone())
}

/// The columns of a select list. Flink names what has no name `EXPR$n`.
fn selected(
    parts: &Parts,
    ranges: &[std::ops::Range<usize>],
    tokens: &[Tok],
    prepared: &Prepared,
) -> Option<Vec<Column>> {
    let before = prepared.visible()?;
    let mut columns = Vec::new();
    for (position, (item, range)) in parts.items.iter().zip(ranges).enumerate() {
        match item {
            Item::Wildcard => columns.extend(before.iter().cloned()),
            Item::Column(name) => columns.extend(before.iter().find(|c| c.name == *name).cloned()),
            Item::Named(name) => columns.push(Column::untyped(name.clone())),
            Item::Unnamed => {
                let label = label(item, &tokens[range.clone()], prepared);
                columns.push(Column::untyped(label.unwrap_or_else(|| format!("EXPR${position}"))));
            }
        }
    }
    Some(columns)
}

/// Takes `column =` off the front.
fn take_target(expression: &mut Expression) -> Result<Option<String>, Diagnostic> {
    let target = match expression.tokens.as_slice() {
        [name, eq, ..] if eq.token == Token::Eq => name.word().map(|w| w.value.clone()),
        _ => None,
    };
    if target.is_some() {
        let end = expression.tokens[1].range.end;
        expression.tokens.drain(..2);
        if expression.tokens.is_empty() {
            return Err(Diagnostic::new(Code::BadExpression, "a value is missing after `=`").span(end, end));
        }
    }
    Ok(target)
}
