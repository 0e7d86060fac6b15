//! flink-wasm-sdk
