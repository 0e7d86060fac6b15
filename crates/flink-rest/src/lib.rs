//! flink-wasm-flink-rest
