(component (component (type (func async))))
