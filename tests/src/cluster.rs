//! A standalone Flink cluster: one JobManager and one TaskManager process, and a sidecar process beside the latter.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::{finish, root};

/// How long a process may take to come up on a loaded machine.
const START_LIMIT: Duration = Duration::from_secs(120);

/// What Flink needs opened on a JDK 17; see `flink/flink-home/README.md`.
const OPENS: &str = "--add-exports=java.base/sun.net.util=ALL-UNNAMED --add-exports=java.rmi/sun.rmi.registry=ALL-UNNAMED \
    --add-opens=java.base/java.lang=ALL-UNNAMED --add-opens=java.base/java.net=ALL-UNNAMED \
    --add-opens=java.base/java.io=ALL-UNNAMED --add-opens=java.base/java.nio=ALL-UNNAMED \
    --add-opens=java.base/sun.nio.ch=ALL-UNNAMED --add-opens=java.base/java.lang.reflect=ALL-UNNAMED \
    --add-opens=java.base/java.text=ALL-UNNAMED --add-opens=java.base/java.time=ALL-UNNAMED \
    --add-opens=java.base/java.util=ALL-UNNAMED --add-opens=java.base/java.util.concurrent=ALL-UNNAMED \
    --add-opens=java.base/java.util.concurrent.atomic=ALL-UNNAMED --add-opens=java.base/java.util.concurrent.locks=ALL-UNNAMED";

/// A process that ends with its value.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Process {
    /// Sends a signal by name, such as `STOP`.
    fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([&format!("-{name}"), &self.0.id().to_string()]).status();
        assert!(sent.is_ok_and(|status| status.success()), "kill -{name} {}", self.0.id());
    }

    /// Ends it as a crash would, and waits until it is gone.
    fn kill(&mut self) {
        self.0.kill().expect("it was running");
        self.0.wait().expect("it is our child");
    }
}

/// A running sidecar.
pub struct Sidecar {
    process: Process,
    folder: tempfile::TempDir,
    /// Address of its health endpoints, `127.0.0.1:port`.
    pub health: String,
}

impl Sidecar {
    /// Starts one and waits until it listens.
    pub fn start() -> Sidecar {
        // Short, because the path of a unix socket holds at most 107 bytes.
        let folder = tempfile::Builder::new().prefix("fw-").tempdir().expect("a folder");
        let (process, health) = Self::spawn(folder.path());
        Sidecar { process, folder, health }
    }

    /// The program itself and not `flink-wasm sidecar`, so that a signal reaches the process that runs the functions.
    fn spawn(folder: &Path) -> (Process, String) {
        let mut command = Command::new(root().join("target/release/flink-wasm-sidecar"));
        command.arg("--socket").arg(folder.join("s.sock"));
        command.arg("--cache-dir").arg(folder.join("cache")).args(["--health-addr", "127.0.0.1:0"]);
        command.stdout(Stdio::piped()).stderr(log_file("sidecar"));
        let mut process = Process(command.spawn().expect("the sidecar starts"));
        let mut ready = String::new();
        let stdout = process.0.stdout.take().expect("stdout is piped");
        BufReader::new(stdout).read_line(&mut ready).expect("the sidecar says that it is ready");
        let ready: Value = serde_json::from_str(&ready).unwrap_or_else(|_| panic!("not ready: {ready:?}"));
        let health = ready["health"].as_str().expect("a health address").to_owned();
        (process, health)
    }

    /// Where it listens.
    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("s.sock")
    }

    /// Ends it as a crash would.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts it again at the same socket, as whatever watches over it would.
    pub fn restart(&mut self) {
        (self.process, self.health) = Self::spawn(self.folder.path());
    }

    /// Stops it where it stands; it neither answers nor ends.
    pub fn freeze(&self) {
        self.process.signal("STOP");
    }

    /// Lets it go on.
    pub fn thaw(&self) {
        self.process.signal("CONT");
    }
}

/// How the Java processes of a cluster are started.
struct Launcher {
    version: String,
    home: PathBuf,
    settings: Vec<String>,
    socket: PathBuf,
    started: u32,
}

impl Launcher {
    fn job_manager(&mut self) -> Process {
        let class = "org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint";
        self.start("job-manager", &["-Xmx512m"], class)
    }

    fn task_manager(&mut self) -> Process {
        let memory = ["-Xms640m", "-Xmx640m", "-XX:MaxDirectMemorySize=256m", "-XX:MaxMetaspaceSize=256m"];
        self.start("task-manager", &memory, "org.apache.flink.runtime.taskexecutor.TaskManagerRunner")
    }

    fn start(&mut self, name: &str, memory: &[&str], class: &str) -> Process {
        let mut java = Command::new("java");
        java.args(OPENS.split_whitespace()).args(memory);
        java.arg(format!(
            "-Dlog4j.configurationFile=file:{}",
            root().join("flink/flink-home/conf/log4j.properties").display()
        ));
        java.arg("-cp").arg(format!("{}/lib/*", self.home.display())).arg(class);
        java.arg("--configDir").arg(root().join("flink/flink-home/conf"));
        for setting in &self.settings {
            java.arg("-D").arg(setting);
        }
        java.env("FLINK_WASM_SIDECAR_SOCKET", &self.socket);
        self.started += 1;
        let log = format!("{name}-{}-{}", self.version, self.started);
        java.stdout(log_file(&format!("{log}-out"))).stderr(log_file(&log));
        Process(java.spawn().expect("java starts"))
    }
}

/// A running cluster.
pub struct Cluster {
    task_manager: Process,
    job_manager: Process,
    launcher: Launcher,
    /// The sidecar beside the task manager.
    pub sidecar: Sidecar,
    /// REST address.
    pub url: String,
    _folder: tempfile::TempDir,
}

impl Cluster {
    /// Starts a cluster of a Flink version and waits until its slots are there.
    pub fn start(version: &str) -> Cluster {
        let sidecar = Sidecar::start();
        let folder = tempfile::tempdir().expect("a folder");
        let (rest, rpc) = (free_port(), free_port());
        let settings = vec![
            format!("rest.port={rest}"),
            format!("rest.bind-port={rest}"),
            format!("jobmanager.rpc.port={rpc}"),
            format!("io.tmp.dirs={}", folder.path().display()),
            "heartbeat.timeout=60000".to_owned(),
        ];
        let mut launcher = Launcher {
            version: version.to_owned(),
            home: flink_home(version),
            settings,
            socket: sidecar.socket(),
            started: 0,
        };
        let job_manager = launcher.job_manager();
        let task_manager = launcher.task_manager();
        let cluster = Cluster {
            task_manager,
            job_manager,
            launcher,
            sidecar,
            url: format!("http://127.0.0.1:{rest}"),
            _folder: folder,
        };
        cluster.wait_for("slots", START_LIMIT, |cluster| {
            cluster
                .try_get("/overview")
                .is_some_and(|overview| overview["slots-available"].as_u64() > Some(0))
        });
        cluster
    }

    /// Ends the task manager as a crash would.
    pub fn kill_task_manager(&mut self) {
        self.task_manager.kill();
    }

    /// Starts another task manager in place of the one that was killed.
    pub fn restart_task_manager(&mut self) {
        self.task_manager = self.launcher.task_manager();
    }

    /// `GET` of a REST path.
    pub fn get(&self, path: &str) -> Value {
        self.try_get(path).unwrap_or_else(|| panic!("no answer to {path}"))
    }

    /// `GET` of a REST path; `None` when there is no answer, or none in JSON.
    pub fn try_get(&self, path: &str) -> Option<Value> {
        let client = reqwest::blocking::Client::builder().no_proxy().build().ok()?;
        client.get(format!("{}{path}", self.url)).send().ok()?.json().ok()
    }

    /// Waits until `condition` holds; fails the test when it does not within `limit`.
    #[track_caller]
    pub fn wait_for(&self, what: &str, limit: Duration, mut condition: impl FnMut(&Cluster) -> bool) {
        let since = Instant::now();
        while !condition(self) {
            assert!(
                since.elapsed() < limit,
                "{what} did not come within {limit:?}; logs are in {}",
                logs().display()
            );
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// Process ids of job manager and task manager: they are two.
    pub fn processes(&self) -> (u32, u32) {
        (self.job_manager.0.id(), self.task_manager.0.id())
    }
}

/// The Flink home of a version; `flink-wasm` assembles it when it is not there yet.
pub(crate) fn flink_home(version: &str) -> PathBuf {
    let mut doctor = Command::new(crate::flink_wasm());
    doctor
        .args(["doctor", "--json", "--assemble"])
        .env("FLINK_WASM_FLINK_VERSION", version)
        .env_remove("FLINK_HOME");
    let checks: Value = serde_json::from_str(&finish(doctor).ok().stdout).expect("JSON");
    let flink = checks
        .as_array()
        .into_iter()
        .flatten()
        .find(|check| check["part"] == "Flink")
        .expect("a check of Flink");
    let home = Path::new(flink["found"].as_str().expect("a path")).to_path_buf();
    assert!(home.join("lib").is_dir(), "{} is no Flink home", home.display());
    home
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port").port()
}

fn logs() -> PathBuf {
    root().join("target/test-logs")
}

fn log_file(name: &str) -> File {
    std::fs::create_dir_all(logs()).expect("a folder for logs");
    File::create(logs().join(format!("{name}-{}.log", std::process::id()))).expect("a log file")
}
