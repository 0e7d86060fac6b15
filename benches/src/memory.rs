//! `memory`: what a sidecar with one small function holds.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::guest::Guest;
use crate::result::{Benchmark, Panel, Target};
use crate::sidecar::{Connection, Sidecar};

/// Resident memory of a sidecar that found its function compiled, in MiB.
const TARGET: Target = Target::AtMost(40.0);

/// Runs `tax` for a while, in a sidecar that compiled it and in one that found it compiled, and reads `/proc`.
pub(crate) fn run(rounds: usize, warm: Duration) -> Result<Benchmark> {
    let guest = Guest::tax()?;
    let mut benchmark = Benchmark::new(
        "memory",
        "Resident memory of the sidecar (`/proc/<pid>/status`) after a run of `tax` on one connection, every reply checked.",
    );
    benchmark.fact("Rounds", format!("{rounds}, {} ms of bundles each", warm.as_millis()));
    let (mut cached, mut compiled) = (Sizes::default(), Sizes::default());
    for _ in 0..rounds {
        let cache = tempfile::tempdir()?;
        let directory = cache.path().join("compiled");
        compiled.add(&sidecar_after_run(&directory, &guest, warm)?)?;
        cached.add(&sidecar_after_run(&directory, &guest, warm)?)?;
    }
    for (title, sizes, target) in
        [("function found compiled", cached, Some(TARGET)), ("function compiled here", compiled, None)]
    {
        let mut panel = Panel::new(title, "MiB");
        panel.series("resident", sizes.resident, target);
        panel.series("of that anonymous", sizes.anonymous, None);
        panel.series("of that files", sizes.files, None);
        panel.series("highest resident", sizes.highest, None);
        benchmark.panels.push(panel);
    }
    Ok(benchmark)
}

#[derive(Default)]
struct Sizes {
    resident: Vec<f64>,
    anonymous: Vec<f64>,
    files: Vec<f64>,
    highest: Vec<f64>,
}

impl Sizes {
    fn add(&mut self, Running { sidecar, .. }: &Running) -> Result<()> {
        self.resident.push(sidecar.memory_mib("VmRSS")?);
        self.anonymous.push(sidecar.memory_mib("RssAnon")?);
        self.files.push(sidecar.memory_mib("RssFile")?);
        self.highest.push(sidecar.memory_mib("VmHWM")?);
        Ok(())
    }
}

/// A sidecar whose connection is still open: the memory of the instance counts.
struct Running {
    sidecar: Sidecar,
    _connection: Connection,
}

fn sidecar_after_run(cache: &Path, guest: &Guest, warm: Duration) -> Result<Running> {
    let sidecar = Sidecar::start(cache)?;
    let mut connection = Connection::connect(&sidecar.socket())?;
    connection.open(&guest.component)?;
    let started = Instant::now();
    let mut id = 0;
    while started.elapsed() < warm {
        id += 1;
        guest.check(connection.run(id, &guest.bundle)?)?;
    }
    Ok(Running { sidecar, _connection: connection })
}
