//! Bytes that nobody's tools would write: the admission answers with a diagnostic or a component,
//! and never panics.

use std::path::Path;
use std::sync::LazyLock;

use flink_wasm_admission::{admit, check, limits};
use proptest::prelude::*;
use wit_component::{StringEncoding, dummy_module, embed_component_metadata};
use wit_parser::{LiftLowerAbi, ManglingAndAbi, Resolve};

/// Core modules and components of all worlds, and every text of the corpus.
static SEEDS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let mut seeds = Vec::new();
    for world in ["map-function", "filter-function", "process-function"] {
        let module = module(world);
        seeds.push(admit(&module).unwrap().component.into_owned());
        seeds.push(module);
    }
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    for case in std::fs::read_dir(corpus).unwrap() {
        let input = case.unwrap().path().join("input.wat");
        if input.exists() {
            seeds.push(wat::parse_file(input).unwrap());
        }
    }
    seeds
});

fn module(world: &str) -> Vec<u8> {
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit")).unwrap();
    let world = resolve.packages[package].worlds[world];
    let mut module = dummy_module(&resolve, world, ManglingAndAbi::Legacy(LiftLowerAbi::Sync));
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8, false).unwrap();
    module
}

#[derive(Clone, Debug)]
enum Edit {
    Set(usize, u8),
    Flip(usize, u8),
    Insert(usize, Vec<u8>),
    Remove(usize, usize),
    /// Copies a range to another place: sections and names twice, or in another order.
    Copy(usize, usize, usize),
    Truncate(usize),
}

fn edit() -> impl Strategy<Value = Edit> {
    let at = any::<usize>();
    // LEB128 numbers and section ids are where parsers go wrong.
    let byte = prop_oneof![any::<u8>(), Just(0xff), Just(0x80), Just(0x7f), 0u8..16];
    prop_oneof![
        (at, byte.clone()).prop_map(|(at, byte)| Edit::Set(at, byte)),
        (at, 0u8..8).prop_map(|(at, bit)| Edit::Flip(at, bit)),
        (at, prop::collection::vec(byte, 1..6)).prop_map(|(at, bytes)| Edit::Insert(at, bytes)),
        (at, 1usize..16).prop_map(|(at, count)| Edit::Remove(at, count)),
        (at, 1usize..200, at).prop_map(|(from, count, to)| Edit::Copy(from, count, to)),
        at.prop_map(Edit::Truncate),
    ]
}

fn apply(bytes: &mut Vec<u8>, edit: Edit) {
    let length = bytes.len().max(1);
    match edit {
        Edit::Set(at, byte) => {
            if let Some(old) = bytes.get_mut(at % length) {
                *old = byte;
            }
        }
        Edit::Flip(at, bit) => {
            if let Some(old) = bytes.get_mut(at % length) {
                *old ^= 1 << bit;
            }
        }
        Edit::Insert(at, new) => {
            let at = (at % length).min(bytes.len());
            bytes.splice(at..at, new);
        }
        Edit::Remove(at, count) => {
            let at = (at % length).min(bytes.len());
            let end = (at + count).min(bytes.len());
            bytes.drain(at..end);
        }
        Edit::Copy(from, count, to) => {
            let from = (from % length).min(bytes.len());
            let part = bytes[from..(from + count).min(bytes.len())].to_vec();
            let to = (to % length).min(bytes.len());
            bytes.splice(to..to, part);
        }
        Edit::Truncate(at) => bytes.truncate(at % length),
    }
}

/// What is admitted is a component that is admitted again as it is.
fn admit_twice(bytes: &[u8]) {
    if let Ok(admitted) = admit(bytes) {
        let again = check(&admitted.component).expect("what was admitted stays admitted");
        assert_eq!((again.sha256, again.kind), (admitted.sha256, admitted.kind));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4096, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_bytes(
        magic in prop::sample::select(vec![&b""[..], b"\0asm\x01\0\0\0", b"\0asm\x0d\0\x01\0", b"\x7fELF"]),
        rest in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        admit_twice(&[magic, &rest].concat());
    }

    #[test]
    fn edited_components(seed in any::<prop::sample::Index>(), edits in prop::collection::vec(edit(), 1..8)) {
        let mut bytes = SEEDS[seed.index(SEEDS.len())].clone();
        for edit in edits {
            apply(&mut bytes, edit);
        }
        admit_twice(&bytes);
    }
}

#[test]
fn every_flipped_byte_of_a_component_and_of_a_module() {
    for seed in &SEEDS[..2] {
        let mut bytes = seed.clone();
        for at in 0..bytes.len() {
            for mask in [0x01, 0x80] {
                bytes[at] ^= mask;
                admit_twice(&bytes);
                bytes[at] ^= mask;
            }
        }
    }
}

#[test]
fn every_truncation() {
    for seed in &SEEDS[..2] {
        for length in 0..seed.len() {
            admit_twice(&seed[..length]);
        }
    }
}

#[test]
fn deeply_nested_types_do_not_exhaust_the_stack() {
    // A type section (7) with one type that nests `instance { type instance { ..` without end.
    let body = [0x42, 0x01, 0x01].repeat(100_000);
    let mut bytes = b"\0asm\x0d\0\x01\0\x07".to_vec();
    let mut length = body.len() + 1;
    while length > 0 {
        bytes.push((length & 0x7f) as u8 | if length > 0x7f { 0x80 } else { 0 });
        length >>= 7;
    }
    bytes.push(1);
    bytes.extend(body);
    assert_eq!(admit(&bytes).unwrap_err().code.as_str(), "FW0301");
}

#[test]
fn deeply_nested_components_do_not_exhaust_the_stack() {
    let mut bytes = Vec::new();
    for _ in 0..2000 {
        // Wraps what there is in a component (section 4).
        let mut outer = b"\0asm\x0d\0\x01\0\x04".to_vec();
        let mut length = bytes.len().max(8);
        if bytes.is_empty() {
            bytes = b"\0asm\x0d\0\x01\0".to_vec();
        }
        while length > 0 {
            outer.push((length & 0x7f) as u8 | if length > 0x7f { 0x80 } else { 0 });
            length >>= 7;
        }
        outer.append(&mut bytes);
        bytes = outer;
    }
    assert_eq!(admit(&bytes).unwrap_err().code.as_str(), "FW0308");
}

#[test]
fn first_bytes_decide() {
    #[track_caller]
    fn check(bytes: &[u8], code: &str, message: &str) {
        let error = admit(bytes).unwrap_err();
        assert_eq!((error.code.as_str(), error.message.as_str()), (code, message));
    }
    check(b"", "FW0301", "the file is empty");
    check(b"\x7fELF\x02", "FW0306", "the file is native code (ELF)");
    check(b"\x1f\x8b\x08", "FW0301", "the file is compressed with gzip");
    check(b"PK\x03\x04", "FW0301", "the file is a ZIP archive");
    check(b"(component)", "FW0301", "the file is WebAssembly in text form");
    check(b"#!/bin/sh", "FW0301", "the file is not WebAssembly");
    let too_large = vec![0; limits::COMPONENT_BYTES_MAX + 1];
    assert_eq!(admit(&too_large).unwrap_err().code.as_str(), "FW0308");
}

#[test]
fn a_core_module_becomes_the_same_component_each_time() {
    let module = module("map-function");
    let first = admit(&module).unwrap();
    let second = admit(&module).unwrap();
    assert_eq!(first.component, second.component);
    assert_eq!(check(&module).unwrap_err().code.as_str(), "FW0301");
}
