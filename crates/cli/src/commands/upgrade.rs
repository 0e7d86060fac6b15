//! `flink-wasm upgrade`: another bundle takes over the state of a running job.

use std::path::PathBuf;

use clap::Args;
use flink_wasm_diagnostic::Diagnostic;
use flink_wasm_flink_rest::FlinkRest;
use serde::Serialize;

use super::stop::{self, SavepointOptions};
use super::{Cluster, Outcome, explain};
use crate::submission::{self, StartOptions, Upload};
use crate::{output, state};

/// Stop a job with a savepoint and start a bundle from it, if the bundle can go on with the job's state.
#[derive(Args)]
pub struct Options {
    /// Id of the running job, 32 hex digits.
    job: String,
    /// The bundle that takes over.
    bundle: PathBuf,
    #[command(flatten)]
    cluster: Cluster,
    #[command(flatten)]
    savepoint: SavepointOptions,
    #[command(flatten)]
    start: StartOptions,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Upgraded<'a> {
    job_id: &'a str,
    name: &'a str,
    state: &'a str,
    digest: &'a str,
    previous_job_id: &'a str,
    previous_digest: &'a str,
    savepoint: &'a str,
    web_ui: String,
}

pub fn run(options: Options) -> Outcome {
    let bundle = flink_wasm_bundle::read_file(&options.bundle)?;
    let new = explain::plan_of(&bundle, &options.bundle)?.operator_states();
    let job_id = options.start.job_id(bundle.digest())?;
    let cluster = submission::connect(&options.cluster)?;
    let running = state::of_job(&cluster, &options.job)?;
    state::check(&running.states, &new, options.start.allow_non_restored_state)
        .map_err(|problems| problems.map(|problem| problem.note(format!("job {} runs on", options.job))))?;
    output::status("Checked", format!("the state of {} fits the bundle", counted(running.states.len())));

    // All that can fail without the old job's end has been done before it ends.
    let upload = Upload::new(&cluster, &bundle)?;
    let (_, savepoint) = stop::stop(&cluster, &options.job, &options.savepoint)?;
    let job = upload
        .start(&job_id, &options.start, Some(&savepoint))
        .and_then(|()| submission::wait(&cluster, &job_id, &options.start, false))
        .map_err(|problem| way_back(&cluster, problem, &job_id, &savepoint, &running.digest))?;
    let upgraded = Upgraded {
        job_id: &job.jid,
        name: &job.name,
        state: &job.state,
        digest: bundle.digest(),
        previous_job_id: &options.job,
        previous_digest: &running.digest,
        savepoint: &savepoint,
        web_ui: cluster.web_ui(&job.jid),
    };
    output::status(&submission::capitalised(&job.state), format!("job {} {:?}", job.jid, job.name));
    output::data(&upgraded, || {
        format!(
            "job        {}\ndigest     {}\nsavepoint  {savepoint}\nweb UI     {}",
            upgraded.job_id, upgraded.digest, upgraded.web_ui
        )
    });
    Ok(())
}

fn counted(operators: usize) -> String {
    if operators == 1 { "1 operator".to_owned() } else { format!("{operators} operators") }
}

/// The old job has ended and the new one does not run: how to go on with the old one, from the same row on.
fn way_back(
    cluster: &FlinkRest,
    mut problem: Diagnostic,
    job_id: &str,
    savepoint: &str,
    digest: &str,
) -> Diagnostic {
    if let Some(help) = problem.help.take() {
        problem.notes.push(help);
    }
    // A job that has not begun to run may still do so, and then two jobs would go on from one savepoint.
    let cancel = match cluster.job(job_id) {
        Ok(job) if !job.is_terminal() => format!("`flink-wasm cancel {job_id}`, then "),
        _ => String::new(),
    };
    problem
        .note(format!("the old job has ended with the savepoint {savepoint}, and nothing of it is lost"))
        .help(format!("to get it back: {cancel}`flink-wasm submit OLD --from-savepoint {savepoint}`, where OLD is its bundle, {digest}"))
}
