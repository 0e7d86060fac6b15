//! The samples' process functions natively and in the sandbox: the same scenarios, and the same random runs, come to the same.
//!
//! Every random run follows from a seed, which is printed: `HARNESS_SEED=..` runs the same again.
#![allow(clippy::print_stdout)] // the seeds

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, LazyLock};

use flink_wasm::ProcessFunction;
use flink_wasm_diagnostic::Code;
use flink_wasm_engine::{Engine, EngineConfig, LoadedFunction};
use flink_wasm_harness::scenario::{self, Action, Scenarios};
use flink_wasm_harness::{Executor, Function, Harness, Native, Settings};
use flink_wasm_harness_component::Component;
use flink_wasm_protocol::handshake::{ErrorPolicy, OnError};
use serde_json::{Map, Value, json};

/// Rows of a bundle: each row alone, some, all.
const BUNDLE_ROWS: [usize; 3] = [1, 7, 1000];
/// Steps of a random run, and runs of a function.
const STEPS: usize = 60;
const RUNS: u64 = 8;

static ENGINE: LazyLock<Engine> = LazyLock::new(|| Engine::new(&EngineConfig::default()).unwrap());

/// One sample: how to run it both ways, and its scenarios.
struct Sample {
    function: Function,
    native: fn() -> Box<dyn Executor>,
    component: Arc<LoadedFunction>,
    scenarios: Scenarios,
    parameters: Map<String, Value>,
}

impl Sample {
    fn new<F: ProcessFunction + 'static>(folder: &str, file: &str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../udfs").join(folder);
        let text = std::fs::read_to_string(path.join(file)).unwrap();
        let function = Native::<F>::function().unwrap();
        let component = ENGINE.load(&flink_wasm_test_guests::component(folder)).unwrap().function;
        Self {
            native: || Box::new(Native::<F>::default()),
            component,
            scenarios: scenario::read(&text, &function).unwrap(),
            parameters: scenario::parameters(&text).unwrap(),
            function,
        }
    }

    fn executors(&self) -> [(&'static str, Box<dyn Executor>); 2] {
        [("native", (self.native)()), ("component", Box::new(Component::new(self.component.clone())))]
    }

    fn check(&self) {
        let descriptor = serde_json::to_value(self.component.description()).unwrap();
        assert_eq!(Function::from_descriptor(&descriptor).unwrap(), self.function);
        self.check_scenarios();
        let seed = std::env::var("HARNESS_SEED").ok().and_then(|seed| seed.parse().ok());
        for run in 0..RUNS {
            let seed = seed.unwrap_or_else(|| new_seed().wrapping_add(run));
            println!("{}: HARNESS_SEED={seed}", self.function.name);
            self.check_random(seed);
        }
    }

    fn check_scenarios(&self) {
        for scenario in &self.scenarios.scenarios {
            for bundle_rows in BUNDLE_ROWS {
                for (way, executor) in self.executors() {
                    let parameters = &self.parameters;
                    let outcome = scenario::run(
                        &self.function,
                        &self.scenarios,
                        parameters,
                        scenario,
                        bundle_rows,
                        executor,
                    );
                    let outcome = outcome.unwrap_or_else(|error| panic!("{way}, {}: {error}", scenario.name));
                    assert_eq!(outcome.differences, [], "{way}, {bundle_rows} rows, {}", scenario.name);
                }
            }
        }
    }

    fn check_random(&self, seed: u64) {
        let pool = Pool::new(self);
        for bundle_rows in BUNDLE_ROWS {
            let [native, component] = self.executors().map(|(_, executor)| {
                let settings = Settings {
                    parameters: self.parameters.clone(),
                    key: self.scenarios.key.clone(),
                    // Whatever the function refuses, the run goes on.
                    on_error: OnError { policy: ErrorPolicy::Skip, retries: 1 },
                    rate_limiters: self.scenarios.rate_limiters.clone(),
                    limits: self.scenarios.limits,
                    bundle_rows,
                };
                Harness::new(self.function.clone(), &settings, executor).unwrap()
            });
            let mut random = Random(seed);
            let mut both = [native, component];
            let mut snapshots: Option<[Vec<u8>; 2]> = None;
            let (mut watermark, mut clock) = (pool.start(&mut random), 0);
            for at in 0..STEPS {
                let step = Step::new(&pool, &mut random, &mut watermark, &mut clock);
                let [native, component] = both.each_mut().map(|harness| step.run(harness, &pool));
                assert_eq!(native, component, "step {at} {step:?}, {bundle_rows} rows in a bundle");
                match step {
                    Step::Snapshot => {
                        let taken = both.each_mut().map(|harness| harness.snapshot().unwrap());
                        assert_eq!(taken[0], taken[1], "snapshot at step {at}");
                        snapshots = Some(taken);
                    }
                    Step::Restore => match &snapshots {
                        // Each goes on from what the other has written.
                        Some([native, component]) => {
                            both[0].restore(component).unwrap();
                            both[1].restore(native).unwrap();
                        }
                        None => both.iter_mut().for_each(|harness| harness.restart_empty().unwrap()),
                    },
                    _ => {}
                }
            }
        }
    }
}

/// What the same rules come to in Java, as a `KeyedProcessFunction` in Flink's own harness, which has written this file: `JavaScenariosTest`
/// of `flink/`.
#[test]
fn all_states_come_to_what_they_do_in_java() {
    Sample::new::<all_states::AllStates>("all-states", "java-scenarios.json").check_scenarios();
}

/// What random rows are put together from: the values that the scenarios have in each column.
struct Pool {
    columns: BTreeMap<String, Vec<Value>>,
    timestamps: Vec<i64>,
    keys: Vec<Vec<Value>>,
    states: Vec<String>,
}

impl Pool {
    fn new(sample: &Sample) -> Self {
        let mut columns: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        let (mut timestamps, mut keys) = (BTreeSet::from([0]), BTreeSet::new());
        for step in sample.scenarios.scenarios.iter().flat_map(|scenario| &scenario.steps) {
            let Action::Rows { rows, timestamp, .. } = &step.action else { continue };
            timestamps.extend(timestamp);
            for row in rows {
                for (name, value) in row.as_object().into_iter().flatten() {
                    columns.entry(name.clone()).or_default().push(value.clone());
                }
                let key = sample.scenarios.key.iter().map(|column| row[column].clone());
                keys.insert(serde_json::to_string(&key.collect::<Vec<Value>>()).unwrap());
            }
        }
        Self {
            columns,
            timestamps: timestamps.into_iter().collect(),
            keys: keys.iter().map(|key| serde_json::from_str(key).unwrap()).collect(),
            states: sample.function.states.iter().map(|state| state.name.clone()).collect(),
        }
    }

    /// Before everything that may happen, or in the middle of it.
    fn start(&self, random: &mut Random) -> i64 {
        *random.of(&self.timestamps)
    }

    fn row(&self, random: &mut Random) -> Value {
        let cell = |(name, values): (&String, &Vec<Value>)| (name.clone(), random.of(values).clone());
        Value::Object(self.columns.iter().map(cell).collect())
    }
}

#[derive(Debug)]
enum Step {
    Rows(Vec<(Value, Option<i64>)>),
    Watermark(i64),
    Clock(i64),
    Snapshot,
    Restore,
}

impl Step {
    fn new(pool: &Pool, random: &mut Random, watermark: &mut i64, clock: &mut i64) -> Self {
        // From a moment to longer than any TTL of the samples.
        let far = |random: &mut Random| 1 << random.below(28);
        match random.below(20) {
            0..=11 => {
                let mut row = || {
                    let timestamp = match random.below(8) {
                        0 => None,
                        1..=4 => Some(watermark.saturating_add(random.below(100_000) as i64)),
                        _ => Some(*random.of(&pool.timestamps)),
                    };
                    (pool.row(random), timestamp)
                };
                let first = row();
                let more = random.below(12);
                let mut rows = vec![first];
                for _ in 0..more {
                    let timestamp = Some(*watermark + random.below(5_000) as i64);
                    rows.push((pool.row(random), timestamp));
                }
                Step::Rows(rows)
            }
            12..=14 => {
                *watermark += far(random);
                Step::Watermark(*watermark)
            }
            15..=17 => {
                *clock += far(random);
                Step::Clock(*clock)
            }
            18 => Step::Snapshot,
            _ => Step::Restore,
        }
    }

    /// What can be seen behind the step.
    fn run(&self, harness: &mut Harness, pool: &Pool) -> Value {
        match self {
            Step::Rows(rows) => rows.iter().for_each(|(row, at)| harness.push(row, *at).unwrap()),
            Step::Watermark(millis) => harness.advance_watermark(*millis).unwrap(),
            Step::Clock(millis) => harness.advance_processing_time(*millis).unwrap(),
            Step::Snapshot | Step::Restore => {}
        }
        let names: Vec<String> = harness.function().output_names().map(str::to_owned).collect();
        let mut outputs = Map::new();
        for name in names {
            let rows = harness.output(&name).unwrap();
            outputs.insert(name, rows.into_iter().map(|row| json!([row.row, row.timestamp])).collect());
        }
        // Where a panic was is told by neither way, but the sandbox has a backtrace of it.
        let failed: Vec<Value> = harness
            .failed_rows()
            .unwrap()
            .into_iter()
            .map(|failed| {
                let message = (failed.code == Code::RowFailed).then_some(failed.message);
                json!([failed.row, failed.code, message])
            })
            .collect();
        let mut keys = Map::new();
        for key in &pool.keys {
            let states: Vec<Value> =
                pool.states.iter().map(|name| harness.state(name, key).unwrap()).collect();
            let timers = harness.timers(key).unwrap();
            let held = json!({
                "states": states, "eventTime": timers.event_time, "processingTime": timers.processing_time,
            });
            keys.insert(json!(key).to_string(), held);
        }
        let logs: Vec<String> =
            harness.take_logs().into_iter().map(|log| format!("{:?} {}", log.level, log.message)).collect();
        json!({
            "outputs": outputs, "failed": failed, "keys": keys, "logs": logs,
            "counters": harness.counters().unwrap(), "gauges": harness.gauges().unwrap(),
        })
    }
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len() as u64) as usize]
    }
}

fn new_seed() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(0, |now| now.as_nanos() as u64)
}

macro_rules! samples {
    ($($test:ident $folder:literal $function:ty;)*) => {
        $(#[test]
        fn $test() {
            Sample::new::<$function>($folder, "scenarios.json").check();
        })*

        /// A sample that was added without its line here is found.
        #[test]
        fn every_sample_with_scenarios_is_here() {
            let udfs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../udfs");
            let folders = std::fs::read_dir(udfs).unwrap().map(|entry| entry.unwrap().path());
            let found: BTreeSet<String> = folders
                .filter(|path| path.join("scenarios.json").exists())
                .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
                .collect();
            assert_eq!(found, BTreeSet::from([$($folder.to_owned()),*]));
        }
    };
}

samples! {
    all_states "all-states" all_states::AllStates;
    continuity "continuity" continuity::Continuity;
    count "count" count::Count;
    deduplicate "deduplicate" deduplicate::Deduplicate;
    fraud_rules "fraud-rules" fraud_rules::FraudRules;
    key_rate_limiter "key-rate-limiter" key_rate_limiter::KeyRateLimiter;
    running_aggregate "running-aggregate" running_aggregate::RunningAggregate;
    session_detector "session-detector" session_detector::SessionDetector;
    shared_rate_limiter "shared-rate-limiter" shared_rate_limiter::SharedRateLimiter;
    short_lived "short-lived" short_lived::ShortLived;
    user_engagement "user-engagement" user_engagement::UserEngagement;
}
