//! What the sidecar counts, as Prometheus reads it.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use flink_wasm_diagnostic::Code;
use flink_wasm_engine::LimiterUse;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

/// Bundles take 10 us to some seconds.
const BUNDLE_SECONDS: [f64; 9] = [25e-6, 100e-6, 400e-6, 1.6e-3, 6.4e-3, 25e-3, 0.1, 1.0, 10.0];

/// All counters; made once, shared by all threads.
pub(crate) struct Metrics {
    registry: Registry,
    pub(crate) connections: Gauge,
    pub(crate) connections_total: Counter,
    pub(crate) connections_refused: Counter,
    pub(crate) reserved_bytes: Gauge,
    pub(crate) bundles: Counter,
    pub(crate) rows: Counter,
    pub(crate) bytes_in: Counter,
    pub(crate) bytes_out: Counter,
    bundle_seconds: Histogram,
    guest_seconds: Counter<f64, AtomicU64>,
    opened: Family<[(&'static str, &'static str); 1], Counter>,
    errors: Family<[(&'static str, &'static str); 1], Counter>,
    failures: Family<[(&'static str, &'static str); 1], Counter>,
    permits: Family<[(&'static str, String); 2], Counter>,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let mut registry = Registry::with_prefix("flink_wasm_sidecar");
        macro_rules! register {
            ($name:literal, $help:literal, $metric:expr) => {{
                let metric = $metric;
                registry.register($name, $help, metric.clone());
                metric
            }};
        }
        let connections = register!("connections", "Subtasks connected", Gauge::default());
        let connections_total = register!("connections_accepted", "Connections accepted", Counter::default());
        let connections_refused =
            register!("connections_refused", "Connections refused for want of room", Counter::default());
        let reserved_bytes = register!(
            "reserved_memory_bytes",
            "Linear memory that open functions may use together",
            Gauge::default()
        );
        let bundles = register!("bundles", "Bundles answered", Counter::default());
        let rows = register!("rows", "Rows given to functions", Counter::default());
        let bytes_in = register!("received_bytes", "Payload of bundles", Counter::default());
        let bytes_out = register!("sent_bytes", "Replies with their headers", Counter::default());
        let bundle_seconds = Histogram::new(BUNDLE_SECONDS);
        registry.register_with_unit("bundle", "Time of one bundle", Unit::Seconds, bundle_seconds.clone());
        let guest_seconds = Counter::<f64, AtomicU64>::default();
        registry.register_with_unit("guest", "Time in functions", Unit::Seconds, guest_seconds.clone());
        let opened =
            register!("functions_opened", "Functions opened, by where the code came from", Family::default());
        let errors = register!("errors", "Connections ended by an error, by code", Family::default());
        let failures = register!(
            "failures",
            "Rows and timers that failed without ending a connection, by code",
            Family::default()
        );
        let permits = register!(
            "limiter_permits",
            "Permits that functions asked rate limiters for, by limiter and answer",
            Family::default()
        );
        Self {
            registry,
            connections,
            connections_total,
            connections_refused,
            reserved_bytes,
            bundles,
            rows,
            bytes_in,
            bytes_out,
            bundle_seconds,
            guest_seconds,
            opened,
            errors,
            failures,
            permits,
        }
    }

    pub(crate) fn bundle(&self, rows: u64, bytes_in: usize, bytes_out: usize, time: Duration) {
        self.bundles.inc();
        self.rows.inc_by(rows);
        self.bytes_in.inc_by(bytes_in as u64);
        self.bytes_out.inc_by(bytes_out as u64);
        self.bundle_seconds.observe(time.as_secs_f64());
        self.guest_seconds.inc_by(time.as_secs_f64());
    }

    pub(crate) fn opened(&self, cached: bool) {
        self.opened.get_or_create(&[("code", if cached { "cached" } else { "compiled" })]).inc();
    }

    pub(crate) fn error(&self, code: Code) {
        self.errors.get_or_create(&[("code", code.as_str())]).inc();
    }

    pub(crate) fn failures(&self, codes: &[Code]) {
        for code in codes {
            self.failures.get_or_create(&[("code", code.as_str())]).inc();
        }
    }

    pub(crate) fn limiters(&self, used: &[LimiterUse]) {
        for LimiterUse { name, granted, refused } in used {
            for (answer, permits) in [("granted", granted), ("refused", refused)] {
                let labels = [("limiter", name.clone()), ("answer", answer.to_owned())];
                self.permits.get_or_create(&labels).inc_by(*permits);
            }
        }
    }

    /// The OpenMetrics text, which Prometheus reads.
    pub(crate) fn render(&self) -> String {
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}
