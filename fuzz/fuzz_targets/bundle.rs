//! Any bytes: refused, or the one bundle that has these contents. Any contents: read as written, and
//! refused once a byte differs.

#![no_main]

use arbitrary::Arbitrary;
use flink_wasm_bundle::{Bundle, BundleBuilder, Function, digest};

#[derive(Arbitrary, Debug)]
enum Input<'a> {
    Bytes(&'a [u8]),
    Parts(Parts<'a>),
}

#[derive(Arbitrary, Debug)]
struct Parts<'a> {
    name: &'a str,
    ir: &'a [u8],
    plan: &'a [u8],
    components: Vec<(&'a str, &'a [u8])>,
    functions: Vec<(&'a str, u8, &'a str)>,
    /// Where the written bundle is changed, and how.
    change: (u32, u8),
}

libfuzzer_sys::fuzz_target!(|input: Input<'_>| {
    match input {
        Input::Bytes(bytes) => bytes_are_refused_or_canonical(bytes),
        Input::Parts(parts) => parts_are_read_as_written(parts),
    }
});

fn bytes_are_refused_or_canonical(bytes: &[u8]) {
    let Ok(bundle) = Bundle::parse(bytes.to_vec()) else { return };
    assert_eq!(build_again(&bundle), bytes);
}

fn build_again(bundle: &Bundle) -> Vec<u8> {
    let mut builder = BundleBuilder::new(&bundle.config().name).ir(bundle.ir()).plan(bundle.plan());
    for (_, title, bytes) in bundle.components() {
        builder = builder.component(title, bytes);
    }
    for (name, function) in &bundle.config().functions {
        builder = builder.function(name, function.clone());
    }
    builder.build().expect("what was read can be written")
}

fn parts_are_read_as_written(parts: Parts<'_>) {
    let mut builder = BundleBuilder::new(parts.name).ir(parts.ir).plan(parts.plan);
    for (title, bytes) in &parts.components {
        builder = builder.component(*title, *bytes);
    }
    for (name, component, descriptor) in &parts.functions {
        let Some((_, bytes)) = parts.components.get(usize::from(*component)) else { continue };
        let function = Function { component: digest(bytes), descriptor: (*descriptor).into() };
        builder = builder.function(*name, function);
    }
    // Titles that are no file names, and missing parts.
    let Ok(mut archive) = builder.build() else { return };
    let bundle = Bundle::parse(archive.clone()).expect("what was written can be read");
    assert_eq!((bundle.ir(), bundle.plan()), (parts.ir, parts.plan));
    assert_eq!(build_again(&bundle), archive);
    let (at, mask) = parts.change;
    let at = at as usize % archive.len();
    if mask != 0 {
        archive[at] ^= mask;
        assert!(Bundle::parse(archive).is_err(), "byte {at:#x} can be changed");
    }
}
