(module
  (import "flink-wasm:udf/context@0.1.0" "processing-time" (func (result i64)))
  (import "wasi_snapshot_preview1" "something" (func (param i32) (result i32)))
  (memory (export "memory") 1))
