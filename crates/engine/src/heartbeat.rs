//! Signs of life while a bundle takes long because its items are run again.

use std::time::{Duration, Instant};

/// The least time between two signs: far below any timeout that waits for them, and no work.
const PERIOD: Duration = Duration::from_millis(100);

/// Tells whoever waits for a bundle that runs of its items still follow each other. A single run has its own deadline.
pub(crate) struct Heartbeat {
    listener: Option<Box<dyn FnMut(u64)>>,
    bundle: u64,
    last: Instant,
}

impl Heartbeat {
    /// Nobody listens.
    pub(crate) fn none() -> Self {
        Self { listener: None, bundle: 0, last: Instant::now() }
    }

    pub(crate) fn listen(&mut self, listener: Box<dyn FnMut(u64)>) {
        self.listener = Some(listener);
    }

    /// A bundle begins.
    pub(crate) fn begin(&mut self, bundle: u64) {
        (self.bundle, self.last) = (bundle, Instant::now());
    }

    /// Items of the bundle are about to be run.
    pub(crate) fn beat(&mut self) {
        let Some(listener) = &mut self.listener else { return };
        if self.last.elapsed() >= PERIOD {
            self.last = Instant::now();
            listener(self.bundle);
        }
    }
}
