(component (core func (canon task.cancel)))
