//! Stopping a job with a savepoint, and what a job says of itself in its parameters.

use std::collections::BTreeMap;

use flink_wasm_diagnostic::Result;
use serde::{Deserialize, Serialize};

use crate::{FlinkRest, not_found};

/// How far a savepoint is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Savepoint {
    /// Flink is at it.
    InProgress,
    /// Done: where it is.
    Completed(String),
    /// It could not be made: a Java stack trace. The job runs on.
    Failed(String),
}

impl FlinkRest {
    /// Asks a job to make a savepoint below `folder` (default: the cluster's own folder) and to end with it; returns the id of the
    /// request. Nothing more is read from the sources, timers do not fire and sinks commit what they hold.
    pub fn stop(&self, job_id: &str, folder: Option<&str>) -> Result<String> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Stop<'a> {
            #[serde(skip_serializing_if = "Option::is_none")]
            target_directory: Option<&'a str>,
            drain: bool,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "kebab-case")]
        struct Triggered {
            request_id: String,
        }
        let request = Stop { target_directory: folder, drain: false };
        let path = self.path(&format!("/jobs/{job_id}/stop"));
        let triggered: Result<Triggered> = self.json(self.http.post(path).json(&request).send());
        Ok(triggered.map_err(|error| not_found(error, job_id))?.request_id)
    }

    /// How far the savepoint of a request of [`FlinkRest::stop`] is.
    pub fn savepoint(&self, job_id: &str, request_id: &str) -> Result<Savepoint> {
        let answer: Answer = self.get(&format!("/jobs/{job_id}/savepoints/{request_id}"))?;
        Ok(answer.into())
    }

    /// The global parameters of a job, as it was started with them.
    pub fn job_parameters(&self, job_id: &str) -> Result<BTreeMap<String, String>> {
        #[derive(Deserialize)]
        #[serde(rename_all = "kebab-case")]
        struct Config {
            execution_config: Option<ExecutionConfig>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "kebab-case")]
        struct ExecutionConfig {
            #[serde(default)]
            user_config: BTreeMap<String, String>,
        }
        let config: Result<Config> = self.get(&format!("/jobs/{job_id}/config"));
        let config = config.map_err(|error| not_found(error, job_id))?;
        Ok(config.execution_config.map(|config| config.user_config).unwrap_or_default())
    }
}

#[derive(Deserialize)]
struct Answer {
    status: Status,
    operation: Option<Operation>,
}

#[derive(Deserialize)]
struct Status {
    id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Operation {
    location: Option<String>,
    failure_cause: Option<FailureCause>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct FailureCause {
    #[serde(default)]
    class: String,
    #[serde(default)]
    stack_trace: String,
}

impl From<Answer> for Savepoint {
    fn from(answer: Answer) -> Self {
        match (answer.status.id.as_str(), answer.operation) {
            ("IN_PROGRESS", _) => Self::InProgress,
            (_, Some(Operation { location: Some(location), .. })) => Self::Completed(location),
            (_, Some(Operation { failure_cause: Some(FailureCause { class, stack_trace }), .. })) => {
                Self::Failed(if stack_trace.is_empty() { class } else { stack_trace })
            }
            (state, _) => Self::Failed(format!(
                "Flink says {state}, and neither where the savepoint is nor why there is none"
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_of_flink() {
        for (answer, savepoint) in [
            (r#"{"status":{"id":"IN_PROGRESS"},"operation":null}"#, Savepoint::InProgress),
            (
                r#"{"status":{"id":"COMPLETED"},"operation":{"location":"file:/s/savepoint-1"}}"#,
                Savepoint::Completed("file:/s/savepoint-1".to_owned()),
            ),
            (
                r#"{"status":{"id":"COMPLETED"},"operation":{"failure-cause":{"class":"a.B","stack-trace":"a.B: no","serialized-throwable":"x"}}}"#,
                Savepoint::Failed("a.B: no".to_owned()),
            ),
        ] {
            assert_eq!(Savepoint::from(serde_json::from_str::<Answer>(answer).unwrap()), savepoint);
        }
    }
}
