//! `checkpoint`: how long aligned checkpoints take under full load.

use anyhow::Result;

use crate::count::{Count, HEAP, JOB, LARGE_COUNTS, WASM, WASM_AGAIN, peers};
use crate::jvm::{Measurements, Times};
use crate::result::{Benchmark, Target};

/// How much longer than Java's our checkpoints may take, in milliseconds: what is in flight comes back before the barrier goes on.
const TARGET: Target = Target::AtMost(100.0);

/// What a checkpoint consists of; of its tasks the one that took longest.
const PARTS: [(&str, &str); 3] = [
    ("barrierMs", "from the trigger until the barrier is there and nothing is in flight"),
    ("syncMs", "synchronous part"),
    ("asyncMs", "asynchronous part"),
];

/// Runs `count` with a checkpoint every second.
pub(crate) fn run(rounds: usize, times: &Times) -> Result<Benchmark> {
    let mut benchmark = Benchmark::new(
        "checkpoint",
        format!(
            "{JOB} {LARGE_COUNTS} Keys come uniformly. Aligned checkpoints every second, full ones on the heap, incremental ones in RocksDB, into a local \
             folder; measured from trigger to end (Flink's end-to-end duration), of those that were triggered in the window and completed."
        ),
    );
    let count = Count::start()?;
    count.facts(&mut benchmark, rounds, times);
    let folder = tempfile::tempdir()?;
    let mut arguments = [count.arguments(), times.arguments(rounds)].concat();
    arguments.extend(["--checkpoints".into(), folder.path().display().to_string()]);
    let measured = Measurements::of("CheckpointBenchmark", HEAP, &arguments, &mut benchmark)?;
    for name in measured.panels() {
        for (value, title) in [("medianMs", "median of a job"), ("maxMs", "longest of a job")] {
            let mut panel = measured.panel(&name, value, ("ms", 1.0), rounds)?;
            panel.title = format!("{name}, {title}");
            for java in peers(&panel) {
                panel.difference(WASM, java, Some(TARGET));
            }
            panel.difference(WASM, WASM_AGAIN, None);
            benchmark.panels.push(panel);
        }
        for (value, title) in PARTS {
            let mut panel = measured.panel(&name, value, ("ms", 1.0), rounds)?;
            panel.title = format!("{name}, {title}, median of a job");
            for java in peers(&panel) {
                panel.difference(WASM, java, None);
            }
            benchmark.panels.push(panel);
        }
        let mut panel = measured.panel(&name, "rowsPerSecond", ("million rows a second", 1e6), rounds)?;
        panel.title = format!("{name}, speed meanwhile");
        for java in peers(&panel) {
            panel.ratio(WASM, java, None);
        }
        panel.ratio(WASM, WASM_AGAIN, None);
        benchmark.panels.push(panel);
    }
    Ok(benchmark)
}
