//! The sidecar over a real socket.

mod common;

use std::io::Write;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use common::{Server, digest};
use flink_wasm_diagnostic::Code;
use flink_wasm_protocol::bundle::encode_bundle;
use flink_wasm_protocol::frame::{FrameHeader, FrameType, encode_frame};
use flink_wasm_protocol::handshake::ErrorFrame;
use flink_wasm_protocol::json::{batch_to_rows, rows_to_batch, schema_of};
use flink_wasm_protocol::reply::{Reply, ReplyBody};
use flink_wasm_protocol::{DataType, RowField};
use serde_json::{Value, json};

static TAX: LazyLock<Vec<u8>> = LazyLock::new(|| flink_wasm_test_guests::component("tax"));
static HOSTILE: LazyLock<Vec<u8>> = LazyLock::new(|| flink_wasm_test_guests::component("hostile"));

/// Says that a test's main part is over, however it ended.
struct Done<'a>(&'a AtomicBool);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn open_tax() -> Value {
    json!({
        "function": "tax", "component": digest(&TAX), "kind": "map", "parameters": {"rate": 0.5},
        "input": ["BIGINT NOT NULL", "STRING NOT NULL", "DOUBLE NOT NULL"],
        "output": ["BIGINT NOT NULL", "STRING NOT NULL", "DOUBLE NOT NULL", "DOUBLE NOT NULL"],
    })
}

fn open_hostile() -> Value {
    json!({
        "function": "bad", "component": digest(&HOSTILE), "kind": "map",
        "input": ["STRING NOT NULL", "BIGINT NOT NULL"], "output": ["STRING NOT NULL", "BIGINT NOT NULL"],
        "limits": {"memoryBytes": 16 << 20, "deadlineMs": 1000},
    })
}

fn fields(types: &[(&str, &str)]) -> Vec<RowField> {
    let field = |(name, text): &(&str, &str)| RowField {
        name: (*name).into(),
        data_type: DataType::parse(text).unwrap(),
    };
    types.iter().map(field).collect()
}

fn tax_fields() -> Vec<RowField> {
    fields(&[("id", "BIGINT NOT NULL"), ("region", "STRING NOT NULL"), ("amount", "DOUBLE NOT NULL")])
}

fn tax_bundle(rows: std::ops::Range<i64>) -> Vec<u8> {
    let rows: Vec<Value> = rows.map(|id| json!({"id": id, "region": "eu", "amount": id as f64})).collect();
    encode_bundle(0, 0, &rows_to_batch(&tax_fields(), &rows).unwrap())
}

fn hostile_bundle(modes: &[&str]) -> Vec<u8> {
    let rows: Vec<Value> = modes.iter().map(|mode| json!({"mode": mode, "value": 1})).collect();
    let fields = fields(&[("mode", "STRING NOT NULL"), ("value", "BIGINT NOT NULL")]);
    encode_bundle(0, 0, &rows_to_batch(&fields, &rows).unwrap())
}

/// The totals of a reply of tax.
fn totals(payload: &[u8]) -> Vec<f64> {
    let mut fields = tax_fields();
    fields.push(RowField { name: "total".into(), data_type: DataType::parse("DOUBLE NOT NULL").unwrap() });
    let reply = Reply::parse(&schema_of(&fields).unwrap(), payload).unwrap();
    let ReplyBody::Map(emissions) = &reply.body else { panic!("not a map") };
    let rows = emissions.iter().flat_map(|emission| batch_to_rows(&fields, &emission.rows).unwrap());
    rows.map(|row| row["total"].as_f64().unwrap()).collect()
}

#[track_caller]
fn check_totals(payload: &[u8], rows: std::ops::Range<i64>) {
    assert_eq!(totals(payload), rows.map(|id| id as f64 * 1.5).collect::<Vec<_>>());
}

#[test]
fn bundles_are_answered_in_order() {
    let server = Server::start(|_| {});
    let mut client = server.connect();
    let (was_needed, opened) = client.open(&open_tax(), &TAX);
    assert!(was_needed && !opened.cached && opened.function == "tax");
    // Several in flight, as the operator has them.
    for id in 1..=20 {
        client.send(FrameType::Bundle, id, &tax_bundle(id as i64 * 100..id as i64 * 100 + 50));
    }
    for id in 1..=20 {
        let (header, payload) = client.receive().unwrap();
        assert_eq!((header.kind, header.id), (FrameType::Reply, id));
        check_totals(&payload, id as i64 * 100..id as i64 * 100 + 50);
    }
}

#[test]
fn a_component_is_asked_for_once() {
    let cache = tempfile::tempdir().unwrap();
    let cache_dir = cache.path().join("cache");
    let server = Server::start(|config| config.cache_dir = Some(cache_dir.clone()));
    assert!(server.connect().open(&open_tax(), &TAX).0);
    let (was_needed, opened) = server.connect().open(&open_tax(), &TAX);
    assert!(!was_needed && opened.cached);
    drop(server);
    // The next process has it on disk.
    let server = Server::start(|config| config.cache_dir = Some(cache_dir));
    let mut client = server.connect();
    let (was_needed, opened) = client.open(&open_tax(), &TAX);
    assert!(!was_needed && opened.cached);
    client.send(FrameType::Bundle, 1, &tax_bundle(0..3));
    check_totals(&client.expect(FrameType::Reply), 0..3);
}

#[test]
fn another_process_compiles_and_its_failure_is_made_good() {
    for compiler in [env!("CARGO_BIN_EXE_flink-wasm-sidecar"), "/bin/false"] {
        let cache = tempfile::tempdir().unwrap();
        let cache_dir = cache.path().join("cache");
        let server = Server::start(|config| {
            config.cache_dir = Some(cache_dir.clone());
            config.compiler = Some(compiler.into());
        });
        let mut client = server.connect();
        let (was_needed, opened) = client.open(&open_tax(), &TAX);
        assert!(was_needed && !opened.cached, "{compiler}");
        client.send(FrameType::Bundle, 1, &tax_bundle(0..3));
        check_totals(&client.expect(FrameType::Reply), 0..3);
        let is_code = |entry: std::io::Result<std::fs::DirEntry>| {
            entry.unwrap().path().extension().is_some_and(|extension| extension == "cwasm")
        };
        assert!(std::fs::read_dir(&cache_dir).unwrap().any(is_code), "{compiler}");
    }
}

#[test]
fn other_bytes_than_announced_are_refused() {
    let server = Server::start(|_| {});
    let mut client = server.connect();
    client.hello();
    client.send_json(FrameType::Open, &open_tax());
    client.expect(FrameType::NeedComponent);
    client.send(FrameType::Component, 0, &HOSTILE);
    let error = client.error();
    assert_eq!((error.diagnostic.code, error.function.as_deref()), (Code::CorruptBundle, Some("tax")));
}

#[test]
fn what_may_not_enter_is_refused() {
    let server = Server::start(|_| {});
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/admission/tests/corpus");
    let asynchronous = wat::parse_file(corpus.join("async-lift/input.wat")).unwrap();
    for (component, code) in
        [(b"\0asm\x01\0\0\0".to_vec(), Code::NotAComponent), (asynchronous, Code::AsyncComponent)]
    {
        let mut client = server.connect();
        client.hello();
        let mut open = open_tax();
        open["component"] = digest(&component).into();
        client.send_json(FrameType::Open, &open);
        client.expect(FrameType::NeedComponent);
        client.send(FrameType::Component, 0, &component);
        assert_eq!(client.error().diagnostic.code, code);
    }
}

#[test]
fn versions_must_meet() {
    let server = Server::start(|_| {});
    for (min, max, is_welcome) in [(1, 1, true), (1, 9, true), (0, 3, true), (2, 3, false), (0, 0, false)] {
        let mut client = server.connect();
        client.send_json(FrameType::Hello, &json!({"protocol": {"min": min, "max": max}, "client": "test"}));
        if is_welcome {
            client.expect(FrameType::Welcome);
        } else {
            let error = client.error();
            assert_eq!(error.diagnostic.code, Code::ProtocolMismatch);
            assert_eq!(
                error.diagnostic.message,
                format!("the operator speaks protocol versions {min} to {max}, the sidecar 1")
            );
        }
    }
}

#[test]
fn a_job_planned_for_another_component_is_refused() {
    let server = Server::start(|_| {});
    server.connect().open(&open_tax(), &TAX); // from here on the component is there
    for (property, value) in [
        ("kind", json!("filter")),
        ("input", json!(["BIGINT NOT NULL", "STRING NOT NULL"])),
        ("input", json!(["BIGINT", "STRING NOT NULL", "DOUBLE NOT NULL"])),
        ("output", json!([])),
    ] {
        let mut open = open_tax();
        open[property] = value;
        let mut client = server.connect();
        client.hello();
        client.send_json(FrameType::Open, &open);
        assert_eq!(client.error().diagnostic.code, Code::TypeMismatch, "{property}");
    }
}

#[test]
fn wrong_parameters_are_told() {
    let server = Server::start(|_| {});
    let mut open = open_tax();
    open["parameters"] = json!({"rate": []});
    let mut client = server.connect();
    client.hello();
    client.send_json(FrameType::Open, &open);
    client.expect(FrameType::NeedComponent);
    client.send(FrameType::Component, 0, &TAX);
    let error = client.error();
    assert_eq!(error.diagnostic.code, Code::OpenFailed);
    assert_eq!(error.component, Some(digest(&TAX)));
}

#[track_caller]
fn refused(server: &Server, bytes: &[u8], message: &str) {
    let mut client = server.connect();
    client.stream.write_all(bytes).unwrap();
    client.stream.shutdown(std::net::Shutdown::Write).unwrap();
    let error = client.error();
    assert_eq!(error.diagnostic.code, Code::ProtocolViolation);
    assert!(error.diagnostic.message.starts_with(message), "{}", error.diagnostic.message);
}

#[test]
fn what_breaks_the_protocol_is_refused() {
    let server = Server::start(|_| {});
    refused(&server, b"GET / HTTP/1.1\r\n\r\n", "unknown frame type 47");
    refused(&server, &[0xff; 64], "unknown frame type 255");
    refused(&server, &encode_frame(FrameType::Hello, 0, b"{"), "a Hello frame is malformed");
    refused(&server, &encode_frame(FrameType::Open, 0, b"{}"), "a Open frame came where Hello was expected");
    let hello = encode_frame(FrameType::Hello, 0, br#"{"protocol":{"min":1,"max":1},"client":""}"#);
    refused(&server, &hello[..10], "the stream ended within a frame's header");
    refused(&server, &hello[..30], "the stream ended within a frame");
    let too_long = FrameHeader { kind: FrameType::Hello, id: 0, payload_bytes: (1 << 20) + 1 }.encode();
    refused(&server, &too_long, "a Hello frame announces 1048577 bytes, the limit is 1048576");
    // Nobody was harmed.
    server.connect().open(&open_tax(), &TAX);
}

#[test]
fn a_bundle_that_breaks_the_protocol_is_refused() {
    let server = Server::start(|_| {});
    server.connect().open(&open_tax(), &TAX);
    let good = tax_bundle(0..3);
    for (bundle, message) in [
        (good[..good.len() - 8].to_vec(), "cells of column 2 needs 24 bytes"),
        (good[..10].to_vec(), "the bundle's header needs 16 bytes"),
        (hostile_bundle(&["x"]), "a batch of 2 columns, the schema has 3"),
    ] {
        let mut client = server.connect();
        client.open(&open_tax(), &TAX);
        client.send(FrameType::Bundle, 7, &bundle);
        let (header, payload) = client.receive().unwrap();
        let error: ErrorFrame = serde_json::from_slice(&payload).unwrap();
        assert_eq!(
            (header.kind, header.id, error.diagnostic.code),
            (FrameType::Error, 7, Code::ProtocolViolation)
        );
        assert!(error.diagnostic.message.starts_with(message), "{}", error.diagnostic.message);
    }
    let mut client = server.connect();
    client.open(&open_tax(), &TAX);
    client.send(FrameType::Component, 0, b"");
    assert_eq!(client.error().diagnostic.message, "a Component frame came where Bundle was expected");
}

#[test]
fn a_hostile_connection_ends_and_its_neighbour_finishes() {
    let server = Server::start(|_| {});
    let is_done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        // Also when an assertion fails, or the neighbour would go on for ever.
        let done = Done(&is_done);
        let neighbour = scope.spawn(|| {
            let mut client = server.connect();
            client.open(&open_tax(), &TAX);
            let mut id = 0;
            while !is_done.load(Ordering::Relaxed) || id < 50 {
                id += 1;
                client.send(FrameType::Bundle, id, &tax_bundle(0..100));
                check_totals(&client.expect(FrameType::Reply), 0..100);
            }
        });
        for (mode, code) in [
            ("panic", Code::FunctionTrapped),
            ("overflow", Code::FunctionTrapped),
            ("grow", Code::MemoryExceeded),
            ("loop", Code::DeadlineExceeded),
        ] {
            let mut client = server.connect();
            client.open(&open_hostile(), &HOSTILE);
            client.send(FrameType::Bundle, 1, &hostile_bundle(&["", "", ""]));
            client.expect(FrameType::Reply);
            client.send(FrameType::Bundle, 2, &hostile_bundle(&["", mode, ""]));
            let error = client.error();
            assert_eq!((error.diagnostic.code, error.row), (code, Some(1)), "{mode}");
            assert_eq!((error.function.as_deref(), error.component), (Some("bad"), Some(digest(&HOSTILE))));
        }
        drop(done);
        neighbour.join().unwrap();
    });
    let metrics = server.get("/metrics");
    assert!(metrics.contains("flink_wasm_sidecar_errors_total{code=\"FW0504\"} 2"), "{metrics}");
    assert!(metrics.contains("flink_wasm_sidecar_errors_total{code=\"FW0505\"} 1"), "{metrics}");
}

#[test]
fn a_bundle_that_is_run_again_gives_signs_of_life() {
    let server = Server::start(|_| {});
    let mut open = open_hostile();
    open["limits"]["deadlineMs"] = json!(200);
    open["onError"] = json!({"policy": "skip", "retries": 0});
    let mut client = server.connect();
    client.open(&open, &HOSTILE);
    client.send(FrameType::Bundle, 1, &hostile_bundle(&["", "error", ""]));
    client.expect(FrameType::Reply);
    let before = client.heartbeats;
    client.send(FrameType::Bundle, 2, &hostile_bundle(&["loop", "", "loop", "loop"]));
    client.expect(FrameType::Reply);
    // Each of the three takes one deadline to be noticed and one to be sure of.
    assert!(client.heartbeats >= before + 5, "{before}, then {} heartbeats", client.heartbeats);
}

#[test]
fn a_peer_that_vanishes_takes_nothing_with_it() {
    let server = Server::start(|_| {});
    for bytes in [0, 5, 100] {
        let mut client = server.connect();
        client.open(&open_tax(), &TAX);
        client.stream.write_all(&encode_frame(FrameType::Bundle, 1, &tax_bundle(0..100))[..bytes]).unwrap();
    }
    let mut client = server.connect();
    client.open(&open_tax(), &TAX);
    client.send(FrameType::Bundle, 1, &tax_bundle(0..3));
    check_totals(&client.expect(FrameType::Reply), 0..3);
}

#[test]
fn connections_and_memory_have_limits() {
    let server = Server::start(|config| {
        config.max_connections = 2;
        config.memory_limit = Some(100 << 20);
    });
    let mut first = server.connect();
    first.open(&open_tax(), &TAX); // reserves 64 MiB
    let mut second = server.connect();
    second.hello();
    let mut third = server.connect();
    assert_eq!(third.error().diagnostic.code, Code::SidecarUnreachable);
    second.send_json(FrameType::Open, &open_tax());
    let error = second.error();
    assert_eq!(error.diagnostic.code, Code::MemoryExceeded, "{error:?}");
    drop((first, second));
    // What the first had is free again, soon.
    let start = Instant::now();
    while !server.get("/metrics").contains("flink_wasm_sidecar_connections 0")
        && start.elapsed() < Duration::from_secs(30)
    {
        std::thread::sleep(Duration::from_millis(10));
    }
    server.connect().open(&open_tax(), &TAX);
}

#[test]
fn health_and_metrics() {
    let server = Server::start(|_| {});
    for (path, status) in
        [("/livez", "200 OK"), ("/readyz", "200 OK"), ("/metrics", "200 OK"), ("/other", "404 Not Found")]
    {
        assert!(server.get(path).starts_with(&format!("HTTP/1.1 {status}")), "{path}");
    }
    let mut client = server.connect();
    client.open(&open_tax(), &TAX);
    client.send(FrameType::Bundle, 1, &tax_bundle(0..42));
    client.expect(FrameType::Reply);
    client.send(FrameType::Bundle, 2, &tax_bundle(0..1));
    client.expect(FrameType::Reply);
    let metrics = server.get("/metrics");
    for line in [
        "flink_wasm_sidecar_connections 1",
        "flink_wasm_sidecar_rows_total 4", // the second bundle may not be counted yet
        "flink_wasm_sidecar_functions_opened_total{code=\"compiled\"} 1",
        "flink_wasm_sidecar_reserved_memory_bytes 67108864",
        "flink_wasm_sidecar_bundle_seconds_count ",
        "flink_wasm_sidecar_guest_seconds_total ",
    ] {
        assert!(metrics.contains(line), "{line}\n{metrics}");
    }
}

#[test]
fn stopping_lets_connections_end() {
    let mut server = Server::start(|config| config.drain = Duration::from_secs(60));
    let mut client = server.connect();
    client.open(&open_tax(), &TAX);
    drop(server.stop.take());
    let start = Instant::now();
    while server.socket.exists() && start.elapsed() < Duration::from_secs(30) {
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(UnixStream::connect(&server.socket).is_err(), "a stopping sidecar takes connections");
    assert!(server.get("/readyz").starts_with("HTTP/1.1 503"));
    assert!(server.get("/livez").starts_with("HTTP/1.1 200"));
    client.send(FrameType::Bundle, 1, &tax_bundle(0..3));
    check_totals(&client.expect(FrameType::Reply), 0..3);
    drop(client); // the last one: `drop(server)` returns long before a minute is over
}

#[test]
fn stopping_does_not_wait_for_ever() {
    let mut server = Server::start(|config| config.drain = Duration::from_millis(50));
    let mut client = server.connect();
    client.open(&open_tax(), &TAX);
    drop(server.stop.take());
    assert!(client.receive().is_none(), "an idle connection outlives the sidecar");
}
