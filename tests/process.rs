//! Process functions on a standalone cluster: stop, resume, rescale and upgrade, with nothing lost and nothing twice; and
//! upgrades that would lose state, refused while the old job runs on.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use flink_wasm_tests::{Cluster, committed_files, component, root, run};
use serde_json::{Value, json};

const VERSION: &str = "2.2.0";
const KEYS: i64 = 200;
const ROWS_PER_SECOND: i64 = 2000;
const JOB_LIMIT: Duration = Duration::from_secs(300);

/// Counts the rows of each key of the ids from 0 to `rows`; its output has for each key the numbers from 1, each once.
fn job(folder: &Path, component: &Path, rows: i64, backend: &str) -> Value {
    json!({
        "source": {
            "type": "sql",
            "statements": [
                format!("CREATE TEMPORARY TABLE ids (id BIGINT NOT NULL) WITH ('connector' = 'datagen', \
                    'rows-per-second' = '{ROWS_PER_SECOND}', 'fields.id.kind' = 'sequence', \
                    'fields.id.start' = '0', 'fields.id.end' = '{}')", rows - 1),
                format!("CREATE TEMPORARY VIEW clicks AS SELECT id, MOD(id, {KEYS}) AS user_id FROM ids")
            ]
        },
        "operations": [
            {"type": "groupBy", "key": "user_id"},
            {"type": "processFunction", "processType": "count", "uid": "count"}
        ],
        "sink": {"type": "file", "path": folder.join("rows"), "format": "csv"},
        "functions": {"count": {"component": component}},
        "metadata": {
            "jobName": "count", "version": "1.0", "parallelism": 1,
            "properties": {
                "execution.checkpointing.interval": "1 s",
                "execution.checkpointing.dir": format!("file://{}", folder.join("checkpoints").display()),
                "state.backend.type": backend
            }
        }
    })
}

/// Writes and packs a job definition; the bundle.
fn pack(folder: &Path, name: &str, job: &Value) -> PathBuf {
    std::fs::write(folder.join(format!("{name}.json")), job.to_string()).expect("the job definition");
    let bundle = format!("{name}.flinkwasm");
    run(folder, &["pack", &format!("{name}.json"), "--output", &bundle]).ok();
    folder.join(bundle)
}

/// `udfs/count` as a package of its own, with its source changed by `edit`: another component with another digest.
fn rebuilt(folder: &Path, name: &str, edit: impl Fn(String) -> String) -> PathBuf {
    let package = folder.join(name);
    std::fs::create_dir_all(package.join("src")).expect("a folder");
    let source = std::fs::read_to_string(root().join("udfs/count/src/lib.rs")).expect("the source of count");
    let edited = edit(source.clone());
    assert_ne!(edited, source, "nothing was changed");
    std::fs::write(package.join("src/lib.rs"), edited).expect("the source");
    let manifest = format!(
        "[package]\nname = \"count\"\nversion = \"0.2.0\"\nedition = \"2024\"\n\n[lib]\ncrate-type = [\"cdylib\", \"rlib\"]\n\n\
         [dependencies]\nflink-wasm-sdk = {{ path = \"{}\" }}\n\n[workspace]\n",
        root().join("crates/sdk").display()
    );
    std::fs::write(package.join("Cargo.toml"), manifest).expect("the manifest");
    run(&package, &["build", "--quiet"]).ok();
    package.join("target/flink-wasm/count.wasm")
}

/// Runs a command with `--json`; what it answered.
#[track_caller]
fn answer(folder: &Path, arguments: &[&str]) -> Value {
    let ran = run(folder, &[arguments, &["--json"]].concat()).ok();
    serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("no JSON: {}", ran.stdout))
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

/// Waits until the job has put out rows behind a checkpoint of this run, so that there is state to lose.
fn wait_for_checkpoint(cluster: &Cluster, job_id: &str) {
    cluster.wait_for("two checkpoints", JOB_LIMIT, |cluster| {
        let checkpoints = cluster.try_get(&format!("/jobs/{job_id}/checkpoints")).unwrap_or_default();
        checkpoints["counts"]["completed"].as_u64() >= Some(2)
    });
}

fn wait_for_end(cluster: &Cluster, job_id: &str) {
    cluster.wait_for("the end of the job", JOB_LIMIT, |cluster| {
        cluster.try_get(&format!("/jobs/{job_id}")).unwrap_or_default()["state"] == "FINISHED"
    });
}

/// For each key the counts from 1 to its rows, each once.
fn check_counts(folder: &Path, rows: i64) {
    let mut counts: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
    for file in committed_files(folder) {
        for line in std::fs::read_to_string(&file).expect("a file").lines() {
            let cells: Vec<i64> = line.split(',').map(|cell| cell.parse().expect(line)).collect();
            counts.entry(cells[0]).or_default().push(cells[1]);
        }
    }
    assert_eq!(counts.len() as i64, KEYS.min(rows));
    for (key, mut found) in counts {
        found.sort_unstable();
        let expected = (rows - key - 1) / KEYS + 1;
        assert_eq!(found, (1..=expected).collect::<Vec<_>>(), "counts of key {key}");
    }
}

/// Stop with a savepoint, resume with another parallelism and a rebuilt function, twice.
fn stop_resume_rescale(backend: &str) {
    let rows = 40 * ROWS_PER_SECOND;
    run(&root(), &["build", "udfs/count", "--quiet"]).ok();
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let other = rebuilt(folder, "rebuilt", |source| format!("//! Built again.\n{source}"));
    let first = pack(folder, "first", &job(folder, &component("count"), rows, backend));
    let second = pack(folder, "second", &job(folder, &other, rows, backend));
    let (first, second) = (first.display().to_string(), second.display().to_string());
    let cluster = Cluster::start(VERSION);
    let at = ["--jobmanager", cluster.url.as_str()];
    let savepoints = folder.join("savepoints").display().to_string();
    let stop = |job_id: &str| {
        wait_for_checkpoint(&cluster, job_id);
        let stopped = answer(folder, &[&["stop", job_id, "--savepoint-dir", &savepoints], &at[..]].concat());
        text(&stopped["savepoint"])
    };
    let resume = |bundle: &str, savepoint: &str, parallelism: &str| {
        let arguments = ["submit", bundle, "--from-savepoint", savepoint, "--parallelism", parallelism];
        let submitted = answer(folder, &[&arguments[..], &at[..]].concat());
        text(&submitted["jobId"])
    };
    let job_id = text(&answer(folder, &[&["submit", &first], &at[..]].concat())["jobId"]);
    let job_id = resume(&second, &stop(&job_id), "2");
    let job_id = resume(&first, &stop(&job_id), "1");
    wait_for_end(&cluster, &job_id);
    check_counts(&folder.join("rows"), rows);
}

#[test]
fn heap_state_survives_stop_rebuild_and_rescale() {
    stop_resume_rescale("hashmap");
}

#[test]
fn rocksdb_state_survives_stop_rebuild_and_rescale() {
    stop_resume_rescale("rocksdb");
}

/// A bundle that can't go on with the state of the running job is refused while that job runs on; one that can takes over.
#[test]
fn an_upgrade_that_would_lose_state_is_refused_before_the_old_job_stops() {
    let rows = 60 * ROWS_PER_SECOND;
    run(&root(), &["build", "udfs/count", "--quiet"]).ok();
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let definition = job(folder, &component("count"), rows, "hashmap");
    let good = pack(folder, "good", &definition);

    let narrower = rebuilt(folder, "narrower", |source| {
        source
            .replace("ValueState<i64>", "ValueState<i32>")
            .replace("user_id: event.user_id, count }", "user_id: event.user_id, count: count.into() }")
    });
    let other_type = pack(folder, "other-type", &job(folder, &narrower, rows, "hashmap"));
    let mut renamed = definition.clone();
    renamed["operations"][1]["uid"] = json!("another");
    let missing = pack(folder, "missing", &renamed);
    let damaged = folder.join("damaged.flinkwasm");
    let mut bytes = std::fs::read(&good).expect("the bundle");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&damaged, bytes).expect("the damaged bundle");

    let cluster = Cluster::start(VERSION);
    let at = ["--jobmanager", cluster.url.as_str()];
    let job_id =
        text(&answer(folder, &[&["submit", &good.display().to_string()], &at[..]].concat())["jobId"]);
    wait_for_checkpoint(&cluster, &job_id);
    let savepoints = folder.join("savepoints").display().to_string();
    let upgrade = |bundle: &Path| {
        let bundle = bundle.display().to_string();
        let arguments = ["upgrade", &job_id, &bundle, "--savepoint-dir", &savepoints];
        run(folder, &[&arguments[..], &at[..]].concat())
    };
    upgrade(&other_type).fails(1, &["FW0606", "count", "v1:i64", "v1:i32"]);
    upgrade(&missing).fails(1, &["FW0606", "count"]);
    upgrade(&damaged).fails(1, &["FW0402"]);
    let state = &cluster.get(&format!("/jobs/{job_id}"))["state"];
    assert_eq!(state, "RUNNING", "the old job runs on");
    assert!(!Path::new(&savepoints).exists(), "no savepoint was made");

    upgrade(&good).ok();
    let jobs = cluster.get("/jobs/overview");
    let running = jobs["jobs"].as_array().into_iter().flatten().find(|job| job["state"] == "RUNNING");
    let job_id = text(&running.unwrap_or_else(|| panic!("no job runs: {jobs}"))["jid"]);
    wait_for_end(&cluster, &job_id);
    check_counts(&folder.join("rows"), rows);
}
