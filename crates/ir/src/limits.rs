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
