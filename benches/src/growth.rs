//! `growth`: whether anything grows while many rows pass.

use anyhow::{Result, ensure};
use serde_json::Value;

use crate::count::{Count, HEAP, JOB};
use crate::jvm;
use crate::result::{Benchmark, Comparison, Panel, Target};
use crate::statistics::median;

/// Last third over first third: what is flat is not above it; the collector leaves a little more or less behind.
const TARGET: Target = Target::AtMost(1.05);

/// Runs `count` over so many rows, and looks so often.
pub(crate) fn run(rows: u64, samples: usize) -> Result<Benchmark> {
    let mut benchmark = Benchmark::new(
        "growth",
        format!(
            "{JOB} Keys come uniformly, heap state, no checkpoints. Memory is looked at while the rows pass, first when every key has its \
             state: what lives on the JVM's heap (after a full collection), and what the sidecar has resident. Samples are in order of time."
        ),
    );
    let count = Count::start()?;
    benchmark.fact("Rows", format!("{rows} behind the first million, looked at {samples} times"));
    let mut arguments = count.arguments();
    arguments.extend(["--rows".into(), rows.to_string(), "--samples".into(), samples.to_string()]);
    let mut events: Vec<Value> = Vec::new();
    jvm::run("GrowthBenchmark", HEAP, &arguments, &mut benchmark, |event| events.push(event))?;
    ensure!(events.len() == samples, "{} of {samples} samples came", events.len());
    let mut panel = Panel::new("count, heap, uniform", "MiB");
    for (series, value, target) in [
        ("JVM, live heap", "heapMib", Some(TARGET)),
        ("sidecar, resident", "sidecarMib", Some(TARGET)),
        ("JVM, resident", "jvmMib", None),
    ] {
        let samples: Vec<f64> = events.iter().filter_map(|event| event[value].as_f64()).collect();
        let third = samples.len() / 3;
        let growth = median(&samples[samples.len() - third..]) / median(&samples[..third]);
        let name = format!("{series}: last third / first third");
        panel.ratios.push(Comparison { name, samples: vec![growth], target });
        panel.series(series, samples, None);
    }
    benchmark.panels.push(panel);
    Ok(benchmark)
}
