//! flink-wasm-plan
