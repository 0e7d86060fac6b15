//! Bundles that are whole, and bundles that are not.

use std::path::Path;

use flink_wasm_bundle::{Bundle, BundleBuilder, Function, digest, limits, media_type, read_file, write_file};
use proptest::prelude::*;

const BLOCK: usize = 512;

fn small() -> BundleBuilder {
    let component = b"\0asm\x0d\0\x01\0".to_vec();
    let descriptor = serde_json::json!({"name": "tax", "kind": "map", "version": "0.1.0"});
    BundleBuilder::new("orders")
        .ir(r#"{"name":"orders"}"#)
        .plan(r#"{"version":1,"name":"orders"}"#)
        .function("tax", Function { component: digest(&component), descriptor })
        .component("tax.wasm", component)
}

/// Path and offset of the header of every entry, and last the end of the archive.
fn places(archive: &[u8]) -> Vec<(String, usize)> {
    let bundle = Bundle::parse(archive.to_vec()).unwrap();
    let mut at = 0;
    let mut places = Vec::new();
    for (path, bytes) in bundle.layout_files() {
        places.push((path.to_string(), at));
        at += BLOCK + bytes.len().next_multiple_of(BLOCK);
    }
    places.push(("the end of the archive".into(), at));
    places
}

#[test]
fn golden_digest() {
    let bytes = small().build().unwrap();
    let bundle = Bundle::parse(bytes.clone()).unwrap();
    let mut text = format!(
        "bundle {} {}\nfile {} bytes, {}\n",
        bundle.digest(),
        bundle.config().name,
        bytes.len(),
        digest(&bytes)
    );
    for entry in bundle.entries() {
        text += &format!(
            "{} {} {} {}\n",
            entry.path,
            entry.size,
            entry.media_type,
            entry.title.as_deref().unwrap_or("-")
        );
    }
    for (path, bytes) in bundle.layout_files() {
        text += &format!("--- {path}\n{}\n", String::from_utf8_lossy(bytes).escape_debug());
    }
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden.txt");
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&file, &text).unwrap();
    }
    assert_eq!(std::fs::read_to_string(file).unwrap(), text);
}

#[test]
fn the_order_of_calls_does_not_matter() {
    let build = |order: &[usize]| {
        let mut builder = BundleBuilder::new("n").plan("{}").ir("{}");
        for index in order {
            builder = match index {
                0 => builder.component("b.wasm", b"one".to_vec()),
                1 => builder.component("a.wasm", b"two".to_vec()),
                // The same bytes under another name: one layer.
                2 => builder.component("c.wasm", b"one".to_vec()),
                _ => builder.function(
                    format!("f{index}"),
                    Function { component: digest(b"two"), descriptor: 1.into() },
                ),
            };
        }
        builder.build().unwrap()
    };
    let first = build(&[0, 1, 2, 3, 4]);
    for order in [[4, 3, 2, 1, 0], [2, 0, 4, 1, 3], [1, 2, 0, 3, 4]] {
        assert_eq!(build(&order), first);
    }
    let bundle = Bundle::parse(first).unwrap();
    let titles: Vec<&str> = bundle.components().map(|component| component.1).collect();
    assert_eq!(titles, ["a.wasm", "b.wasm"]);
    assert_eq!(bundle.component(&digest(b"two")), Some(&b"two"[..]));
    assert_eq!(bundle.component(&digest(b"three")), None);
    // Equal contents of different kinds are one blob.
    assert_eq!((bundle.ir(), bundle.plan()), (&b"{}"[..], &b"{}"[..]));
}

#[test]
fn every_flipped_bit_is_found_and_its_place_named() {
    let mut archive = small().build().unwrap();
    let places = places(&archive);
    for at in 0..archive.len() {
        let (path, start) = places.iter().rev().find(|(_, start)| *start <= at).unwrap();
        for bit in 0..8 {
            archive[at] ^= 1 << bit;
            let error = match Bundle::parse(archive.clone()) {
                Ok(_) => panic!("bit {bit} of byte {at:#x} in {path} can be flipped"),
                Err(error) => error,
            };
            let text = error.to_string();
            // A name that was hit can't be told; then the offset of the entry is.
            let named = text.contains(path.as_str()) || text.contains(&format!("at offset {start:#x}"));
            // A size that was hit may send the reader into what follows.
            let size = (start + 124..start + 136).contains(&at);
            assert!(named || size, "bit {bit} of byte {at:#x} in {path}: {text}");
            archive[at] ^= 1 << bit;
        }
    }
    Bundle::parse(archive).unwrap();
}

#[test]
fn every_truncation_is_told() {
    let archive = small().build().unwrap();
    for length in 1..archive.len() {
        let error = Bundle::parse(archive[..length].to_vec()).unwrap_err();
        assert_eq!(error.code.as_str(), "FW0403", "{length}: {error}");
    }
    assert_eq!(Bundle::parse(Vec::new()).unwrap_err().code.as_str(), "FW0403");
}

#[test]
fn a_digest_that_is_wrong_is_told_with_both() {
    let mut archive = small().build().unwrap();
    let plan = archive.windows(9).position(|window| window == b"{\"version").unwrap();
    archive[plan + 11] = b'2';
    let error = Bundle::parse(archive).unwrap_err();
    let path = digest(r#"{"version":1,"name":"orders"}"#.as_bytes()).replace("sha256:", "blobs/sha256/");
    assert_eq!(error.code.as_str(), "FW0402");
    assert_eq!(error.message, format!("the blob `{path}` does not have the digest under which it is stored"));
    assert_eq!(
        error.notes,
        [format!("its digest is {}", digest(r#"{"version":2,"name":"orders"}"#.as_bytes()))]
    );
}

#[track_caller]
fn refused(archive: Vec<u8>, code: &str, part: &str) {
    let error = Bundle::parse(archive).map(|bundle| bundle.digest().to_string()).unwrap_err();
    assert_eq!(error.code.as_str(), code, "{error}");
    assert!(error.message.contains(part), "{error}");
}

#[test]
fn what_is_no_bundle() {
    refused(b"hello".to_vec(), "FW0401", "too short");
    refused(vec![b'x'; 5000], "FW0401", "not a tar archive");
    refused(vec![0; 5000], "FW0401", "not a tar archive");
    refused(vec![0x1f, 0x8b, 8, 0], "FW0401", "gzip");
    refused([&b"\0asm\x0d\0\x01\0"[..], &[0; 600]].concat(), "FW0401", "WebAssembly");
    refused(archive(&[Raw::file("readme.md", b"hello")]), "FW0401", "`readme.md`");
    refused(archive(&[Raw::file("index.json", b"{}")]), "FW0401", "`index.json`");
}

/// An entry of an archive that other programs could have written.
struct Raw {
    path: Vec<u8>,
    bytes: Vec<u8>,
    size: Option<&'static [u8]>,
    type_flag: u8,
}

impl Raw {
    fn file(path: &str, bytes: &[u8]) -> Raw {
        Raw { path: path.into(), bytes: bytes.into(), size: None, type_flag: b'0' }
    }

    fn blob(bytes: &[u8]) -> Raw {
        Raw::file(&digest(bytes).replace("sha256:", "blobs/sha256/"), bytes)
    }
}

/// Writes a tar archive with right checksums.
fn archive(entries: &[Raw]) -> Vec<u8> {
    let mut archive = Vec::new();
    for entry in entries {
        let mut header = [0u8; BLOCK];
        header[..entry.path.len()].copy_from_slice(&entry.path);
        header[100..108].copy_from_slice(b"0000644\0");
        header[108..116].copy_from_slice(b"0000000\0");
        header[116..124].copy_from_slice(b"0000000\0");
        header[124..136].copy_from_slice(format!("{:011o}\0", entry.bytes.len()).as_bytes());
        if let Some(size) = entry.size {
            header[124..136].copy_from_slice(size);
        }
        header[136..148].copy_from_slice(b"00000000000\0");
        header[148..156].fill(b' ');
        header[156] = entry.type_flag;
        header[257..265].copy_from_slice(b"ustar\x0000");
        header[329..337].copy_from_slice(b"0000000\0");
        header[337..345].copy_from_slice(b"0000000\0");
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        archive.extend(header);
        archive.extend(&entry.bytes);
        archive.resize(archive.len().next_multiple_of(BLOCK), 0);
    }
    archive.resize(archive.len() + 2 * BLOCK, 0);
    archive
}

/// The entries of the small bundle, to be changed and written again.
fn parts() -> Vec<Raw> {
    let bundle = Bundle::parse(small().build().unwrap()).unwrap();
    bundle.layout_files().map(|(path, bytes)| Raw::file(path, bytes)).collect()
}

#[test]
fn the_writer_of_these_tests_writes_what_the_builder_writes() {
    assert_eq!(archive(&parts()), small().build().unwrap());
}

#[test]
fn hostile_archives() {
    #[track_caller]
    fn check(change: impl FnOnce(&mut Vec<Raw>), code: &str, part: &str) {
        let mut parts = parts();
        change(&mut parts);
        refused(archive(&parts), code, part);
    }
    let insert = |entry: Raw| move |parts: &mut Vec<Raw>| parts.insert(1, entry);
    for path in [
        "../../etc/passwd",
        "/etc/passwd",
        "blobs/sha256/../../x",
        "blobs/sha256/",
        "blobs/sha512/ab",
        "./index.json",
    ] {
        check(insert(Raw::file(path, b"x")), "FW0402", path);
    }
    let upper = digest(b"x").replace("sha256:", "").to_uppercase();
    check(insert(Raw::file(&format!("blobs/sha256/{upper}"), b"x")), "FW0402", "has no place");
    for (type_flag, kind) in [
        (b'1', "hard link"),
        (b'2', "symbolic link"),
        (b'5', "directory"),
        (b'x', "pax header"),
        (b'L', "long name"),
    ] {
        check(insert(Raw { type_flag, ..Raw::file("blobs/sha256/x", b"") }), "FW0402", kind);
    }
    check(insert(Raw { path: b"blobs/sha256/\xff\xfe".to_vec(), ..Raw::file("", b"x") }), "FW0402", "UTF-8");
    // 8 GiB are promised, and more than 64 bits hold, in GNU's binary form.
    check(insert(Raw { size: Some(b"77777777777\0"), ..Raw::blob(b"x") }), "FW0308", "8589934591 bytes");
    check(
        insert(Raw { size: Some(b"\x80\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"), ..Raw::blob(b"x") }),
        "FW0402",
        "no valid size",
    );
    check(insert(Raw { size: Some(b"+0000000001\0"), ..Raw::blob(b"x") }), "FW0402", "no valid size");
    check(insert(Raw { size: Some(b"00377777777\0"), ..Raw::blob(b"x") }), "FW0403", "the file ends inside");
    check(|parts| parts[0].type_flag = 0, "FW0402", "unexpected type");
    // Sorted, once each, none left over, none missing.
    check(
        |parts| {
            parts.insert(1, Raw::file(&String::from_utf8(parts[0].path.clone()).unwrap(), &parts[0].bytes))
        },
        "FW0402",
        "stands twice",
    );
    check(|parts| parts.swap(0, 1), "FW0402", "out of order");
    check(
        |parts| {
            parts.push(Raw::blob(b"left over"));
            parts.sort_by(|left, right| left.path.cmp(&right.path));
        },
        "FW0402",
        "nothing refers to",
    );
    for index in 0..parts().len() {
        check(|parts| drop(parts.remove(index)), "FW0402", "is missing");
    }
    check(|parts| parts.last_mut().unwrap().bytes.push(b'\n'), "FW0402", "`oci-layout`");
    check(|parts| parts.clear(), "FW0401", "not a tar");
}

/// The small bundle with another index, manifest or config, with the digests above it made right.
fn rewritten(change: impl Fn(&str, &str) -> String) -> Vec<u8> {
    let bundle = Bundle::parse(small().build().unwrap()).unwrap();
    let entries = bundle.entries();
    let text = |index: usize| {
        let entry = bundle.layout_files().find(|file| file.0 == entries[index].path).unwrap();
        String::from_utf8(entry.1.to_vec()).unwrap()
    };
    let replace = |text: &str, old: &str, new: &str| {
        let size = |text: &str| format!("\"{}\",\"size\":{}", digest(text.as_bytes()), text.len());
        text.replace(&size(old), &size(new))
    };
    let (manifest, config, index) = (text(0), text(1), text(entries.len() - 2));
    let new_config = change("config", &config);
    let new_manifest = change("manifest", &replace(&manifest, &config, &new_config));
    let new_index = change("index", &replace(&index, &manifest, &new_manifest));
    let mut parts = parts();
    parts.retain(|part| part.bytes != manifest.as_bytes() && part.bytes != config.as_bytes());
    parts.retain(|part| part.path != b"index.json");
    parts.extend([Raw::blob(new_config.as_bytes()), Raw::blob(new_manifest.as_bytes())]);
    parts.push(Raw::file("index.json", new_index.as_bytes()));
    parts.sort_by(|left, right| left.path.cmp(&right.path));
    archive(&parts)
}

#[test]
fn documents_that_are_not_canonical() {
    #[track_caller]
    fn check(document: &str, old: &str, new: &str, code: &str, part: &str) {
        let archive = rewritten(|name, text| {
            if name != document {
                return text.to_string();
            }
            assert!(text.contains(old), "{text}");
            text.replace(old, new)
        });
        refused(archive, code, part);
    }
    assert_eq!(rewritten(|_, text| text.to_string()), small().build().unwrap());
    // Newer versions are told as such wherever they say so.
    check("config", "\"formatVersion\":1", "\"formatVersion\":2,\"colour\":\"red\"", "FW0404", "version 2");
    check("index", "bundle.v1+json", "bundle.v7+json", "FW0404", "version 7");
    check("index", "vnd.flink-wasm.bundle.v1", "vnd.other.v1", "FW0401", "artifact type");
    check("config", "\"formatVersion\":1", "\"formatVersion\":0", "FW0402", "version");
    check("config", "udf@0.1.0", "udf@0.9.0", "FW0402", "interface");
    check("config", "\"name\":\"orders\"", "\"name\":\"others\"", "FW0402", "`index.json`");
    check("index", "\"orders\"", "\"others\"", "FW0402", "`index.json`");
    check("index", "\"schemaVersion\":2", "\"schemaVersion\": 2", "FW0402", "`index.json`");
    check("index", "\"schemaVersion\":2,", "\"schemaVersion\":2,\"more\":1,", "FW0402", "`index.json`");
    check("index", "\"size\":", "\"size\":1", "FW0402", "promises");
    check("index", "sha256:", "", "FW0402", "`index.json`");
    check("manifest", "sha256:", "", "FW0402", "is missing");
    check("manifest", "\"schemaVersion\":2", "\"schemaVersion\":3", "FW0402", "canonical");
    check("manifest", "bundle.v1+json", "bundle.v2+json", "FW0402", "canonical");
    check("manifest", "\"tax.wasm\"", "\"../tax.wasm\"", "FW0402", "not a file name");
    check("manifest", "application/wasm", "application/x-sh", "FW0402", "unknown type");
    check("manifest", "plan.v1+json", "plan.v2+json", "FW0402", "`plan.json`");
    check("config", "\"component\":\"sha256:", "\"component\":\"sha256:00", "FW0402", "no layer");
}

#[test]
fn limits_of_the_builder() {
    #[track_caller]
    fn check(builder: BundleBuilder, code: &str, part: &str) {
        let error = builder.build().unwrap_err();
        assert_eq!(error.code.as_str(), code, "{error}");
        assert!(error.message.contains(part), "{error}");
    }
    check(small().ir(vec![b' '; limits::IR_BYTES_MAX as usize + 1]), "FW0308", "the job definition");
    check(small().plan(vec![b' '; limits::PLAN_BYTES_MAX as usize + 1]), "FW0308", "the plan");
    check(
        small().component("x.wasm", vec![0; limits::COMPONENT_BYTES_MAX as usize + 1]),
        "FW0308",
        "`x.wasm`",
    );
    let mut many = small();
    for index in 0..limits::LAYERS_MAX {
        many = many.component(format!("{index}.wasm"), index.to_le_bytes());
    }
    check(many, "FW0308", "components");
    check(BundleBuilder::new("x").ir("{}"), "FW0009", "without the plan");
    check(small().function("f", Function { component: digest(b"?"), descriptor: 1.into() }), "FW0009", "`f`");
    for title in ["", "..", "a/b.wasm", "c:\\x", "a\nb", ".hidden"] {
        check(small().component(title, b"x".to_vec()), "FW0009", "not a file name");
    }
    // As many layers as are allowed can be read again, with the longest titles.
    let mut most = BundleBuilder::new("x".repeat(limits::NAME_BYTES_MAX)).ir("{}").plan("{}");
    for index in 0..limits::LAYERS_MAX - 2 {
        most = most.component(format!("{index:0>255}"), index.to_le_bytes());
    }
    let bundle = Bundle::parse(most.build().unwrap()).unwrap();
    assert_eq!(bundle.components().count(), limits::LAYERS_MAX - 2);
}

#[test]
fn files_are_written_whole_and_named_in_errors() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("orders.flinkwasm");
    let bytes = small().build().unwrap();
    write_file(&file, b"old").unwrap();
    write_file(&file, &bytes).unwrap();
    assert_eq!(read_file(&file).unwrap().as_bytes(), bytes);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "a temporary file was left");

    let missing = folder.path().join("no/such.flinkwasm");
    for error in [read_file(&missing).unwrap_err(), write_file(&missing, b"").unwrap_err()] {
        assert_eq!(error.code.as_str(), "FW0002");
        assert_eq!(error.location.file.as_deref(), missing.to_str());
    }
    write_file(&file, &bytes[..2000]).unwrap();
    let error = read_file(&file).unwrap_err();
    assert_eq!((error.code.as_str(), error.location.file.as_deref()), ("FW0403", file.to_str()));
}

proptest! {
    #[test]
    fn round_trip(
        name in ".{1,40}",
        ir in prop::collection::vec(any::<u8>(), 1..2000),
        plan in prop::collection::vec(any::<u8>(), 1..2000),
        components in prop::collection::btree_map("[a-z]{1,12}\\.wasm", prop::collection::vec(any::<u8>(), 0..1500), 0..6),
        functions in prop::collection::btree_map(".{0,20}", (any::<prop::sample::Index>(), ".{0,30}"), 0..6),
    ) {
        let mut builder = BundleBuilder::new(&name).ir(ir.clone()).plan(plan.clone());
        for (title, bytes) in &components {
            builder = builder.component(title, bytes.clone());
        }
        let bytes: Vec<&Vec<u8>> = components.values().collect();
        if !bytes.is_empty() {
            for (name, (index, descriptor)) in &functions {
                let component = digest(bytes[index.index(bytes.len())]);
                builder = builder.function(name, Function { component, descriptor: descriptor.as_str().into() });
            }
        }
        let archive = builder.clone().build().unwrap();
        prop_assert_eq!(&archive, &builder.build().unwrap());
        let bundle = Bundle::read(&archive[..]).unwrap();
        prop_assert_eq!(&bundle.config().name, &name);
        prop_assert_eq!(bundle.ir(), &ir);
        prop_assert_eq!(bundle.plan(), &plan);
        for bytes in bytes {
            prop_assert_eq!(bundle.component(&digest(bytes)), Some(bytes.as_slice()));
        }
        prop_assert_eq!(bundle.config().functions.len(), if components.is_empty() { 0 } else { functions.len() });
        let layers = bundle.entries().iter().filter(|entry| entry.media_type == media_type::COMPONENT).count();
        prop_assert_eq!(layers, bundle.components().count());
    }

    #[test]
    fn arbitrary_bytes_are_refused(mut bytes in prop::collection::vec(any::<u8>(), 0..4000), prefix in any::<bool>()) {
        if prefix {
            bytes.splice(..0, *b"blobs/sha256/");
        }
        prop_assert!(Bundle::parse(bytes).is_err());
    }
}
