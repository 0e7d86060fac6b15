//! `keyed`: rows a second of keyed state, on each state backend.

use anyhow::Result;

use crate::count::{Count, HEAP, JOB, LARGE_COUNTS, WASM, WASM_AGAIN, peers};
use crate::jvm::{Measurements, Times};
use crate::result::{Benchmark, Target};

/// How much of Java's speed ours should have, by backend: on the heap, Java's state costs next to nothing.
const TARGETS: [(&str, f64); 2] = [("heap", 0.6), ("RocksDB", 0.85)];

/// Runs all backends and ways in which keys come in one JVM.
pub(crate) fn run(rounds: usize, times: &Times) -> Result<Benchmark> {
    let mut benchmark = Benchmark::new(
        "keyed",
        format!(
            "{JOB} {LARGE_COUNTS} Keys come uniformly, or as Zipf's law with exponent 1.1 has it; no checkpoints. Every key comes once before the window opens."
        ),
    );
    let count = Count::start()?;
    count.facts(&mut benchmark, rounds, times);
    let arguments = [count.arguments(), times.arguments(rounds)].concat();
    let measured = Measurements::of("KeyedBenchmark", HEAP, &arguments, &mut benchmark)?;
    for name in measured.panels() {
        let target = TARGETS.iter().find(|(backend, _)| name.contains(backend));
        let target = target.map(|(_, ratio)| Target::AtLeast(*ratio));
        let mut panel = measured.panel(&name, "rowsPerSecond", ("million rows a second", 1e6), rounds)?;
        for java in peers(&panel) {
            panel.ratio(WASM, java, target);
        }
        panel.ratio(WASM, WASM_AGAIN, None);
        benchmark.panels.push(panel);
        let mut panel = measured.panel(&name, "nanos", ("ns of processor time a row", 1.0), rounds)?;
        panel.title = format!("{name}: processor time of JVM and sidecar");
        for java in peers(&panel) {
            panel.ratio(java, WASM, None);
        }
        benchmark.panels.push(panel);
    }
    Ok(benchmark)
}
