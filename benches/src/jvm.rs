//! The JVM in which the jobs of `jvm/` run: they are compiled, started, and asked what they measured.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::result::{Benchmark, Panel};

const FLINK_VERSION: &str = "2.2.0";
const RUNTIME_JAR: &str = "flink/target/flink-wasm-runtime.jar";

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
#[derive(Clone, Copy)]
pub(crate) struct Times {
    /// The job of each variant before the first round.
    pub(crate) warm_up: f64,
    /// The start of each job, which is not measured.
    pub(crate) lead: f64,
    /// What is measured.
    pub(crate) window: f64,
}

impl Times {
    /// As the programs in `jvm/` take them.
    pub(crate) fn arguments(&self, rounds: usize) -> Vec<String> {
        let named = [("--warm-up", self.warm_up), ("--lead", self.lead), ("--seconds", self.window)];
        let mut arguments = vec!["--rounds".to_owned(), rounds.to_string()];
        arguments.extend(named.iter().flat_map(|(name, seconds)| [(*name).to_owned(), seconds.to_string()]));
        arguments
    }
}

/// One run of a job.
struct Measurement {
    panel: String,
    variant: String,
    values: Value,
}

/// What jobs measured, in the order in which they ran; without the runs to warm up.
#[derive(Default)]
pub(crate) struct Measurements(Vec<Measurement>);

impl Measurements {
    /// Runs a program of `jvm/` that prints an object for each of its runs.
    pub(crate) fn of(
        program: &str,
        heap: &str,
        arguments: &[String],
        benchmark: &mut Benchmark,
    ) -> Result<Self> {
        let mut measurements = Self::default();
        run(program, heap, arguments, benchmark, |event| {
            let (panel, variant) = (event["panel"].as_str(), event["variant"].as_str());
            let (Some(panel), Some(variant)) = (panel, variant) else { return };
            if event["round"] != 0 {
                let (panel, variant) = (panel.to_owned(), variant.to_owned());
                measurements.0.push(Measurement { panel, variant, values: event });
            }
        })?;
        Ok(measurements)
    }

    /// The names of panels.
    pub(crate) fn panels(&self) -> Vec<String> {
        let mut names: Vec<String> = self.0.iter().map(|run| run.panel.clone()).collect();
        names.dedup();
        names
    }

    /// One of the measured values, in a unit of so many of what was measured: a series for each variant, a sample for each round.
    pub(crate) fn panel(&self, name: &str, value: &str, unit: (&str, f64), rounds: usize) -> Result<Panel> {
        let mut panel = Panel::new(name, unit.0);
        for run in self.0.iter().filter(|run| run.panel == name) {
            let sample = run.values[value].as_f64();
            let sample = sample.with_context(|| format!("a run of `{name}` has no {value}"))? / unit.1;
            match panel.series.iter_mut().find(|series| series.name == run.variant) {
                Some(series) => series.samples.push(sample),
                None => panel.series(&run.variant, vec![sample], None),
            }
        }
        ensure!(
            panel.series.iter().all(|series| series.samples.len() == rounds),
            "a run of `{name}` is missing"
        );
        Ok(panel)
    }
}

/// Runs a program of `jvm/`, with a heap such as `1g`, and hands over every JSON object that it prints.
pub(crate) fn run(
    program: &str,
    heap: &str,
    arguments: &[String],
    benchmark: &mut Benchmark,
    mut event: impl FnMut(Value),
) -> Result<()> {
    let class_path = compile()?;
    let options =
        [format!("-Xms{heap}"), format!("-Xmx{heap}"), "-Xmn512m".to_owned(), "-XX:+UseG1GC".to_owned()];
    benchmark.fact("JVM", options.join(" "));
    let mut command = Command::new("java");
    command.args(&options).args(OPENS).args(["-cp", &class_path]);
    command.arg(format!("org.flinkwasm.benches.{program}")).args(arguments);
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().context("java can't be started")?;
    for line in BufReader::new(child.stdout.take().context("stdout is piped")?).lines() {
        let line = line?;
        eprintln!("{line}");
        let Ok(printed) = serde_json::from_str::<Value>(&line) else { continue };
        match printed["flink"].as_str() {
            Some(version) => benchmark.fact("Flink", version),
            None => event(printed),
        }
    }
    let status = child.wait()?;
    if !status.success() {
        bail!("the jobs ended with {status}; the JVM's messages stand above");
    }
    Ok(())
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
