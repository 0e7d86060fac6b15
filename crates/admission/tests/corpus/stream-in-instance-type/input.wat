(component (type (instance (type (stream u8)))))
