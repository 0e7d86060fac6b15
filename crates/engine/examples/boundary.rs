//! What a row costs: validating a bundle, crossing into a guest and back, checking the reply.
//!
//! `cargo run --release -p flink-wasm-engine --example boundary`. Prints the best of many runs, since others only wait more.

#![allow(clippy::print_stdout)]

use std::time::{Duration, Instant};

use flink_wasm_engine::{Engine, EngineConfig, Limits, LoadedFunction};
use flink_wasm_protocol::bundle::{Bundle, encode_bundle};
use flink_wasm_protocol::frame::HEADER_BYTES;
use flink_wasm_protocol::json::rows_to_batch;
use flink_wasm_protocol::reply::Reply;
use serde_json::{Map, Value, json};

const RUNS: u32 = 2000;

fn main() -> flink_wasm_diagnostic::Result<()> {
    let directory = std::env::temp_dir().join(format!("flink-wasm-boundary-{}", std::process::id()));
    let config = EngineConfig { cache_dir: Some(directory.clone()), compiler: None };
    let tax = flink_wasm_test_guests::component("tax");
    let identity = flink_wasm_test_guests::component("identity");

    let start = Instant::now();
    let engine = Engine::new(&config)?;
    println!("engine ready                      {:>9.2} ms", millis(start.elapsed()));
    let start = Instant::now();
    engine.load(&tax)?;
    println!("component compiled ({:>6} bytes)  {:>9.2} ms", tax.len(), millis(start.elapsed()));
    let start = Instant::now();
    let again = Engine::new(&config)?;
    println!("second engine ready               {:>9.2} ms", millis(start.elapsed()));
    let start = Instant::now();
    let function = again.load(&tax)?.function;
    function.open(&Map::new(), Limits::default()).map_err(|fault| fault.diagnostic)?;
    println!("component from disk, opened       {:>9.2} ms", millis(start.elapsed()));
    let start = Instant::now();
    function.open(&Map::new(), Limits::default()).map_err(|fault| fault.diagnostic)?;
    println!("another instance                  {:>9.2} ms", millis(start.elapsed()));

    for rows in [1, 100, 1000, 10_000] {
        measure("tax", &function, rows)?;
    }
    let filter = engine.load(&identity)?.function;
    for rows in [1000, 10_000] {
        measure("identity", &filter, rows)?;
    }
    std::fs::remove_dir_all(&directory).ok();
    Ok(())
}

fn measure(
    name: &str,
    function: &std::sync::Arc<LoadedFunction>,
    row_count: usize,
) -> flink_wasm_diagnostic::Result<()> {
    let fields = function.description().input_fields()?;
    let row = |index: usize| {
        let all = [
            ("id", json!(index)),
            ("region", json!(format!("region-{}", index % 7))),
            ("amount", json!(index as f64)),
            ("payload", json!("aGVsbG8gd29ybGQ=")),
        ];
        let given = all.into_iter().filter(|(name, _)| fields.iter().any(|field| field.name == *name));
        Value::Object(given.map(|(name, value)| (name.to_owned(), value)).collect())
    };
    let rows: Vec<Value> = (0..row_count).map(row).collect();
    let payload = encode_bundle(0, 0, &rows_to_batch(&fields, &rows)?);
    let mut instance = function.open(&Map::new(), Limits::default()).map_err(|fault| fault.diagnostic)?;

    let runs = (RUNS * 1000 / row_count as u32).clamp(200, 20_000);
    let whole = best(runs, || instance.run(1, &payload).expect("tax takes these rows").len());
    let validate = best(runs, || {
        Bundle::parse(function.input(), &payload).expect("the payload is a bundle").rows.row_count()
    });
    let reply = instance.run(1, &payload).map_err(|fault| fault.diagnostic)?.to_vec();
    let check = best(runs, || {
        Reply::parse(function.output(), &reply[HEADER_BYTES..]).expect("the reply is one").failures.len()
    });
    println!(
        "{name:<12} {row_count:>6} rows: {:>8.2} us a bundle, {:>7.2} ns a row (input check {:.2}, reply parse {:.2})",
        nanos(whole) / 1e3,
        nanos(whole) / row_count as f64,
        nanos(validate) / row_count as f64,
        nanos(check) / row_count as f64,
    );
    Ok(())
}

fn best(runs: u32, mut run: impl FnMut() -> usize) -> Duration {
    let once = |_| {
        let start = Instant::now();
        std::hint::black_box(run());
        start.elapsed()
    };
    (0..runs).map(once).min().unwrap_or_default()
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

fn nanos(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e9
}
