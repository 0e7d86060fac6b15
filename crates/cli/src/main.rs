//! `flink-wasm`: write stream functions in Rust, run them sandboxed on Apache Flink.
//!
//! The binary is thin: one file a subcommand under `commands`, each with `Options` and `run`.
//! Data goes to standard output, progress and errors to standard error. Exit codes: 0 done,
//! 1 the input is wrong or the job failed, 2 wrong usage, 3 a defect of ours.

// In a program `pub` says what a module offers to the others.
#![allow(unreachable_pub)]

use std::process::ExitCode;

use clap::Parser;
use flink_wasm_diagnostic::Code;

mod build_crate;
mod commands;
mod component;
mod files;
mod flink_home;
mod home;
mod job;
mod job_jar;
mod jvm;
mod output;
mod problems;
mod rows;
mod samples;
mod scenarios;
mod sidecar_process;
mod state;
mod submission;

/// Sandboxed Rust functions for Apache Flink.
#[derive(Parser)]
#[command(name = "flink-wasm", version, arg_required_else_help = true)]
struct Arguments {
    /// Print data and errors as JSON on standard output.
    #[arg(long, global = true)]
    json: bool,
    /// No progress on standard error.
    #[arg(long, short, global = true)]
    quiet: bool,
    #[command(subcommand)]
    command: commands::Command,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    output::configure(output::Settings { json: arguments.json, quiet: arguments.quiet });
    let Err(problems::Problems(diagnostics)) = commands::run(arguments.command) else {
        return ExitCode::SUCCESS;
    };
    output::errors(&diagnostics);
    let worst = |code| diagnostics.iter().any(|diagnostic| diagnostic.code == code);
    if worst(Code::Internal) {
        ExitCode::from(3)
    } else if worst(Code::Usage) {
        ExitCode::from(2)
    } else {
        ExitCode::from(1)
    }
}
