//! `flink-wasm status`: what a cluster runs.

use std::time::Duration;

use clap::Args;
use flink_wasm_diagnostic::{Code, Diagnostic};

use super::{Cluster, Outcome};
use crate::output;

/// Show a job on a cluster, or all its jobs.
#[derive(Args)]
pub struct Options {
    /// Job id, 32 hex digits; without it all jobs are listed.
    job_id: Option<String>,
    #[command(flatten)]
    cluster: Cluster,
}

pub fn run(options: Options) -> Outcome {
    let cluster = options.cluster.connect()?;
    let Some(job_id) = options.job_id else {
        let jobs = cluster.jobs()?;
        let row = |job: &flink_wasm_flink_rest::JobSummary| {
            vec![job.jid.clone(), job.state.clone(), elapsed(job.duration), job.name.clone()]
        };
        output::data(&jobs, || {
            output::table(&["JOB", "STATE", "TIME", "NAME"], &jobs.iter().map(row).collect::<Vec<_>>())
        });
        return Ok(());
    };
    let job = cluster.job(&job_id)?;
    output::data(&job, || {
        let rows: Vec<_> = job
            .vertices
            .iter()
            .map(|vertex| vec![vertex.status.clone(), vertex.parallelism.to_string(), vertex.name.clone()])
            .collect();
        format!("{} {} {}\n{}", job.jid, job.state, elapsed(job.duration), job.name)
            + "\n"
            + &output::table(&["STATE", "SUBTASKS", "OPERATORS"], &rows)
    });
    if job.state == "FAILED" {
        return Err(failure(&cluster, &job_id).into());
    }
    Ok(())
}

/// Why a job failed, as a diagnostic.
pub fn failure(cluster: &flink_wasm_flink_rest::FlinkRest, job_id: &str) -> Diagnostic {
    let trace = cluster.failure(job_id).ok().flatten().unwrap_or_default();
    let diagnostic = flink_wasm_flink_rest::embedded_diagnostic(&trace).unwrap_or_else(|| {
        let causes = flink_wasm_flink_rest::condense(&trace);
        let what =
            causes.last().cloned().unwrap_or_else(|| "the job failed; Flink names no cause".to_owned());
        let diagnostic = Diagnostic::new(Code::JobFailed, what);
        causes.into_iter().rev().skip(1).take(3).fold(diagnostic, Diagnostic::note)
    });
    diagnostic.note(format!("job {job_id}, {}", cluster.web_ui(job_id)))
}

fn elapsed(milliseconds: i64) -> String {
    let seconds = Duration::from_millis(milliseconds.max(0) as u64).as_secs();
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, s) => format!("{s}s"),
        (0, m, s) => format!("{m}m {s:02}s"),
        (h, m, _) => format!("{h}h {m:02}m"),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn times() {
        for (ms, text) in [(999, "0s"), (61_000, "1m 01s"), (3_720_000, "1h 02m"), (-1, "0s")] {
            assert_eq!(super::elapsed(ms), text);
        }
    }
}
