(component
  (core module) (core module) (core module) (core module) (core module)
  (core module) (core module) (core module) (core module))
