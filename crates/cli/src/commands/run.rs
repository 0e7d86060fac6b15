//! `flink-wasm run`: a bundle, or a job definition, on a Flink embedded in one JVM.

use std::path::PathBuf;

use clap::Args;
use flink_wasm_diagnostic::{Code, Diagnostic};
use serde_json::Value;

use super::Outcome;
use crate::jvm::Jvm;
use crate::rows::Printer;
use crate::sidecar_process::Sidecar;
use crate::{home, job, job_jar, output};

/// Run a bundle here, on a Flink embedded in one JVM.
#[derive(Args)]
pub struct Options {
    /// The bundle, or a job definition that is packed first.
    job: PathBuf,
    /// Subtasks of each operator; default: what the job says, else 1.
    #[arg(long, short)]
    parallelism: Option<u32>,
}

pub fn run(options: Options) -> Outcome {
    let bundle = if options.job.extension().is_some_and(|extension| extension == "json") {
        job::pack(&job::Request::new(&options.job))?.0
    } else {
        flink_wasm_bundle::read_file(&options.job)?
    };
    let folder = tempfile::tempdir().map_err(|error| Diagnostic::new(Code::Io, error.to_string()))?;
    let jar = folder.path().join("job.jar");
    job_jar::write(&home::runtime_jar()?, &bundle, &jar)?;

    let mut arguments = vec!["run".to_owned()];
    let sidecar = if bundle.config().functions.is_empty() { None } else { Some(Sidecar::start()?) };
    if let Some(sidecar) = &sidecar {
        arguments.extend(["--sidecar-socket".to_owned(), sidecar.socket().display().to_string()]);
    }
    if let Some(parallelism) = options.parallelism {
        arguments.extend(["--parallelism".to_owned(), parallelism.to_string()]);
    }
    output::status("Starting", format!("Flink in one JVM for {}", output::short(bundle.digest())));
    let mut jvm = Jvm::start(&jar, &arguments)?;
    let ended = follow(&mut jvm);
    jvm.finish(ended.is_some())?;
    match ended {
        Some(Ok(())) | None => {}
        Some(Err(error)) => return Err(error.into()),
    }
    output::status("Digest", bundle.digest());
    Ok(())
}

/// Reads events until the job has ended; `None` when the runtime ended without saying how.
fn follow(jvm: &mut Jvm) -> Option<Result<(), Diagnostic>> {
    let mut printer = Printer::default();
    let mut ended = None;
    while let Some(event) = jvm.next() {
        match event["event"].as_str().unwrap_or_default() {
            "submitted" => output::status(
                "Submitted",
                format!("job {} {}", event["jobId"].as_str().unwrap_or_default(), event["name"]),
            ),
            "state" if event["state"] == "RUNNING" => output::status("Running", "the job"),
            "progress" => output::status("Progress", counts(&event)),
            "row" => printer.row(&event["row"]),
            "finished" if event["state"] == "FINISHED" => {
                printer.finish();
                output::status("Finished", counts(&event));
                ended = Some(Ok(()));
            }
            "finished" => {
                let state = event["state"].as_str().unwrap_or("unknown");
                ended.get_or_insert(Err(Diagnostic::new(Code::JobFailed, format!("the job ended {state}"))));
            }
            "error" => {
                printer.finish();
                ended = Some(Err(job::runtime_error(&event["error"])));
            }
            _ => {}
        }
    }
    ended
}

fn counts(event: &Value) -> String {
    let seconds = event["elapsedMs"].as_f64().unwrap_or_default() / 1e3;
    format!("{} rows in, {} rows out, {seconds:.1} s", event["recordsIn"], event["recordsOut"])
}
