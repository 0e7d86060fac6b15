//! Lowers a job definition to a plan: Flink SQL statements, and wasm nodes between relations (`docs/plan.md`).
//!
//! This crate must not know Flink's functions and types: that is its planner's business, and the JVM runtime asks it. What
//! can be known without it is checked here, with a position: columns of a declared schema, calls and parameters of
//! functions in the sandbox, and which parts of a job can be run at all. It does no I/O.

mod check;
mod ddl;
mod explain;
mod expression;
mod limiters;
mod lower;
mod plan;
mod quote;
mod render;
mod state;
mod uid;

pub use check::plan_function;
pub use explain::explain_runtime_error;
pub use lower::{lower, warnings};
pub use plan::{Limits, Plan, PlanFunction, Step, StepOnError, WasmOutput};
pub use state::{Compatibility, OperatorState, OperatorStates, compatibility};
pub use uid::operator_id;

use std::collections::BTreeMap;

/// A function that a job may call: the component's digest, and what it says of itself.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Function {
    /// `sha256:` and 64 hex digits.
    pub component: String,
    /// Read from the component.
    pub descriptor: flink_wasm_ir::FunctionDescriptor,
}

/// The functions of a job by the name that expressions call them by.
pub type Functions = BTreeMap<String, Function>;
