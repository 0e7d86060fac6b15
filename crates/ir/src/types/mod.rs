//! The types of a job definition. Property names and defaults are FlinkDotnet's; our additions say so.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

mod function;
mod operation;
mod sink;
mod source;

pub use function::*;
pub use operation::*;
pub use sink::*;
pub use source::*;

/// Options that are handed to a connector, and the like.
pub type Properties = BTreeMap<String, String>;
/// A JSON object of no fixed shape.
pub type Object = BTreeMap<String, serde_json::Value>;

/// A whole job: one source, a chain of operations, one sink.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct JobDefinition {
    /// Where rows come from.
    pub source: Source,
    /// What happens to them, in order.
    #[serde(default)]
    pub operations: Vec<Operation>,
    /// Where they go. Absent only for a job that is SQL alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sink: Option<Sink>,
    /// Name, parallelism and options.
    #[serde(default)]
    pub metadata: Metadata,
    /// Addition of flink-wasm: the functions that expressions may call, by the name they are called by.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub functions: BTreeMap<String, Function>,
}

/// A property that is left out of the canonical form when this says so.
trait Absent {
    fn is_absent(&self) -> bool;
}
impl<T> Absent for Option<T> {
    fn is_absent(&self) -> bool {
        self.is_none()
    }
}
impl<K, V> Absent for BTreeMap<K, V> {
    fn is_absent(&self) -> bool {
        self.is_empty()
    }
}
macro_rules! always_written {
    ($($type:ty),*) => { $(impl Absent for $type {
        fn is_absent(&self) -> bool { false }
    })* };
}
always_written!(String, bool, i32, u32, i64, f64, SqlMode, TimeUnit, JoinType, ErrorPolicy, LimiterScope);
impl<T> Absent for Vec<T> {
    fn is_absent(&self) -> bool {
        false
    }
}

/// Properties of .NET are `map<string, string>`; a null in one is as good as none.
fn properties<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Properties, D::Error> {
    let read = BTreeMap::<String, Option<String>>::deserialize(deserializer)?;
    Ok(read.into_iter().filter_map(|(name, value)| Some((name, value?))).collect())
}

/// Declares structs whose fields all have a default and are written in camel case.
macro_rules! records {
    ($($(#[$meta:meta])* pub struct $name:ident {
        $($(#[$field_meta:meta])* $field:ident: $type:ty $(= $default:expr)?,)*
    })*) => { $(
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
        #[serde(rename_all = "camelCase", default)]
        pub struct $name {
            $($(#[$field_meta])*
            #[serde(skip_serializing_if = "crate::types::Absent::is_absent")]
            pub $field: $type,)*
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $($field: records!(@default $($default)?),)* }
            }
        }
    )* };
    (@default) => { Default::default() };
    (@default $default:expr) => { $default };
}
use records;

/// Declares a union that is told apart by `type`. serde reads it through our own deserializer (`read.rs`).
macro_rules! tagged {
    ($(#[$meta:meta])* pub enum $name:ident {
        $($(#[$variant_meta:meta])* $variant:ident($type:ty) = $tag:literal $(| $alias:literal)*,)*
    }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, serde::Deserialize, schemars::JsonSchema)]
        #[schemars(tag = "type")]
        pub enum $name {
            $($(#[$variant_meta])* #[serde(rename = $tag $(, alias = $alias)*)] $variant($type),)*
        }

        impl $name {
            /// The `type` as the canonical form writes it.
            pub fn type_name(&self) -> &'static str {
                match self { $($name::$variant(_) => $tag,)* }
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                /// A .NET reader wants `type` first.
                #[derive(serde::Serialize)]
                struct Tagged<'a, T> {
                    r#type: &'static str,
                    #[serde(flatten)]
                    rest: &'a T,
                }
                match self { $($name::$variant(rest) => Tagged { r#type: $tag, rest }.serialize(serializer),)* }
            }
        }
    };
}
use tagged;

records! {
    /// Name, parallelism and options of a job.
    pub struct Metadata {
        /// Identifies the definition. Made from its content when it is absent.
        job_id: String,
        /// Name of the job in Flink.
        job_name: Option<String>,
        /// When the definition was made.
        created_at: Option<String>,
        /// Version of the format; written as 1.0 always, and not looked at.
        version: String = "1.0".into(),
        /// Parallelism of the job; the cluster's default when absent.
        parallelism: Option<i32>,
        /// Flink options of the job, such as `execution.runtime-mode`.
        #[serde(deserialize_with = "properties")]
        properties: Properties,
        /// Third generation; not used.
        state_backend_config: Option<serde_json::Value>,
        /// Third generation; not used.
        execution_plan_config: Option<serde_json::Value>,
        /// Third generation; not used.
        optimizer_config: Option<serde_json::Value>,
    }
}
