//! Ten million rows through the sandbox on a standalone cluster: exactly the rows that this program computes.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use flink_wasm_tests::{Cluster, build_samples, root, run};
use serde_json::{Value, json};

const ROWS: i64 = 10_000_000;
/// A hang ends the test; the job takes a minute or two.
const JOB_LIMIT: Duration = Duration::from_secs(900);
const AT_FULL_SPEED: i64 = 100_000_000;
const RATE: f64 = 0.25;
const MINIMUM: f64 = 600.0;

/// What the job's SQL makes of an id, computed without Flink and without wasm.
fn order(id: i64) -> (&'static str, f64) {
    let region = ["north", "south", "east", "west"][(id % 4) as usize];
    (region, ((id * 7919) % 100_000) as f64 / 100.0)
}

/// What the whole job does with one order; `None` when a filter drops it.
fn expected(id: i64) -> Option<(&'static str, f64)> {
    let (region, amount) = order(id);
    let total = amount * (1.0 + RATE);
    (region != "west" && total >= MINIMUM).then_some((region, total))
}

fn job(output: &Path, rows: i64, rows_per_second: i64) -> Value {
    json!({
        "source": {
            "type": "sql",
            "statements": [
                format!("CREATE TEMPORARY TABLE ids (id BIGINT NOT NULL) WITH ('connector' = 'datagen', 'rows-per-second' = '{rows_per_second}', \
                    'fields.id.kind' = 'sequence', 'fields.id.start' = '1', 'fields.id.end' = '{rows}')"),
                "CREATE TEMPORARY VIEW orders AS SELECT id, \
                    CASE MOD(id, 4) WHEN 0 THEN 'north' WHEN 1 THEN 'south' WHEN 2 THEN 'east' ELSE 'west' END AS region, \
                    CAST(MOD(id * 7919, 100000) AS DOUBLE) / 100 AS amount FROM ids"
            ]
        },
        "operations": [
            {"type": "filter", "expression": "region <> 'west'"},
            {"type": "map", "expression": "tax"},
            {"type": "filter", "expression": "large_order(total)"}
        ],
        "sink": {"type": "file", "path": output, "format": "csv"},
        "functions": {
            "tax": {"component": root().join("target/flink-wasm/tax.wasm"), "parameters": {"rate": RATE}},
            "large_order": {"component": root().join("target/flink-wasm/large_order.wasm"), "parameters": {"minimum": MINIMUM}}
        },
        "metadata": {"jobName": "ten-million", "version": "1.0", "parallelism": 2}
    })
}

/// Every row of the job's files; `part-` files are the committed ones.
fn rows(folder: &Path, mut each: impl FnMut(&str)) {
    for entry in std::fs::read_dir(folder).expect("the job wrote files") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        assert!(name.starts_with("part-"), "{name} was not committed");
        for line in BufReader::new(std::fs::File::open(&path).expect("a file")).lines() {
            each(&line.expect("text"));
        }
    }
}

/// Two clusters at once would share two cores, and the components that are built here.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

fn ten_million_rows(version: &str) {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    build_samples(&["tax", "large-order"]);
    let folder = tempfile::tempdir().expect("a folder");
    let output = folder.path().join("output");
    let job_file = folder.path().join("ten-million.json");
    std::fs::write(&job_file, job(&output, ROWS, AT_FULL_SPEED).to_string()).expect("the job definition");
    let environment = [("FLINK_WASM_FLINK_VERSION", version)];
    let packed =
        flink_wasm_tests::run_with(folder.path(), &["pack", "ten-million.json", "--json"], &environment).ok();
    let digest = serde_json::from_str::<Value>(&packed.stdout).expect("JSON")["digest"].clone();

    let cluster = Cluster::start(version);
    assert_eq!(cluster.get("/overview")["flink-version"], version);
    let submitted =
        run(folder.path(), &["submit", "ten-million.flinkwasm", "--jobmanager", &cluster.url, "--json"]).ok();
    let submitted: Value = serde_json::from_str(&submitted.stdout).expect("JSON");
    assert_eq!(submitted["digest"], digest);
    let job_id = submitted["jobId"].as_str().expect("a job id").to_owned();

    // The web UI shows what this call answers: function and short digest of each wasm operator, while the job runs.
    let details = cluster.get(&format!("/jobs/{job_id}"));
    assert!(["RUNNING", "FINISHED"].contains(&details["state"].as_str().unwrap_or_default()), "{details}");
    let operators =
        details["vertices"].as_array().into_iter().flatten().filter_map(|vertex| vertex["name"].as_str());
    let operators = operators.collect::<Vec<_>>().join(" ");
    for (function, kind) in [("tax", "map"), ("large_order", "filter")] {
        let digest = &short_digest(&folder.path().join("ten-million.flinkwasm"), function);
        assert!(
            operators.contains(&format!("wasm {kind} {function}@{digest}")),
            "{function}@{digest} is not in {operators}"
        );
    }
    assert_eq!(cluster.get("/jars")["files"], json!([]), "the jar was removed");

    cluster.wait_for("the end of the job", JOB_LIMIT, |cluster| {
        cluster.get(&format!("/jobs/{job_id}"))["state"] != "RUNNING"
    });
    let status = run(folder.path(), &["status", &job_id, "--jobmanager", &cluster.url]).ok();
    assert!(status.stdout.contains("FINISHED"), "{}", status.stdout);

    check_rows(&output, ROWS);
}

/// Every row that should be there, once, and no other.
fn check_rows(output: &Path, last: i64) {
    let mut seen = vec![false; last as usize + 1];
    let mut count = 0_u64;
    rows(output, |line| {
        let cells: Vec<&str> = line.split(',').collect();
        let id: i64 = cells[0].parse().unwrap_or_else(|_| panic!("{line}"));
        let (region, total) = expected(id).unwrap_or_else(|| panic!("should have been dropped: {line}"));
        assert!(!std::mem::replace(&mut seen[id as usize], true), "twice: {line}");
        assert_eq!(cells[1].trim_matches('"'), region, "{line}");
        assert_eq!(cells[3].parse::<f64>().ok(), Some(total), "{line}");
        count += 1;
    });
    let wanted = (1..=last).filter(|id| expected(*id).is_some()).count() as u64;
    assert_eq!(count, wanted, "every row that should be there");
}

fn short_digest(bundle: &Path, function: &str) -> String {
    let inspected = run(&root(), &["inspect", &bundle.display().to_string(), "--json"]).ok();
    let inspected: Value = serde_json::from_str(&inspected.stdout).expect("JSON");
    let functions: BTreeMap<String, Value> =
        serde_json::from_value(inspected["functions"].clone()).expect("functions");
    functions[function]["component"].as_str().expect("a digest")["sha256:".len()..][..8].to_owned()
}

#[test]
fn ten_million_rows_on_flink_2_2() {
    ten_million_rows("2.2.0");
}

#[test]
fn ten_million_rows_on_flink_1_20() {
    ten_million_rows("1.20.3");
}

/// A job whose function does what `mode` says with row 500 of each subtask's thousand.
fn hostile_job(mode: &str) -> Value {
    json!({
        "source": {
            "type": "sql",
            "statements": [
                "CREATE TEMPORARY TABLE ids (id BIGINT NOT NULL) WITH ('connector' = 'datagen', 'rows-per-second' = '100000000', \
                    'fields.id.kind' = 'sequence', 'fields.id.start' = '1', 'fields.id.end' = '1000')",
                format!("CREATE TEMPORARY VIEW commands AS SELECT CASE id WHEN 500 THEN '{mode}' ELSE 'echo' END AS `mode`, id AS `value` FROM ids")
            ]
        },
        "operations": [{"type": "map", "expression": "hostile"}],
        "sink": {"type": "blackhole"},
        "functions": {
            "hostile": {"component": root().join("target/flink-wasm/hostile.wasm"), "limits": {"deadlineMs": 1000}}
        },
        "metadata": {"jobName": format!("hostile-{mode}"), "version": "1.0"}
    })
}

#[test]
fn hostile_jobs_fail_alone() {
    const ROWS: i64 = 3_000_000;
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    build_samples(&["tax", "large-order", "hostile"]);
    let folder = tempfile::tempdir().expect("a folder");
    let output = folder.path().join("output");
    // Half a minute of work, so that it runs from before the first hostile job to after the last.
    let healthy = job(&output, ROWS, ROWS / 60);
    std::fs::write(folder.path().join("healthy.json"), healthy.to_string()).expect("the job definition");
    run(folder.path(), &["pack", "healthy.json", "--output", "healthy.flinkwasm"]).ok();
    let modes = [("loop", "FW0505"), ("allocate", "FW0506"), ("overflow", "FW0504"), ("panic", "FW0504")];
    for (mode, _) in modes {
        let file = format!("{mode}.json");
        std::fs::write(folder.path().join(&file), hostile_job(mode).to_string()).expect("the job definition");
        run(folder.path(), &["pack", &file, "--output", &format!("{mode}.flinkwasm")]).ok();
    }

    let cluster = Cluster::start("2.2.0");
    let submit = |bundle: &str, options: &[&str]| {
        run(folder.path(), &[&["submit", bundle, "--jobmanager", &cluster.url], options].concat())
    };
    let submitted = submit("healthy.flinkwasm", &["--json"]).ok();
    let submitted: Value = serde_json::from_str(&submitted.stdout).expect("JSON");
    let healthy = format!("/jobs/{}", submitted["jobId"].as_str().expect("a job id"));
    let digest = short_digest(&folder.path().join("loop.flinkwasm"), "hostile");
    for (mode, code) in modes {
        submit(&format!("{mode}.flinkwasm"), &["--wait"]).fails(1, &[code, "hostile", &digest, "row"]);
    }
    assert_eq!(cluster.get(&healthy)["state"], "RUNNING", "the healthy job outlives them");
    cluster.wait_for("the end of the healthy job", JOB_LIMIT, |cluster| {
        cluster.get(&healthy)["state"] != "RUNNING"
    });
    assert_eq!(cluster.get(&healthy)["state"], "FINISHED");
    check_rows(&output, ROWS);
}
