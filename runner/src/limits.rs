//! Limits of the sidecar itself, each with its reason. Those of the protocol stand in `flink_wasm_protocol::limits`.

use std::time::Duration;

/// Subtasks of one task manager: slots times wasm operators of a slot is far below.
pub const DEFAULT_MAX_CONNECTIONS: usize = 256;

/// Kubernetes gives a pod 30 s between SIGTERM and SIGKILL; the task manager needs some of them.
pub const DEFAULT_DRAIN_MS: u64 = 10_000;

/// Time for one read or write until the function is open. A job sends HELLO, OPEN and COMPONENT at once; who does not would
/// hold a thread.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(30);

/// Time that a peer has to take an ERROR and close, before its connection is closed for it.
pub const DRAIN_TIMEOUT: Duration = Duration::from_secs(2);

/// Stack of a connection's thread: four times what a guest may use.
pub const THREAD_STACK_BYTES: usize = 2 << 20;

/// Memory for frames that a connection keeps between bundles: several times a usual bundle.
pub const KEPT_BUFFER_BYTES: usize = 1 << 20;

/// How much a frame's buffer grows ahead of the bytes that have arrived: a header alone can't make the sidecar allocate.
pub const BUFFER_STEP_BYTES: usize = 256 << 10;

/// Bundles that may come while another one waits for list or map state. An operator has two in flight.
pub const MAX_WAITING_BUNDLES: usize = 8;

/// Crash capsules in their directory. A job that fails again and again writes the same one again and again; the first tell all.
pub const MAX_CAPSULES: usize = 100;

/// Health checks that may be open at the same time.
pub const MAX_HEALTH_CONNECTIONS: usize = 16;

/// Time that a health check has for its request and answer.
pub const HEALTH_TIMEOUT: Duration = Duration::from_secs(5);
