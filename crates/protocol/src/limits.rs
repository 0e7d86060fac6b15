//! Every limit of the protocol, each with its reason. `docs/protocol.md` has the same table.

/// Payload of any frame. Bounds what one peer can make the other allocate; a bundle has 256 KiB as a rule.
pub const MAX_FRAME_BYTES: usize = 64 << 20;

/// Rows of a batch. Far above any sensible bundle; keeps every count and offset well inside `u32`.
pub const MAX_BATCH_ROWS: usize = 1 << 20;

/// Flattened columns of a batch, so that a header of a few bytes can't ask for gigabytes of column headers.
pub const MAX_COLUMNS: usize = 4096;

/// Cells of one column. Below ARRAY and MAP there can be more cells than rows; each takes at least one bit.
pub const MAX_CELLS: usize = MAX_FRAME_BYTES * 8;

/// A JSON frame: HELLO, WELCOME, OPEN, NEED_COMPONENT, OPENED, ERROR. Names, types and parameters fit in many times over.
pub const MAX_HANDSHAKE_BYTES: usize = 1 << 20;

/// A component. One byte less than a frame, so that a full frame is always known to be too long.
pub const MAX_COMPONENT_BYTES: usize = MAX_FRAME_BYTES - 1;

/// Nesting of a SQL type. The parser and all walks recurse, so this bounds their stack.
pub const MAX_TYPE_DEPTH: usize = 32;

/// Length of the text of one SQL type.
pub const MAX_TYPE_BYTES: usize = 64 << 10;

/// Rows of a bundle that may fail. No more can: one failure a row.
pub const MAX_FAILURES: usize = MAX_BATCH_ROWS;

/// Text of one failed row; the rest is cut off. A message is for people.
pub const MAX_FAILURE_MESSAGE_BYTES: usize = 1 << 10;

/// Output batches of one bundle: a function that emits each row alone still fits.
pub const MAX_EMISSIONS: usize = MAX_BATCH_ROWS;

/// The trailer of a REPLY: the capped log lines and metrics, escaped as JSON.
pub const MAX_TRAILER_BYTES: usize = 1 << 20;

/// Log lines of a bundle; the rest is counted in `droppedLogs`.
pub const MAX_LOG_LINES: usize = 100;

/// Bytes of a log line; the rest is cut off.
pub const MAX_LOG_LINE_BYTES: usize = 1 << 10;

/// Names of counters and gauges of one instance. Flink keeps each for the life of the job.
pub const MAX_METRIC_NAMES: usize = 100;

/// Bytes of the name of a counter or gauge.
pub const MAX_METRIC_NAME_BYTES: usize = 128;

/// Linear memory of an instance when OPEN names no other.
pub const DEFAULT_MEMORY_BYTES: u64 = 64 << 20;

/// The most linear memory that OPEN may ask for.
pub const MAX_MEMORY_BYTES: u64 = 1 << 30;

/// Time for one bundle when OPEN names no other.
pub const DEFAULT_DEADLINE_MS: u64 = 10_000;

/// The most time that OPEN may ask for: a checkpoint waits for the bundles in flight.
pub const MAX_DEADLINE_MS: u64 = 600_000;

/// Slots of a connection, in which the sidecar keeps values of keys. The operator's cache has the same bound.
pub const MAX_SLOTS: usize = 1 << 19;

/// States of a function. Each is a state of its own in Flink's backend.
pub const MAX_STATES: usize = 256;

/// Side outputs of a function. Each is a stream of its own in Flink.
pub const MAX_SIDE_OUTPUTS: usize = 256;

/// Bytes of one state's encoded value when OPEN names no other bound: a value is read and written whole.
pub const DEFAULT_STATE_VALUE_BYTES: u64 = 1 << 20;

/// The most bytes that OPEN may allow for one state value: several keys must fit in a frame.
pub const MAX_STATE_VALUE_BYTES: u64 = 16 << 20;

/// STATE_GET: its header and a map key, which is bounded as a state value is.
pub const MAX_STATE_GET_BYTES: usize = (MAX_STATE_VALUE_BYTES as usize) + 16;

/// Changes of the elements of one list or map state in a bundle, and timers that a bundle registers or deletes: many for each row.
pub const MAX_CHANGES: usize = 1 << 22;

/// Runs of one item beyond its first, for failures that may pass. They come at once one after the other, so more would not help.
pub const MAX_RETRIES: u32 = 100;

/// Rate limiters of a function.
pub const MAX_RATE_LIMITERS: usize = 64;

/// Tiers of a rate limiter.
pub const MAX_TIERS: usize = 16;

// Lengths and offsets travel as u32.
const _: () = assert!(MAX_FRAME_BYTES < u32::MAX as usize);
const _: () = assert!(MAX_CELLS < u32::MAX as usize);
const _: () = assert!(MAX_STATE_GET_BYTES < MAX_FRAME_BYTES && MAX_CHANGES < u32::MAX as usize);
const _: () = assert!(MAX_COMPONENT_BYTES < MAX_FRAME_BYTES && MAX_HANDSHAKE_BYTES < MAX_FRAME_BYTES);
