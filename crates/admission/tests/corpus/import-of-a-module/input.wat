(component (import "plugin" (core module)))
