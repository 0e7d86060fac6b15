//! Sound functions: what they answer, what they are told, and what they are refused.

mod common;

use common::{ENGINE, function, open, opened, payload, run};
use flink_wasm_diagnostic::Code;
use flink_wasm_engine::{Engine, EngineConfig, FunctionKind, Limits};
use serde_json::json;

#[test]
fn a_map_answers() {
    let rows = [
        json!({"id": 1, "region": "eu", "amount": 10.0}),
        json!({"id": 2, "region": "us", "amount": -1.0}),
        json!({"id": 3, "region": "us", "amount": 100.0}),
    ];
    let mut instance = open("tax", json!({"rate": 0.5, "regions": {"eu": 1.0}}), Limits::default()).unwrap();
    for _ in 0..2 {
        let answer = run(&mut instance, &rows).unwrap();
        assert_eq!(answer.rows[0], json!({"id": 1, "region": "eu", "amount": 10.0, "total": 20.0}));
        assert_eq!(answer.rows[1], json!({"id": 3, "region": "us", "amount": 100.0, "total": 150.0}));
        assert_eq!(answer.origins, [0, 2]);
        assert_eq!(answer.failures, [(1, "order 2 has the negative amount -1".to_owned())]);
        assert!(answer.trailer.is_empty());
    }
    assert!(instance.peak_memory_bytes() > 0);
}

#[test]
fn a_filter_answers() {
    let amounts: Vec<f64> = (0..20).map(|index| f64::from(index) * 10.0).collect();
    let rows: Vec<_> = amounts.iter().map(|amount| json!({ "amount": amount })).collect();
    let answer = run(&mut opened("large-order"), &rows).unwrap();
    assert_eq!(answer.keep, amounts.iter().map(|amount| *amount >= 100.0).collect::<Vec<_>>());
    assert!(answer.rows.is_empty() && answer.failures.is_empty());
}

#[test]
fn no_rows_are_rows_too() {
    assert!(run(&mut opened("tax"), &[]).unwrap().rows.is_empty());
    assert!(run(&mut opened("large-order"), &[]).unwrap().keep.is_empty());
}

#[test]
fn a_component_describes_itself() {
    let tax = function("tax");
    let description = tax.description();
    assert_eq!((description.name.as_str(), description.kind), ("tax", FunctionKind::Map));
    let input: Vec<_> =
        description.input.iter().map(|field| (field.name.as_str(), field.sql_type.as_str())).collect();
    assert_eq!(
        input,
        [("id", "BIGINT NOT NULL"), ("region", "STRING NOT NULL"), ("amount", "DOUBLE NOT NULL")]
    );
    assert_eq!(description.parameters[0].name, "rate");
    assert_eq!(description.parameters[0].default, Some(json!(0.2)));
    assert_eq!(function("large-order").description().kind, FunctionKind::Filter);
}

#[test]
fn wrong_parameters_are_refused_by_open() {
    let fault = open("tax", json!({"rate": "much"}), Limits::default()).unwrap_err();
    assert_eq!(fault.diagnostic.code, Code::OpenFailed, "{fault:?}");
    assert!(fault.diagnostic.message.starts_with("the function refused to open: "), "{fault:?}");
}

#[test]
fn limits_have_limits() {
    for (memory_bytes, deadline_ms, code) in [
        ((1 << 30) + 1, 1_000, Code::ProtocolViolation),
        (1 << 20, 0, Code::ProtocolViolation),
        (1 << 20, 600_001, Code::ProtocolViolation),
        (64 << 10, 1_000, Code::MemoryExceeded),
    ] {
        let fault =
            open("tax", json!({}), Limits { memory_bytes, deadline_ms, ..Limits::default() }).unwrap_err();
        assert_eq!(fault.diagnostic.code, code, "{memory_bytes} {deadline_ms} {fault:?}");
    }
}

#[test]
fn bundles_of_another_schema_are_refused() {
    let mut instance = opened("large-order");
    let fault = instance.run(1, &payload(&function("tax"), &[])).unwrap_err();
    assert_eq!(fault.diagnostic.code, Code::ProtocolViolation, "{fault:?}");
}

#[test]
fn a_payload_may_lie_anywhere() {
    let tax = function("tax");
    let payload = payload(&tax, &[json!({"id": 1, "region": "eu", "amount": 10.0})]);
    let expected = opened("tax").run(1, &payload).unwrap().to_vec();
    for shift in 0..8 {
        let mut shifted = vec![0; shift];
        shifted.extend_from_slice(&payload);
        assert_eq!(opened("tax").run(1, &shifted[shift..]).unwrap(), expected, "{shift}");
    }
}

#[test]
fn what_is_no_component_is_refused() {
    for bytes in [&b""[..], b"\0asm\x01\0\0\0", b"\0asm\x0d\0\x01\0", b"\x7fELF"] {
        assert!(ENGINE.load(bytes).is_err(), "{bytes:?}");
    }
    assert!(ENGINE.find(&"0".repeat(64)).unwrap().is_none());
}

#[test]
fn compiled_code_is_kept_and_checked() {
    let directory = tempfile::tempdir().unwrap();
    let config = EngineConfig { cache_dir: Some(directory.path().join("cache")), compiler: None };
    let component = flink_wasm_test_guests::component("identity");
    let first = Engine::new(&config).unwrap();
    assert!(!first.load(&component).unwrap().cached);
    assert!(first.load(&component).unwrap().cached, "in memory");
    let sha256 = first.load(&component).unwrap().function.sha256().to_owned();

    let second = Engine::new(&config).unwrap();
    assert!(second.find(&sha256).unwrap().is_some(), "on disk, without the component's bytes");

    for entry in std::fs::read_dir(directory.path().join("cache")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "cwasm") {
            let mut code = std::fs::read(&path).unwrap();
            let middle = code.len() / 2;
            code[middle] ^= 1;
            std::fs::write(&path, code).unwrap();
        }
    }
    let third = Engine::new(&config).unwrap();
    assert!(third.find(&sha256).unwrap().is_none(), "damaged code is used");
    assert!(!third.load(&component).unwrap().cached);
    let fourth = Engine::new(&config).unwrap();
    let function = fourth.find(&sha256).unwrap().expect("it was compiled again");
    let mut instance = function.open(&serde_json::Map::new(), Limits::default()).unwrap();
    assert_eq!(run(&mut instance, &[json!({"payload": "aGk="})]).unwrap().rows.len(), 1);
}
