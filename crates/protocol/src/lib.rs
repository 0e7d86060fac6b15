//! flink-wasm-protocol
