//! The only `unsafe` of the project: making native code from the cache executable.
#![allow(unsafe_code)]

use wasmtime::component::Component;

use crate::cache::TrustedCode;

/// Makes a component of native code.
pub(crate) fn deserialize(engine: &wasmtime::Engine, code: &TrustedCode) -> wasmtime::Result<Component> {
    // SAFETY: `deserialize` demands bytes that `serialize` of a compatible engine wrote; others may run arbitrary code.
    // `TrustedCode` is only built by `Cache::load`, from a file that
    // - lies in a directory that belongs to this process's user and that nobody else may enter (checked when the cache was
    //   opened), so that no one but this program wrote it;
    // - has the SHA-256 that was noted beside it when it was written, so that it is whole;
    // - has the compatibility hash of this very engine in its name, and `deserialize` itself checks version and settings.
    // The bytes checked are the bytes used: the file is not read again.
    unsafe { Component::deserialize(engine, code.bytes()) }
}
