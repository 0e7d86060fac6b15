(module (memory (export "memory") 20000))
