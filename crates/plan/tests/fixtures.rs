//! Every job definition of `tests/fixtures/ir`: it is read, its canonical form is stable, and it becomes either a plan or
//! diagnostics that say what is missing and where. Golden files lie beside the fixtures; `BLESS=1` writes them.

mod common;

use std::fmt::Write;
use std::path::Path;

use flink_wasm_ir::{parse, place};
use flink_wasm_plan::{Functions, lower, warnings};

fn outcome(text: &str) -> String {
    let mut out = String::new();
    let parsed = match parse(text) {
        Ok(parsed) => parsed,
        Err(problem) => return format!("{}\n", problem.file("job.json")),
    };
    let canonical = parsed.job.to_json();
    let again = parse(&canonical).expect("the canonical form is read");
    assert_eq!(again.job, parsed.job);
    assert_eq!(again.warnings, vec![]);
    for warning in parsed.warnings.into_iter().chain(warnings(&parsed.job, &Functions::new())) {
        writeln!(out, "warning: {}", place(text, warning.file("job.json"))).unwrap();
    }
    match lower(&parsed.job, &Functions::new()) {
        Ok(plan) => writeln!(out, "{}", plan.to_json()).unwrap(),
        Err(problems) => {
            for problem in problems {
                writeln!(out, "{}", place(text, problem.file("job.json"))).unwrap();
            }
        }
    }
    out
}

#[test]
fn every_fixture_has_its_outcome() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/ir");
    let mut names: Vec<_> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "json"))
        .collect();
    names.sort();
    assert!(names.len() >= 8, "the fixtures are missing");
    for path in names {
        let outcome = outcome(&std::fs::read_to_string(&path).unwrap());
        let golden = path.with_extension("expected");
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(&golden, &outcome).unwrap();
        }
        let expected = std::fs::read_to_string(&golden).unwrap_or_default();
        assert_eq!(outcome, expected, "{}: run with BLESS=1", path.display());
    }
}

#[test]
fn generations_of_one_job_are_one_job() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/ir");
    let read = |name: &str| parse(&std::fs::read_to_string(folder.join(name)).unwrap()).unwrap().job;
    assert_eq!(read("quick-start.json"), read("quick-start.first-generation.json"));
    assert_eq!(read("quick-start.json").operations, read("quick-start.third-generation.json").operations);
}

#[test]
fn the_guide_s_examples_can_be_run() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/job-definition.md");
    let guide = std::fs::read_to_string(path).unwrap();
    let blocks: Vec<&str> =
        guide.split("```json\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    let job = |source: &str| format!(r#"{{"source": {source}, "sink": {{"type": "console"}}}}"#);
    let jobs: Vec<String> = blocks
        .iter()
        .filter(|block| block.starts_with('{'))
        .map(|block| if block.contains("\"source\"") { (*block).to_owned() } else { job(block) })
        .collect();
    assert_eq!(jobs.len(), 3);
    for text in jobs {
        assert_eq!(parse(&text).unwrap().warnings, vec![], "{text}");
        common::plan_of(&text).unwrap_or_else(|problems| panic!("{problems}{text}"));
    }
}
