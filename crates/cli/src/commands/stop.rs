//! `flink-wasm stop`: ends a job with a savepoint, from which it can go on.

use std::time::{Duration, Instant};

use clap::Args;
use flink_wasm_diagnostic::{Code, Diagnostic, Result};
use flink_wasm_flink_rest::{FlinkRest, Job, Savepoint, condense, embedded_diagnostic};
use serde_json::json;

use super::{Cluster, Outcome};
use crate::{files, output};

/// How often the savepoint's progress is asked for.
const POLL: Duration = Duration::from_millis(250);

/// End a job with a savepoint, from which `submit --from-savepoint` goes on.
#[derive(Args)]
pub struct Options {
    /// Job id, 32 hex digits.
    job_id: String,
    #[command(flatten)]
    cluster: Cluster,
    #[command(flatten)]
    savepoint: SavepointOptions,
}

/// Where a savepoint goes, and how long it may take.
#[derive(Args)]
pub struct SavepointOptions {
    /// Folder for the savepoint, which all Flink processes reach; default: `execution.checkpointing.savepoint-dir` of the cluster.
    #[arg(long, value_name = "DIR")]
    savepoint_dir: Option<String>,
    /// Seconds to wait for the savepoint.
    #[arg(long, value_name = "SECONDS", default_value = "600")]
    savepoint_timeout: u64,
}

pub fn run(options: Options) -> Outcome {
    let cluster = options.cluster.connect()?;
    let (job, savepoint) = stop(&cluster, &options.job_id, &options.savepoint)?;
    let stopped = json!({ "jobId": job.jid, "name": job.name, "state": job.state, "savepoint": savepoint });
    output::data(&stopped, || savepoint.clone());
    Ok(())
}

/// Stops a job with a savepoint and waits until it has ended; where the savepoint is.
pub fn stop(cluster: &FlinkRest, job_id: &str, options: &SavepointOptions) -> Result<(Job, String)> {
    let job = cluster.job(job_id)?;
    if job.is_terminal() {
        return Err(Diagnostic::new(
            Code::ClusterRefused,
            format!("job {job_id} has ended already: it is {}", job.state),
        )
        .help("its last checkpoint, if it was kept, can be given to `submit --from-savepoint`"));
    }
    let folder = options.savepoint_dir.as_deref().map(files::location).transpose()?;
    output::status("Stopping", format!("{} with a savepoint", job.name));
    let request = cluster.stop(job_id, folder.as_deref()).map_err(|error| match folder {
        None if error.code == Code::ClusterRefused => error.help(
            "name a folder with `--savepoint-dir`, or set `execution.checkpointing.savepoint-dir` for the cluster",
        ),
        _ => error,
    })?;
    let since = Instant::now();
    let savepoint = loop {
        match cluster.savepoint(job_id, &request)? {
            Savepoint::InProgress if since.elapsed().as_secs() >= options.savepoint_timeout => {
                return Err(late(cluster, job_id, options));
            }
            Savepoint::InProgress => std::thread::sleep(POLL),
            Savepoint::Completed(location) => break location,
            Savepoint::Failed(trace) => return Err(refused(cluster, job_id, &trace)),
        }
    };
    output::status("Savepoint", &savepoint);
    // The job ends only after its savepoint, when every task has.
    loop {
        let job = cluster.job(job_id)?;
        if job.is_terminal() {
            output::status("Ended", format!("{} {}", job.name, job.state));
            return Ok((job, savepoint));
        }
        if since.elapsed().as_secs() >= options.savepoint_timeout {
            return Err(late(cluster, job_id, options).note(format!("savepoint {savepoint}")));
        }
        std::thread::sleep(POLL);
    }
}

fn late(cluster: &FlinkRest, job_id: &str, options: &SavepointOptions) -> Diagnostic {
    let seconds = options.savepoint_timeout;
    Diagnostic::new(
        Code::JobFailed,
        format!("the job has not ended with a savepoint within {seconds} s; Flink is still at it"),
    )
    .note(format!("job {job_id}, {}", cluster.web_ui(job_id)))
    .help(
        "the web UI shows how far the savepoint is and where it will be; `--savepoint-timeout` waits longer",
    )
}

fn refused(cluster: &FlinkRest, job_id: &str, trace: &str) -> Diagnostic {
    let problem = embedded_diagnostic(trace).unwrap_or_else(|| {
        let causes = condense(trace);
        let what =
            causes.last().cloned().unwrap_or_else(|| "Flink made no savepoint and names no cause".to_owned());
        let problem = Diagnostic::new(Code::ClusterRefused, format!("no savepoint was made: {what}"));
        causes.into_iter().rev().skip(1).take(3).fold(problem, Diagnostic::note)
    });
    let state = cluster.job(job_id).map_or_else(|error| error.message, |job| job.state);
    problem.note(format!("job {job_id} is {state}, {}", cluster.web_ui(job_id)))
}
