//! `flink-wasm submit`: runs a bundle on a Flink cluster.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::{Cluster, Outcome, explain};
use crate::submission::{self, StartOptions, Upload};
use crate::{files, output, state};

/// Run a bundle on a Flink cluster.
#[derive(Args)]
pub struct Options {
    /// The bundle.
    bundle: PathBuf,
    #[command(flatten)]
    cluster: Cluster,
    #[command(flatten)]
    start: StartOptions,
    /// Savepoint or checkpoint that the job goes on from.
    #[arg(long, value_name = "PATH")]
    from_savepoint: Option<String>,
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
    let job_id = options.start.job_id(bundle.digest())?;
    let cluster = submission::connect(&options.cluster)?;
    let savepoint = options.from_savepoint.as_deref().map(files::location).transpose()?;
    if let Some(savepoint) = &savepoint {
        let states = explain::plan_of(&bundle, &options.bundle)?.operator_states();
        state::check_savepoint(savepoint, &states, options.start.allow_non_restored_state)?;
    }
    Upload::new(&cluster, &bundle)?.start(&job_id, &options.start, savepoint.as_deref())?;
    let job = submission::wait(&cluster, &job_id, &options.start, options.wait)?;
    let submitted = Submitted {
        job_id: &job.jid,
        name: &job.name,
        state: &job.state,
        digest: bundle.digest(),
        web_ui: cluster.web_ui(&job.jid),
    };
    output::status(&submission::capitalised(&job.state), format!("job {} {:?}", job.jid, job.name));
    output::data(&submitted, || {
        format!("job     {}\ndigest  {}\nweb UI  {}", submitted.job_id, submitted.digest, submitted.web_ui)
    });
    Ok(())
}
