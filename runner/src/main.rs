//! `flink-wasm-sidecar`: runs the functions of one task manager in a sandbox, beside it.
//!
//! Prints one JSON line on standard output when it is ready, and its log on standard error.

use std::io::{IsTerminal, Read, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};
use flink_wasm_diagnostic::{Code, Diagnostic, Result};
use flink_wasm_engine::{Engine, EngineConfig, LimiterClock};
use flink_wasm_protocol::limits::MAX_COMPONENT_BYTES;
use flink_wasm_sidecar::{Config, Sidecar, limits};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// Runs functions of Flink jobs, sandboxed, beside a task manager.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// Unix socket to listen on; it is made with mode 0660.
    #[arg(long, env = "FLINK_WASM_SIDECAR_SOCKET", default_value = "/run/flink-wasm/sidecar.sock")]
    socket: PathBuf,
    /// Directory for compiled code, which only this user may enter. Without it every start compiles again.
    #[arg(long, env = "FLINK_WASM_SIDECAR_CACHE_DIR")]
    cache_dir: Option<PathBuf>,
    /// Where /livez, /readyz and /metrics answer, or `none`.
    #[arg(long, env = "FLINK_WASM_SIDECAR_HEALTH_ADDR", default_value = "127.0.0.1:0", value_parser = parse_health)]
    health_addr: HealthAddress,
    /// Subtasks that may be connected at the same time; each has a thread.
    #[arg(long, env = "FLINK_WASM_SIDECAR_MAX_CONNECTIONS", default_value_t = limits::DEFAULT_MAX_CONNECTIONS)]
    max_connections: usize,
    /// Bytes of memory that all connected functions together may reserve; a subtask that would go above it is refused.
    #[arg(long, env = "FLINK_WASM_SIDECAR_MEMORY_LIMIT")]
    memory_limit: Option<u64>,
    /// Directory for crash capsules, of which `flink-wasm replay` runs a failed row or timer again. They hold user data: rows and state.
    #[arg(long, env = "FLINK_WASM_SIDECAR_CAPSULE_DIR")]
    capsule_dir: Option<PathBuf>,
    /// Let rate limiters follow the processing time of the bundles instead of the time that passes: for tests.
    #[arg(long)]
    virtual_time: bool,
    /// Milliseconds that connections have to end by themselves after SIGTERM.
    #[arg(long, env = "FLINK_WASM_SIDECAR_DRAIN_MS", default_value_t = limits::DEFAULT_DRAIN_MS)]
    drain_ms: u64,
    #[command(subcommand)]
    command: Option<Task>,
}

#[derive(Subcommand)]
enum Task {
    /// Compiles the component on standard input into the cache directory, and ends. A running sidecar starts this for itself, so
    /// that the compiler's memory goes with the process.
    #[command(hide = true)]
    Compile,
}

#[derive(Clone)]
struct HealthAddress(Option<SocketAddr>);

fn parse_health(text: &str) -> std::result::Result<HealthAddress, String> {
    match text {
        "none" => Ok(HealthAddress(None)),
        _ => text
            .parse()
            .map(|address| HealthAddress(Some(address)))
            .map_err(|_| "not `none` and not IP:PORT".into()),
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let filter =
        EnvFilter::try_from_env("FLINK_WASM_SIDECAR_LOG_LEVEL").unwrap_or_else(|_| EnvFilter::new("info"));
    let is_terminal = std::io::stderr().is_terminal();
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(is_terminal)
        .with_writer(std::io::stderr)
        .init();
    let result = match arguments.command {
        Some(Task::Compile) => compile(arguments.cache_dir),
        None => run(arguments),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(code = error.code.as_str(), "{}", error.message);
            let _ = writeln!(std::io::stderr(), "{error}");
            ExitCode::FAILURE
        }
    }
}

fn compile(cache_dir: Option<PathBuf>) -> Result<()> {
    let mut component = Vec::new();
    let read = std::io::stdin().take(MAX_COMPONENT_BYTES as u64 + 1).read_to_end(&mut component);
    read.map_err(|error| Diagnostic::new(Code::Io, format!("no component on standard input: {error}")))?;
    Engine::new(&EngineConfig { cache_dir, compiler: None })?.load(&component).map(drop)
}

fn run(arguments: Arguments) -> Result<()> {
    let config = Config {
        socket: arguments.socket,
        cache_dir: arguments.cache_dir,
        // Itself, whatever becomes of the file.
        compiler: Some(PathBuf::from("/proc/self/exe")),
        health_addr: arguments.health_addr.0,
        max_connections: arguments.max_connections,
        memory_limit: arguments.memory_limit,
        capsule_dir: arguments.capsule_dir,
        limiter_clock: match arguments.virtual_time {
            true => LimiterClock::ProcessingTime,
            false => LimiterClock::Monotonic,
        },
        drain: Duration::from_millis(arguments.drain_ms),
    };
    // One thread for signals, health and the acceptor; functions have threads of their own.
    let io = |error: std::io::Error| Diagnostic::new(Code::Io, format!("the sidecar can't start: {error}"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(io)?;
    runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate()).map_err(io)?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(io)?;
        let sidecar = Sidecar::bind(config).await?;
        let ready = serde_json::json!({"socket": sidecar.socket(), "health": sidecar.health_addr()});
        // Who started the sidecar may have gone; that is no reason to stop.
        let _ = writeln!(std::io::stdout(), "{ready}").and_then(|()| std::io::stdout().flush());
        sidecar
            .serve(async move {
                tokio::select! {
                    _ = terminate.recv() => tracing::info!("SIGTERM"),
                    _ = interrupt.recv() => tracing::info!("SIGINT"),
                }
            })
            .await
    })
}
