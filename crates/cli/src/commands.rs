//! The subcommands.

use clap::Subcommand;
use flink_wasm_diagnostic::Diagnostic;

use crate::problems::Problems;

mod build;
mod cancel;
mod completions;
mod doctor;
mod explain;
mod inspect;
mod new;
mod pack;
mod replay;
mod run;
mod sidecar;
mod status;
mod stop;
mod submit;
mod test;
mod upgrade;
mod verify;

pub use status::failure;

/// What a subcommand ends with: done, or everything that was wrong.
pub type Outcome = Result<(), Problems>;

/// The subcommands of `flink-wasm`.
#[derive(Subcommand)]
pub enum Command {
    New(new::Options),
    Build(build::Options),
    Test(test::Options),
    Replay(replay::Options),
    Pack(pack::Options),
    Inspect(inspect::Options),
    Verify(verify::Options),
    Explain(explain::Options),
    Run(run::Options),
    Submit(submit::Options),
    Status(status::Options),
    Cancel(cancel::Options),
    Stop(stop::Options),
    Upgrade(upgrade::Options),
    Sidecar(sidecar::Options),
    Doctor(doctor::Options),
    Completions(completions::Options),
}

/// Runs a subcommand.
pub fn run(command: Command) -> Outcome {
    match command {
        Command::New(options) => new::run(options),
        Command::Build(options) => build::run(options),
        Command::Test(options) => test::run(options),
        Command::Replay(options) => replay::run(options),
        Command::Pack(options) => pack::run(options),
        Command::Inspect(options) => inspect::run(options),
        Command::Verify(options) => verify::run(options),
        Command::Explain(options) => explain::run(options),
        Command::Run(options) => run::run(options),
        Command::Submit(options) => submit::run(options),
        Command::Status(options) => status::run(options),
        Command::Cancel(options) => cancel::run(options),
        Command::Stop(options) => stop::run(options),
        Command::Upgrade(options) => upgrade::run(options),
        Command::Sidecar(options) => sidecar::run(options),
        Command::Doctor(options) => doctor::run(options),
        Command::Completions(options) => completions::run(options),
    }
}

/// Where a Flink cluster is; shared by the subcommands that talk to one.
#[derive(clap::Args)]
pub struct Cluster {
    /// REST address of the JobManager.
    #[arg(long, value_name = "URL", env = "FLINK_WASM_JOBMANAGER", default_value = "http://localhost:8081")]
    jobmanager: String,
    /// Header that goes with every request, such as `Authorization: Bearer ...`. May be repeated.
    #[arg(long = "header", value_name = "NAME: VALUE")]
    headers: Vec<String>,
}

impl Cluster {
    /// A client of that cluster.
    pub fn connect(&self) -> Result<flink_wasm_flink_rest::FlinkRest, Diagnostic> {
        let mut headers = Vec::new();
        for header in &self.headers {
            let (name, value) = header.split_once(':').unwrap_or((header, ""));
            headers.push((name.trim().to_owned(), value.trim().to_owned()));
        }
        flink_wasm_flink_rest::FlinkRest::new(&self.jobmanager, &headers)
    }
}
