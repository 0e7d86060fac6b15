//! Functions under the harness, natively.

use count::Count;
use flink_wasm_harness::{Harness, Native, OutputRow, Settings, scenario};
use serde_json::json;

#[test]
fn state_is_kept_for_each_key_whatever_the_bundles() {
    for bundle_rows in [1, 2, 1000] {
        let settings = Settings { key: vec!["user_id".into()], bundle_rows, ..Settings::default() };
        let executor = Box::new(Native::<Count>::default());
        let mut harness = Harness::new(Native::<Count>::function().unwrap(), &settings, executor).unwrap();
        for (user, timestamp) in [(1, Some(5)), (2, None), (1, Some(7))] {
            harness.push(&json!({ "user_id": user }), timestamp).unwrap();
        }
        let row =
            |user, count, timestamp| OutputRow { row: json!({"user_id": user, "count": count}), timestamp };
        assert_eq!(
            harness.output("output").unwrap(),
            [row(1, 1, Some(5)), row(2, 1, None), row(1, 2, Some(7))]
        );
        assert_eq!(harness.state("count", &[json!(1)]).unwrap(), json!(2));
        assert_eq!(harness.state("count", &[json!(3)]).unwrap(), json!(null));
        assert_eq!(harness.keys().unwrap(), [json!([1]), json!([2])]);

        let snapshot = harness.snapshot().unwrap();
        harness.push(&json!({"user_id": 1}), None).unwrap();
        harness.restore(&snapshot).unwrap();
        assert!(harness.output("output").unwrap().is_empty(), "what came behind the snapshot is dropped");
        harness.push(&json!({"user_id": 1}), None).unwrap();
        assert_eq!(harness.output("output").unwrap(), [row(1, 3, None)]);
    }
}

#[test]
fn scenarios_of_the_samples_hold_natively() {
    let text = include_str!("../../../udfs/count/scenarios.json");
    let function = Native::<Count>::function().unwrap();
    let scenarios = scenario::read(text, &function).unwrap();
    let parameters = scenario::parameters(text).unwrap();
    for scenario in &scenarios.scenarios {
        for bundle_rows in [1, 1000] {
            let executor = Box::new(Native::<Count>::default());
            let outcome =
                scenario::run(&function, &scenarios, &parameters, scenario, bundle_rows, executor).unwrap();
            assert_eq!(outcome.differences, [], "{}", scenario.name);
        }
    }
}
