//! Every limit on a job definition, with its reason.

/// Bytes of a job definition: far above any real one, far below what would hurt a gateway.
pub const MAX_JOB_BYTES: usize = 16 * 1024 * 1024;
/// Nested objects and arrays. Real definitions need 6; readers recurse.
pub const MAX_DEPTH: usize = 64;
/// Operations of a job. Each becomes a view, and Flink's planner inlines views into one tree.
pub const MAX_OPERATIONS: usize = 1000;

/// Memory of one function instance when the job does not say: 64 MiB.
pub const DEFAULT_MEMORY_BYTES: u64 = 64 * 1024 * 1024;
/// Least memory of one function instance: one wasm page.
pub const MIN_MEMORY_BYTES: u64 = 64 * 1024;
/// Most memory of one function instance: 1 GiB, a task manager has many.
pub const MAX_MEMORY_BYTES: u64 = 1024 * 1024 * 1024;
/// Time for one bundle of rows when the job does not say: 10 s.
pub const DEFAULT_DEADLINE_MS: u64 = 10_000;
/// Most time for one bundle: 10 minutes, Flink's default checkpoint timeout. A bundle delays checkpoints.
pub const MAX_DEADLINE_MS: u64 = 600_000;

/// Encoded bytes of one state value (of one key; or one element of a list or map) when the job does not say: 1 MiB. Values
/// travel with every bundle of their key.
pub const DEFAULT_STATE_VALUE_BYTES: u64 = 1024 * 1024;
/// Most encoded bytes of one state value: 16 MiB, a quarter of a frame.
pub const MAX_STATE_VALUE_BYTES: u64 = 16 * 1024 * 1024;
/// Retries of one row: they run inside the bundle, and a bundle delays checkpoints.
pub const MAX_RETRIES: u32 = 100;
/// Rate limiters of one function: they travel in one handshake frame, and each is a bucket in the sidecar.
pub const MAX_RATE_LIMITERS: usize = 64;
/// Tiers of one rate limiter: every acquire asks them all.
pub const MAX_LIMITER_TIERS: usize = 16;
/// Bytes of the name of a rate limiter or tier; names of metrics have the same limit.
pub const MAX_LIMITER_NAME_BYTES: usize = 128;
