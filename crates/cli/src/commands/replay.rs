//! `flink-wasm replay`: a row or timer that failed in a job fails again, here.

use std::path::{Path, PathBuf};

use clap::Args;
use flink_wasm_diagnostic::{Code, Diagnostic, Result};
use flink_wasm_harness::Function;
use flink_wasm_harness::capsule::{Capsule, CapsuleItem, MAX_CAPSULE_BYTES, replay};
use flink_wasm_harness_component::Component as Executor;
use serde_json::json;

use super::Outcome;
use crate::component::{self, Component};
use crate::{files, output};

/// Run the row or timer of a crash capsule again.
#[derive(Args)]
pub struct Options {
    /// The capsule: a file that a sidecar wrote into its `--capsule-dir`.
    capsule: PathBuf,
    /// The component to run it on, or the folder of a function crate that was built.
    #[arg(long, required_unless_present = "bundle", conflicts_with = "bundle")]
    component: Option<PathBuf>,
    /// The bundle in which the component is.
    #[arg(long)]
    bundle: Option<PathBuf>,
}

pub fn run(options: Options) -> Outcome {
    let place = options.capsule.display().to_string();
    let at = |error: Diagnostic| error.file(place.clone());
    let text = files::read_bounded(&options.capsule, "the crash capsule", MAX_CAPSULE_BYTES)?;
    let text = String::from_utf8(text)
        .map_err(|_| at(Diagnostic::new(Code::MalformedJob, "not a crash capsule: it is not UTF-8")))?;
    let capsule = Capsule::parse(&text).map_err(at)?;
    let component = match (&options.component, &options.bundle) {
        (Some(path), _) => component::load(path)?.1,
        (None, Some(path)) => of_bundle(path, &capsule)?,
        (None, None) => return Err(Diagnostic::new(Code::Usage, "no component to replay it on").into()),
    };
    let is_same_component = component.digest == capsule.component;
    if !is_same_component {
        output::warning(format!(
            "this is another component ({}) than that which failed ({})",
            output::short(&component.digest),
            output::short(&capsule.component)
        ));
    }
    output::status("Replaying", item(&capsule));
    let descriptor = serde_json::to_value(&component.descriptor).unwrap_or_default();
    let executor = Box::new(Executor::new(component.load()?));
    let failure = replay(&capsule, Function::from_descriptor(&descriptor)?, executor).map_err(at)?;
    let is_same = failure.as_ref().is_some_and(|failure| is_same_failure(failure, &capsule.error));
    output::data(
        &json!({
            "same": is_same, "sameComponent": is_same_component, "expected": capsule.error, "got": failure,
        }),
        || report(&capsule.error, failure.as_ref(), is_same),
    );
    if is_same {
        return Ok(());
    }
    Err(at(Diagnostic::new(Code::SamplesFailed, "the replay went otherwise than the capsule says"))
        .help("a component that was changed since may have no fault any more, or another one")
        .into())
}

/// Places in the code may differ, as in a component that was built with line tables.
fn is_same_failure(one: &Diagnostic, other: &Diagnostic) -> bool {
    (one.code, &one.message) == (other.code, &other.message)
}

fn of_bundle(path: &Path, capsule: &Capsule) -> Result<Component> {
    let bundle = flink_wasm_bundle::read_file(path)?;
    match bundle.component(&capsule.component) {
        Some(bytes) => component::inspect(bytes),
        None => {
            let held = bundle.components().map(|(digest, title, _)| format!("{digest} {title}"));
            Err(Diagnostic::new(
                Code::MissingPart,
                format!("the bundle does not hold the component {} of the capsule", capsule.component),
            )
            .file(path.display().to_string())
            .note(format!("it holds:\n{}", held.collect::<Vec<_>>().join("\n")))
            .help("name the bundle of the job that failed; `--component FILE` runs any component"))
        }
    }
}

fn item(capsule: &Capsule) -> String {
    let key = serde_json::Value::Object(capsule.key.clone());
    let what = match &capsule.item {
        CapsuleItem::Row { row, .. } => format!("row {row}"),
        CapsuleItem::EventTimeTimer(timestamp) => format!("event-time timer {timestamp}"),
        CapsuleItem::ProcessingTimeTimer(timestamp) => format!("processing-time timer {timestamp}"),
    };
    format!("{what} of key {key} through {}", capsule.function)
}

fn report(expected: &Diagnostic, got: Option<&Diagnostic>, is_same: bool) -> String {
    let shown = |failure: &Diagnostic| {
        let notes: String = failure
            .notes
            .iter()
            .flat_map(|note| note.lines())
            .map(|line| format!("         {line}\n"))
            .collect();
        format!("{} {}\n{notes}", failure.code, failure.message)
    };
    let got = got.map_or("nothing failed\n".to_owned(), shown);
    match is_same {
        true => format!("same     {got}"),
        false => format!("FAIL     {got}expected {}", shown(expected)),
    }
}
