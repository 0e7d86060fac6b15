;; The name is in our package, the interface is not.
(component
  (import "flink-wasm:udf/files@0.1.0" (instance (export "read" (func)))))
