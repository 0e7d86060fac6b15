//! flink-wasm-ir
