//! flink-wasm-bundle
