//! What the macros make of functions: descriptors, rows, failures, parameters, the context, and panics on batches that do not fit.

use std::collections::BTreeMap;
use std::fmt;

use flink_wasm::prelude::*;
use flink_wasm::testing::{TestContext, batch, rows, run_filter, run_map};
use flink_wasm::{
    Batch, Cells, Column, Descriptor, Field, FilterFunction, Kind, MapFunction, Parameter, RowFailure, Varlen,
};

#[derive(Row)]
struct Order<'a> {
    id: i64,
    region: &'a str,
    amount: Option<f64>,
}

#[derive(Debug, PartialEq, Row)]
struct Taxed<'a> {
    region: &'a str,
    total: f64,
}

#[derive(Debug, PartialEq, Parameters)]
struct Params {
    /// The tax rate.
    #[parameter(default = 0.5)]
    rate: f64,
    /// Where it holds,
    /// and where not.
    #[parameter(default = "eu", rename = "in")]
    region: String,
    #[parameter(default)]
    rates: BTreeMap<String, Decimal<5, 2>>,
    limit: Option<i32>,
    needed: bool,
}

struct Refusal(i64);

impl fmt::Display for Refusal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "order {} has no amount", self.0)
    }
}

/// Adds tax.
///
/// In some regions.
#[flink_wasm::map(name = "add-tax")]
fn tax<'a>(order: Order<'a>, context: &Context, params: &Params) -> Result<Taxed<'a>, Refusal> {
    let amount = order.amount.ok_or(Refusal(order.id))?;
    flink_wasm::info!(context, "order {} at {}", order.id, context.processing_time());
    context.counter_add("orders", 1);
    context.gauge_set("amount", amount);
    let rate = if order.region == params.region { params.rate } else { 0.0 };
    Ok(Taxed { region: order.region, total: amount * (1.0 + rate) })
}

#[flink_wasm::filter]
fn large(order: Order<'_>) -> Result<bool, Transient<&'static str>> {
    order.amount.map(|amount| amount > 10.0).ok_or(Transient("no amount"))
}

#[flink_wasm::map]
fn double(value: i64) -> Option<i64> {
    value.checked_mul(2)
}

#[derive(Row)]
struct Labelled<'a> {
    text: &'a str,
    label: Option<&'static str>,
}

#[flink_wasm::map]
fn label(value: &str) -> Labelled<'_> {
    Labelled { text: value, label: value.is_empty().then_some("empty") }
}

fn field(name: &str, sql_type: &str) -> Field {
    Field { name: name.into(), sql_type: sql_type.into() }
}

fn parameter(name: &str, sql_type: &str, default: Option<&str>, description: &str) -> Parameter {
    Parameter {
        name: name.into(),
        sql_type: sql_type.into(),
        default_json: default.map(String::from),
        description: description.into(),
    }
}

fn orders() -> Batch {
    batch([
        Order { id: 1, region: "eu", amount: Some(100.0) },
        Order { id: 2, region: "eu", amount: None },
        Order { id: 3, region: "us", amount: Some(8.0) },
    ])
}

#[test]
fn functions_describe_themselves() {
    let input =
        vec![field("id", "BIGINT NOT NULL"), field("region", "STRING NOT NULL"), field("amount", "DOUBLE")];
    assert_eq!(
        <tax as MapFunction>::describe(),
        Descriptor {
            name: "add-tax".into(),
            version: env!("CARGO_PKG_VERSION").into(),
            kind: Kind::Map,
            description: "Adds tax.\n\nIn some regions.".into(),
            input: input.clone(),
            output: vec![field("region", "STRING NOT NULL"), field("total", "DOUBLE NOT NULL")],
            parameters: vec![
                parameter("rate", "DOUBLE NOT NULL", Some("0.5"), "The tax rate."),
                parameter("in", "STRING NOT NULL", Some("\"eu\""), "Where it holds,\nand where not."),
                parameter("rates", "MAP<STRING NOT NULL, DECIMAL(5, 2) NOT NULL> NOT NULL", Some("{}"), ""),
                parameter("limit", "INT", Some("null"), ""),
                parameter("needed", "BOOLEAN NOT NULL", None, ""),
            ],
            key: vec![],
            states: vec![],
            side_outputs: vec![],
            timers: false,
        }
    );
    let filter = <large as FilterFunction>::describe();
    assert_eq!(
        (filter.name.as_str(), filter.kind, filter.input, filter.output.len()),
        ("large", Kind::Filter, input, 0)
    );
    assert_eq!(<double as MapFunction>::describe().output, [field("value", "BIGINT")]);
}

#[test]
fn a_map_runs_over_a_batch_and_reports_failures() {
    let context = TestContext::new();
    context.set_processing_time(42);
    let mapped = run_map::<tax>(r#"{"needed": true}"#, &orders(), &context).expect("good parameters");
    assert_eq!(
        rows::<Taxed<'_>>(&mapped.rows),
        [Taxed { region: "eu", total: 150.0 }, Taxed { region: "us", total: 8.0 }]
    );
    assert_eq!(mapped.origin, [0, 2]);
    assert_eq!(
        mapped.failures,
        [RowFailure { row: 1, message: "order 2 has no amount".into(), transient: false }]
    );
    assert_eq!(
        context.logs(),
        [(Level::Info, "order 1 at 42".into()), (Level::Info, "order 3 at 42".into())]
    );
    assert_eq!(
        (context.counter("orders"), context.gauge("amount"), context.watermark()),
        (2, Some(8.0), i64::MIN)
    );
}

#[test]
fn a_filter_answers_every_row() {
    let filtered = run_filter::<large>("", &orders(), &TestContext::new()).expect("no parameters");
    assert_eq!(filtered.keep, [true, false, false]);
    assert_eq!(filtered.failures, [RowFailure { row: 1, message: "no amount".into(), transient: true }]);
}

#[test]
fn an_output_may_hold_constants() {
    #[derive(Debug, PartialEq, Row)]
    struct Read {
        text: String,
        label: Option<String>,
    }
    let mapped = run_map::<label>("", &batch([""]), &TestContext::new()).expect("no parameters");
    assert_eq!(rows::<Read>(&mapped.rows), [Read { text: String::new(), label: Some("empty".into()) }]);
}

#[test]
fn buffers_are_empty_again_for_the_next_batch() {
    let mut function = <tax as MapFunction>::open(r#"{"needed": true}"#).expect("good parameters");
    let (orders, context) = (orders(), TestContext::new());
    let mut batches: Vec<Batch> = Vec::new();
    for _ in 0..3 {
        function.map_batch(&orders, &context, &mut |rows, _| batches.push(rows.clone()));
    }
    assert_eq!(batches[0].row_count, 2);
    assert!(batches.iter().all(|batch| *batch == batches[0]));
}

#[track_caller]
fn check_parameters(json: &str, expected: Result<Params, &str>) {
    assert_eq!(Params::from_json(json), expected.map_err(String::from), "{json}");
}

#[test]
fn parameters_are_read_from_json() {
    let rates = BTreeMap::from([("us".into(), "0.25".parse().expect("a rate"))]);
    check_parameters(
        r#"{"rate": 1, "in": "us", "rates": {"us": 0.25}, "limit": 7, "needed": false}"#,
        Ok(Params { rate: 1.0, region: "us".into(), rates, limit: Some(7), needed: false }),
    );
    check_parameters(
        r#"{"needed": true}"#,
        Ok(Params { rate: 0.5, region: "eu".into(), rates: BTreeMap::new(), limit: None, needed: true }),
    );
    check_parameters("", Err("parameter `needed` is missing"));
    check_parameters(r#"{"needed": 1}"#, Err("parameter `needed`: expected true or false, found 1"));
    check_parameters(
        r#"{"needed": true, "limit": 3000000000}"#,
        Err("parameter `limit`: expected a whole number that fits INT, found 3000000000"),
    );
    check_parameters(
        r#"{"needed": true, "rates": {"us": 1000}}"#,
        Err("parameter `rates`: expected a number that fits DECIMAL(5, 2), found {\"us\":1000}"),
    );
    check_parameters(r#"{"needed": true, "rat": 1}"#, Err("unknown parameter `rat`"));
    check_parameters("[]", Err("the parameters are not a JSON object"));
}

#[track_caller]
fn check_panic(columns: Vec<Column>, expected: &str) {
    let rows = Batch { row_count: 2, columns };
    let panic = std::panic::catch_unwind(|| run_filter::<large>("", &rows, &TestContext::new()));
    let payload = panic.expect_err("a batch that does not fit");
    let message = payload.downcast_ref::<String>().map_or("", |message| message.as_str());
    assert_eq!(message, expected);
}

fn column(cells: Cells) -> Column {
    Column { validity: None, cells }
}

fn text(offsets: &[u32], data: &[u8]) -> Column {
    column(Cells::Varlen(Varlen { offsets: offsets.to_vec(), data: data.to_vec() }))
}

#[test]
fn a_batch_that_does_not_fit_panics_with_the_place() {
    let id = || column(Cells::Int64(vec![1, 2]));
    let region = || text(&[0, 2, 4], b"euus");
    let amount = || column(Cells::Float64(vec![1.0, 2.0]));
    check_panic(
        vec![id()],
        "the batch has 1 columns, the row type has more: column 1 should hold varlen cells with text",
    );
    check_panic(vec![id(), region(), amount(), id()], "the batch has 4 columns, the row type has 3");
    check_panic(
        vec![region(), region(), amount()],
        "column 0 of the batch holds varlen cells, the row type wants int64 cells",
    );
    check_panic(
        vec![column(Cells::Int64(vec![1])), region(), amount()],
        "column 0 of the batch (int64 cells) has 1 cells, not 2",
    );
    let null = Column { validity: Some(vec![1]), cells: Cells::Int64(vec![1, 2]) };
    check_panic(vec![null, region(), amount()], "cell 1 of a column BIGINT NOT NULL is NULL");
    let short = Column { validity: Some(vec![]), cells: Cells::Float64(vec![1.0, 2.0]) };
    check_panic(
        vec![id(), region(), short],
        "column 2 of the batch (float64 cells) has 0 bytes of validity, not 1",
    );
    for (broken, expected) in [
        (text(&[0, 2], b"eu"), "column 1 of the batch (varlen cells with text) has 2 offsets, not 3"),
        (
            text(&[1, 2, 4], b"euus"),
            "column 1 of the batch (varlen cells with text) has 1 as first offset, not 0",
        ),
        (
            text(&[0, 2, 5], b"euus"),
            "column 1 of the batch (varlen cells with text) has 4 bytes of data, not 5",
        ),
        (
            text(&[0, 9, 4], b"euus"),
            "a cell of the batch goes from offset 0 to offset 9, which is outside its data",
        ),
        (text(&[0, 2, 4], b"eu\xffs"), "column 1 of the batch (varlen cells with text) is not UTF-8"),
    ] {
        check_panic(vec![id(), broken, amount()], expected);
    }
}

/// Functions with the names that the generated code uses for itself.
mod names_of_generated_code {
    use flink_wasm::testing::{TestContext, batch, rows, run_filter, run_map};

    #[flink_wasm::filter]
    fn keep(value: i64) -> bool {
        value > 1
    }

    mod map {
        use flink_wasm::prelude::*;

        #[flink_wasm::map]
        pub(super) fn columns(value: i64, context: &Context) -> i64 {
            value + context.processing_time()
        }
    }

    #[test]
    fn do_not_collide() {
        let context = TestContext::new();
        context.set_processing_time(10);
        let kept = run_filter::<keep>("{}", &batch([1_i64, 2]), &context).expect("opens");
        assert_eq!(kept.keep, [false, true]);
        let mapped = run_map::<map::columns>("{}", &batch([1_i64, 2]), &context).expect("opens");
        assert_eq!(rows::<i64>(&mapped.rows), [11, 12]);
    }
}
