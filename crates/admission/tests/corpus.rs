//! Each folder of `tests/corpus` is one case; `expected.txt` is what the admission says of it.
//!
//! * `input.wat`: a component or a core module, as it is.
//! * `input.wit`: a package with a world `test`, which may use `flink-wasm:udf`; the case is a core
//!   module that implements it with traps, encoded as `wit-bindgen` would.
//!   When the case's name starts with `component-`, it is made a component first.
//! * `input.wit` and `module.wit`: the module implements the world of `module.wit` instead.
//! * `input.wit` and `patch.wat`: the module of `patch.wat` with the world of `input.wit`.
//!
//! `BLESS=1 cargo test -p flink-wasm-admission` writes the expectations.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use flink_wasm_admission::{Admitted, admit};
use wit_component::{ComponentEncoder, StringEncoding, dummy_module, embed_component_metadata};
use wit_parser::{LiftLowerAbi, ManglingAndAbi, Resolve};

#[test]
fn corpus() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let mut cases: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    assert!(cases.len() >= 20, "the corpus has shrunk to {} cases", cases.len());
    let mut failures = String::new();
    for case in &cases {
        let bytes = input(case);
        let actual = match admit(&bytes) {
            Ok(admitted) => describe(&admitted),
            Err(diagnostic) => format!("{diagnostic}\n"),
        };
        let expected_file = case.join("expected.txt");
        if std::env::var_os("BLESS").is_some() {
            fs::write(&expected_file, &actual).unwrap();
        }
        let expected = fs::read_to_string(&expected_file).unwrap_or_default();
        if expected != actual {
            writeln!(failures, "{}\nexpected\n{expected}\nactual\n{actual}", case.display()).unwrap();
        }
    }
    assert!(failures.is_empty(), "{failures}");
}

fn describe(admitted: &Admitted<'_>) -> String {
    let mut text = format!("{} function, interface {}\n", admitted.kind, admitted.interface_version);
    for import in &admitted.imports {
        writeln!(text, "import {import}").unwrap();
    }
    for export in &admitted.exports {
        writeln!(text, "export {export}").unwrap();
    }
    writeln!(text, "memory {}..{:?}", admitted.memory_min_bytes, admitted.memory_max_bytes).unwrap();
    text
}

fn input(case: &Path) -> Vec<u8> {
    let wit = case.join("input.wit");
    if !wit.exists() {
        return wat::parse_file(case.join("input.wat")).unwrap();
    }
    let text = fs::read_to_string(&wit).unwrap();
    let mut resolve = Resolve::default();
    // A case may bring an interface of its own under our name.
    if !text.starts_with("package flink-wasm:udf@0.1.0;") {
        resolve.push_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit")).unwrap();
    }
    let package = resolve.push_source("input.wit", &text).unwrap();
    let world = resolve.packages[package].worlds["test"];
    let patch = case.join("patch.wat");
    let name = case.file_name().unwrap().to_str().unwrap();
    let mangling = if name.starts_with("async-") {
        ManglingAndAbi::Legacy(LiftLowerAbi::AsyncCallback)
    } else if name.starts_with("standard-") {
        ManglingAndAbi::Standard32
    } else {
        ManglingAndAbi::Legacy(LiftLowerAbi::Sync)
    };
    let other = case.join("module.wit");
    let mut module = if patch.exists() {
        wat::parse_file(patch).unwrap()
    } else if other.exists() {
        let package = resolve.push_source("module.wit", &fs::read_to_string(other).unwrap()).unwrap();
        dummy_module(&resolve, resolve.packages[package].worlds["test"], mangling)
    } else {
        dummy_module(&resolve, world, mangling)
    };
    let encoding = if name.contains("utf16") { StringEncoding::UTF16 } else { StringEncoding::UTF8 };
    embed_component_metadata(&mut module, &resolve, world, encoding, false).unwrap();
    if name.starts_with("component-") {
        return ComponentEncoder::default().module(&module).unwrap().encode().unwrap();
    }
    module
}
