//! `operator`: whole Flink jobs in one JVM. The jobs are in `jvm/`; this compiles them, starts what they need, and reads their numbers.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::guest::Component;
use crate::result::{Benchmark, Panel, Target};
use crate::sidecar::{Connection, Sidecar};

const FLINK_VERSION: &str = "2.2.0";
const RUNTIME_JAR: &str = "flink/target/flink-wasm-runtime.jar";
const MAIN_CLASS: &str = "org.flinkwasm.benches.OperatorBenchmark";
const JVM_OPTIONS: [&str; 3] = ["-Xms1g", "-Xmx1g", "-XX:+UseG1GC"];

/// What Flink reads by reflection; see `flink/flink-home/README.md`.
const OPENS: [&str; 8] = [
    "--add-opens=java.base/java.lang=ALL-UNNAMED",
    "--add-opens=java.base/java.net=ALL-UNNAMED",
    "--add-opens=java.base/java.io=ALL-UNNAMED",
    "--add-opens=java.base/java.nio=ALL-UNNAMED",
    "--add-opens=java.base/java.time=ALL-UNNAMED",
    "--add-opens=java.base/java.util=ALL-UNNAMED",
    "--add-opens=java.base/java.util.concurrent=ALL-UNNAMED",
    "--add-opens=java.base/sun.nio.ch=ALL-UNNAMED",
];

/// How long jobs run, in seconds.
pub(crate) struct Times {
    /// The job of each variant before the first round.
    pub(crate) warm_up: f64,
    /// The start of each job, which is not measured.
    pub(crate) lead: f64,
    /// What is measured.
    pub(crate) window: f64,
}

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
    arguments.extend(["--rounds".into(), rounds.to_string(), "--warm-up".into(), times.warm_up.to_string()]);
    arguments.extend(["--lead".into(), times.lead.to_string(), "--seconds".into(), times.window.to_string()]);
    benchmark
        .fact("Rounds", format!("{rounds}, variants interleaved, {} s measured of each job", times.window));
    benchmark.fact(
        "Excluded",
        format!(
            "a job of {} s of each variant before the first round, and the first {} s of each job",
            times.warm_up, times.lead
        ),
    );
    benchmark.fact("JVM", JVM_OPTIONS.join(" "));
    benchmark.fact("Bundles", "1000 rows, 256 KiB, 10 ms, 2 in flight (defaults)");
    benchmark.panels = measure(&arguments, &mut benchmark.facts)?;
    for panel in &mut benchmark.panels {
        let title = panel.title.clone();
        for (_, above, below, target) in RATIOS.iter().filter(|(workload, ..)| *workload == title) {
            panel.ratio(above, below, *target);
        }
        panel.ratio(TWICE.0, TWICE.1, None);
        ensure!(
            panel.series.iter().all(|series| series.samples.len() == rounds),
            "a run of `{}` is missing",
            panel.title
        );
    }
    Ok(benchmark)
}

fn measure(arguments: &[String], facts: &mut Vec<(String, String)>) -> Result<Vec<Panel>> {
    let class_path = compile()?;
    let mut command = Command::new("java");
    command.args(JVM_OPTIONS).args(OPENS).args(["-cp", &class_path, MAIN_CLASS]).args(arguments);
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().context("java can't be started")?;
    let mut panels: Vec<Panel> = Vec::new();
    for line in BufReader::new(child.stdout.take().context("stdout is piped")?).lines() {
        let line = line?;
        eprintln!("{line}");
        let Ok(event) = serde_json::from_str::<Value>(&line) else { continue };
        if let Some(version) = event["flink"].as_str() {
            facts.push(("Flink".into(), version.into()));
        }
        let (Some(workload), Some(variant), Some(round), Some(speed)) = (
            event["workload"].as_str(),
            event["variant"].as_str(),
            event["round"].as_u64(),
            event["rowsPerSecond"].as_f64(),
        ) else {
            continue;
        };
        if round == 0 {
            continue;
        }
        if panels.last().is_none_or(|panel| panel.title != workload) {
            panels.push(Panel::new(workload, "million rows a second"));
        }
        let Some(panel) = panels.last_mut() else { continue };
        match panel.series.iter_mut().find(|series| series.name == variant) {
            Some(series) => series.samples.push(speed / 1e6),
            None => panel.series(variant, vec![speed / 1e6], None),
        }
    }
    let status = child.wait()?;
    if !status.success() {
        bail!("the jobs ended with {status}; the JVM's messages stand above");
    }
    Ok(panels)
}

/// Compiles the jobs; the class path to run them with.
fn compile() -> Result<String> {
    let classes = Path::new("target/bench/classes");
    std::fs::create_dir_all(classes)?;
    let libraries = format!("{RUNTIME_JAR}:{}/lib/*", flink_home()?.display());
    let sources = std::fs::read_dir("benches/jvm/src/org/flinkwasm/benches")?;
    let sources = sources.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    let mut javac = Command::new("javac");
    javac.args(["--release", "17", "-d"]).arg(classes).args(["-cp", &libraries]).args(sources);
    let status = javac.status().context("javac can't be started")?;
    ensure!(status.success(), "the jobs of benches/jvm do not compile");
    Ok(format!("{}:benches/jvm/conf:{libraries}", classes.display()))
}

/// `FLINK_HOME`, or one that is assembled once as `flink/flink-home/README.md` says.
fn flink_home() -> Result<PathBuf> {
    if let Some(home) = std::env::var_os("FLINK_HOME") {
        return Ok(home.into());
    }
    let home = Path::new("target/bench").join(format!("flink-{FLINK_VERSION}"));
    if !home.join("lib").is_dir() {
        let output = std::env::current_dir()?.join(&home).join("lib");
        let mut maven = Command::new("mvn");
        maven.args(["-B", "-q", "-f", "flink/flink-home/pom.xml", "dependency:copy-dependencies"]);
        maven
            .arg(format!("-Dflink.version={FLINK_VERSION}"))
            .arg(format!("-DoutputDirectory={}", output.display()));
        ensure!(
            maven.status().context("mvn can't be started")?.success(),
            "Maven could not assemble Flink {FLINK_VERSION}"
        );
    }
    Ok(home)
}
