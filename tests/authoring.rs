//! What an author does by hand, away from the repository: the digest depends on the sources alone, and damage is seen.

use std::path::{Path, PathBuf};

use flink_wasm_tests::run;
use serde_json::Value;

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
