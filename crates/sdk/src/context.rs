//! What a function can ask of its host. In a component every call goes to the host; natively to memory, where a test
//! reads it (see [`crate::testing::TestContext`]).

use std::fmt::Display;

/// How important a log line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// For following single rows.
    Trace,
    /// For finding defects.
    Debug,
    /// Normal events.
    Info,
    /// Something odd that the function could deal with.
    Warn,
    /// Something failed.
    Error,
}

/// The host, as a function sees it. There is no clock, file, socket or random number: given the same calls a function
/// does the same again, which is why a batch can safely be run again.
#[derive(Clone, Debug)]
pub struct Context {
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) memory: std::rc::Rc<std::cell::RefCell<crate::testing::Memory>>,
    #[cfg(target_arch = "wasm32")]
    _host: (),
}

impl Context {
    /// Writes a line to the task manager's log. Lines are limited in length, and in number for each batch.
    pub fn log(&self, level: Level, message: impl Display) {
        self.log_text(level, &message.to_string());
    }

    /// Writes a line at level trace.
    pub fn trace(&self, message: impl Display) {
        self.log(Level::Trace, message);
    }

    /// Writes a line at level debug.
    pub fn debug(&self, message: impl Display) {
        self.log(Level::Debug, message);
    }

    /// Writes a line at level info.
    pub fn info(&self, message: impl Display) {
        self.log(Level::Info, message);
    }

    /// Writes a line at level warn.
    pub fn warn(&self, message: impl Display) {
        self.log(Level::Warn, message);
    }

    /// Writes a line at level error.
    pub fn error(&self, message: impl Display) {
        self.log(Level::Error, message);
    }

    /// A rate limiter that the job declares under this name, in `rateLimiters` of the function.
    pub fn rate_limiter<'a>(&'a self, name: &'a str) -> RateLimiter<'a> {
        RateLimiter { context: self, name }
    }
}

/// A token bucket that functions share, as the job says. It lives outside of the function and is not part of a batch:
/// what was taken stays taken when the batch is run again.
#[derive(Clone, Copy, Debug)]
pub struct RateLimiter<'a> {
    context: &'a Context,
    name: &'a str,
}

impl RateLimiter<'_> {
    /// Takes so many permits at once, or none. Never waits. False also for a number above the burst.
    ///
    /// # Panics
    /// When the job declares no limiter of this name.
    pub fn try_acquire(&self, permits: u32) -> bool {
        self.context.try_acquire(self.name, permits)
    }
}

#[cfg(target_arch = "wasm32")]
mod host {
    use super::{Context, Level};
    use crate::bindings::common::flink_wasm::udf::context as host;

    impl Context {
        pub(crate) const fn host() -> Self {
            Self { _host: () }
        }

        pub(super) fn log_text(&self, level: Level, message: &str) {
            let level = match level {
                Level::Trace => host::Level::Trace,
                Level::Debug => host::Level::Debug,
                Level::Info => host::Level::Info,
                Level::Warn => host::Level::Warn,
                Level::Error => host::Level::Error,
            };
            host::log(level, message);
        }

        /// Milliseconds since the epoch. Constant while one batch runs.
        pub fn processing_time(&self) -> i64 {
            host::processing_time()
        }

        /// The current event-time watermark in milliseconds since the epoch; `i64::MIN` before the first.
        pub fn watermark(&self) -> i64 {
            host::watermark()
        }

        /// Adds to a counter, visible in Flink as `wasm.<function>.<name>`.
        pub fn counter_add(&self, name: &str, delta: u64) {
            host::counter_add(name, delta);
        }

        /// Sets a gauge, visible in Flink as `wasm.<function>.<name>`.
        pub fn gauge_set(&self, name: &str, value: f64) {
            host::gauge_set(name, value);
        }

        pub(super) fn try_acquire(&self, limiter: &str, permits: u32) -> bool {
            host::try_acquire(limiter, permits)
        }
    }
}

#[cfg(not(target_arch = "wasm32"))]
mod memory {
    use super::{Context, Level};

    impl Context {
        pub(super) fn log_text(&self, level: Level, message: &str) {
            self.memory.borrow_mut().logs.push((level, message.into()));
        }

        /// Milliseconds since the epoch. Constant while one batch runs.
        pub fn processing_time(&self) -> i64 {
            self.memory.borrow().processing_time
        }

        /// The current event-time watermark in milliseconds since the epoch; `i64::MIN` before the first.
        pub fn watermark(&self) -> i64 {
            self.memory.borrow().watermark
        }

        /// Adds to a counter, visible in Flink as `wasm.<function>.<name>`.
        pub fn counter_add(&self, name: &str, delta: u64) {
            *self.memory.borrow_mut().counters.entry(name.into()).or_default() += delta;
        }

        /// Sets a gauge, visible in Flink as `wasm.<function>.<name>`.
        pub fn gauge_set(&self, name: &str, value: f64) {
            self.memory.borrow_mut().gauges.insert(name.into(), value);
        }

        pub(super) fn try_acquire(&self, limiter: &str, permits: u32) -> bool {
            let mut memory = self.memory.borrow_mut();
            let Some(left) = memory.permits.get_mut(limiter) else {
                panic!("no rate limiter is named `{limiter}`: a test gives permits with `set_permits`")
            };
            let granted = permits <= *left;
            *left -= if granted { permits } else { 0 };
            granted
        }
    }
}

macro_rules! log_macros {
    ($dollar:tt $($name:ident $level:ident $text:literal;)*) => {$(
        #[doc = concat!("Writes a formatted line at level ", $text, ": `", $text, "!(context, \"{} rows\", 3)`.")]
        #[macro_export]
        macro_rules! $name {
            ($dollar context:expr, $dollar($dollar message:tt)+) => {
                $dollar context.log($crate::Level::$level, ::std::format_args!($dollar($dollar message)+))
            };
        }
    )*};
}

log_macros! {
    $
    trace Trace "trace";
    debug Debug "debug";
    info Info "info";
    warn Warn "warn";
    error Error "error";
}
