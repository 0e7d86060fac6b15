(module (memory (export "memory") 1) (table 4000000 funcref))
