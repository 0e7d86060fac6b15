//! Starts a bundle's job on a cluster; shared by `submit` and `upgrade`.

use std::time::{Duration, Instant};

use clap::Args;
use flink_wasm_bundle::Bundle;
use flink_wasm_diagnostic::{Code, Diagnostic, Result};
use flink_wasm_flink_rest::{FlinkRest, Job, RunRequest};
use sha2::{Digest, Sha256};

use crate::commands::failure;
use crate::{home, job_jar, jvm, output};

/// How often the job's state is asked for.
const POLL: Duration = Duration::from_millis(250);

/// How a job is started.
#[derive(Args)]
pub struct StartOptions {
    /// Subtasks of each operator; default: what the job says, else 1.
    #[arg(long, short)]
    parallelism: Option<u32>,
    /// Where the sidecars listen, on every task manager's machine.
    #[arg(long, value_name = "PATH")]
    sidecar_socket: Option<std::path::PathBuf>,
    /// Job id to use, 32 hex digits; asking again with the same id starts nothing twice.
    #[arg(long, value_name = "HEX")]
    job_id: Option<String>,
    /// Seconds to wait for the job to run.
    #[arg(long, value_name = "SECONDS", default_value = "120")]
    timeout: u64,
    /// Give up state that nothing in the bundle goes on with.
    #[arg(long)]
    pub allow_non_restored_state: bool,
}

impl StartOptions {
    /// The id that was asked for, or a new one: two submissions of one bundle are two jobs.
    pub fn job_id(&self, digest: &str) -> Result<String> {
        match &self.job_id {
            Some(id) if id.len() == 32 && id.chars().all(|c| c.is_ascii_hexdigit()) => Ok(id.clone()),
            Some(id) => Err(Diagnostic::new(Code::Usage, format!("`{id}` is no job id"))
                .help("a job id has 32 hex digits")),
            None => Ok(fresh_job_id(digest)),
        }
    }
}

/// Connects, and says to what.
pub fn connect(cluster: &crate::commands::Cluster) -> Result<FlinkRest> {
    let cluster = cluster.connect()?;
    let overview = cluster.overview()?;
    output::status(
        "Connected",
        format!(
            "{}, Flink {}, {} of {} slots free",
            cluster.url(),
            overview.flink_version,
            overview.slots_available,
            overview.slots_total
        ),
    );
    Ok(cluster)
}

/// A bundle in a job's jar on the cluster.
pub struct Upload<'a> {
    cluster: &'a FlinkRest,
    jar_id: String,
}

impl<'a> Upload<'a> {
    /// Uploads a bundle.
    pub fn new(cluster: &'a FlinkRest, bundle: &Bundle) -> Result<Self> {
        let folder = tempfile::tempdir().map_err(|error| Diagnostic::new(Code::Io, error.to_string()))?;
        let jar = folder.path().join(format!("flink-wasm-{}.jar", &bundle.digest()["sha256:".len()..][..8]));
        job_jar::write(&home::runtime_jar()?, bundle, &jar)?;
        let size = std::fs::metadata(&jar).map_or(0, |file| file.len());
        output::status("Uploading", format!("{} ({})", output::short(bundle.digest()), output::size(size)));
        Ok(Self { cluster, jar_id: cluster.upload_jar(&jar)? })
    }

    /// Starts the job, from a savepoint when there is one.
    pub fn start(&self, job_id: &str, options: &StartOptions, savepoint: Option<&str>) -> Result<()> {
        let mut program_args_list = vec!["submit".to_owned()];
        if let Some(socket) = &options.sidecar_socket {
            program_args_list.extend(["--sidecar-socket".to_owned(), socket.display().to_string()]);
        }
        if let Some(parallelism) = options.parallelism {
            program_args_list.extend(["--parallelism".to_owned(), parallelism.to_string()]);
        }
        let request = RunRequest {
            entry_class: jvm::MAIN_CLASS.to_owned(),
            program_args_list,
            parallelism: options.parallelism,
            job_id: job_id.to_owned(),
            savepoint_path: savepoint.map(str::to_owned),
            allow_non_restored_state: options.allow_non_restored_state,
        };
        match self.cluster.run_jar(&self.jar_id, &request) {
            Ok(_) => Ok(()),
            // A lost answer, or the same id asked for again: what counts is whether the job is there.
            Err(_) if self.cluster.job(job_id).is_ok() => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// The job's classes are in the blob server once it was started, or it never will be: the upload is of no more use.
impl Drop for Upload<'_> {
    fn drop(&mut self) {
        if let Err(error) = self.cluster.delete_jar(&self.jar_id) {
            output::warning(format!(
                "the uploaded jar {} could not be removed: {}",
                self.jar_id, error.message
            ));
        }
    }
}

/// Waits for RUNNING, or `to_its_end`.
pub fn wait(cluster: &FlinkRest, job_id: &str, options: &StartOptions, to_its_end: bool) -> Result<Job> {
    let since = Instant::now();
    let mut last = String::new();
    loop {
        let job = cluster.job(job_id)?;
        if job.state != last {
            last.clone_from(&job.state);
            output::status(&capitalised(&job.state), &job.name);
        }
        match job.state.as_str() {
            "FINISHED" => return Ok(job),
            "FAILED" | "CANCELED" => return Err(failure(cluster, job_id)),
            "RUNNING" if !to_its_end && job.vertices.iter().all(|vertex| runs(&vertex.status)) => {
                return Ok(job);
            }
            _ => {}
        }
        if !to_its_end && since.elapsed() > Duration::from_secs(options.timeout) {
            return Err(Diagnostic::new(Code::JobFailed, format!("the job did not run within {} s; it is {}", options.timeout, job.state))
                .note(format!("job {job_id}, {}", cluster.web_ui(job_id)))
                .help("it was not cancelled: look at the web UI (are there enough slots? does a sidecar listen?), or `flink-wasm cancel` it"));
        }
        std::thread::sleep(POLL);
    }
}

fn runs(state: &str) -> bool {
    matches!(state, "RUNNING" | "FINISHED")
}

/// `RUNNING` as a verb of progress.
pub fn capitalised(state: &str) -> String {
    let lower = state.to_lowercase();
    let (first, rest) = lower.split_at(1.min(lower.len()));
    first.to_uppercase() + rest
}

fn fresh_job_id(digest: &str) -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let seed = format!("{digest} {} {}", now.as_nanos(), std::process::id());
    hex::encode(&Sha256::digest(seed)[..16])
}
