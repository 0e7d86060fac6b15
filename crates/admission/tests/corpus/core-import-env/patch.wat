(module
  (import "flink-wasm:udf/context@0.1.0" "processing-time" (func (result i64)))
  (import "env" "something" (func (param i32) (result i32)))
  (memory (export "memory") 1))
