//! flink-wasm-admission
