//! `start`: how long it takes until a function is ready for rows.

use std::time::Duration;

use anyhow::{Result, ensure};

use crate::guest::Guest;
use crate::result::{Benchmark, Panel, Target};
use crate::sidecar::{Connection, Sidecar};

/// What a compiled component may take from OPEN to OPENED, in milliseconds.
const TARGET: Target = Target::AtMost(2.0);

/// Starts and connections of each kind in a round.
const WARM_PER_ROUND: usize = 4;

/// Measures `tax`, round by round: an empty cache, then further connections, then fresh processes with that cache.
pub(crate) fn run(rounds: usize) -> Result<Benchmark> {
    let guest = Guest::tax()?;
    let mut benchmark = Benchmark::new(
        "start",
        "From OPEN to OPENED on a unix socket, with `tax`: compiled for the first time; in a fresh process whose cache directory has the \
         native code; on a further connection to the same process. Each connection then runs one bundle whose reply is checked.",
    );
    benchmark.fact("Component", format!("{} bytes", guest.component.bytes.len()));
    benchmark.fact("Samples", format!("{rounds} cold, {} of each other kind", rounds * WARM_PER_ROUND));
    let (mut cold, mut fresh, mut further, mut process) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        let cache = tempfile::tempdir()?;
        let sidecar = Sidecar::start(&cache.path().join("compiled"))?;
        cold.push(open(&sidecar, &guest, false)?);
        for _ in 0..WARM_PER_ROUND {
            further.push(open(&sidecar, &guest, true)?);
        }
        drop(sidecar);
        for _ in 0..WARM_PER_ROUND {
            let sidecar = Sidecar::start(&cache.path().join("compiled"))?;
            process.push(milliseconds(sidecar.start_time));
            fresh.push(open(&sidecar, &guest, true)?);
        }
    }
    let mut panel = Panel::new("OPEN to OPENED", "ms");
    panel.series("cached, fresh process", fresh, Some(TARGET));
    panel.series("cached, further connection", further, Some(TARGET));
    benchmark.panels.push(panel);
    let mut panel = Panel::new("for comparison", "ms");
    panel.series("cold compilation", cold, None);
    panel.series("process start", process, None);
    benchmark.panels.push(panel);
    Ok(benchmark)
}

fn open(sidecar: &Sidecar, guest: &Guest, cached: bool) -> Result<f64> {
    let mut connection = Connection::connect(&sidecar.socket())?;
    let (elapsed, opened) = connection.open(&guest.component)?;
    ensure!(opened.cached == cached, "the sidecar says cached: {}, expected {cached}", opened.cached);
    guest.check(connection.run(1, &guest.bundle)?)?;
    Ok(milliseconds(elapsed))
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
