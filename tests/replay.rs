//! A function that traps in a sidecar: the crash capsule, and its replay.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use flink_wasm_bundle::{BundleBuilder, Function as Packed, digest};
use flink_wasm_harness::capsule::{Capsule, CapsuleItem};
use flink_wasm_harness::{Function, Harness, Settings, Sidecar};
use flink_wasm_tests::transcript::{matches, sessions};
use flink_wasm_tests::{root, run};
use serde_json::{Value, json};

/// Panics with all that it sees of its key.
const FRAGILE: &str = r#"
use flink_wasm::prelude::*;

#[derive(Row)]
pub struct Event {
    pub user_id: i64,
    pub name: String,
}

#[derive(Row)]
pub struct Counted {
    pub user_id: i64,
    pub count: i64,
}

#[derive(Default, State)]
pub struct Fragile {
    #[state]
    count: ValueState<i64>,
    #[state]
    names: MapState<String, i64>,
    #[state]
    all: ListState<String>,
}

#[flink_wasm::process]
impl Fragile {
    fn process(&self, event: Event, ctx: &KeyedContext<i64>, out: &mut Collector<Counted>) {
        if event.name == "timer" {
            ctx.register_event_time_timer(500);
        }
        if event.name == "boom" {
            self.fall(ctx);
        }
        let count = self.count.update(|count| count.unwrap_or(0) + 1);
        self.names.insert(event.name.clone(), self.names.get(event.name.as_str()).unwrap_or(0) + 1);
        self.all.add(event.name);
        out.collect(Counted { user_id: event.user_id, count });
    }

    fn on_timer(&self, _timer: Timer, ctx: &KeyedContext<i64>, _out: &mut Collector<Counted>) {
        self.fall(ctx);
    }
}

impl Fragile {
    #[inline(never)]
    fn fall(&self, ctx: &KeyedContext<i64>) {
        let all: Vec<String> = self.all.iter().collect();
        panic!("key {} count {:?} a {:?} b {:?} all {all:?}", ctx.key(), self.count.get(), self.names.get("a"), self.names.get("b"))
    }
}
"#;

struct Fragile {
    folder: tempfile::TempDir,
    component: PathBuf,
    function: Function,
}

impl Fragile {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        run(folder.path(), &["new", "fragile", "--quiet"]).ok();
        std::fs::write(folder.path().join("fragile/src/lib.rs"), FRAGILE).expect("a file");
        let mut fragile = Self {
            component: PathBuf::new(),
            function: Function::from_descriptor(&json!({"name": "", "input": []})).expect("a descriptor"),
            folder,
        };
        fragile.build(&[]);
        fragile
    }

    fn build(&mut self, arguments: &[&str]) {
        let folder = self.folder.path().join("fragile");
        let built = run(&folder, &[&["build", "--json", "--quiet"], arguments].concat()).ok();
        let built: Value = serde_json::from_str(&built.stdout).expect("JSON");
        self.component = folder.join(built["path"].as_str().expect("a path"));
        self.function = Function::from_descriptor(&built["function"]).expect("a descriptor");
    }

    /// The only capsule after some bundles, of which the last fails.
    fn capsule(&self, name: &str, run: impl FnOnce(&mut Harness)) -> PathBuf {
        let capsules = self.folder.path().join(name);
        let sidecar = Sidecar::start(&self.component, Some(&capsules)).expect("a sidecar");
        let settings = Settings { key: vec!["user_id".into()], ..Settings::default() };
        let mut harness = Harness::new(self.function.clone(), &settings, Box::new(sidecar)).expect("opens");
        run(&mut harness);
        assert!(harness.failure().expect("a failure").message.contains("the function panicked: key 1"));
        let mut files: Vec<PathBuf> = std::fs::read_dir(&capsules)
            .expect("a folder")
            .map(|file| file.expect("a file").path())
            .collect();
        assert_eq!(files.len(), 1, "{files:?}");
        files.remove(0)
    }
}

fn push(harness: &mut Harness, rows: &[(i64, &str)]) {
    for (user, name) in rows {
        harness.push(&json!({"user_id": user, "name": name}), Some(7)).expect("the row fits");
    }
}

fn path(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

#[test]
fn what_fails_in_a_sidecar_fails_in_a_replay() {
    let mut fragile = Fragile::new();
    let capsule = fragile.capsule("rows", |harness| {
        push(harness, &[(1, "a"), (2, "a"), (1, "b")]);
        harness.flush().expect("goes well");
        harness.advance_watermark(5).expect("goes well");
        // What the bundle itself has done before the row at fault is part of what the row saw.
        push(harness, &[(1, "a"), (2, "b"), (1, "boom"), (1, "a")]);
        harness.flush().expect_err("panics");
    });
    let seen = r#"the function panicked: key 1 count Some(3) a Some(2) b Some(1) all ["a", "b", "a"]"#;
    let text = std::fs::read_to_string(&capsule).expect("a capsule");
    let read = Capsule::parse(&text).expect("a capsule");
    assert!(read.error.message.contains(seen), "{}", read.error.message);
    assert_eq!(
        read.item,
        CapsuleItem::Row { row: json!({"user_id": 1, "name": "boom"}), timestamp: Some(7) }
    );
    assert_eq!((Value::Object(read.key.clone()), read.watermark), (json!({"value": 1}), Some(5)));
    assert_eq!(std::fs::metadata(&capsule).expect("a file").permissions().mode() & 0o777, 0o600);

    let at = fragile.folder.path().to_path_buf();
    let replay = |arguments: &[&str]| run(&at, &[&["replay", path(&capsule)], arguments].concat());
    let ran = replay(&["--component", path(&fragile.component)]).ok();
    assert!(ran.stdout.starts_with("same") && ran.stdout.contains(seen), "{}", ran.stdout);
    assert!(ran.stdout.contains("fall") && !ran.stderr.contains("warning"), "{}{}", ran.stdout, ran.stderr);

    // From the bundle of the job.
    let bytes = std::fs::read(&fragile.component).expect("a component");
    let pack = |bytes: &[u8], name: &str| {
        let packed = Packed { component: digest(bytes), descriptor: json!({"kind": "process"}) };
        let bundle = BundleBuilder::new("job").ir("{}").plan("{}").function("fragile", packed);
        let bundle = bundle.component("fragile.wasm", bytes.to_vec()).build().expect("a bundle");
        std::fs::write(at.join(name), bundle).expect("a file");
    };
    pack(&bytes, "job.flinkwasm");
    let ran = replay(&["--bundle", "job.flinkwasm"]).ok();
    let documentation = std::fs::read_to_string(root().join("docs/testing.md")).expect("docs/testing.md");
    let sessions = sessions(&documentation);
    let documented = sessions.iter().flatten().find(|step| step.command.starts_with("flink-wasm replay"));
    let documented = &documented.expect("a transcript of replay").expected;
    let came = ran.stderr + &ran.stdout;
    assert!(matches(documented, &came), "--- documented\n{documented}--- came\n{came}");
    pack(b"\0asm\x0d\0\x01\0", "other.flinkwasm");
    replay(&["--bundle", "other.flinkwasm"]).fails(1, &["error[FW0104]", "other.flinkwasm"]);
    replay(&[]).fails(2, &["--component"]);

    // A capsule that says something else.
    let changed = at.join("changed.capsule.json");
    std::fs::write(&changed, text.replace("key 1 count", "key 1 number")).expect("a file");
    let ran = run(&at, &["replay", path(&changed), "--component", path(&fragile.component)]);
    assert!(ran.stdout.starts_with("FAIL"), "{}", ran.stdout);
    ran.fails(1, &["error[FW0005]", "changed.capsule.json"]);

    // Line tables make another component of the same source.
    fragile.build(&["--debug"]);
    let ran = replay(&["--component", path(&fragile.component)]).ok();
    assert!(ran.stderr.contains("this is another component"), "{}", ran.stderr);
    let line = 1 + FRAGILE.lines().position(|line| line.contains("panic!")).expect("a panic");
    assert!(ran.stdout.contains(&format!("src/lib.rs:{line}")), "line {line}: {}", ran.stdout);

    // A timer.
    let capsule = fragile.capsule("timers", |harness| {
        push(harness, &[(1, "a"), (1, "timer")]);
        harness.advance_watermark(600).expect_err("panics");
    });
    let text = std::fs::read_to_string(&capsule).expect("a capsule");
    assert_eq!(Capsule::parse(&text).expect("a capsule").item, CapsuleItem::EventTimeTimer(500));
    run(&at, &["replay", path(&capsule), "--component", path(&fragile.component)]).ok();
}
