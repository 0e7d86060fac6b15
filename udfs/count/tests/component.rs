//! The component as it is shipped, in a sandbox, under a clock and a watermark that the test moves.

use std::path::Path;

use flink_wasm_harness::{Harness, Result, Settings, Sidecar};
use serde_json::json;

#[test]
fn the_component_goes_on_behind_a_snapshot() -> Result<()> {
    let (function, sidecar) = Sidecar::build(Path::new(env!("CARGO_MANIFEST_DIR")))?;
    let settings = Settings { key: vec!["user_id".into()], ..Settings::default() };
    let mut harness = Harness::new(function, &settings, Box::new(sidecar))?;

    harness.push(&json!({"user_id": 1}), Some(1000))?;
    harness.advance_watermark(2000)?;
    assert_eq!(harness.output("output")?[0].row, json!({"user_id": 1, "count": 1}));
    assert_eq!(harness.state("count", &[json!(1)])?, json!(1));

    let snapshot = harness.snapshot()?;
    harness.push(&json!({"user_id": 1}), None)?;
    harness.restore(&snapshot)?;
    harness.push(&json!({"user_id": 1}), None)?;
    assert_eq!(harness.state("count", &[json!(1)])?, json!(2));
    Ok(())
}
