//! A function gives the same bytes natively and in the sandbox, whatever the rows.

mod common;

use common::function;
use flink_wasm::testing::{TestContext, run_filter, run_map};
use flink_wasm::{Batch, Cells, Column, FilterFunction, MapFunction, Varlen};
use flink_wasm_diagnostic::Code;
use flink_wasm_engine::{Limits, LoadedFunction};
use flink_wasm_protocol::arbitrary::rows;
use flink_wasm_protocol::batch::{BatchView, BatchWriter, CellsView, RawColumn, bit};
use flink_wasm_protocol::bundle::encode_bundle;
use flink_wasm_protocol::frame::HEADER_BYTES;
use flink_wasm_protocol::reply::{Reply, ReplyBody, ReplyWriter, Trailer};
use flink_wasm_protocol::{Cell, ColumnKind, Schema};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

const CASES: u32 = 200;
const MOST_ROWS: usize = 40;

fn write(schema: &Schema, rows: &[Vec<Cell>]) -> Vec<u8> {
    let mut writer = BatchWriter::new(schema);
    rows.iter().for_each(|row| writer.push_row(row).unwrap());
    let mut bytes = Vec::new();
    writer.finish(&mut bytes).unwrap();
    bytes
}

fn numbers<T, const N: usize>(bytes: &[u8], from: fn([u8; N]) -> T) -> Vec<T> {
    bytes.chunks_exact(N).map(|chunk| from(chunk.try_into().unwrap())).collect()
}

/// The batch as the SDK holds it.
fn to_native(schema: &Schema, batch: &BatchView<'_>) -> Batch {
    let columns = schema.columns().iter().zip(batch.columns()).map(|(column, view)| {
        let cells = match (view.cells, column.kind) {
            (CellsView::Bits(bits), _) => Cells::Boolean(bits.to_vec()),
            (CellsView::Fixed(cells), ColumnKind::Int8) => Cells::Int8(numbers(cells, i8::from_le_bytes)),
            (CellsView::Fixed(cells), ColumnKind::Int16) => Cells::Int16(numbers(cells, i16::from_le_bytes)),
            (CellsView::Fixed(cells), ColumnKind::Int32) => Cells::Int32(numbers(cells, i32::from_le_bytes)),
            (CellsView::Fixed(cells), ColumnKind::Int64) => Cells::Int64(numbers(cells, i64::from_le_bytes)),
            (CellsView::Fixed(cells), ColumnKind::Float32) => {
                Cells::Float32(numbers(cells, f32::from_le_bytes))
            }
            (CellsView::Fixed(cells), ColumnKind::Float64) => {
                Cells::Float64(numbers(cells, f64::from_le_bytes))
            }
            (CellsView::Fixed(cells), _) => Cells::Decimal128(cells.to_vec()),
            (CellsView::Varlen { offsets, data }, _) => {
                Cells::Varlen(Varlen { offsets: numbers(offsets, u32::from_le_bytes), data: data.to_vec() })
            }
            (CellsView::Nested { offsets }, _) => Cells::Nested(numbers(offsets, u32::from_le_bytes)),
            (CellsView::Row, _) => Cells::Row,
        };
        Column { validity: view.validity.map(<[u8]>::to_vec), cells }
    });
    Batch { row_count: batch.row_count() as u32, columns: columns.collect() }
}

/// The reply that a batch of the SDK would make.
fn reply_of(schema: &Schema, rows: &Batch, origin: &[u32], failures: &[flink_wasm::RowFailure]) -> Vec<u8> {
    let bytes: Vec<(Vec<u8>, Vec<u8>)> = rows.columns.iter().map(|column| le_bytes(&column.cells)).collect();
    let columns: Vec<RawColumn<'_>> = rows
        .columns
        .iter()
        .zip(&bytes)
        .zip(schema.columns())
        .map(|((column, bytes), flat)| raw(column, bytes, flat.kind))
        .collect();
    let mut writer = ReplyWriter::default();
    writer.begin(flink_wasm_engine::FunctionKind::Map);
    if !columns.is_empty() {
        writer.emission(schema, 0, rows.row_count as usize, origin, &columns).unwrap();
    }
    for failure in failures {
        writer.failure(failure.row, Code::RowFailed, &failure.message).unwrap();
    }
    writer.finish(1, &Trailer::default()).unwrap().to_vec()
}

fn raw<'a>(column: &'a Column, (first, second): &'a (Vec<u8>, Vec<u8>), kind: ColumnKind) -> RawColumn<'a> {
    let cells = match kind {
        ColumnKind::Boolean => CellsView::Bits(first),
        ColumnKind::Varlen => CellsView::Varlen { offsets: first, data: second },
        ColumnKind::Nested => CellsView::Nested { offsets: first },
        ColumnKind::Row => CellsView::Row,
        _ => CellsView::Fixed(first),
    };
    RawColumn { validity: column.validity.as_deref(), cells }
}

fn le_bytes(cells: &Cells) -> (Vec<u8>, Vec<u8>) {
    fn all<T: Copy, const N: usize>(cells: &[T], to: fn(T) -> [u8; N]) -> Vec<u8> {
        cells.iter().flat_map(|cell| to(*cell)).collect()
    }
    let first = match cells {
        Cells::Boolean(bytes) | Cells::Decimal128(bytes) => bytes.clone(),
        Cells::Int8(cells) => all(cells, i8::to_le_bytes),
        Cells::Int16(cells) => all(cells, i16::to_le_bytes),
        Cells::Int32(cells) => all(cells, i32::to_le_bytes),
        Cells::Int64(cells) => all(cells, i64::to_le_bytes),
        Cells::Float32(cells) => all(cells, f32::to_le_bytes),
        Cells::Float64(cells) => all(cells, f64::to_le_bytes),
        Cells::Varlen(varlen) => return (all(&varlen.offsets, u32::to_le_bytes), varlen.data.clone()),
        Cells::Nested(offsets) => all(offsets, u32::to_le_bytes),
        Cells::Row => Vec::new(),
    };
    (first, Vec::new())
}

/// Runs `check` on random rows of the function's input: the cells, the batch, and the sandbox's reply.
fn for_random_rows(
    function: &std::sync::Arc<LoadedFunction>,
    parameters: &Value,
    check: impl Fn(&[Vec<Cell>], &BatchView<'_>, &[u8]) -> Result<(), TestCaseError>,
) {
    let fields = function.description().input_fields().unwrap();
    let instance = function.open(parameters.as_object().unwrap(), Limits::default()).unwrap();
    let instance = std::cell::RefCell::new(instance);
    let mut runner = TestRunner::new(ProptestConfig {
        cases: CASES,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let result = runner.run(&rows(&fields, MOST_ROWS), |rows| {
        let bytes = write(function.input(), &rows);
        let mut instance = instance.borrow_mut();
        let reply = instance
            .run(1, &encode_bundle(0, 0, &bytes))
            .map_err(|fault| TestCaseError::fail(format!("{fault:?}")))?;
        check(&rows, &BatchView::parse(function.input(), &bytes).unwrap(), reply)
    });
    result.unwrap();
}

fn check_map<F: MapFunction>(name: &str, parameters: Value) {
    let function = function(name);
    for_random_rows(&function, &parameters, |_, batch, reply| {
        let native = to_native(function.input(), batch);
        let mapped = run_map::<F>(&parameters.to_string(), &native, &TestContext::new()).unwrap();
        prop_assert!(reply_of(function.output(), &mapped.rows, &mapped.origin, &mapped.failures) == reply);
        Ok(())
    });
}

#[test]
fn tax_natively_and_in_the_sandbox() {
    check_map::<tax::tax>("tax", json!({}));
    check_map::<tax::tax>("tax", json!({"rate": -0.5, "regions": {"": 1.0}}));
}

#[test]
fn all_types_natively_and_in_the_sandbox() {
    check_map::<all_types::all_types>("all-types", json!({}));
}

/// It gives back what it gets; only maps come back in the order of their keys.
#[test]
fn all_types_come_back_as_they_went() {
    fn sorted(cell: &Cell) -> Cell {
        match cell {
            Cell::Map(entries) => {
                let mut entries: Vec<_> =
                    entries.iter().map(|(key, value)| (sorted(key), sorted(value))).collect();
                entries.sort_by(|(left, _), (right, _)| match (left, right) {
                    (Cell::Text(left), Cell::Text(right)) => left.cmp(right),
                    (Cell::Int32(left), Cell::Int32(right)) => left.cmp(right),
                    (Cell::Int64(left), Cell::Int64(right)) => left.cmp(right),
                    other => panic!("a map with other keys: {other:?}"),
                });
                Cell::Map(entries)
            }
            Cell::Array(cells) => Cell::Array(cells.iter().map(sorted).collect()),
            Cell::Row(cells) => Cell::Row(cells.iter().map(sorted).collect()),
            other => other.clone(),
        }
    }
    let function = function("all-types");
    for_random_rows(&function, &json!({}), |rows, _, reply| {
        let reply = Reply::parse(function.output(), &reply[HEADER_BYTES..]).unwrap();
        let ReplyBody::Map(emissions) = &reply.body else { panic!("not a map") };
        let found: Vec<Vec<Cell>> = emissions
            .iter()
            .flat_map(|emission| {
                (0..emission.rows.row_count()).map(|row| emission.rows.row(function.output(), row))
            })
            .collect();
        let expected: Vec<Vec<Cell>> = rows.iter().map(|row| row.iter().map(sorted).collect()).collect();
        // As text, since NaN is not equal to itself.
        prop_assert_eq!(format!("{found:?}"), format!("{expected:?}"));
        Ok(())
    });
}

#[test]
fn large_order_natively_and_in_the_sandbox() {
    fn check<F: FilterFunction>(parameters: Value) {
        let function = function("large-order");
        for_random_rows(&function, &parameters, |_, batch, reply| {
            let native = to_native(function.input(), batch);
            let filtered = run_filter::<F>(&parameters.to_string(), &native, &TestContext::new()).unwrap();
            let reply = Reply::parse(function.output(), &reply[HEADER_BYTES..]).unwrap();
            let ReplyBody::Filter { row_count, keep } = reply.body else { panic!("not a filter") };
            prop_assert_eq!((0..row_count).map(|row| bit(keep, row)).collect::<Vec<_>>(), filtered.keep);
            Ok(())
        });
    }
    check::<large_order::large_order>(json!({}));
    check::<large_order::large_order>(json!({"minimum": -1e300}));
}
