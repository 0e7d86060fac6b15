//! The server: accepts connections, gives each a thread, and ends in good order.

use std::collections::HashMap;
use std::future::Future;
use std::net::{Shutdown, SocketAddr};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use flink_wasm_diagnostic::{Code, Diagnostic, Result};
use flink_wasm_engine::{Engine, EngineConfig, LimiterClock, RateLimiters};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::Notify;

use crate::capsules::Capsules;
use crate::connection;
use crate::health;
use crate::limits::{DEFAULT_DRAIN_MS, DEFAULT_MAX_CONNECTIONS, THREAD_STACK_BYTES};
use crate::listener::{self, SocketFile};
use crate::metrics::Metrics;

/// How a sidecar is set up.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where to listen; made with mode 0660.
    pub socket: PathBuf,
    /// Where compiled code is kept; without it every start compiles again.
    pub cache_dir: Option<PathBuf>,
    /// The program that compiles into the cache, in a process of its own: see [`EngineConfig::compiler`].
    pub compiler: Option<PathBuf>,
    /// Where health checks and metrics are answered, if at all.
    pub health_addr: Option<SocketAddr>,
    /// Subtasks that may be connected at the same time.
    pub max_connections: usize,
    /// Bytes of linear memory that open functions together may reserve; no bound when it is `None`.
    pub memory_limit: Option<u64>,
    /// Where crash capsules are written, if at all: they hold user data.
    pub capsule_dir: Option<PathBuf>,
    /// By what time rate limiters fill up.
    pub limiter_clock: LimiterClock,
    /// Time that connections have to end by themselves when the sidecar stops.
    pub drain: Duration,
}

impl Config {
    /// The defaults, without cache and health checks.
    pub fn new(socket: impl Into<PathBuf>) -> Self {
        Self {
            socket: socket.into(),
            cache_dir: None,
            compiler: None,
            health_addr: None,
            max_connections: DEFAULT_MAX_CONNECTIONS,
            memory_limit: None,
            capsule_dir: None,
            limiter_clock: LimiterClock::default(),
            drain: Duration::from_millis(DEFAULT_DRAIN_MS),
        }
    }
}

/// What all connections share.
pub(crate) struct Shared {
    pub(crate) engine: Engine,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) limiters: RateLimiters,
    pub(crate) capsules: Option<Capsules>,
    pub(crate) memory: MemoryBudget,
    streams: Mutex<Streams>,
    /// Told whenever a connection has ended.
    ended: Notify,
}

#[derive(Default)]
struct Streams {
    next: u64,
    /// A second handle of each connection, to end it with.
    open: HashMap<u64, UnixStream>,
}

/// A sidecar that listens.
pub struct Sidecar {
    config: Config,
    listener: UnixListener,
    file: SocketFile,
    health: Option<TcpListener>,
    health_addr: Option<SocketAddr>,
    shared: Arc<Shared>,
}

impl Sidecar {
    /// Starts the engine and listens. FW0002 when socket, cache directory or health address can't be used.
    pub async fn bind(config: Config) -> Result<Self> {
        let engine = Engine::new(&EngineConfig {
            cache_dir: config.cache_dir.clone(),
            compiler: config.compiler.clone(),
        })?;
        let health = match config.health_addr {
            Some(address) => Some(TcpListener::bind(address).await.map_err(|error| {
                Diagnostic::new(Code::Io, format!("can't answer health checks at {address}: {error}"))
            })?),
            None => None,
        };
        let health_addr = health.as_ref().and_then(|listener| listener.local_addr().ok());
        let (listener, file) = listener::bind(&config.socket)?;
        let listener = listener.set_nonblocking(true).and_then(|()| UnixListener::from_std(listener));
        let listener =
            listener.map_err(|error| Diagnostic::new(Code::Io, format!("can't listen: {error}")))?;
        let shared = Arc::new(Shared {
            engine,
            metrics: Arc::new(Metrics::new()),
            limiters: RateLimiters::new(config.limiter_clock),
            capsules: config.capsule_dir.clone().map(Capsules::new).transpose()?,
            memory: MemoryBudget { limit: config.memory_limit, reserved: Mutex::default() },
            streams: Mutex::default(),
            ended: Notify::new(),
        });
        tracing::info!(socket = %file.path().display(), health = ?health_addr, "listening");
        Ok(Self { config, listener, file, health, health_addr, shared })
    }

    /// Where it listens.
    pub fn socket(&self) -> &Path {
        self.file.path()
    }

    /// Where health checks are answered.
    pub fn health_addr(&self) -> Option<SocketAddr> {
        self.health_addr
    }

    /// Serves until `stop` is done; then takes no more connections, lets those there end for a while, and ends them.
    pub async fn serve(self, stop: impl Future<Output = ()>) -> Result<()> {
        let is_stopping = Arc::new(AtomicBool::new(false));
        let health = self.health.map(|listener| {
            tokio::spawn(health::serve(listener, self.shared.metrics.clone(), is_stopping.clone()))
        });
        let mut stop = std::pin::pin!(stop);
        loop {
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                () = &mut stop => break,
            };
            match accepted.and_then(|(stream, _)| stream.into_std()) {
                Ok(stream) => self.shared.clone().start(stream, self.config.max_connections),
                Err(error) => {
                    // Mostly too many open files: wait for some to close.
                    tracing::warn!(%error, "a connection can't be accepted");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
        is_stopping.store(true, Ordering::Relaxed);
        drop((self.listener, self.file));
        if tokio::time::timeout(self.config.drain, self.shared.all_ended()).await.is_err() {
            let count = self.shared.close_all();
            tracing::warn!(count, "connections are closed that did not end by themselves");
            // A guest in mid-bundle ends at its deadline at the latest; nobody waits for it.
            let _ = tokio::time::timeout(Duration::from_secs(1), self.shared.all_ended()).await;
        }
        if let Some(health) = health {
            health.abort();
        }
        tracing::info!("stopped");
        Ok(())
    }
}

impl Shared {
    /// Gives the connection a thread, or refuses it.
    fn start(self: Arc<Self>, stream: UnixStream, max_connections: usize) {
        let second = stream.set_nonblocking(false).and_then(|()| stream.try_clone());
        let second = match second {
            Ok(second) => second,
            Err(error) => return tracing::warn!(%error, "a connection can't be used"),
        };
        let number = {
            let mut streams = self.streams();
            if streams.open.len() >= max_connections {
                drop(streams);
                self.metrics.connections_refused.inc();
                tracing::warn!(max_connections, "a connection is refused: there are too many");
                return connection::refuse(
                    &stream,
                    Diagnostic::new(
                        Code::SidecarUnreachable,
                        format!("the sidecar has all of its {max_connections} connections"),
                    )
                    .help("raise --max-connections of the sidecar"),
                );
            }
            streams.next += 1;
            let number = streams.next;
            streams.open.insert(number, second);
            number
        };
        self.metrics.connections.inc();
        self.metrics.connections_total.inc();
        let shared = self.clone();
        let started = std::thread::Builder::new()
            .name(format!("connection-{number}"))
            .stack_size(THREAD_STACK_BYTES)
            .spawn(move || {
                // Whatever ends the thread, the connection is taken off the list.
                let _end = End { shared: &shared, number };
                connection::serve(&Arc::new(stream), &shared);
            });
        if let Err(error) = started {
            tracing::warn!(%error, "a connection gets no thread");
            drop(End { shared: &self, number });
        }
    }

    async fn all_ended(&self) {
        loop {
            let ended = self.ended.notified();
            if self.streams().open.is_empty() {
                return;
            }
            ended.await;
        }
    }

    fn close_all(&self) -> usize {
        let streams = self.streams();
        for stream in streams.open.values() {
            // Fails when the peer has closed it already.
            let _ = stream.shutdown(Shutdown::Both);
        }
        streams.open.len()
    }

    fn streams(&self) -> MutexGuard<'_, Streams> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct End<'a> {
    shared: &'a Shared,
    number: u64,
}

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.shared.streams().open.remove(&self.number);
        self.shared.metrics.connections.dec();
        self.shared.ended.notify_one();
    }
}

/// The linear memory that open functions may use, counted by what they may use at most.
pub(crate) struct MemoryBudget {
    limit: Option<u64>,
    reserved: Mutex<u64>,
}

/// Memory that one function may use; given back when it is dropped.
pub(crate) struct Reservation<'a> {
    shared: &'a Shared,
    bytes: u64,
}

impl Shared {
    /// FW0506 when that is more than is left.
    pub(crate) fn reserve(&self, bytes: u64) -> Result<Reservation<'_>> {
        let mut reserved = self.memory.reserved.lock().unwrap_or_else(PoisonError::into_inner);
        let total = reserved.saturating_add(bytes);
        if let Some(limit) = self.memory.limit
            && total > limit
        {
            return Err(Diagnostic::new(
                Code::MemoryExceeded,
                format!("a function that may use {bytes} bytes would bring the sidecar to {total}, its limit is {limit}"),
            )
            .help("raise --memory-limit of the sidecar, or lower `limits.memoryBytes` of the function"));
        }
        *reserved = total;
        self.metrics.reserved_bytes.set(i64::try_from(total).unwrap_or(i64::MAX));
        Ok(Reservation { shared: self, bytes })
    }
}

impl Drop for Reservation<'_> {
    fn drop(&mut self) {
        let mut reserved = self.shared.memory.reserved.lock().unwrap_or_else(PoisonError::into_inner);
        *reserved -= self.bytes;
        self.shared.metrics.reserved_bytes.set(i64::try_from(*reserved).unwrap_or(i64::MAX));
    }
}
