//! Any bytes: refused with a diagnostic, or admitted and then admitted again as they came out.

#![no_main]

use flink_wasm_admission::{admit, check};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    match admit(bytes) {
        Ok(admitted) => {
            let again = check(&admitted.component).expect("what was admitted stays admitted");
            assert_eq!((again.sha256, again.kind), (admitted.sha256, admitted.kind));
        }
        Err(diagnostic) => {
            assert!(diagnostic.code.as_str().starts_with("FW03"), "{diagnostic}");
            // FW0309 is about descriptors, which the admission does not read.
            assert_ne!(diagnostic.code.as_str(), "FW0309");
        }
    }
});
