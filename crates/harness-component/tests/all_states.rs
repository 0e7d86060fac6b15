//! State of every kind, natively and in the sandbox: the same rows, watermarks and clock give the same.

use std::sync::{Arc, LazyLock};

use all_states::AllStates;
use flink_wasm_engine::{Engine, EngineConfig, LoadedFunction};
use flink_wasm_harness::{Executor, Harness, Native, OutputRow, Settings};
use flink_wasm_harness_component::Component;
use flink_wasm_protocol::handshake::{ErrorPolicy, OnError};
use proptest::prelude::*;
use serde_json::{Value, json};

static FUNCTION: LazyLock<Arc<LoadedFunction>> = LazyLock::new(|| {
    let engine = Engine::new(&EngineConfig::default()).unwrap();
    engine.load(&flink_wasm_test_guests::component("all-states")).unwrap().function
});

#[derive(Clone, Debug)]
enum Step {
    Row { key: i64, op: &'static str, name: &'static str, n: i64 },
    Watermark(i64),
    Clock(i64),
}

const OPS: [&str; 16] = [
    "set",
    "unset",
    "sum",
    "append",
    "append",
    "put",
    "put",
    "count",
    "remove",
    "clear",
    "timer",
    "delete-timer",
    "alarm",
    "delete-alarm",
    "copy",
    "no such thing",
];

fn step() -> impl Strategy<Value = Step> {
    let row =
        (0_i64..3, prop::sample::select(&OPS[..]), prop::sample::select(&["", "a", "é"][..]), 0_i64..40);
    prop_oneof![
        8 => row.prop_map(|(key, op, name, n)| Step::Row { key, op, name, n }),
        1 => (0_i64..40).prop_map(Step::Watermark),
        1 => (0_i64..40).prop_map(Step::Clock),
    ]
}

/// Everything that can be seen of a run.
#[derive(Debug, PartialEq)]
struct Seen {
    outputs: Vec<Vec<OutputRow>>,
    refused: Vec<String>,
    state: Vec<(Value, Vec<Value>)>,
}

fn run(executor: Box<dyn Executor>, steps: &[Step], bundle_rows: usize) -> Seen {
    let on_error = OnError { policy: ErrorPolicy::Skip, ..OnError::default() };
    let settings = Settings { key: vec!["k".into()], on_error, bundle_rows, ..Settings::default() };
    let mut harness = Harness::new(Native::<AllStates>::function().unwrap(), &settings, executor).unwrap();
    for (id, step) in steps.iter().enumerate() {
        match step {
            Step::Row { key, op, name, n } => {
                let row = json!({"k": key, "id": id, "op": op, "name": name, "n": n});
                harness.push(&row, (n % 2 == 0).then_some(*n)).unwrap();
            }
            Step::Watermark(watermark) => harness.advance_watermark(*watermark).unwrap(),
            Step::Clock(millis) => harness.advance_processing_time(*millis).unwrap(),
        }
    }
    let outputs = ["output", "events"].map(|name| harness.output(name).unwrap()).into();
    let refused = harness.failed_rows().unwrap().into_iter().map(|failed| failed.message).collect();
    let keys = harness.keys().unwrap();
    let state = keys.into_iter().map(|key| {
        let columns = key.as_array().unwrap().clone();
        let states = ["value", "sum", "list", "map"].map(|name| harness.state(name, &columns).unwrap());
        (key, states.into())
    });
    Seen { outputs, refused, state: state.collect() }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_component_does_what_the_function_does(
        steps in prop::collection::vec(step(), 1..50),
        bundle_rows in 1_usize..20,
    ) {
        let natively = run(Box::new(Native::<AllStates>::default()), &steps, bundle_rows);
        let sandboxed = run(Box::new(Component::new(FUNCTION.clone())), &steps, bundle_rows);
        prop_assert_eq!(sandboxed, natively);
    }
}
