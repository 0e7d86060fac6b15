//! `flink-wasm completions`: a completion script for a shell.

use clap::{Args, CommandFactory};

use super::Outcome;

/// Print a completion script for a shell.
#[derive(Args)]
pub struct Options {
    /// The shell.
    shell: clap_complete::Shell,
}

pub fn run(options: Options) -> Outcome {
    let mut command = crate::Arguments::command();
    clap_complete::generate(options.shell, &mut command, "flink-wasm", &mut std::io::stdout());
    Ok(())
}
