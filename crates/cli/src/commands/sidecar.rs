//! `flink-wasm sidecar`: starts a sidecar by hand.

use std::os::unix::process::CommandExt;

use clap::Args;
use flink_wasm_diagnostic::{Code, Diagnostic};

use super::Outcome;
use crate::home;

/// Start a sidecar by hand, in the foreground.
#[derive(Args)]
#[command(disable_help_flag = true)]
pub struct Options {
    /// Arguments of the sidecar; `--help` lists them.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

pub fn run(options: Options) -> Outcome {
    let program = home::sidecar()?;
    // Replaces this process, so that signals reach the sidecar itself.
    let error = std::process::Command::new(&program).args(options.arguments).exec();
    Err(Diagnostic::new(Code::ToolMissing, format!("can't start the sidecar: {error}"))
        .file(program.display().to_string())
        .into())
}
