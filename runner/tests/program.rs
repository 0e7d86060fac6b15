//! The program: its ready line, its exit, its refusals.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

fn start(socket: &std::path::Path) -> (Child, Value) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_flink-wasm-sidecar"))
        .arg("--socket")
        .arg(socket)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    (child, serde_json::from_str(&line).unwrap())
}

fn terminate(child: &Child) {
    assert!(Command::new("kill").arg(child.id().to_string()).status().unwrap().success());
}

#[test]
fn sigterm_ends_it_in_good_order() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("s");
    let (mut child, ready) = start(&socket);
    assert_eq!(ready["socket"], socket.to_str().unwrap());
    assert!(ready["health"].as_str().unwrap().starts_with("127.0.0.1:"));
    assert_eq!(std::fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o660);
    UnixStream::connect(&socket).unwrap();
    terminate(&child);
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(!socket.exists());
}

#[test]
fn a_second_sidecar_is_refused_and_a_dead_one_replaced() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("s");
    let (mut first, _) = start(&socket);
    let second =
        Command::new(env!("CARGO_BIN_EXE_flink-wasm-sidecar")).arg("--socket").arg(&socket).output().unwrap();
    assert_eq!(second.status.code(), Some(1));
    let errors = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(
        errors.contains("error[FW0002]: can't listen at") && errors.contains("another sidecar listens there"),
        "{errors}"
    );

    first.kill().unwrap();
    first.wait().unwrap();
    assert!(socket.exists(), "a killed sidecar leaves its socket");
    let (mut third, _) = start(&socket);
    UnixStream::connect(&socket).unwrap();
    terminate(&third);
    assert_eq!(third.wait().unwrap().code(), Some(0));
}
