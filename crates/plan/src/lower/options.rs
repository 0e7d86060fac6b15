//! `metadata`: parallelism and options.

use std::collections::BTreeMap;

use flink_wasm_diagnostic::{Code, Diagnostic};
use flink_wasm_ir::{JobDefinition, Source, SqlMode};

use super::Lowering;
use crate::Functions;

/// Options of Flink, and ours, that a job may set.
const PREFIXES: &[&str] = &[
    "execution.",
    "flink-wasm.",
    "parallelism.",
    "pipeline.",
    "restart-strategy.",
    "state.",
    "table.",
    "taskmanager.",
];

/// Greatest parallelism that Flink takes (`KeyGroupRangeAssignment.UPPER_BOUND_MAX_PARALLELISM`).
const MAX_PARALLELISM: i32 = 1 << 15;

/// Whether a key is an option of Flink's, and not one of FlinkDotnet's own notes.
pub(super) fn is_option(key: &str) -> bool {
    key == "restart-strategy" || PREFIXES.iter().any(|prefix| key.starts_with(prefix))
}

/// What a job says and its run will not look at, and rows of it that go nowhere.
pub fn warnings(job: &JobDefinition, functions: &Functions) -> Vec<Diagnostic> {
    let mut warnings = Vec::new();
    let mut unused = |pointer: &str, key: &str| {
        let escaped = flink_wasm_ir::pointer_segment(key);
        warnings.push(
            Diagnostic::new(
                Code::UnsupportedPart,
                format!("`{key}` is not an option of Flink's and is not used"),
            )
            .pointer(format!("{pointer}/{escaped}"))
            .note(format!("options begin with {}", PREFIXES.join(", "))),
        );
    };
    for key in job.metadata.properties.keys().filter(|key| !is_option(key)) {
        unused("/metadata/properties", key);
    }
    if let Source::Sql(sql) = &job.source {
        for key in sql.properties.keys().filter(|key| !is_option(key)) {
            unused("/source/properties", key);
        }
    }
    warnings.extend(super::process::dropped_side_outputs(job, functions));
    warnings
}

impl Lowering<'_> {
    pub(super) fn options(&mut self) -> BTreeMap<String, String> {
        if let Some(parallelism) = self.job.metadata.parallelism
            && !(1..=MAX_PARALLELISM).contains(&parallelism)
        {
            let message = format!("`parallelism` is {parallelism}; it must be from 1 to {MAX_PARALLELISM}");
            self.problem(Code::MalformedJob, "/metadata/parallelism", message);
        }
        let mut options = BTreeMap::new();
        let mut set = |key: &str, value: &str| {
            if is_option(key) {
                options.insert(key.to_owned(), value.to_owned());
            }
        };
        if let Source::Sql(sql) = &self.job.source {
            set(
                "execution.runtime-mode",
                match sql.mode {
                    SqlMode::Streaming => "STREAMING",
                    SqlMode::Batch => "BATCH",
                },
            );
            sql.properties.iter().for_each(|(key, value)| set(key, value));
            for statement in &sql.statements {
                if let Some((key, value)) = super::statements::set_option(statement) {
                    set(&key, &value);
                }
            }
        }
        self.job.metadata.properties.iter().for_each(|(key, value)| set(key, value));
        options
    }
}
