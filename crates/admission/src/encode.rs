//! From a core module with `component-type` sections to a component.

use flink_wasm_diagnostic::{Code, Diagnostic, Result};
use wit_component::ComponentEncoder;

use crate::walk::Walk;

/// Encodes a core module. The bytes depend on the module and the version of `wit-component` alone;
/// the name section stays, since backtraces need it.
pub(crate) fn module_to_component(bytes: &[u8]) -> Result<Vec<u8>> {
    // The encoder trusts its input: it gets only what has passed the walk and the validation.
    Walk::module(bytes)?;
    crate::validate(bytes)?;
    let component = ComponentEncoder::default()
        // Versions are compared exactly (FW0307), so that nothing must be merged.
        .merge_imports_based_on_semver(false)
        .module(bytes)
        .and_then(|encoder| encoder.encode())
        .map_err(|error| {
            let mut diagnostic = Diagnostic::new(
                Code::WrongExports,
                format!("the core module does not fit the interface that it carries: {error}"),
            );
            for cause in error.chain().skip(1) {
                diagnostic = diagnostic.note(cause.to_string());
            }
            diagnostic
                .help("build the function with the SDK of this version, and put one function in one crate")
        })?;
    Ok(component)
}
