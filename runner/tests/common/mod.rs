//! What the tests of the sidecar share: a sidecar, and the operator's side of a connection.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use flink_wasm_protocol::frame::{FrameHeader, FrameType, HEADER_BYTES, encode_frame};
use flink_wasm_protocol::handshake::{ErrorFrame, Opened, Welcome};
use flink_wasm_sidecar::{Config, Sidecar};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

pub(crate) fn digest(component: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(component)))
}

/// A sidecar in this process, stopped when it goes.
pub(crate) struct Server {
    pub(crate) socket: PathBuf,
    pub(crate) health: SocketAddr,
    pub(crate) stop: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
    _directory: tempfile::TempDir,
}

impl Server {
    pub(crate) fn start(change: impl FnOnce(&mut Config)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut config = Config::new(directory.path().join("s"));
        config.health_addr = Some("127.0.0.1:0".parse().unwrap());
        config.drain = Duration::from_millis(200);
        change(&mut config);
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let (ready, is_ready) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let sidecar = Sidecar::bind(config).await.unwrap();
                ready.send((sidecar.socket().to_owned(), sidecar.health_addr().unwrap())).unwrap();
                sidecar.serve(async { drop(stopped.await) }).await.unwrap();
            });
        });
        let (socket, health) = is_ready.recv().unwrap();
        Self { socket, health, stop: Some(stop), thread: Some(thread), _directory: directory }
    }

    pub(crate) fn connect(&self) -> Client {
        let stream = UnixStream::connect(&self.socket).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        Client { stream, heartbeats: 0 }
    }

    pub(crate) fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(self.health).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: sidecar\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        let ended = self.thread.take().unwrap().join();
        assert!(ended.is_ok() || std::thread::panicking(), "the sidecar panicked");
    }
}

/// The operator's side.
pub(crate) struct Client {
    pub(crate) stream: UnixStream,
    /// How many HEARTBEAT frames came.
    pub(crate) heartbeats: usize,
}

impl Client {
    pub(crate) fn send(&mut self, kind: FrameType, id: u64, payload: &[u8]) {
        self.stream.write_all(&encode_frame(kind, id, payload)).unwrap();
    }

    pub(crate) fn send_json(&mut self, kind: FrameType, message: &Value) {
        self.send(kind, 0, message.to_string().as_bytes());
    }

    /// The next frame that is no HEARTBEAT; `None` at the end of the stream.
    pub(crate) fn receive(&mut self) -> Option<(FrameHeader, Vec<u8>)> {
        loop {
            let frame = self.receive_any()?;
            if frame.0.kind != FrameType::Heartbeat {
                return Some(frame);
            }
            self.heartbeats += 1;
        }
    }

    fn receive_any(&mut self) -> Option<(FrameHeader, Vec<u8>)> {
        let mut header = [0; HEADER_BYTES];
        match self.stream.read(&mut header[..1]).unwrap() {
            0 => return None,
            _ => self.stream.read_exact(&mut header[1..]).unwrap(),
        }
        let header = FrameHeader::decode(&header).unwrap();
        let mut payload = vec![0; header.payload_bytes as usize];
        self.stream.read_exact(&mut payload).unwrap();
        Some((header, payload))
    }

    #[track_caller]
    pub(crate) fn expect(&mut self, kind: FrameType) -> Vec<u8> {
        let (header, payload) = self.receive().expect("the stream goes on");
        assert_eq!(header.kind, kind, "{}", String::from_utf8_lossy(&payload));
        payload
    }

    /// The ERROR that ends the connection.
    #[track_caller]
    pub(crate) fn error(&mut self) -> ErrorFrame {
        let payload = self.expect(FrameType::Error);
        assert!(self.receive().is_none(), "the connection goes on after an ERROR");
        serde_json::from_slice(&payload).unwrap()
    }

    pub(crate) fn hello(&mut self) {
        self.send_json(FrameType::Hello, &json!({"protocol": {"min": 1, "max": 1}, "client": "test"}));
        let welcome: Welcome = serde_json::from_slice(&self.expect(FrameType::Welcome)).unwrap();
        assert_eq!(welcome.protocol, 1);
    }

    /// From HELLO to OPENED, giving the component when it is needed; whether it was.
    pub(crate) fn open(&mut self, open: &Value, component: &[u8]) -> (bool, Opened) {
        self.hello();
        self.send_json(FrameType::Open, open);
        let (header, payload) = self.receive().unwrap();
        if header.kind == FrameType::Opened {
            return (false, serde_json::from_slice(&payload).unwrap());
        }
        assert_eq!(header.kind, FrameType::NeedComponent, "{}", String::from_utf8_lossy(&payload));
        assert_eq!(
            serde_json::from_slice::<Value>(&payload).unwrap(),
            json!({"component": open["component"]})
        );
        self.send(FrameType::Component, 0, component);
        (true, serde_json::from_slice(&self.expect(FrameType::Opened)).unwrap())
    }
}
