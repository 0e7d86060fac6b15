//! `flink-wasm-bench`: measures speed, side by side with the peer, and checks what came out.
//!
//! Run it from the root of the repository, after `make build`; `make bench` does both.

use std::path::Path;
use std::time::Duration;

use anyhow::{Result, ensure};
use clap::{Parser, ValueEnum};
use jvm::Times;

mod boundary;
mod checkpoint;
mod count;
mod demo;
mod growth;
mod guest;
mod jvm;
mod keyed;
mod latency;
mod machine;
mod memory;
mod operator;
mod plot;
mod report;
mod result;
mod sidecar;
mod start;
mod statistics;

/// Measures the speed of flink-wasm.
#[derive(Parser)]
struct Options {
    /// What to measure; all when none is named.
    names: Vec<Name>,
    /// A smoke check: everything runs and is checked, briefly. Its report goes to target/bench/results.
    #[arg(long)]
    quick: bool,
    /// Only write the report again, from the results that are there.
    #[arg(long)]
    report: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Name {
    Operator,
    Keyed,
    Checkpoint,
    Latency,
    Growth,
    Boundary,
    Start,
    Memory,
    Demo,
}

impl Name {
    const ALL: [(Name, &str); 9] = [
        (Name::Operator, "operator"),
        (Name::Keyed, "keyed"),
        (Name::Checkpoint, "checkpoint"),
        (Name::Latency, "latency"),
        (Name::Growth, "growth"),
        (Name::Boundary, "boundary"),
        (Name::Start, "start"),
        (Name::Memory, "memory"),
        (Name::Demo, "demo"),
    ];
}

fn main() -> Result<()> {
    let options = Options::parse();
    ensure!(Path::new("benches/Cargo.toml").exists(), "run this from the root of the repository");
    let folder = Path::new(if options.quick { "target/bench/results" } else { "benches/results" });
    for (name, text) in Name::ALL {
        let is_wanted = options.names.is_empty() || options.names.contains(&name);
        if !is_wanted || options.report {
            continue;
        }
        eprintln!("== {text}");
        let before = machine::load();
        let mut benchmark = measure(name, options.quick)?;
        benchmark.facts.extend(machine::facts());
        benchmark.fact("Load average before, after", format!("{before}, {}", machine::load()));
        benchmark.save(folder)?;
    }
    report::write(folder, &Name::ALL.map(|(_, text)| text))?;
    eprintln!("wrote {}", folder.join("report.md").display());
    Ok(())
}

/// Full runs are as long as a median needs to be stable; quick ones only show that everything works.
fn measure(name: Name, is_quick: bool) -> Result<result::Benchmark> {
    let milliseconds = |full, quick| Duration::from_millis(if is_quick { quick } else { full });
    let rounds = |full| if is_quick { 2 } else { full };
    let times = match is_quick {
        true => Times { warm_up: 1.0, lead: 0.5, window: 1.0 },
        false => Times { warm_up: 8.0, lead: 1.0, window: 6.0 },
    };
    match name {
        Name::Operator => operator::run(rounds(5), &times),
        Name::Keyed => keyed::run(rounds(4), &times),
        Name::Checkpoint => checkpoint::run(rounds(4), &times),
        Name::Latency => latency::run(rounds(4), &times),
        Name::Growth if is_quick => growth::run(5_000_000, 12),
        Name::Growth => growth::run(100_000_000, 60),
        Name::Boundary => boundary::run(rounds(15), milliseconds(500, 50)),
        Name::Start => start::run(rounds(5)),
        Name::Memory => memory::run(rounds(5), milliseconds(5000, 500)),
        Name::Demo => demo::run(rounds(5)),
    }
}
