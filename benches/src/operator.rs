//! `operator`: whole Flink jobs in one JVM. The jobs are in `jvm/`.

use anyhow::Result;

use crate::guest::Component;
use crate::jvm::{Measurements, Times};
use crate::result::{Benchmark, Target};
use crate::sidecar::{Connection, Sidecar};

const HEAP: &str = "1g";

/// Ratios of the report, by workload.
const RATIOS: &[(&str, &str, &str, Option<Target>)] = &[
    ("identity", "wasm", "echo", Some(Target::AtLeast(0.9))),
    ("identity", "wasm", "no operator", None),
    ("tax", "wasm", "Java map", Some(Target::AtLeast(0.7))),
    ("tax", "wasm, tables", "Java SQL function", Some(Target::AtLeast(0.7))),
    ("filter-10", "wasm", "Java filter", None),
];

/// The variant that is run twice a round, and its second run.
const TWICE: (&str, &str) = ("wasm", "wasm again");

/// Runs all workloads in one JVM.
pub(crate) fn run(rounds: usize, times: &Times) -> Result<Benchmark> {
    let mut benchmark = Benchmark::new(
        "operator",
        "Jobs of source, operator and sink in one task, one after the other in one JVM with an embedded cluster, parallelism 1, object reuse \
         as in our jobs, no checkpoints. The source puts out the same rows for every variant, made before; the sink reads every column, and \
         count and checksum of each job are compared with what must come out. Rows are counted at the source.",
    );
    let components = [("identity", "identity"), ("tax", "tax"), ("filter-10", "large-order")];
    let mut built = Vec::new();
    for (workload, name) in components {
        built.push((workload, Component::build(name)?));
    }
    let cache = tempfile::tempdir()?;
    let (sidecar, echo) = (Sidecar::start(&cache.path().join("compiled"))?, Sidecar::start_echo()?);
    let mut arguments: Vec<String> = Vec::new();
    for (workload, component) in &built {
        // From here on the sidecar has the component: the jobs need no bundle on their class path.
        Connection::connect(&sidecar.socket())?.open(component)?;
        arguments.extend([format!("--{workload}"), component.digest()]);
        benchmark.fact(&format!("Component of `{workload}`"), format!("{} bytes", component.bytes.len()));
    }
    arguments.extend(["--sidecar".into(), sidecar.socket().display().to_string()]);
    arguments.extend(["--echo".into(), echo.socket().display().to_string()]);
    arguments.extend(times.arguments(rounds));
    benchmark
        .fact("Rounds", format!("{rounds}, variants interleaved, {} s measured of each job", times.window));
    benchmark.fact(
        "Excluded",
        format!(
            "a job of {} s of each variant before the first round, and the first {} s of each job",
            times.warm_up, times.lead
        ),
    );
    benchmark.fact("Bundles", "1000 rows, 256 KiB, 10 ms, 2 in flight (defaults)");
    let measured = Measurements::of("OperatorBenchmark", HEAP, &arguments, &mut benchmark)?;
    for workload in measured.panels() {
        let mut panel = measured.panel(&workload, "rowsPerSecond", ("million rows a second", 1e6), rounds)?;
        for (_, above, below, target) in RATIOS.iter().filter(|(name, ..)| *name == workload) {
            panel.ratio(above, below, *target);
        }
        panel.ratio(TWICE.0, TWICE.1, None);
        benchmark.panels.push(panel);
    }
    Ok(benchmark)
}
