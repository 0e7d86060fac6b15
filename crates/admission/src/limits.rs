//! Every limit of the admission, with its reason.

/// Bytes of a component or module. One less than 64 MiB, so that a component fits a frame of the
/// protocol between operator and sidecar; functions have 10 kB to 5 MB.
pub const COMPONENT_BYTES_MAX: usize = (64 << 20) - 1;

/// Bytes with which a memory may start. A job may allow at most 1 GiB for an instance, so that a
/// memory that starts larger could never be instantiated.
pub const MEMORY_MIN_BYTES_MAX: u64 = 1 << 30;

/// Core modules in a component. `wit-component` writes three (the function, a shim for its imports,
/// a fixup of its table) and one more for each adapter; each costs an instance at run time.
pub const CORE_MODULES_MAX: usize = 8;

/// Nested components. `wit-component` writes one for each exported interface, which are three.
pub const NESTED_COMPONENTS_MAX: usize = 8;

/// Elements with which all tables together start. One function pointer takes one element; a large
/// function has thousands.
pub const TABLE_ELEMENTS_MAX: u64 = 1 << 18;

/// Foreign imports that are shown; the rest is counted.
pub const IMPORTS_SHOWN_MAX: usize = 12;

/// Sections `component-type` in a core module: one for what is imported and one for what is exported,
/// for each version of the SDK in the crate graph.
pub const WORLD_SECTIONS_MAX: usize = 16;
