//! What an author does by hand, away from the repository: the digest depends on the sources alone, and damage is seen.

use std::path::{Path, PathBuf};

use flink_wasm_tests::{finish, root, run};
use serde_json::{Value, json};
use std::process::Command;

/// Makes a function crate in `folder`, builds it with a target folder inside, and packs it.
fn pack(folder: &Path) -> (PathBuf, Value) {
    std::fs::create_dir_all(folder).expect("a folder");
    run(folder, &["new", "orders", "--quiet"]).ok();
    let orders = folder.join("orders");
    run(&orders, &["build", "--quiet"]).ok();
    let packed = run(&orders, &["pack", "--quiet", "--json"]).ok();
    let packed: Value = serde_json::from_str(&packed.stdout).expect("JSON");
    (orders.join("orders.flinkwasm"), packed["digest"].clone())
}

#[test]
fn the_same_sources_have_the_same_digest_and_damage_is_seen() {
    let folder = tempfile::tempdir().expect("a folder");
    let (bundle, digest) = pack(&folder.path().join("one"));
    let (other, other_digest) = pack(&folder.path().join("another/further/down"));
    assert_eq!(digest, other_digest);
    let bytes = std::fs::read(&bundle).expect("a bundle");
    assert_eq!(bytes, std::fs::read(other).expect("a bundle"));

    let verified = run(folder.path(), &["verify", &bundle.display().to_string(), "--json"]).ok();
    assert_eq!(serde_json::from_str::<Value>(&verified.stdout).expect("JSON")["digest"], digest);

    // The crate `bundle` flips every byte of a small bundle; this is what a user sees.
    let damaged = folder.path().join("damaged.flinkwasm");
    for place in [bytes.len() / 7, bytes.len() / 2, bytes.len() - 2000] {
        let mut flipped = bytes.clone();
        flipped[place] ^= 1;
        std::fs::write(&damaged, flipped).expect("a file");
        run(folder.path(), &["verify", "damaged.flinkwasm"]).fails(1, &["error[FW040", "damaged.flinkwasm"]);
    }
    std::fs::write(&damaged, &bytes[..bytes.len() / 2]).expect("a file");
    run(folder.path(), &["run", "damaged.flinkwasm"]).fails(1, &["error[FW0403]", "damaged.flinkwasm"]);
}

#[test]
fn what_is_wrong_on_the_command_line_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    run(folder.path(), &["new", "Not A Name"]).fails(2, &["error[FW0001]"]);
    run(folder.path(), &["pack", "missing.json"]).fails(1, &["error[FW0002]", "missing.json"]);
    run(folder.path(), &["inspect", "missing.wasm"]).fails(1, &["error[FW0002]", "missing.wasm"]);
    std::fs::write(folder.path().join("broken.json"), "{\n  \"source\": }").expect("a file");
    run(folder.path(), &["pack", "broken.json"]).fails(1, &["error[FW0101]", "broken.json:2:"]);
    std::fs::write(folder.path().join("text.wasm"), "no component").expect("a file");
    run(folder.path(), &["inspect", "text.wasm"]).fails(1, &["error[FW0301]", "text.wasm"]);
    std::fs::write(folder.path().join("text.flinkwasm"), "no bundle").expect("a file");
    run(folder.path(), &["verify", "text.flinkwasm"]).fails(1, &["error[FW040", "text.flinkwasm"]);
    // Nobody listens on port 1 of the loopback address.
    run(folder.path(), &["status", "--jobmanager", "http://127.0.0.1:1"])
        .fails(1, &["error[FW0601]", "127.0.0.1:1"]);
}

#[test]
fn asynchronous_functions_are_refused_when_they_are_packed() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let lift = root().join("crates/admission/tests/corpus/async-lift/input.wat");
    let component = wat::parse_file(lift).expect("a component");
    std::fs::write(folder.join("lookup.wasm"), component).expect("a file");
    let mut job = json!({
        "source": {"type": "file", "path": "orders.jsonl", "format": "json", "schema": "id BIGINT NOT NULL"},
        "operations": [{"type": "map", "expression": "lookup(id)"}],
        "sink": {"type": "console"},
        "functions": {"lookup": {"component": "lookup.wasm"}},
        "metadata": {"jobName": "orders"}
    });
    std::fs::write(folder.join("job.json"), job.to_string()).expect("a file");
    run(folder, &["pack"]).fails(1, &["error[FW0303]", "lookup.wasm", "functions are synchronous"]);

    job["operations"] =
        json!([{"type": "asyncFunction", "functionType": "http", "url": "http://rates/{id}"}]);
    job["functions"] = json!({});
    std::fs::write(folder.join("job.json"), job.to_string()).expect("a file");
    run(folder, &["pack"])
        .fails(1, &["error[FW0103]", "job.json:1:", "asyncFunction", "docs/synchronous.md"]);
}

/// `cargo-component`, installed once into this project's cache folder.
fn cargo_component() -> PathBuf {
    const VERSION: &str = "0.21.1";
    let home = PathBuf::from(std::env::var_os("HOME").expect("HOME is set"));
    let tools = home.join(".cache/flink-wasm").join(format!("cargo-component-{VERSION}"));
    let program = tools.join("bin/cargo-component");
    if !program.is_file() {
        let mut install = cargo(Path::new("/"));
        install.args(["install", "cargo-component", "--locked", "--version", VERSION, "--root"]).arg(&tools);
        finish(install).ok();
    }
    program
}

/// cargo as a user starts it: what this test's own cargo set does not reach it.
fn cargo(folder: &Path) -> Command {
    let mut command = Command::new("cargo");
    command.current_dir(folder);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("CARGO_") && name != "CARGO_HOME") {
        command.env_remove(name);
    }
    command
}

#[test]
fn cargo_component_builds_what_flink_wasm_takes() {
    let program = cargo_component();
    let search = format!(
        "{}:{}",
        program.parent().expect("a folder").display(),
        std::env::var("PATH").unwrap_or_default()
    );
    let folder = tempfile::tempdir().expect("a folder");
    for kind in ["map", "filter", "process"] {
        run(folder.path(), &["new", kind_crate(kind), "--kind", kind, "--quiet"]).ok();
        let function = folder.path().join(kind_crate(kind));
        let mut build = cargo(&function);
        build.args(["component", "build", "--release"]).env("PATH", &search);
        finish(build).ok();
        assert!(!function.join("target/flink-wasm").exists(), "nothing but cargo component has built it");
        let tested = run(&function, &["test"]).ok();
        assert!(tested.stderr.contains("0 failed") || tested.stdout.contains("0 failed"), "{tested:?}");
        run(&function, &["pack", "--quiet"]).ok();
        run(&function, &["run", &format!("{}.flinkwasm", kind_crate(kind)), "--quiet"]).ok();
    }
}

#[test]
fn tests_of_new_functions_pass_natively() {
    let folder = tempfile::tempdir().expect("a folder");
    for kind in ["map", "filter", "process"] {
        run(folder.path(), &["new", kind_crate(kind), "--kind", kind, "--quiet"]).ok();
        let mut test = cargo(&folder.path().join(kind_crate(kind)));
        // What they have in common is built once.
        test.arg("test").env("CARGO_TARGET_DIR", folder.path().join("target"));
        let tested = finish(test).ok();
        assert!(tested.stdout.contains("test result: ok. 1 passed"), "{tested:?}");
    }
}

fn kind_crate(kind: &str) -> &'static str {
    match kind {
        "map" => "enrich",
        "filter" => "keep",
        _ => "visits",
    }
}
