//! Any text: refused with a place, or a job whose canonical form is that of the same job. It lowers to
//! a plan or to diagnostics.

#![no_main]

use flink_wasm_ir::{parse, place};
use flink_wasm_plan::{Functions, lower, warnings};

libfuzzer_sys::fuzz_target!(|text: &str| {
    let Ok(parsed) = parse(text) else { return };
    let canonical = parsed.job.to_json();
    let again = parse(&canonical).expect("the canonical form is read").job;
    assert_eq!(again, parsed.job);
    assert_eq!(again.to_json(), canonical);
    for warning in warnings(&parsed.job, &Functions::new()) {
        drop(place(text, warning));
    }
    match lower(&parsed.job, &Functions::new()) {
        Ok(plan) => drop((plan.to_json(), plan.render())),
        Err(problems) => {
            assert!(!problems.is_empty());
            for problem in problems {
                drop(place(text, problem).to_string());
            }
        }
    }
});
