//! Crashes at random moments: separate JobManager, TaskManager and sidecar processes, `kill -9` and SIGSTOP, and exactly the
//! rows and timers that this program computes.
//!
//! The short form runs with the other tests; `make chaos` is the long one. Every moment follows from a seed, which is printed:
//! `CHAOS_SEED=.. CHAOS_KILLS=..` runs the same again.
#![allow(clippy::print_stdout)] // seeds and progress are for whoever reads the run

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use flink_wasm_tests::{Cluster, build_samples, committed_files, component, run};
use serde_json::{Value, json};

/// Keys. A multiple of the parallelism, so that all rows of a key come from one subtask of the source, in order.
const KEYS: i64 = 1000;
const PARALLELISM: i64 = 2;
const ROWS_PER_SECOND: i64 = 2000;
/// Rows for the time from one crash to the next on a loaded machine. The source stands still while the job recovers.
const ROWS_PER_KILL: i64 = 20 * ROWS_PER_SECOND;
/// Every so many rows of a key register a timer.
const TIMER_EVERY: i64 = 5;
/// Event time between two ids.
const STEP_MS: i64 = 10;
/// How long one recovery may take on a loaded machine.
const RECOVERY_LIMIT: Duration = Duration::from_secs(180);

/// SplitMix64: the moments need no better numbers, and must be the same on every machine.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn millis(&mut self, from: u64, to: u64) -> Duration {
        Duration::from_millis(from + self.next() % (to - from))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Crash {
    Sidecar,
    TaskManager,
    Both,
    /// The sidecar stands still past its deadline and goes on later.
    Freeze,
}

const CRASHES: [Crash; 4] = [Crash::Sidecar, Crash::TaskManager, Crash::Both, Crash::Freeze];

fn job(folder: &Path, rows: i64, backend: &str) -> Value {
    json!({
        "source": {
            "type": "sql",
            "statements": [
                format!("CREATE TEMPORARY TABLE ids (id BIGINT NOT NULL, ts AS TO_TIMESTAMP_LTZ(id * {STEP_MS}, 3), \
                    WATERMARK FOR ts AS ts - INTERVAL '1' SECOND) WITH ('connector' = 'datagen', \
                    'rows-per-second' = '{ROWS_PER_SECOND}', 'fields.id.kind' = 'sequence', \
                    'fields.id.start' = '0', 'fields.id.end' = '{}')", rows - 1),
                format!("CREATE TEMPORARY VIEW numbered AS \
                    SELECT id, MOD(id, {KEYS}) AS k, (id - MOD(id, {KEYS})) / {KEYS} + 1 AS seq, ts FROM ids")
            ]
        },
        "operations": [
            {"type": "groupBy", "key": "k"},
            {"type": "processFunction", "processType": "continuity", "uid": "continuity",
             "sideOutputs": {"fired": {"type": "file", "path": folder.join("fired"), "format": "csv"}}}
        ],
        "sink": {"type": "file", "path": folder.join("rows"), "format": "csv"},
        "functions": {
            "continuity": {"component": component("continuity"), "parameters": {"timer_every": TIMER_EVERY},
                           "limits": {"deadlineMs": 1000}}
        },
        "metadata": {
            "jobName": "chaos", "version": "1.0", "parallelism": PARALLELISM,
            "properties": {
                "execution.checkpointing.interval": "500 ms",
                "execution.checkpointing.dir": format!("file://{}", folder.join("checkpoints").display()),
                "restart-strategy.type": "fixed-delay",
                "restart-strategy.fixed-delay.attempts": "100000",
                "restart-strategy.fixed-delay.delay": "200 ms",
                "state.backend.type": backend,
                "flink-wasm.sidecar.reply-timeout": "3 s"
            }
        }
    })
}

/// A running job, by what Flink's REST API says of it.
struct Job<'c> {
    cluster: &'c Cluster,
    id: &'c str,
}

impl Job<'_> {
    fn state(&self) -> String {
        let details = self.cluster.try_get(&format!("/jobs/{}", self.id)).unwrap_or_default();
        details["state"].as_str().unwrap_or_default().to_owned()
    }

    /// Whether every subtask runs.
    fn is_running(&self) -> bool {
        let details = self.cluster.try_get(&format!("/jobs/{}", self.id)).unwrap_or_default();
        let vertices = details["vertices"].as_array().cloned().unwrap_or_default();
        details["state"] == "RUNNING"
            && !vertices.is_empty()
            && vertices.iter().all(|vertex| vertex["tasks"]["RUNNING"] == vertex["parallelism"])
    }

    /// How often the job was started again: the attempt of its tasks, which are restarted together. Not the metric `numRestarts`: a task
    /// manager that is killed while its metrics are fetched can make Flink show old metrics for minutes.
    fn restarts(&self) -> u64 {
        let details = self.cluster.try_get(&format!("/jobs/{}", self.id)).unwrap_or_default();
        let vertex = details["vertices"][0]["id"].as_str().unwrap_or_default();
        let vertex =
            self.cluster.try_get(&format!("/jobs/{}/vertices/{vertex}", self.id)).unwrap_or_default();
        vertex["subtasks"][0]["attempt"].as_u64().unwrap_or_default()
    }

    fn checkpoints(&self) -> u64 {
        let checkpoints = self.cluster.try_get(&format!("/jobs/{}/checkpoints", self.id)).unwrap_or_default();
        checkpoints["counts"]["completed"].as_u64().unwrap_or_default()
    }
}

/// One crash, and the recovery from it.
fn crash(cluster: &mut Cluster, job_id: &str, kind: Crash, random: &mut Random) {
    let restarts = Job { cluster, id: job_id }.restarts();
    let restarted = |cluster: &Cluster| Job { cluster, id: job_id }.restarts() > restarts;
    if matches!(kind, Crash::TaskManager | Crash::Both) {
        cluster.kill_task_manager();
    }
    if matches!(kind, Crash::Sidecar | Crash::Both) {
        cluster.sidecar.kill();
    }
    if kind == Crash::Freeze {
        cluster.sidecar.freeze();
        cluster.wait_for("the operator to give the sidecar up", RECOVERY_LIMIT, restarted);
        cluster.sidecar.thaw();
    } else {
        std::thread::sleep(random.millis(0, 1000));
    }
    if matches!(kind, Crash::Sidecar | Crash::Both) {
        cluster.sidecar.restart();
    }
    if matches!(kind, Crash::TaskManager | Crash::Both) {
        cluster.restart_task_manager();
    }
    cluster.wait_for("the restart", RECOVERY_LIMIT, restarted);
    cluster.wait_for("the recovery", RECOVERY_LIMIT, |cluster| Job { cluster, id: job_id }.is_running());
}

fn chaos(version: &str, backend: &str, kills: i64, seed: u64) {
    let rows = (kills + 2) * ROWS_PER_KILL / KEYS * KEYS;
    println!("chaos on Flink {version}, {backend}: CHAOS_SEED={seed} CHAOS_KILLS={kills}, {rows} rows");
    build_samples(&["continuity"]);
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("chaos.json"), job(folder.path(), rows, backend).to_string())
        .expect("the job");
    run(folder.path(), &["pack", "chaos.json"]).ok();

    let mut cluster = Cluster::start(version);
    let url = cluster.url.clone();
    let submitted = run(folder.path(), &["submit", "chaos.flinkwasm", "--jobmanager", &url, "--json"]).ok();
    let submitted: Value = serde_json::from_str(&submitted.stdout).expect("JSON");
    let job_id = submitted["jobId"].as_str().expect("a job id").to_owned();

    let mut random = Random(seed);
    let mut done: BTreeMap<Crash, u64> = BTreeMap::new();
    let mut order = CRASHES;
    let since = Instant::now();
    for number in 0..kills {
        let at = (number % 4) as usize;
        if at == 0 {
            // Each kind once in four, in an order of its own.
            (1..order.len()).rev().for_each(|i| order.swap(i, (random.next() % (i as u64 + 1)) as usize));
        }
        let checkpoints = Job { cluster: &cluster, id: &job_id }.checkpoints();
        cluster.wait_for("a checkpoint", RECOVERY_LIMIT, |cluster| {
            Job { cluster, id: &job_id }.checkpoints() > checkpoints
        });
        std::thread::sleep(random.millis(100, 3000));
        let state = Job { cluster: &cluster, id: &job_id }.state();
        assert_eq!(state, "RUNNING", "the job ended before crash {number}: too few rows for {kills} crashes");
        crash(&mut cluster, &job_id, order[at], &mut random);
        *done.entry(order[at]).or_default() += 1;
        println!(
            "crash {} of {kills}: {:?} after {:.1} s",
            number + 1,
            order[at],
            since.elapsed().as_secs_f64()
        );
    }
    let limit = Duration::from_secs((2 * rows / ROWS_PER_SECOND + 120) as u64);
    cluster.wait_for("the end of the job", limit, |cluster| {
        let state = Job { cluster, id: &job_id }.state();
        assert!(["RUNNING", "RESTARTING", "FINISHED", ""].contains(&state.as_str()), "the job is {state}");
        state == "FINISHED"
    });
    let restarts = Job { cluster: &cluster, id: &job_id }.restarts();
    assert!(restarts >= kills as u64, "{restarts} restarts for {kills} crashes: not every crash was one");
    check_rows(&folder.path().join("rows"), rows);
    let timers = check_timers(&folder.path().join("fired"), rows);
    println!("{kills} crashes {done:?}, {restarts} restarts: {rows} rows and {timers} timers exactly once");
}

/// Every id once, under its key and number, with no gap seen by the function's own state; keys in order within each file.
fn check_rows(folder: &Path, rows: i64) {
    let mut seen = vec![false; rows as usize];
    for file in committed_files(folder) {
        let mut last: BTreeMap<i64, i64> = BTreeMap::new();
        for line in std::fs::read_to_string(&file).expect("a file").lines() {
            let cells: Vec<&str> = line.split(',').collect();
            let [id, key, number] = [0, 1, 2].map(|index| cells[index].parse::<i64>().expect(line));
            assert_eq!((key, number), (id % KEYS, id / KEYS + 1), "{line}");
            assert_eq!(cells[3].trim_matches('"'), "", "the state has a gap: {line}");
            assert!(!std::mem::replace(&mut seen[id as usize], true), "twice: {line}");
            let before = last.insert(key, number).unwrap_or(0);
            assert!(before < number, "out of order, behind {before}: {line}");
        }
    }
    let missing = seen.iter().position(|seen| !seen);
    assert_eq!(missing, None, "a row is lost");
}

/// Every timer once; gives their number.
fn check_timers(folder: &Path, rows: i64) -> usize {
    let mut expected: BTreeMap<(i64, i64), bool> = BTreeMap::new();
    for id in 0..rows {
        let (key, number) = (id % KEYS, id / KEYS + 1);
        if number % TIMER_EVERY == 0 {
            expected.insert((key, number), false);
        }
    }
    for file in committed_files(folder) {
        for line in std::fs::read_to_string(&file).expect("a file").lines() {
            let cells: Vec<&str> = line.split(',').collect();
            let [key, number] = [0, 1].map(|index| cells[index].parse::<i64>().expect(line));
            let fired =
                expected.get_mut(&(key, number)).unwrap_or_else(|| panic!("never registered: {line}"));
            assert!(!std::mem::replace(fired, true), "twice: {line}");
        }
    }
    let lost = expected.iter().find(|(_, fired)| !**fired);
    assert_eq!(lost, None, "a timer is lost");
    expected.len()
}

fn from_environment<T: std::str::FromStr>(name: &str, default: T) -> T {
    match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")),
        Err(_) => default,
    }
}

#[test]
fn crashes_lose_and_duplicate_nothing() {
    let seed = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(1, |time| time.as_nanos() as u64);
    let backend = from_environment("CHAOS_BACKEND", "hashmap".to_owned());
    let version = from_environment("CHAOS_FLINK", "2.2.0".to_owned());
    chaos(&version, &backend, from_environment("CHAOS_KILLS", 4), from_environment("CHAOS_SEED", seed));
}
