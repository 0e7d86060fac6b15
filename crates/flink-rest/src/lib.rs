//! Flink's REST API, typed: the calls that submitting, watching and stopping a job need.
//!
//! Works against Flink 1.20 and 2.x. Knows nothing of bundles or plans. Every error is a
//! [`Diagnostic`]: FW0601 when nobody answers, FW0604 for an unknown job, FW0602 with Flink's own
//! words (its stack traces condensed) for the rest.

use std::path::Path;
use std::time::Duration;

use flink_wasm_diagnostic::{Code, Diagnostic, Result};
use reqwest::blocking::{Response, multipart};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

mod cause;
pub use cause::{condense, embedded_diagnostic};
mod savepoint;
pub use savepoint::Savepoint;

/// How long Flink may take to answer a plain question.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// `main` of a job runs on the JobManager while `run` waits; Flink's own `web.timeout` is 10 min.
const RUN_TIMEOUT: Duration = Duration::from_secs(600);

/// A client of one JobManager.
pub struct FlinkRest {
    base: String,
    http: reqwest::blocking::Client,
}

/// `GET /overview`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Overview {
    /// Task managers that are registered.
    pub taskmanagers: u32,
    /// Slots of all task managers.
    pub slots_total: u32,
    /// Slots that no job holds.
    pub slots_available: u32,
    /// Such as `2.2.0`.
    pub flink_version: String,
}

/// `GET /jobs/:id`, the part that a person asks for.
#[derive(Debug, Deserialize, Serialize)]
pub struct Job {
    /// 32 hex digits.
    pub jid: String,
    /// The job's name.
    pub name: String,
    /// Flink's `JobStatus`, such as `RUNNING`.
    pub state: String,
    /// Milliseconds since the job started.
    pub duration: i64,
    /// Operator chains.
    pub vertices: Vec<Vertex>,
}

impl Job {
    /// Whether the state is final (`JobStatus.isGloballyTerminalState`).
    pub fn is_terminal(&self) -> bool {
        matches!(self.state.as_str(), "FINISHED" | "FAILED" | "CANCELED")
    }
}

/// One operator chain of a job.
#[derive(Debug, Deserialize, Serialize)]
pub struct Vertex {
    /// Vertex id.
    pub id: String,
    /// Names of the chained operators, joined by Flink.
    pub name: String,
    /// Subtasks.
    pub parallelism: u32,
    /// Flink's `ExecutionState` of the whole vertex.
    pub status: String,
    /// Record counts as the web UI shows them.
    #[serde(default)]
    pub metrics: VertexMetrics,
}

/// Record counts of a vertex; zero until Flink has collected them.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct VertexMetrics {
    /// Records that came in over the network.
    pub read_records: u64,
    /// Records that went out over the network.
    pub write_records: u64,
}

/// What `POST /jars/:id/run` is asked for.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RunRequest {
    /// Class with `main`.
    pub entry_class: String,
    /// Arguments of `main`.
    pub program_args_list: Vec<String>,
    /// Always sent: without it Flink takes 1, not the cluster's default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parallelism: Option<u32>,
    /// Our own id, 32 hex digits: asking again can't start the job twice.
    pub job_id: String,
    /// Savepoint that the job goes on from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub savepoint_path: Option<String>,
    /// Whether state of the savepoint that no operator takes is dropped; Flink refuses otherwise.
    pub allow_non_restored_state: bool,
}

impl FlinkRest {
    /// A client of the JobManager at `url`, such as `http://localhost:8081`. `headers` go with every request.
    pub fn new(url: &str, headers: &[(String, String)]) -> Result<Self> {
        let mut map = reqwest::header::HeaderMap::new();
        for (name, value) in headers {
            let name = reqwest::header::HeaderName::try_from(name.as_str());
            let value = reqwest::header::HeaderValue::try_from(value.as_str());
            let (Ok(name), Ok(value)) = (name, value) else {
                return Err(Diagnostic::new(Code::Usage, "a header is not of the form `Name: value`"));
            };
            map.insert(name, value);
        }
        let http = reqwest::blocking::Client::builder()
            .default_headers(map)
            .timeout(REQUEST_TIMEOUT)
            .no_proxy()
            .build()
            .map_err(|error| Diagnostic::new(Code::Internal, format!("HTTP client: {error}")))?;
        let with_scheme = if url.contains("://") { url.to_owned() } else { format!("http://{url}") };
        Ok(Self { base: with_scheme.trim_end_matches('/').to_owned(), http })
    }

    /// The address under which this client asks.
    pub fn url(&self) -> &str {
        &self.base
    }

    /// Where the web UI shows a job.
    pub fn web_ui(&self, job_id: &str) -> String {
        format!("{}/#/job/{job_id}/overview", self.base)
    }

    /// The cluster's size and version.
    pub fn overview(&self) -> Result<Overview> {
        self.get("/overview")
    }

    /// Uploads a jar and returns its id.
    pub fn upload_jar(&self, path: &Path) -> Result<String> {
        #[derive(Deserialize)]
        struct Uploaded {
            filename: String,
        }
        let form = multipart::Form::new().file("jarfile", path).map_err(|error| {
            Diagnostic::new(Code::Io, format!("can't read the job's jar: {error}"))
                .file(path.display().to_string())
        })?;
        let request = self.http.post(self.path("/jars/upload")).multipart(form).timeout(RUN_TIMEOUT);
        let uploaded: Uploaded = self.json(request.send())?;
        // Flink answers with a path on the JobManager; the id is its last segment.
        Ok(uploaded.filename.rsplit('/').next().unwrap_or(&uploaded.filename).to_owned())
    }

    /// Runs `main` of an uploaded jar on the JobManager; returns the id of the job it started.
    pub fn run_jar(&self, jar_id: &str, request: &RunRequest) -> Result<String> {
        #[derive(Deserialize)]
        struct Started {
            jobid: String,
        }
        let path = self.path(&format!("/jars/{jar_id}/run"));
        let started: Started = self.json(self.http.post(path).json(request).timeout(RUN_TIMEOUT).send())?;
        Ok(started.jobid)
    }

    /// Removes an uploaded jar.
    pub fn delete_jar(&self, jar_id: &str) -> Result<()> {
        self.check(self.http.delete(self.path(&format!("/jars/{jar_id}"))).send()).map(drop)
    }

    /// State and operators of a job.
    pub fn job(&self, job_id: &str) -> Result<Job> {
        self.get(&format!("/jobs/{job_id}")).map_err(|error| not_found(error, job_id))
    }

    /// Asks a job to cancel; it has not ended when this returns.
    pub fn cancel(&self, job_id: &str) -> Result<()> {
        let path = self.path(&format!("/jobs/{job_id}?mode=cancel"));
        self.check(self.http.patch(path).send()).map(drop).map_err(|error| not_found(error, job_id))
    }

    /// Why a job failed: the newest exception, or the cause in its result when it failed before it ran.
    pub fn failure(&self, job_id: &str) -> Result<Option<String>> {
        let exceptions: serde_json::Value =
            self.get(&format!("/jobs/{job_id}/exceptions?maxExceptions=1"))?;
        if let Some(trace) = exceptions["exceptionHistory"]["entries"][0]["stacktrace"].as_str() {
            return Ok(Some(trace.to_owned()));
        }
        let result: serde_json::Value = self.get(&format!("/jobs/{job_id}/execution-result"))?;
        let cause = &result["job-execution-result"]["failure-cause"];
        Ok(cause["stack-trace"].as_str().or(cause["class"].as_str()).map(str::to_owned))
    }

    fn path(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        self.json(self.http.get(self.path(path)).send())
    }

    fn json<T: DeserializeOwned>(&self, response: reqwest::Result<Response>) -> Result<T> {
        let response = self.check(response)?;
        let url = response.url().clone();
        response.json().map_err(|error| {
            Diagnostic::new(
                Code::ClusterUnreachable,
                format!("what answers at {url} is not Flink's REST API"),
            )
            .note(error.to_string())
            .help("pass the JobManager's REST address with `--jobmanager http://host:8081`")
        })
    }

    fn check(&self, response: reqwest::Result<Response>) -> Result<Response> {
        let response = response.map_err(|error| {
            let cause = std::iter::successors(Some(&error as &dyn std::error::Error), |e| e.source()).last();
            Diagnostic::new(Code::ClusterUnreachable, format!("no JobManager answers at {}", self.base))
                .note(cause.map(ToString::to_string).unwrap_or_default())
                .help("check that the cluster runs, and pass its REST address with `--jobmanager http://host:8081`")
        })?;
        if response.status().is_success() {
            return Ok(response);
        }
        let status = response.status().as_u16();
        let body = response.text().unwrap_or_default();
        Err(refusal(status, &body))
    }
}

/// HTTP 404 as the first note, so that [`not_found`] can tell it apart.
const NOT_FOUND: &str = "HTTP status 404";

fn refusal(status: u16, body: &str) -> Diagnostic {
    #[derive(Deserialize)]
    struct Errors {
        errors: Vec<String>,
    }
    let text = serde_json::from_str::<Errors>(body).map_or_else(|_| body.to_owned(), |e| e.errors.join("\n"));
    if let Some(diagnostic) = embedded_diagnostic(&text) {
        return diagnostic;
    }
    let causes = condense(&text);
    let mut diagnostic = Diagnostic::new(
        Code::ClusterRefused,
        causes.last().cloned().unwrap_or_else(|| format!("Flink answered with HTTP status {status}")),
    )
    .note(format!("HTTP status {status}"));
    for cause in causes.iter().rev().skip(1).take(3) {
        diagnostic = diagnostic.note(cause.clone());
    }
    diagnostic
}

fn not_found(error: Diagnostic, job_id: &str) -> Diagnostic {
    if error.code == Code::ClusterRefused && error.notes.first().is_some_and(|note| note == NOT_FOUND) {
        return Diagnostic::new(Code::JobNotFound, format!("the cluster knows no job {job_id}"))
            .help("`flink-wasm status` without an id lists the cluster's jobs");
    }
    error
}

/// One line of `GET /jobs/overview`.
#[derive(Debug, Deserialize, Serialize)]
pub struct JobSummary {
    /// 32 hex digits.
    pub jid: String,
    /// The job's name.
    pub name: String,
    /// Flink's `JobStatus`.
    pub state: String,
    /// Milliseconds since the job started.
    pub duration: i64,
}

impl FlinkRest {
    /// The cluster's jobs, running and ended.
    pub fn jobs(&self) -> Result<Vec<JobSummary>> {
        #[derive(Deserialize)]
        struct Jobs {
            jobs: Vec<JobSummary>,
        }
        Ok(self.get::<Jobs>("/jobs/overview")?.jobs)
    }
}
