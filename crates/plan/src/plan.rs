//! The plan, as `docs/plan.md` describes it. Field order is the order in the file.

use std::collections::BTreeMap;

use flink_wasm_ir::{ErrorPolicy, Field, FunctionKind, RateLimiter, SideOutput, State};
use serde::{Deserialize, Serialize};

/// What the JVM runtime executes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Version of the format: 1.
    pub version: u32,
    /// Name of the job in Flink.
    pub name: String,
    /// Parallelism of the job; the cluster's default when absent.
    pub parallelism: Option<i32>,
    /// Flink options of the job.
    pub options: BTreeMap<String, String>,
    /// The functions that steps run.
    pub functions: BTreeMap<String, PlanFunction>,
    /// What to do, in order.
    pub steps: Vec<Step>,
    /// Columns of every table and view; written when Flink has resolved the plan.
    #[serde(default)]
    pub relations: BTreeMap<String, Vec<Field>>,
}

impl Plan {
    /// The version that this crate writes.
    pub const VERSION: u32 = 1;

    /// The text of plan.json.
    pub fn to_json(&self) -> String {
        // Maps with string keys and JSON values only: serde_json can't refuse them.
        serde_json::to_string_pretty(self).unwrap_or_default()
    }
}

/// A function with its parameters and limits. What is empty, or false, is left out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlanFunction {
    /// Digest of the component.
    pub component: String,
    /// What it does with a row.
    pub kind: FunctionKind,
    /// Version of the function.
    pub version: String,
    /// Fields of the input row.
    pub input: Vec<Field>,
    /// Fields of the output row; empty for a filter.
    pub output: Vec<Field>,
    /// Values of all parameters.
    pub parameters: serde_json::Map<String, serde_json::Value>,
    /// Limits on each instance.
    pub limits: Limits,
    /// Process function: the key that it reads, as columns of the step's `key` by position; empty when it reads none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub key: Vec<Field>,
    /// Process function: its keyed state.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub states: Vec<State>,
    /// Process function: its side outputs, in the order in which it counts them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub side_outputs: Vec<SideOutput>,
    /// Process function: whether it may register timers.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub timers: bool,
    /// Token buckets that it may ask for permits.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rate_limiters: Vec<RateLimiter>,
}

/// Limits on an instance of a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Limits {
    /// Linear memory in bytes.
    pub memory_bytes: u64,
    /// Time for one bundle of rows in milliseconds.
    pub deadline_ms: u64,
    /// Process function: encoded bytes of one state value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state_value_bytes: Option<u64>,
}

/// One step of a plan. `from` is the JSON pointer of the part of the definition that it comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", rename_all_fields = "camelCase")]
pub enum Step {
    /// Executes a statement.
    Statement {
        /// JSON pointer.
        from: String,
        /// The statement.
        sql: String,
    },
    /// Makes a view of a query.
    View {
        /// JSON pointer.
        from: String,
        /// Name of the view.
        name: String,
        /// The query.
        sql: String,
        /// Helper columns of the query that the view does not have.
        drop: Vec<String>,
    },
    /// Adds or replaces one column.
    Assign {
        /// JSON pointer.
        from: String,
        /// Name of the new relation.
        name: String,
        /// Relation that it is made of.
        input: String,
        /// The column.
        column: String,
        /// Its expression.
        sql: String,
    },
    /// Runs a function on every row.
    Wasm {
        /// JSON pointer.
        from: String,
        /// Name of the new relation.
        name: String,
        /// Identifies the operator.
        uid: String,
        /// Relation that it is made of.
        input: String,
        /// Name of the function in [`Plan::functions`].
        function: String,
        /// Columns by position; the whole row by name when absent.
        arguments: Option<Vec<String>>,
        /// What the function's answer does to the row.
        output: WasmOutput,
        /// Put before the names of new columns; with [`WasmOutput::Flag`] the whole name.
        prefix: String,
        /// Process function: the columns of the input by which it is keyed.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        key: Vec<String>,
        /// Process function: the relations that side outputs become; rows of others are dropped.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        side_outputs: BTreeMap<String, String>,
        /// What becomes of rows that the function fails on; the job fails when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        on_error: Option<StepOnError>,
    },
    /// Writes a relation to a table.
    Insert {
        /// JSON pointer.
        from: String,
        /// The table.
        table: String,
        /// The relation.
        input: String,
        /// Options of the table when it has to be made of the relation's columns.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        with: Option<BTreeMap<String, String>>,
    },
}

/// What becomes of rows that a step's function fails on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepOnError {
    /// The policy.
    pub policy: ErrorPolicy,
    /// How often a row is tried again when its failure is transient.
    pub retries: u32,
    /// The relation that dead letters become.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub relation: Option<String>,
}

/// What a function's answer does to the row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WasmOutput {
    /// Map: it is the new row.
    Replace,
    /// Map: it is added to the row.
    Append,
    /// Filter: it decides whether the row stays.
    Keep,
    /// Filter: it becomes a column.
    Flag,
}
