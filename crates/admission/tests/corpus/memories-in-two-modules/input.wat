(component
  (core module (memory 1))
  (component (core module (memory 1))))
