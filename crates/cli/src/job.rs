//! From a job definition to a bundle: read, lower, have Flink's planner resolve it, pack.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use flink_wasm_bundle::{Bundle, BundleBuilder};
use flink_wasm_diagnostic::{Code, Diagnostic, Result, nearest};
use flink_wasm_ir::{JobDefinition, MAX_JOB_BYTES};
use flink_wasm_plan::{Functions, Plan};
use serde_json::Value;

use crate::component::{self, Component};
use crate::jvm::Jvm;
use crate::problems::Problems;
use crate::{files, output};

/// What is to be packed, and how.
pub struct Request {
    job: PathBuf,
    components: BTreeMap<String, PathBuf>,
    offline: bool,
}

impl Request {
    /// The job definition at `job`, resolved by Flink's planner.
    pub fn new(job: &Path) -> Self {
        Self { job: job.to_path_buf(), components: BTreeMap::new(), offline: false }
    }

    /// Takes components from elsewhere than the definition says: `NAME=PATH` each.
    pub fn components(mut self, overrides: &[String]) -> Result<Self> {
        for text in overrides {
            let Some((name, path)) = text.split_once('=') else {
                return Err(Diagnostic::new(Code::Usage, format!("`{text}` is not of the form NAME=PATH")));
            };
            self.components.insert(name.to_owned(), PathBuf::from(path));
        }
        Ok(self)
    }

    /// Without asking Flink's planner.
    pub fn offline(mut self, offline: bool) -> Self {
        self.offline = offline;
        self
    }
}

/// A job that was lowered and, unless offline, resolved.
pub struct Prepared {
    /// The definition as it was read, with digests for components.
    pub definition: JobDefinition,
    /// What Flink will run.
    pub plan: Plan,
    /// The components by the names under which the job calls them.
    pub components: BTreeMap<String, Component>,
}

/// Reads, lowers and resolves a job definition.
pub fn prepare(request: &Request) -> std::result::Result<Prepared, Problems> {
    let text = read_text(&request.job)?;
    let file = request.job.display().to_string();
    let in_file = |error: Diagnostic| {
        let error = flink_wasm_ir::place(&text, error);
        if error.location.file.is_none() { error.file(file.clone()) } else { error }
    };
    let all_in_file = |problems: Problems| problems.map(in_file);

    let parsed = flink_wasm_ir::parse(&text).map_err(in_file)?;
    let mut definition = parsed.job;
    let warn = |odd: Diagnostic| {
        let odd = in_file(odd);
        let place = odd.location.line.map(|line| format!("{file}:{line}: ")).unwrap_or_default();
        output::warning(format!("{place}{}", odd.message));
    };
    parsed.warnings.into_iter().for_each(warn);
    let components = load_components(request, &definition).map_err(all_in_file)?;
    let mut functions = Functions::new();
    for (name, component) in &components {
        if let Some(function) = definition.functions.get_mut(name) {
            function.component.clone_from(&component.digest);
        }
        functions.insert(name.clone(), component.function());
    }
    flink_wasm_plan::warnings(&definition, &functions).into_iter().for_each(warn);
    let mut plan =
        flink_wasm_plan::lower(&definition, &functions).map_err(|problems| all_in_file(problems.into()))?;
    if !request.offline {
        output::status("Resolving", format!("{} with Flink's planner", plan.name));
        let answer = resolve(&plan)?;
        if !answer["error"].is_null() {
            return Err(in_file(flink_wasm_plan::explain_runtime_error(
                &definition,
                &text,
                &answer["error"],
            ))
            .into());
        }
        plan.relations = serde_json::from_value(answer["relations"].clone())
            .map_err(|error| Diagnostic::new(Code::Internal, format!("the job runtime's answer: {error}")))?;
    }
    Ok(Prepared { definition, plan, components })
}

/// [`prepare`], then everything under one digest.
pub fn pack(request: &Request) -> std::result::Result<(Bundle, Prepared), Problems> {
    let prepared = prepare(request)?;
    let mut builder = BundleBuilder::new(&prepared.plan.name);
    builder =
        builder.ir(prepared.definition.to_json().into_bytes()).plan(prepared.plan.to_json().into_bytes());
    for (name, component) in &prepared.components {
        let descriptor = serde_json::to_value(&component.descriptor)
            .map_err(|error| Diagnostic::new(Code::Internal, format!("a descriptor: {error}")))?;
        let function = flink_wasm_bundle::Function { component: component.digest.clone(), descriptor };
        builder = builder.function(name, function).component(format!("{name}.wasm"), component.bytes.clone());
    }
    Ok((Bundle::parse(builder.build()?)?, prepared))
}

/// An error that the job runtime told, without a definition to find its place in.
pub fn runtime_error(error: &Value) -> Diagnostic {
    let mut known = error.clone();
    let extra = |name: &str| error[name].as_str().map(|value| format!("{name} {value}"));
    let row = error["row"].as_u64().map(|row| format!("row {row} of its bundle"));
    let facts: Vec<String> = [extra("function"), extra("component"), row].into_iter().flatten().collect();
    if known["location"].is_null() {
        known["location"] = serde_json::json!({});
    }
    let diagnostic = serde_json::from_value::<Diagnostic>(known).unwrap_or_else(|_| {
        Diagnostic::new(Code::JobFailed, error["message"].as_str().unwrap_or("the job failed").to_owned())
    });
    if facts.is_empty() { diagnostic } else { diagnostic.note(facts.join(", ")) }
}

fn read_text(path: &Path) -> Result<String> {
    let what = "the job definition";
    String::from_utf8(files::read_bounded(path, what, MAX_JOB_BYTES)?).map_err(|error| {
        Diagnostic::new(Code::Io, format!("can't read {what}: {error}")).file(path.display().to_string())
    })
}

fn load_components(
    request: &Request,
    definition: &JobDefinition,
) -> std::result::Result<BTreeMap<String, Component>, Problems> {
    let folder = request.job.parent().unwrap_or(Path::new(""));
    let mut components = BTreeMap::new();
    let mut problems = Vec::new();
    for name in request.components.keys().filter(|name| !definition.functions.contains_key(*name)) {
        let problem = Diagnostic::new(
            Code::UnknownFunction,
            format!("`--component {name}=..` names no function of the job"),
        );
        problems.push(match nearest(name, definition.functions.keys().map(String::as_str)) {
            Some(near) => problem.help(format!("did you mean `{near}`?")),
            None => problem,
        });
    }
    for (name, function) in &definition.functions {
        let pointer = format!("/functions/{}/component", flink_wasm_ir::pointer_segment(name));
        let path = match request.components.get(name) {
            Some(path) => path.clone(),
            None if function.component.is_empty() || function.component.starts_with("sha256:") => {
                problems.push(
                    Diagnostic::new(Code::MissingPart, format!("where is the component of `{name}`?"))
                        .pointer(pointer)
                        .help(format!("give a path here, or on the command line: `--component {name}=PATH`")),
                );
                continue;
            }
            None => folder.join(&function.component),
        };
        match component::load(&path) {
            Ok((file, component)) => {
                output::status(
                    "Using",
                    format!("{name} from {} ({})", file.display(), output::short(&component.digest)),
                );
                components.insert(name.clone(), component);
            }
            Err(problem) => problems.push(problem.note(format!("function `{name}` of the job"))),
        }
    }
    if problems.is_empty() { Ok(components) } else { Err(problems.into()) }
}

fn resolve(plan: &Plan) -> Result<Value> {
    let failed = |error: std::io::Error| Diagnostic::new(Code::Io, format!("can't write the plan: {error}"));
    let mut file = tempfile::NamedTempFile::new().map_err(failed)?;
    std::io::Write::write_all(&mut file, plan.to_json().as_bytes()).map_err(failed)?;
    let mut jvm =
        Jvm::start_plain(&["resolve".to_owned(), "--plan".to_owned(), file.path().display().to_string()])?;
    let answer = jvm.next();
    jvm.finish(answer.is_some())?;
    Ok(answer.unwrap_or_default())
}
