//! `latency`: how long a row takes at a moderate rate.

use anyhow::Result;

use crate::count::{Count, HEAP, JOB, WASM, WASM_AGAIN, peers};
use crate::jvm::{Measurements, Times};
use crate::result::{Benchmark, Target};

const ROWS_PER_SECOND: u32 = 50_000;

/// Flink's default of 100 ms would hide what an operator adds.
const BUFFER_TIMEOUT: &str = "1 ms";

/// How much longer than Java's rows ours may take at the 99th percentile, in milliseconds: the time of a bundle.
const TARGET: Target = Target::AtMost(10.0);

/// Runs `count` on rows that come at a fixed rate.
pub(crate) fn run(rounds: usize, times: &Times) -> Result<Benchmark> {
    let mut benchmark = Benchmark::new(
        "latency",
        format!(
            "{JOB} Rows come at a fixed rate and have the moment when they were due as timestamp; the sink takes the time of every row. \
             Keys as Zipf's law with exponent 1.1 has it, heap state, no checkpoints."
        ),
    );
    let count = Count::start()?;
    count.facts(&mut benchmark, rounds, times);
    benchmark.fact("Rows a second", ROWS_PER_SECOND);
    benchmark.fact("Buffers of the exchange are flushed", format!("after {BUFFER_TIMEOUT}"));
    let mut arguments = [count.arguments(), times.arguments(rounds)].concat();
    arguments.extend(["--rate".into(), ROWS_PER_SECOND.to_string()]);
    arguments.extend(["--buffer-timeout".into(), BUFFER_TIMEOUT.into()]);
    let measured = Measurements::of("LatencyBenchmark", HEAP, &arguments, &mut benchmark)?;
    for name in measured.panels() {
        for (value, title, target) in
            [("p50Ms", "p50", None), ("p99Ms", "p99", Some(TARGET)), ("maxMs", "longest", None)]
        {
            let mut panel = measured.panel(&name, value, ("ms", 1.0), rounds)?;
            panel.title = format!("{name}, {title}");
            for java in peers(&panel) {
                panel.difference(WASM, java, target);
            }
            panel.difference(WASM, WASM_AGAIN, None);
            benchmark.panels.push(panel);
        }
    }
    Ok(benchmark)
}
