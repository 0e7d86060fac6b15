//! The bundle: job definition, plan and components of one job in one file with one digest.
//!
//! A bundle is an OCI image layout in a tar archive (`*.flinkwasm`). The digest of its manifest is the
//! job's identity. Every byte is determined by the contents: two builds give the same file, and a
//! reader refuses a file in which any byte differs, naming the entry at fault. `docs/bundle.md`
//! describes the format for someone who writes another reader.
//!
//! This crate knows neither what a plan or a job definition says, nor what a component does: to it they
//! are bytes. It must not depend on `ir`, `plan`, `admission` or `engine`.
//!
//! ```
//! use flink_wasm_bundle::{Bundle, BundleBuilder, Function, digest};
//!
//! let component = b"\0asm\x0d\0\x01\0".to_vec();
//! let tax = Function { component: digest(&component), descriptor: serde_json::json!({"kind": "map"}) };
//! let bytes = BundleBuilder::new("orders")
//!     .ir("{}")
//!     .plan("{}")
//!     .function("tax", tax)
//!     .component("tax.wasm", component)
//!     .build()?;
//! let bundle = Bundle::parse(bytes)?;
//! assert_eq!(bundle.config().name, "orders");
//! # Ok::<(), flink_wasm_diagnostic::Diagnostic>(())
//! ```

mod builder;
mod file;
mod layout;
pub mod limits;
mod reader;
mod tar;

pub use builder::BundleBuilder;
pub use file::{read_file, write_file};
pub use layout::{Config, FORMAT_VERSION, Function, INTERFACE, media_type};
pub use reader::{Bundle, Entry};

use sha2::{Digest, Sha256};

/// The digest of some bytes as OCI writes it: `sha256:` and 64 lower-case hex digits.
pub fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}
