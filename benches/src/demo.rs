//! `demo`: what a user waits for `make demo` when everything is built.

use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Result, ensure};

use crate::result::{Benchmark, Panel, Target};

/// Seconds.
const TARGET: Target = Target::AtMost(60.0);

/// Runs `make demo` once to build what is missing, then measures it.
pub(crate) fn run(rounds: usize) -> Result<Benchmark> {
    let mut benchmark = Benchmark::new(
        "demo",
        "`make demo` from start to exit with everything built: build the functions, pack, run the job in an embedded cluster. Every run must \
         succeed and put out the rows that the first one did.",
    );
    benchmark.fact("Rounds", format!("{rounds}, after one that is not measured"));
    let (_, expected) = demo()?;
    benchmark.fact("Rows", expected.len());
    ensure!(!expected.is_empty(), "the demo puts out no rows");
    let mut samples = Vec::new();
    for _ in 0..rounds {
        let (seconds, rows) = demo()?;
        ensure!(rows == expected, "the demo put out {} rows, the first run {}", rows.len(), expected.len());
        samples.push(seconds);
    }
    let mut panel = Panel::new("make demo, warm", "seconds");
    panel.series("wall time", samples, Some(TARGET));
    benchmark.panels.push(panel);
    Ok(benchmark)
}

/// Seconds, and the sorted rows.
fn demo() -> Result<(f64, Vec<String>)> {
    let started = Instant::now();
    let output = Command::new("make").arg("demo").stdin(Stdio::null()).stderr(Stdio::inherit()).output()?;
    let seconds = started.elapsed().as_secs_f64();
    ensure!(output.status.success(), "make demo failed: {}", output.status);
    let text = String::from_utf8_lossy(&output.stdout);
    // The results are a table: what follows its rule.
    let table = text.lines().skip_while(|line| !line.starts_with("---")).skip(1);
    let mut rows: Vec<String> = table.map(str::to_owned).collect();
    rows.sort();
    Ok((seconds, rows))
}
