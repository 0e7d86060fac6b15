(component
  (core module $m (func (export "f")) (memory (export "memory") 1))
  (core instance $i (instantiate $m))
  (func (export "f") (canon lift (core func $i "f") async)))
