//! `flink-wasm cancel`: ends a job on a cluster.

use std::time::Duration;

use clap::Args;

use super::{Cluster, Outcome};
use crate::output;

/// How often the job's state is asked for while it ends.
const POLL: Duration = Duration::from_millis(200);

/// Cancel a job and wait until it has ended.
#[derive(Args)]
pub struct Options {
    /// Job id, 32 hex digits.
    job_id: String,
    #[command(flatten)]
    cluster: Cluster,
}

pub fn run(options: Options) -> Outcome {
    let cluster = options.cluster.connect()?;
    let before = cluster.job(&options.job_id)?;
    if !before.is_terminal() {
        cluster.cancel(&options.job_id)?;
    }
    let mut job = before;
    while !job.is_terminal() {
        std::thread::sleep(POLL);
        job = cluster.job(&options.job_id)?;
    }
    output::status("Ended", format!("{} {}", job.name, job.state));
    output::data(&job, || job.state.clone());
    Ok(())
}
