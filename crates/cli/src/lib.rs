//! flink-wasm-cli
