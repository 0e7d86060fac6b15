//! What the reader takes, what it warns of and what it refuses, with line and column.

use expect_test::{Expect, expect};
use flink_wasm_ir::{MAX_DEPTH, MAX_JOB_BYTES, MAX_OPERATIONS, parse};

/// Shows the canonical form and the warnings, or the error; each problem after its line and column.
#[track_caller]
fn check(text: &str, expected: Expect) {
    let place = |d: &flink_wasm_diagnostic::Diagnostic| {
        format!("{}:{} {d}\n", d.location.line.unwrap_or(0), d.location.column.unwrap_or(0))
    };
    let shown = match parse(text) {
        Ok(parsed) => {
            let again = parse(&parsed.job.to_json()).expect("canonical");
            assert_eq!(again.job, parsed.job);
            let warnings: String = parsed.warnings.iter().map(place).collect();
            let canonical: serde_json::Value = serde_json::from_str(&parsed.job.to_json()).unwrap();
            format!("{canonical}\n{warnings}")
        }
        Err(problem) => place(&problem),
    };
    expected.assert_eq(&shown);
}

/// The same, for one operation of a job.
#[track_caller]
fn check_operation(operation: &str, expected: Expect) {
    let text = format!(
        "{{\"source\": {{\"type\": \"kafka\"}}, \"sink\": {{\"type\": \"console\"}}, \"metadata\": {{\"jobId\": \"1\"}},\n\"operations\": [{operation}]}}"
    );
    check(&text, expected);
}

#[test]
fn every_generation_is_read() {
    check(
        r#"{"Source": {"TOPIC": "a", "type": "Kafka", "bootstrapServers": null, "type": "Kafka"}, "OPERATIONS": null,
            "sink": {"type": "console"}}"#,
        expect![[r#"
            {"source":{"type":"kafka","topic":"a","startingOffsets":"latest"},"operations":[],"sink":{"type":"console","format":"json"},"metadata":{"jobId":"ddb0caa5-07ea-ce05-bd4f-efcbb403249c","version":"1.0"}}
        "#]],
    );
    check_operation(
        r#"{"expression": "a > 1", "type": "filter", "uid": "f"}, {"type": "map", "function": "tax"}"#,
        expect![[r#"
        {"source":{"type":"kafka","topic":"","startingOffsets":"latest"},"operations":[{"type":"filter","expression":"a > 1","uid":"f"},{"type":"map","expression":"tax"}],"sink":{"type":"console","format":"json"},"metadata":{"jobId":"1","version":"1.0"}}
    "#]],
    );
    check_operation(
        r#"{"type": "async", "timeoutMs": "250", "headers": {"a": null, "b": "c"}}"#,
        expect![[r#"
        {"source":{"type":"kafka","topic":"","startingOffsets":"latest"},"operations":[{"type":"asyncFunction","functionType":"","url":"","method":"GET","headers":{"b":"c"},"timeoutMs":250,"maxRetries":3}],"sink":{"type":"console","format":"json"},"metadata":{"jobId":"1","version":"1.0"}}
    "#]],
    );
    check_operation(
        r#"{"type": "side-output", "outputTag": "x", "sideOutputSink": {"topic": "t", "type": "kafka"}}"#,
        expect![[r#"
        {"source":{"type":"kafka","topic":"","startingOffsets":"latest"},"operations":[{"type":"sideOutput","outputTag":"x","condition":"","sideOutputSink":{"type":"kafka","topic":"t","serializer":"json"}}],"sink":{"type":"console","format":"json"},"metadata":{"jobId":"1","version":"1.0"}}
    "#]],
    );
    check_operation(
        r#"{"type": "join", "rightSource": {"type": "file", "path": "/x"}, "window": {"type": "window", "windowType": "tumbling", "size": 3}}"#,
        expect![[r#"
            {"source":{"type":"kafka","topic":"","startingOffsets":"latest"},"operations":[{"type":"join","joinType":"INNER","rightSource":{"type":"file","path":"/x","format":"text"},"leftKey":"","rightKey":"","window":{"windowType":"TUMBLING","size":3,"timeUnit":"MINUTES"}}],"sink":{"type":"console","format":"json"},"metadata":{"jobId":"1","version":"1.0"}}
        "#]],
    );
    check_operation(
        r#"{"type": "processFunction", "parameters": {"a": null, "b": [1, -2, 1.5, "x", {"c": true}]}}"#,
        expect![[r#"
        {"source":{"type":"kafka","topic":"","startingOffsets":"latest"},"operations":[{"type":"processFunction","processType":"","parameters":{"a":null,"b":[1,-2,1.5,"x",{"c":true}]},"stateKeys":[],"timerNames":[]}],"sink":{"type":"console","format":"json"},"metadata":{"jobId":"1","version":"1.0"}}
    "#]],
    );
    check_operation(
        r#"{"type": "processFunction", "function": "sessions", "sideOutputs": {"Late": {"type": "Console"}}, "onError": "Skip"}"#,
        expect![[r#"
            {"source":{"type":"kafka","topic":"","startingOffsets":"latest"},"operations":[{"type":"processFunction","processType":"sessions","stateKeys":[],"timerNames":[],"sideOutputs":{"Late":{"type":"console","format":"json"}},"onError":{"policy":"skip","retries":0}}],"sink":{"type":"console","format":"json"},"metadata":{"jobId":"1","version":"1.0"}}
        "#]],
    );
    check(
        r#"{"source": {"type": "sql"}, "metadata": {"jobId": "1"}, "functions": {"f": {"component": "f.wasm", "limits": {"stateValueBytes": 10},
            "onError": {"policy": "DEAD-LETTER", "retries": "3", "sink": {"path": "/d", "type": "file"}},
            "rateLimiters": [{"name": "api", "rate": 10, "burst": 20, "Scope": "JOB", "tiers": [{"name": "tenant", "rate": 0.5, "burst": 1}]}]}}}"#,
        expect![[r#"
            {"source":{"type":"sql","statements":[],"mode":"streaming","executionMode":"tableenv"},"operations":[],"metadata":{"jobId":"1","version":"1.0"},"functions":{"f":{"component":"f.wasm","limits":{"stateValueBytes":10},"onError":{"policy":"dead-letter","retries":3,"sink":{"type":"file","path":"/d","format":"json"}},"rateLimiters":[{"name":"api","rate":10.0,"burst":20,"scope":"job","tiers":[{"name":"tenant","rate":0.5,"burst":1}]}]}}}
        "#]],
    );
    check(
        r#"{"source": {"type": "sql", "statements": ["SELECT 1"], "mode": "Batch"}, "functions": {"Tax": {"component": "t.wasm", "limits": {"deadlineMs": 5}}}}"#,
        expect![[r#"
            {"source":{"type":"sql","statements":["SELECT 1"],"mode":"batch","executionMode":"tableenv"},"operations":[],"metadata":{"jobId":"560f3755-f39b-47fd-896f-9e2a8cb4623f","version":"1.0"},"functions":{"Tax":{"component":"t.wasm","limits":{"deadlineMs":5}}}}
        "#]],
    );
    check(
        "\u{feff}{\"source\": {\"type\": \"sql\"}, \"metadata\": {\"jobId\": \"1\", \"version\": \"7\"}}",
        expect![[r#"
        {"source":{"type":"sql","statements":[],"mode":"streaming","executionMode":"tableenv"},"operations":[],"metadata":{"jobId":"1","version":"1.0"}}
    "#]],
    );
}

#[test]
fn unknown_properties_are_warned_of() {
    check_operation(
        r#"{"type": "filter", "expresion": "a > 1", "zzz": {"deep": 1}}"#,
        expect![[r#"
        {"source":{"type":"kafka","topic":"","startingOffsets":"latest"},"operations":[{"type":"filter","expression":""}],"sink":{"type":"console","format":"json"},"metadata":{"jobId":"1","version":"1.0"}}
        2:48 error[FW0101]: unknown property `expresion` is ignored
          --> (/operations/0/expresion)
           = help: did you mean `expression`?
        2:64 error[FW0101]: unknown property `zzz` is ignored
          --> (/operations/0/zzz)
    "#]],
    );
    check(
        r#"{"source": {"type": "sql"}, "metadata": {"jobId": "1"}, "sinks": [], "a/b": 1}"#,
        expect![[r#"
        {"source":{"type":"sql","statements":[],"mode":"streaming","executionMode":"tableenv"},"operations":[],"metadata":{"jobId":"1","version":"1.0"}}
        1:66 error[FW0101]: unknown property `sinks` is ignored
          --> (/sinks)
           = help: did you mean `sink`?
        1:77 error[FW0101]: unknown property `a/b` is ignored
          --> (/a~1b)
    "#]],
    );
}

#[test]
fn refused_with_a_place() {
    check(
        "",
        expect![[r#"
        1:1 error[FW0101]: not JSON: the file is empty
    "#]],
    );
    check(
        "{\n  \"source\": {,}\n}",
        expect![[r#"
        2:14 error[FW0101]: not JSON: unexpected token in object
    "#]],
    );
    check(
        "{} x",
        expect![[r#"
        1:4 error[FW0101]: not JSON: text cannot contain more than one JSON value
    "#]],
    );
    check(
        "// no\n{}",
        expect![[r#"
        1:1 error[FW0101]: not JSON: comments are not allowed
    "#]],
    );
    check(
        "[]",
        expect![[r#"
        1:1 error[FW0101]: expected an object, found an array
    "#]],
    );
    check(
        "{}",
        expect![[r#"
        1:1 error[FW0104]: `source` is missing
    "#]],
    );
    check(
        r#"{"source": {"type": "file"}}"#,
        expect![[r#"
        1:1 error[FW0104]: the job has no sink
          --> (/sink)
           = help: only a job whose source is `sql` may do without
    "#]],
    );
    check(
        r#"{"source": {}, "sink": null}"#,
        expect![[r#"
        1:12 error[FW0104]: `type` is missing
          --> (/source)
    "#]],
    );
    check(
        r#"{"source": {"type": "kafak"}}"#,
        expect![[r#"
        1:21 error[FW0102]: unknown source type `kafak`
          --> (/source/type)
           = help: did you mean `kafka`?
    "#]],
    );
    check(
        r#"{"source": {"type": 3}}"#,
        expect![[r#"
        1:21 error[FW0101]: expected a string, found integer `3`
          --> (/source/type)
    "#]],
    );
    check(
        r#"{"source": "kafka"}"#,
        expect![[r#"
        1:12 error[FW0101]: expected an object, found a string
          --> (/source)
    "#]],
    );
    check(
        r#"{"source": {"type": "kafka", "type": "file"}}"#,
        expect![[r#"
        1:38 error[FW0101]: `type` is given twice with different values
          --> (/source/type)
    "#]],
    );
    check(
        r#"{"source": {"type": "kafka", "topic": "a", "Topic": "b"}}"#,
        expect![[r#"
        1:53 error[FW0101]: `topic` is given twice with different values
          --> (/source/topic)
    "#]],
    );
    check_operation(
        "\n  {\"type\": \"fliter\", \"expression\": \"a\"}",
        expect![[r#"
        3:12 error[FW0102]: unknown operation type `fliter`
          --> (/operations/0/type)
           = help: did you mean `filter`?
    "#]],
    );
    check_operation(
        r#"{"type": "teleport"}"#,
        expect![[r#"
        2:25 error[FW0102]: unknown operation type `teleport`
          --> (/operations/0/type)
           = note: known types: filter, map, groupBy, aggregate, window, join, async, asyncFunction, processFunction, state, timer, retry, side-output, sideOutput, table, parseJson, processTableFunction, windowTvf, ml_predict
    "#]],
    );
    check_operation(
        r#"{"type": "filter", "expression": ["a"]}"#,
        expect![[r#"
        2:49 error[FW0101]: expected a string, found sequence
          --> (/operations/0/expression)
    "#]],
    );
    check_operation(
        r#"{"type": "filter", "expression": "a", "function": "b"}"#,
        expect![[r#"
        2:66 error[FW0101]: `expression` is given twice with different values
          --> (/operations/0/expression)
    "#]],
    );
    check_operation(
        r#"{"type": "aggregate", "aggregationType": "SUMM"}"#,
        expect![[r#"
        2:57 error[FW0101]: `SUMM` is none of SUM, COUNT, AVG, MIN, MAX, COLLECT
          --> (/operations/0/aggregationType)
           = help: did you mean `SUM`?
    "#]],
    );
    check_operation(
        r#"{"type": "aggregate", "aggregationType": "MEDIAN"}"#,
        expect![[r#"
        2:57 error[FW0101]: `MEDIAN` is none of SUM, COUNT, AVG, MIN, MAX, COLLECT
          --> (/operations/0/aggregationType)
    "#]],
    );
    check_operation(
        r#"{"type": "window", "size": 99999999999}"#,
        expect![[r#"
        2:43 error[FW0101]: expected a whole number from -2147483648 to 2147483647, found `99999999999`
          --> (/operations/0/size)
    "#]],
    );
    check_operation(
        r#"{"type": "window", "size": 1.5}"#,
        expect![[r#"
        2:43 error[FW0101]: expected a whole number from -2147483648 to 2147483647, found `1.5`
          --> (/operations/0/size)
    "#]],
    );
    check_operation(
        r#"{"type": "state", "ttlMs": "soon"}"#,
        expect![[r#"
        2:43 error[FW0101]: expected a whole number from -9223372036854775808 to 9223372036854775807, found `soon`
          --> (/operations/0/ttlMs)
    "#]],
    );
    check_operation(
        r#"{"type": "processFunction", "parameters": {"a": 1e999}}"#,
        expect![[r#"
        2:64 error[FW0101]: the number 1e999 is out of range
          --> (/operations/0/parameters/a)
    "#]],
    );
    check_operation(
        r#"{"type": "processFunction", "properties": {"a~/b": 1}}"#,
        expect![[r#"
        2:67 error[FW0101]: expected a string, found integer `1`
          --> (/operations/0/properties/a~0~1b)
    "#]],
    );
    check(
        r#"{"source": {"type": "sql"}, "functions": {"f": {"limits": {"memoryBytes": -1}}}}"#,
        expect![[r#"
        1:75 error[FW0101]: expected a whole number from 0 to 18446744073709551615, found `-1`
          --> (/functions/f/limits/memoryBytes)
    "#]],
    );
}

#[test]
fn an_error_policy_is_a_word_or_an_object() {
    let job = |on_error: &str| {
        format!(
            "{{\"source\": {{\"type\": \"sql\"}},\n\"functions\": {{\"f\": {{\"onError\": {on_error}}}}}}}"
        )
    };
    check(
        &job("\"deadletter\""),
        expect![[r#"
        2:32 error[FW0101]: `deadletter` is none of fail, skip, dead-letter
          --> (/functions/f/onError)
           = help: did you mean `dead-letter`?
    "#]],
    );
    check(
        &job("3"),
        expect![[r#"
        2:32 error[FW0101]: expected an object, found a number
          --> (/functions/f/onError)
    "#]],
    );
    check(
        &job("{\"policy\": \"ignore\"}"),
        expect![[r#"
        2:43 error[FW0101]: `ignore` is none of fail, skip, dead-letter
          --> (/functions/f/onError/policy)
    "#]],
    );
    check(
        &job("{\"policy\": \"skip\", \"retries\": -1}"),
        expect![[r#"
        2:62 error[FW0101]: expected a whole number from 0 to 4294967295, found `-1`
          --> (/functions/f/onError/retries)
    "#]],
    );
    check(
        &job("{\"policy\": \"skip\", \"retry\": 1}"),
        expect![[r#"
        {"source":{"type":"sql","statements":[],"mode":"streaming","executionMode":"tableenv"},"operations":[],"metadata":{"jobId":"d8f5963d-70ca-ed91-9044-98fd6d905dbe","version":"1.0"},"functions":{"f":{"component":"","onError":{"policy":"skip","retries":0}}}}
        2:60 error[FW0101]: unknown property `retry` is ignored
          --> (/functions/f/onError/retry)
    "#]],
    );
    check(
        &job("{\"sink\": {\"type\": \"flie\"}}"),
        expect![[r#"
        2:50 error[FW0102]: unknown sink type `flie`
          --> (/functions/f/onError/sink/type)
           = help: did you mean `file`?
    "#]],
    );
}

#[test]
fn limits_are_named() {
    let deep = |depth: usize| {
        let value = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        format!(
            r#"{{"source": {{"type": "sql"}}, "metadata": {{"jobId": "1", "optimizerConfig": {value}}}}}"#
        )
    };
    assert!(parse(&deep(MAX_DEPTH - 2)).is_ok());
    check(
        &deep(MAX_DEPTH - 1),
        expect![[r#"
        1:137 error[FW0101]: objects and arrays are nested deeper than 64
    "#]],
    );
    check(
        &deep(100_000),
        expect![[r#"
        1:583 error[FW0101]: objects and arrays are nested deeper than 64
    "#]],
    );
    let many = |count: usize| {
        let operations = vec![r#"{"type":"filter","expression":"a"}"#; count].join(",");
        format!(r#"{{"source": {{"type": "sql"}}, "operations": [{operations}]}}"#)
    };
    assert!(parse(&many(MAX_OPERATIONS)).is_ok());
    check(
        &many(MAX_OPERATIONS + 1),
        expect![[r#"
        1:43 error[FW0101]: the job has 1001 operations; at most 1000 are read
          --> (/operations)
    "#]],
    );
    check(
        &" ".repeat(MAX_JOB_BYTES + 1),
        expect![[r#"
        0:0 error[FW0101]: the job definition has 16777217 bytes; at most 16777216 are read
    "#]],
    );
}

#[test]
fn a_missing_job_id_comes_from_the_content() {
    let read = |path: &str| {
        parse(&format!(
            r#"{{"source": {{"type": "file", "path": "{path}"}}, "sink": {{"type": "console"}}}}"#
        ))
        .unwrap()
        .job
    };
    assert_eq!(read("a").metadata.job_id, read("a").metadata.job_id);
    assert_ne!(read("a").metadata.job_id, read("b").metadata.job_id);
    assert_eq!(read("a").metadata.job_id.len(), 36);
}
