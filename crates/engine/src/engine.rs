//! The engine: one a process, shared by all functions.

use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::io::Write;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use flink_wasm_diagnostic::{Code, Diagnostic, Result};
use sha2::{Digest, Sha256};
use wasmtime::component::{Component, Linker};
use wasmtime::{Config, Inlining, WasmBacktraceDetails, WasmFeatures};

use crate::cache::Cache;
use crate::function::LoadedFunction;
use crate::host::{self, HostState};
use crate::native;

/// One step of the clock that ends guests. A deadline is kept to within a step or two.
pub(crate) const TICK: Duration = Duration::from_millis(10);

/// Stack of a guest. Host threads that run guests need at least four times as much.
const MAX_WASM_STACK: usize = 512 << 10;

/// Frames of a backtrace.
const MAX_BACKTRACE_FRAMES: NonZeroUsize = NonZeroUsize::new(24).unwrap();

/// Components kept in memory. Above it those that no instance uses are dropped; the disk still has them.
const MAX_LOADED: usize = 64;

/// How an engine is set up.
#[derive(Clone, Debug, Default)]
pub struct EngineConfig {
    /// Where native code is kept: a directory that only this process's user may enter, created when it is missing.
    /// Without one every start compiles again.
    pub cache_dir: Option<PathBuf>,
    /// A program that compiles into the cache directory, so that the memory a compiler takes (60 to 130 MiB) goes with its
    /// process: `<program> --cache-dir <directory> compile`, the component on standard input. Without one, or when it
    /// fails, this process compiles.
    pub compiler: Option<PathBuf>,
}

/// Compiles, keeps and links components.
#[derive(Clone)]
pub struct Engine {
    inner: Arc<Inner>,
}

struct Inner {
    engine: wasmtime::Engine,
    linker: Linker<HostState>,
    cache: Option<Cache>,
    compiler: Option<PathBuf>,
    loaded: Mutex<HashMap<String, Slot>>,
}

/// One component. Its lock is held while it is compiled, so that subtasks that start together compile it once.
type Slot = Arc<Mutex<Option<Arc<LoadedFunction>>>>;

/// A component that is ready, and how it came to be.
#[derive(Clone)]
pub struct Loaded {
    /// The component.
    pub function: Arc<LoadedFunction>,
    /// Whether compiled code was at hand, in memory or on disk.
    pub cached: bool,
}

impl Engine {
    /// Starts an engine and the thread that ends guests. FW0002 when the cache directory can't be used.
    pub fn new(config: &EngineConfig) -> Result<Self> {
        let engine = wasmtime::Engine::new(&wasmtime_config())
            .map_err(|error| internal("the engine does not start", &error))?;
        let linker = host::linker(&engine)
            .map_err(|error| internal("the host's functions can't be linked", &error))?;
        let cache = match &config.cache_dir {
            Some(directory) => Some(Cache::open(directory, compatibility(&engine))?),
            None => None,
        };
        start_ticker(&engine)?;
        Ok(Self {
            inner: Arc::new(Inner {
                engine,
                linker,
                cache,
                compiler: config.compiler.clone(),
                loaded: Mutex::default(),
            }),
        })
    }

    /// The component with this SHA-256 (64 hex digits), when it was loaded before: in this process, or by one that had the
    /// same cache directory.
    pub fn find(&self, sha256: &str) -> Result<Option<Arc<LoadedFunction>>> {
        let slot = self.slot(sha256);
        let mut slot = lock(&slot);
        self.find_in(&mut slot, sha256)
    }

    /// Admits a component, compiles it, and reads its description. The same component is compiled once.
    ///
    /// FW03xx when the component may not enter; otherwise what [`LoadedFunction`]'s description can end with.
    pub fn load(&self, component: &[u8]) -> Result<Loaded> {
        let sha256 = hex::encode(Sha256::digest(component));
        let slot = self.slot(&sha256);
        let mut slot = lock(&slot);
        if let Some(function) = self.find_in(&mut slot, &sha256)? {
            return Ok(Loaded { function, cached: true });
        }
        flink_wasm_admission::check(component)?;
        if self.compile_elsewhere(&sha256, component)
            && let Some(function) = self.find_in(&mut slot, &sha256)?
        {
            return Ok(Loaded { function, cached: false });
        }
        let compiled = Component::new(&self.inner.engine, component).map_err(|error| {
            Diagnostic::new(Code::NotAComponent, format!("the component can't be compiled: {error:#}"))
        })?;
        let function = Arc::new(LoadedFunction::new(self.clone(), &sha256, &compiled, None)?);
        if let Some(cache) = &self.inner.cache {
            match compiled.serialize() {
                Ok(code) => cache.store(&sha256, &code, function.description()),
                Err(error) => tracing::warn!(component = sha256, %error, "compiled code can't be written"),
            }
        }
        *slot = Some(function.clone());
        Ok(Loaded { function, cached: false })
    }

    pub(crate) fn wasmtime(&self) -> &wasmtime::Engine {
        &self.inner.engine
    }

    pub(crate) fn linker(&self) -> &Linker<HostState> {
        &self.inner.linker
    }

    fn find_in(
        &self,
        slot: &mut Option<Arc<LoadedFunction>>,
        sha256: &str,
    ) -> Result<Option<Arc<LoadedFunction>>> {
        if let Some(function) = slot {
            return Ok(Some(function.clone()));
        }
        let Some(cache) = &self.inner.cache else { return Ok(None) };
        let Some((code, description)) = cache.load(sha256) else { return Ok(None) };
        match native::deserialize(&self.inner.engine, &code) {
            Ok(component) => {
                let function =
                    Arc::new(LoadedFunction::new(self.clone(), sha256, &component, Some(description))?);
                *slot = Some(function.clone());
                Ok(Some(function))
            }
            Err(error) => {
                tracing::warn!(component = sha256, %error, "compiled code is of no use; compiling again");
                cache.remove(sha256);
                Ok(None)
            }
        }
    }

    /// Compiles into the cache with another process; whether that has worked.
    fn compile_elsewhere(&self, sha256: &str, component: &[u8]) -> bool {
        let (Some(cache), Some(compiler)) = (&self.inner.cache, &self.inner.compiler) else { return false };
        let compiled = Command::new(compiler)
            .arg("--cache-dir")
            .arg(cache.directory())
            .arg("compile")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .and_then(|mut child| {
                // A child that ends early breaks the pipe; its exit code says the rest.
                let written = child.stdin.take().map(|mut stdin| stdin.write_all(component));
                Ok(child.wait()?.success() && matches!(written, Some(Ok(()))))
            });
        compiled.unwrap_or_else(|error| {
            tracing::warn!(component = sha256, %error, "the compiler does not start; compiling here");
            false
        })
    }

    fn slot(&self, sha256: &str) -> Slot {
        let mut loaded = lock(&self.inner.loaded);
        if loaded.len() >= MAX_LOADED && !loaded.contains_key(sha256) {
            loaded.retain(|_, slot| {
                Arc::strong_count(slot) > 1 || lock(slot).as_ref().is_some_and(|f| Arc::strong_count(f) > 1)
            });
        }
        loaded.entry(sha256.to_owned()).or_default().clone()
    }
}

/// Nothing here is left half done by a panic, so a poisoned lock is as good as any.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn wasmtime_config() -> Config {
    let mut config = Config::new();
    // What `flink_wasm_admission::FEATURES` admits, and nothing else, whatever a later wasmtime turns on by itself.
    let allowed = WasmFeatures::WASM2 | WasmFeatures::EXTENDED_CONST | WasmFeatures::COMPONENT_MODEL;
    config.wasm_features(WasmFeatures::all() - allowed, false);
    config.wasm_features(allowed - WasmFeatures::FLOATS - WasmFeatures::GC_TYPES, true);
    // Calls are a third of the price without it, and functions are synchronous.
    config.concurrency_support(false);
    config.epoch_interruption(true);
    config.max_wasm_stack(MAX_WASM_STACK);
    config.wasm_backtrace_max_frames(Some(MAX_BACKTRACE_FRAMES));
    // Of a component that was built with line tables; others have none, and cost nothing.
    config.wasm_backtrace_details(WasmBacktraceDetails::Enable);
    // Functions loop over rows; what is called in the loop should be in the loop. Costs some milliseconds once.
    config.compiler_inlining(Inlining::Yes);
    config
}

/// Ends guests that run past their deadline, for as long as the engine lives.
fn start_ticker(engine: &wasmtime::Engine) -> Result<()> {
    let engine = engine.weak();
    let tick = move || {
        while let Some(engine) = engine.upgrade() {
            engine.increment_epoch();
            drop(engine);
            std::thread::sleep(TICK);
        }
    };
    std::thread::Builder::new()
        .name("epoch-ticker".into())
        .stack_size(64 << 10)
        .spawn(tick)
        .map(drop)
        .map_err(|error| {
            Diagnostic::new(Code::Internal, format!("the thread that ends guests does not start: {error}"))
        })
}

/// Changes whenever code that was compiled before can't be used, or might not be admitted, any more.
fn compatibility(engine: &wasmtime::Engine) -> String {
    struct Sha(Sha256);
    impl Hasher for Sha {
        fn write(&mut self, bytes: &[u8]) {
            self.0.update(bytes);
        }
        fn finish(&self) -> u64 {
            0
        }
    }
    let mut sha = Sha(Sha256::new());
    env!("CARGO_PKG_VERSION").hash(&mut sha);
    engine.precompile_compatibility_hash().hash(&mut sha);
    hex::encode(&sha.0.finalize()[..8])
}

fn internal(what: &str, error: &wasmtime::Error) -> Diagnostic {
    Diagnostic::new(Code::Internal, format!("{what}: {error:#}"))
}
