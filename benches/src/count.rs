//! What the benchmarks of keyed state share: `udfs/count` in a sidecar, and the function in Java beside it.

use anyhow::Result;

use crate::guest::Component;
use crate::jvm::Times;
use crate::result::{Benchmark, Panel};
use crate::sidecar::{Connection, Sidecar};

/// Heap of the JVM: a million keys on it, and room to collect.
pub(crate) const HEAP: &str = "2g";

/// Our operator.
pub(crate) const WASM: &str = "wasm";

/// Our operator again: what differs is noise.
pub(crate) const WASM_AGAIN: &str = "wasm again";

/// The same in Java; the second where state is on the heap and under full load, see `CountVariants.java`.
const PEERS: [&str; 2] = ["Java", "Java, counts from 1000"];

/// The peers that this panel has.
pub(crate) fn peers(panel: &Panel) -> Vec<&'static str> {
    PEERS.into_iter().filter(|peer| panel.has(peer)).collect()
}

/// What every one of them does.
pub(crate) const JOB: &str = "A job of source, exchange by key, function and sink: two tasks, parallelism 1, in one JVM with an embedded \
     cluster, object reuse as in our jobs. `udfs/count` counts the rows of each of a million keys in value state; `Java` is the same as a \
     `KeyedProcessFunction`, keyed by a `Long`. The sink compares count and an order-dependent checksum of what came out with \
     what must.";

/// What [`JOB`] does in addition where the second peer is.
pub(crate) const LARGE_COUNTS: &str = "The JVM has an object for each of the numbers up to 127, so that small counts on the heap cost Java no \
     memory; `Java, counts from 1000` has larger ones, as most values are.";

/// A sidecar that has the component.
pub(crate) struct Count {
    sidecar: Sidecar,
    component: Component,
    _cache: tempfile::TempDir,
}

impl Count {
    /// Builds the function and starts the sidecar.
    pub(crate) fn start() -> Result<Self> {
        let component = Component::build("count")?;
        let cache = tempfile::tempdir()?;
        let sidecar = Sidecar::start(&cache.path().join("compiled"))?;
        // From here on the sidecar has the component: the jobs need no bundle on their class path.
        Connection::connect(&sidecar.socket())?.open(&component)?;
        Ok(Self { sidecar, component, _cache: cache })
    }

    /// What the programs of `jvm/` must know of it.
    pub(crate) fn arguments(&self) -> Vec<String> {
        let socket = self.sidecar.socket().display().to_string();
        let process = self.sidecar.id().to_string();
        let known = [("--sidecar", socket), ("--sidecar-pid", process), ("--count", self.component.digest())];
        known.into_iter().flat_map(|(name, value)| [name.to_owned(), value]).collect()
    }

    /// Notes what the function is, how often and how long the jobs run, and what they leave out.
    pub(crate) fn facts(&self, benchmark: &mut Benchmark, rounds: usize, times: &Times) {
        benchmark.fact("Component of `count`", format!("{} bytes", self.component.bytes.len()));
        benchmark.fact(
            "Rounds",
            format!("{rounds}, variants interleaved, {} s measured of each job", times.window),
        );
        benchmark.fact(
            "Excluded",
            format!(
                "a job of {} s of each variant before the first round, and the first {} s of each job",
                times.warm_up, times.lead
            ),
        );
        benchmark.fact("Bundles", "1000 rows, 256 KiB, 3 ms, 2 in flight (defaults)");
    }
}
