//! `filter`: a condition for Flink, or a filter function alone.

use flink_wasm_diagnostic::Diagnostic;
use flink_wasm_ir::{FilterOperation, FunctionKind};

use super::call::{Expression, gives_boolean};
use super::{Lowering, Place, Relation, Wasm};
use crate::expression::{parse_expression, render};
use crate::plan::WasmOutput;
use crate::quote;

impl Lowering<'_> {
    pub(super) fn filter(&mut self, place: &Place, filter: &FilterOperation, input: Relation) -> Relation {
        match self.try_filter(place, &filter.expression, input.clone()) {
            Ok(relation) => relation,
            Err(problem) => {
                self.problems.push(problem.pointer(place.expression()));
                input
            }
        }
    }

    /// The rows of `input` for which the condition `text` is true.
    pub(super) fn try_filter(
        &mut self,
        place: &Place,
        text: &str,
        input: Relation,
    ) -> Result<Relation, Diagnostic> {
        let mut expression = Expression::read(text)?.normalized();
        let alone = self.alone(&expression, &input);
        if let Some(alone) = &alone
            && match alone.function.descriptor.kind {
                FunctionKind::Map => alone.bare || !gives_boolean(alone.function),
                FunctionKind::Filter => false,
                FunctionKind::Process => true,
            }
        {
            return Err(self.wrong_kind(alone, &expression));
        }
        if let Some(alone) = alone.filter(|a| a.function.descriptor.kind == FunctionKind::Filter) {
            return self.wasm_alone(
                place,
                &mut expression,
                &alone,
                input,
                WasmOutput::Keep,
                WasmOutput::Keep,
            );
        }
        let parts = parse_expression(&expression.tokens)?;
        let prepared = self.prepare(place, &mut expression, &parts, input, false)?;
        let sql = format!(
            "SELECT * FROM {} WHERE {}",
            quote::identifier(&prepared.relation.name),
            render(&expression.tokens)
        );
        Ok(self.view(place, sql, prepared.helper_names(), prepared.visible()))
    }

    /// A call that is the whole operation: `row` says what becomes of the row when it takes the whole row, `columns` when it
    /// takes columns.
    pub(super) fn wasm_alone(
        &mut self,
        place: &Place,
        expression: &mut Expression,
        alone: &super::call::Alone<'_>,
        input: Relation,
        row: WasmOutput,
        columns: WasmOutput,
    ) -> Result<Relation, Diagnostic> {
        let function = alone.name;
        let call = |input, arguments, output, suffix| Wasm {
            place,
            suffix,
            input,
            function,
            arguments,
            output,
            prefix: String::new(),
        };
        if alone.bare {
            let range = expression.tokens[0].range.clone();
            self.check_row(function, alone.function, &input)
                .map_err(|problem| problem.span(range.start, range.end))?;
            return Ok(self.wasm(call(input, None, row, String::new())));
        }
        let parts = parse_expression(&expression.tokens)?;
        let prepared = self.prepare(place, expression, &parts, input, true)?;
        let arguments = prepared.outer.clone().flatten();
        let output = if arguments.is_some() { columns } else { row };
        let helpers = prepared.helper_names();
        if helpers.is_empty() || output == WasmOutput::Replace {
            return Ok(self.wasm(call(prepared.relation, arguments, output, String::new())));
        }
        let mut relation = self.wasm(call(prepared.relation, arguments, output, "_call".into()));
        if let Some(columns) = &mut relation.columns {
            columns.retain(|c| !helpers.contains(&c.name));
        }
        let sql = format!("SELECT * FROM {}", quote::identifier(&relation.name));
        Ok(self.view(place, sql, helpers, relation.columns))
    }
}
