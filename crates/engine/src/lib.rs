//! flink-wasm-engine
