//! `flink-wasm submit`: runs a bundle on a Flink cluster.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;
use flink_wasm_diagnostic::{Code, Diagnostic};
use flink_wasm_flink_rest::{FlinkRest, Job, RunRequest};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::{Cluster, Outcome, status};
use crate::{home, job_jar, jvm, output};

/// How often the job's state is asked for.
const POLL: Duration = Duration::from_millis(250);

/// Run a bundle on a Flink cluster.
#[derive(Args)]
pub struct Options {
    /// The bundle.
    bundle: PathBuf,
    #[command(flatten)]
    cluster: Cluster,
    /// Subtasks of each operator; default: what the job says, else 1.
    #[arg(long, short)]
    parallelism: Option<u32>,
    /// Where the sidecars listen, on every task manager's machine.
    #[arg(long, value_name = "PATH")]
    sidecar_socket: Option<PathBuf>,
    /// Job id to use, 32 hex digits; asking again with the same id starts nothing twice.
    #[arg(long, value_name = "HEX")]
    job_id: Option<String>,
    /// Seconds to wait for the job to run.
    #[arg(long, value_name = "SECONDS", default_value = "120")]
    timeout: u64,
    /// Wait until the job has ended.
    #[arg(long)]
    wait: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Submitted<'a> {
    job_id: &'a str,
    name: &'a str,
    state: &'a str,
    digest: &'a str,
    web_ui: String,
}

pub fn run(options: Options) -> Outcome {
    let bundle = flink_wasm_bundle::read_file(&options.bundle)?;
    let job_id = options.job_id.clone().unwrap_or_else(|| fresh_job_id(bundle.digest()));
    if job_id.len() != 32 || !job_id.chars().all(|c| c.is_ascii_hexdigit()) {
        return Err(Diagnostic::new(Code::Usage, format!("`{job_id}` is no job id"))
            .help("a job id has 32 hex digits")
            .into());
    }
    let cluster = options.cluster.connect()?;
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

    let folder = tempfile::tempdir().map_err(|error| Diagnostic::new(Code::Io, error.to_string()))?;
    let jar = folder.path().join(format!("flink-wasm-{}.jar", &bundle.digest()["sha256:".len()..][..8]));
    job_jar::write(&home::runtime_jar()?, &bundle, &jar)?;
    let size = std::fs::metadata(&jar).map_or(0, |file| file.len());
    output::status("Uploading", format!("{} ({})", output::short(bundle.digest()), output::size(size)));
    let jar_id = cluster.upload_jar(&jar)?;
    let started = start(&cluster, &jar_id, &job_id, &options);
    // The job's classes are in the blob server by now, or the job never started: the upload is of no more use.
    let removed = cluster.delete_jar(&jar_id);
    started?;
    if let Err(error) = removed {
        output::warning(format!("the uploaded jar {jar_id} could not be removed: {}", error.message));
    }
    let job = wait(&cluster, &job_id, &options)?;
    let submitted = Submitted {
        job_id: &job.jid,
        name: &job.name,
        state: &job.state,
        digest: bundle.digest(),
        web_ui: cluster.web_ui(&job.jid),
    };
    output::status(&capitalised(&job.state), format!("job {} {:?}", job.jid, job.name));
    output::data(&submitted, || {
        format!("job     {}\ndigest  {}\nweb UI  {}", submitted.job_id, submitted.digest, submitted.web_ui)
    });
    Ok(())
}

fn start(cluster: &FlinkRest, jar_id: &str, job_id: &str, options: &Options) -> Result<(), Diagnostic> {
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
    };
    match cluster.run_jar(jar_id, &request) {
        Ok(_) => Ok(()),
        // A lost answer, or the same id asked for again: what counts is whether the job is there.
        Err(_) if cluster.job(job_id).is_ok() => Ok(()),
        Err(error) => Err(error),
    }
}

/// Waits for RUNNING, or with `--wait` for the end.
fn wait(cluster: &FlinkRest, job_id: &str, options: &Options) -> Result<Job, Diagnostic> {
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
            "FAILED" | "CANCELED" => return Err(status::failure(cluster, job_id)),
            "RUNNING" if !options.wait && job.vertices.iter().all(|vertex| runs(&vertex.status)) => {
                return Ok(job);
            }
            _ => {}
        }
        if !options.wait && since.elapsed() > Duration::from_secs(options.timeout) {
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

fn capitalised(state: &str) -> String {
    let lower = state.to_lowercase();
    let (first, rest) = lower.split_at(1.min(lower.len()));
    first.to_uppercase() + rest
}

/// A new id: two submissions of one bundle are two jobs.
fn fresh_job_id(digest: &str) -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let seed = format!("{digest} {} {}", now.as_nanos(), std::process::id());
    hex::encode(&Sha256::digest(seed)[..16])
}
