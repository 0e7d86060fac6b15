//! Process functions: keys, side outputs, error policies, rate limiters, and FlinkDotnet's operations beside them.

mod common;

use expect_test::{Expect, expect};
use flink_wasm_plan::Step;
use serde_json::{Value, json};

/// A job over `id, amount, region` with these operations and further parts.
fn job(operations: Value, more: Value) -> String {
    let mut job = json!({
        "source": {"type": "file", "path": "/in", "format": "json", "schema": "id BIGINT, amount DOUBLE, region STRING"},
        "operations": operations,
        "sink": {"type": "console"},
        "metadata": {"jobId": "1", "jobName": "test"},
        "functions": {"sessions": {"component": "s.wasm", "parameters": {"gap": 5}}}
    });
    for (key, value) in more.as_object().unwrap() {
        job[key] = value.clone();
    }
    serde_json::to_string_pretty(&job).unwrap()
}

/// Shows the steps behind the source, one JSON line each, and the warnings; or the problems.
#[track_caller]
fn check_job(operations: Value, more: Value, expected: Expect) {
    let text = job(operations, more);
    let mut shown = match common::plan_of(&text) {
        Ok(plan) => plan.steps[1..].iter().map(|step| serde_json::to_string(step).unwrap() + "\n").collect(),
        Err(problems) => problems,
    };
    let parsed = flink_wasm_ir::parse(&text).unwrap();
    for warning in flink_wasm_plan::warnings(&parsed.job, &common::functions()) {
        shown += &format!("warning: {warning}\n");
    }
    expected.assert_eq(&shown);
}

#[track_caller]
fn check(operations: Value, expected: Expect) {
    check_job(operations, json!({}), expected);
}

fn by(key: &str) -> Value {
    json!({"type": "groupBy", "key": key})
}

/// `sessions` by `id`, with both side outputs dropped or written, and further properties.
fn sessions(more: Value) -> Value {
    let mut operation = json!({"type": "processFunction", "function": "sessions",
        "sideOutputs": {"late": {"type": "blackhole"}, "odd": {"type": "blackhole"}}});
    for (key, value) in more.as_object().unwrap() {
        operation[key] = value.clone();
    }
    operation
}

fn count() -> Value {
    json!({"type": "processFunction", "processType": "count"})
}

#[test]
fn keys() {
    check(
        json!([by("id"), count()]),
        expect![[r#"
        {"kind":"wasm","from":"/operations/1","name":"process_2","uid":"process_2","input":"source","function":"count","arguments":null,"output":"replace","prefix":"","key":["id"]}
        {"kind":"insert","from":"/sink","table":"sink","input":"process_2","with":{"connector":"flink-wasm-console"}}
    "#]],
    );
    check(
        json!([by("region, id"), count()]),
        expect![[r#"
        {"kind":"wasm","from":"/operations/1","name":"process_2","uid":"process_2","input":"source","function":"count","arguments":null,"output":"replace","prefix":"","key":["region","id"]}
        {"kind":"insert","from":"/sink","table":"sink","input":"process_2","with":{"connector":"flink-wasm-console"}}
    "#]],
    );
    check(
        json!([{"type": "groupBy", "keys": ["region", "`id`"]}, count()]),
        expect![[r#"
        {"kind":"wasm","from":"/operations/1","name":"process_2","uid":"process_2","input":"source","function":"count","arguments":null,"output":"replace","prefix":"","key":["region","id"]}
        {"kind":"insert","from":"/sink","table":"sink","input":"process_2","with":{"connector":"flink-wasm-console"}}
    "#]],
    );
    check(
        json!([by("x => x.region"), count()]),
        expect![[r#"
        {"kind":"wasm","from":"/operations/1","name":"process_2","uid":"process_2","input":"source","function":"count","arguments":null,"output":"replace","prefix":"","key":["region"]}
        {"kind":"insert","from":"/sink","table":"sink","input":"process_2","with":{"connector":"flink-wasm-console"}}
    "#]],
    );
    check(
        json!([{"type": "map", "expression": "`order` = id"}, by("order"), count()]),
        expect![[r#"
        {"kind":"assign","from":"/operations/0","name":"map_1","input":"source","column":"order","sql":"`id`"}
        {"kind":"wasm","from":"/operations/2","name":"process_3","uid":"process_3","input":"map_1","function":"count","arguments":null,"output":"replace","prefix":"","key":["order"]}
        {"kind":"insert","from":"/sink","table":"sink","input":"process_3","with":{"connector":"flink-wasm-console"}}
    "#]],
    );
    // Columns of SQL sources are known to Flink only.
    check_job(
        json!([by("whatever"), count()]),
        json!({"source": {"type": "sql", "statements": ["SELECT 1 AS amount"]}}),
        expect![[r#"
            {"kind":"wasm","from":"/operations/1","name":"process_2","uid":"process_2","input":"source","function":"count","arguments":null,"output":"replace","prefix":"","key":["whatever"]}
            {"kind":"insert","from":"/sink","table":"sink","input":"process_2","with":{"connector":"flink-wasm-console"}}
        "#]],
    );
    // The function says what the columns are when the source does not.
    check_job(
        json!([by("id"), sessions(json!({}))]),
        json!({"source": {"type": "file", "path": "/in", "format": "json"}}),
        expect![[r#"
            {"kind":"wasm","from":"/operations/1","name":"process_2","uid":"process_2","input":"source","function":"sessions","arguments":null,"output":"replace","prefix":"","key":["id"],"sideOutputs":{"late":"process_2_late","odd":"process_2_odd"}}
            {"kind":"insert","from":"/operations/1/sideOutputs/late","table":"process_2_late_sink","input":"process_2_late","with":{"connector":"blackhole"}}
            {"kind":"insert","from":"/operations/1/sideOutputs/odd","table":"process_2_odd_sink","input":"process_2_odd","with":{"connector":"blackhole"}}
            {"kind":"insert","from":"/sink","table":"sink","input":"process_2","with":{"connector":"flink-wasm-console"}}
        "#]],
    );
    check(
        json!([by("regoin, id"), count()]),
        expect![[r#"
        11:15 error[FW0201]: unknown column `regoin`
          --> (/operations/0/key)
           = note: columns: id, amount, region
           = help: did you mean `region`?
    "#]],
    );
    check(
        json!([by("id, regoin"), count()]),
        expect![[r#"
        11:19 error[FW0201]: unknown column `regoin`
          --> (/operations/0/key)
           = note: columns: id, amount, region
           = help: did you mean `region`?
    "#]],
    );
    check(
        json!([by("UPPER(region)"), count()]),
        expect![[r#"
        11:15 error[FW0202]: a key is a column, not an expression
          --> (/operations/0/key)
           = help: compute it before: a `map` operation `key = ..`, then group by `key`
    "#]],
    );
    check(
        json!([by("id, 3"), count()]),
        expect![[r#"
        11:19 error[FW0202]: a key is a column
          --> (/operations/0/key)
           = help: name a column, or several separated by commas
    "#]],
    );
    check(
        json!([by("id,"), count()]),
        expect![[r#"
            11:15 error[FW0202]: a column is missing beside a comma
              --> (/operations/0/key)
        "#]],
    );
    check(
        json!([by("id, id"), count()]),
        expect![[r#"
        11:14 error[FW0101]: `id` is twice in the key
          --> (/operations/0/key)
    "#]],
    );
    check(
        json!([by(" "), count()]),
        expect![[r#"
        9:5 error[FW0104]: the `groupBy` names no key
          --> (/operations/0)
           = help: set `key` to a column, or to several separated by commas
    "#]],
    );
    check(
        json!([{"type": "groupBy", "key": "id", "keys": ["id"]}, count()]),
        expect![[r#"
        9:5 error[FW0101]: give `key` or `keys`, not both
          --> (/operations/0)
    "#]],
    );
    check(
        json!([{"type": "groupBy", "keys": ["id", "nope"]}, count()]),
        expect![[r#"
        13:10 error[FW0201]: unknown column `nope`
          --> (/operations/0/keys/1)
           = note: columns: id, amount, region
    "#]],
    );
    check(
        json!([by("region"), sessions(json!({}))]),
        expect![[r#"
        11:14 error[FW0204]: `sessions` reads its key `id` as BIGINT NOT NULL, but column `region` is STRING
          --> (/operations/0/key)
           = help: cast it before: map `region = CAST(region AS BIGINT)`
    "#]],
    );
    check(
        json!([by("id, region"), sessions(json!({}))]),
        expect![[r#"
        9:5 error[FW0204]: `sessions` reads a key of 1 column, but rows are grouped by 2 columns
          --> (/operations/0)
           = note: its key: id BIGINT NOT NULL
    "#]],
    );
}

#[test]
fn groups_and_modes() {
    check(
        json!([count()]),
        expect![[r#"
        9:5 error[FW0208]: a process function needs a `groupBy` directly before it
          --> (/operations/0)
           = help: such as {"type": "groupBy", "key": "user_id"}
    "#]],
    );
    check(
        json!([by("id"), {"type": "filter", "expression": "id > 1"}, count()]),
        expect![[r#"
        9:5 error[FW0103]: operation `groupBy` can't be run yet
          --> (/operations/0)
        17:5 error[FW0208]: a process function needs a `groupBy` directly before it
          --> (/operations/2)
           = note: a `filter` operation stands before it
    "#]],
    );
    check(
        json!([by("id"), {"type": "window", "windowType": "SESSION", "size": 30}, count()]),
        expect![[r#"
        9:5 error[FW0103]: operation `groupBy` can't be run yet
          --> (/operations/0)
        13:5 error[FW0103]: operation `window` can't be run yet
          --> (/operations/1)
        18:5 error[FW0208]: a process function needs a `groupBy` directly before it
          --> (/operations/2)
           = note: a `window` operation stands before it
           = help: a process function makes its own windows, with timers: leave the `window` out
    "#]],
    );
    check(
        json!([by("id"), {"type": "aggregate", "aggregationType": "SUM", "field": "amount"}]),
        expect![[r#"
            9:5 error[FW0103]: operation `groupBy` can't be run yet
              --> (/operations/0)
            13:5 error[FW0103]: operation `aggregate` can't be run yet
              --> (/operations/1)
        "#]],
    );
    for mode in ["BATCH", "automatic"] {
        let text = job(
            json!([by("id"), count()]),
            json!({"metadata": {"jobId": "1", "properties": {"execution.runtime-mode": mode}}}),
        );
        let problems = common::plan_of(&text).unwrap_err();
        assert!(problems.contains("error[FW0209]"), "{problems}");
    }
    check_job(
        json!([by("id"), count()]),
        json!({"source": {"type": "sql", "mode": "batch", "statements": ["SELECT 1 AS amount, 1 AS id"]}}),
        expect![[r#"
            14:5 error[FW0209]: a process function can't run in BATCH mode
              --> (/operations/1)
               = help: set `execution.runtime-mode` to STREAMING; bounded sources are fine
        "#]],
    );
    check_job(
        json!([by("id"), count(), by("n"), {"type": "processFunction", "function": "sessions", "parameters": {"gap": 7}}]),
        json!({}),
        expect![[r#"
            23:19 error[FW0201]: `sessions` takes the row's columns `id`, `amount`, which the row does not have
              --> (/operations/3/processType)
               = note: columns: n
               = help: add what is missing with a `map` operation before the `groupBy`
            warning: error[FW0104]: rows of the side output `late` of `sessions` are dropped: it has no sink
              --> (/operations/3)
               = help: give it one: "sideOutputs": {"late": {"type": "console"}}
            warning: error[FW0104]: rows of the side output `odd` of `sessions` are dropped: it has no sink
              --> (/operations/3)
               = help: give it one: "sideOutputs": {"odd": {"type": "console"}}
        "#]],
    );
}

#[test]
fn functions() {
    let process = |name: &str| json!({"type": "processFunction", "function": name});
    check(
        json!([by("id"), process("tax")]),
        expect![[r#"
        15:19 error[FW0204]: `tax` is a map function; this operation needs a process function
          --> (/operations/1/processType)
           = help: call it in a `map` operation: {"type": "map", "expression": "tax"}
    "#]],
    );
    check(
        json!([by("id"), process("valid")]),
        expect![[r#"
        15:19 error[FW0204]: `valid` is a filter function; this operation needs a process function
          --> (/operations/1/processType)
           = help: call it in a `filter` operation: {"type": "filter", "expression": "valid"}
    "#]],
    );
    check(
        json!([by("id"), process("cuont")]),
        expect![[r#"
        15:19 error[FW0203]: no function `cuont`
          --> (/operations/1/processType)
           = help: did you mean `count`?
    "#]],
    );
    check(
        json!([by("id"), process("other")]),
        expect![[r#"
        15:19 error[FW0203]: no function `other`
          --> (/operations/1/processType)
           = help: declare it: "functions": {"other": {"component": ..}}
    "#]],
    );
    check(
        json!([by("id"), process("")]),
        expect![[r#"
        15:19 error[FW0104]: the operation names no function
          --> (/operations/1/processType)
           = help: set `function` to a name of `functions`
    "#]],
    );
    check(
        json!([{"type": "map", "expression": "count(amount)"}]),
        expect![[r#"
        11:22 error[FW0204]: `count` is a process function and can't be called in an expression
          --> (/operations/0/expression)
           = help: run it by an operation: {"type": "processFunction", "function": "count"} behind a `groupBy`
    "#]],
    );
    check(
        json!([{"type": "map", "expression": "a = 1 + count(amount)"}]),
        expect![[r#"
        11:30 error[FW0204]: `count` is a process function and can't be called in an expression
          --> (/operations/0/expression)
           = help: run it by an operation: {"type": "processFunction", "function": "count"} behind a `groupBy`
    "#]],
    );
    check(
        json!([{"type": "filter", "expression": "count"}]),
        expect![[r#"
        11:22 error[FW0204]: `count` is a process function and can't be called in an expression
          --> (/operations/0/expression)
           = help: run it by an operation: {"type": "processFunction", "function": "count"} behind a `groupBy`
    "#]],
    );
    check(
        json!([{"type": "map", "expression": "id"}, by("id"), count()]),
        expect![[r#"
            19:22 error[FW0201]: `count` takes the row's column `amount`, which the row does not have
              --> (/operations/2/processType)
               = note: columns: id
               = help: add what is missing with a `map` operation before the `groupBy`
        "#]],
    );
}

#[test]
fn parameters() {
    let with = |parameters: Value| sessions(json!({"parameters": parameters}));
    let gaps = |operations: Value, more: Value| match common::plan_of(&job(operations, more)) {
        Ok(plan) => {
            plan.functions.iter().map(|(name, f)| format!("{name} {}\n", json!(f.parameters))).collect()
        }
        Err(problems) => problems,
    };
    // The function's, the operation's, and two operations that differ.
    expect![[r#"
        sessions {"gap":5}
    "#]]
    .assert_eq(&gaps(json!([by("id"), with(json!({}))]), json!({})));
    expect![[r#"
        sessions {"gap":7}
    "#]]
    .assert_eq(&gaps(json!([by("id"), with(json!({"gap": 7}))]), json!({"functions": {}})));
    expect![[r#"
        sessions {"gap":7}
        sessions_process_5 {"gap":5}
    "#]].assert_eq(&gaps(
        json!([by("id"), with(json!({"gap": 7})), {"type": "map", "expression": "amount = total"}, by("id"), with(json!({}))]),
        json!({}),
    ));
    check(
        json!([by("id"), with(json!({"gapp": 7}))]),
        expect![[r#"
        25:17 error[FW0207]: function `sessions` has no parameter `gapp`
          --> (/operations/1/parameters/gapp)
           = help: did you mean `gap`?
    "#]],
    );
    check(
        json!([by("id"), with(json!({"gap": "long"}))]),
        expect![[r#"
        25:16 error[FW0207]: parameter `gap` of function `sessions` is a string; expected a whole number of 64 bits
          --> (/operations/1/parameters/gap)
           = note: its type: BIGINT NOT NULL
    "#]],
    );
    // Either place will do for a parameter without a default.
    let mut functions = common::functions();
    functions.get_mut("sessions").unwrap().descriptor.parameters[0].default = None;
    for (given, expected) in [(json!({"gap": 1}), true), (json!({}), false)] {
        let text = job(json!([by("id"), with(given)]), json!({"functions": {}}));
        let planned = flink_wasm_plan::lower(&flink_wasm_ir::parse(&text).unwrap().job, &functions);
        assert_eq!(planned.is_ok(), expected, "{planned:?}");
    }
}

#[test]
fn side_outputs() {
    check(
        json!([
            by("id"),
            sessions(json!({"sideOutputs": {"odd": {"type": "console"},
            "late": {"type": "file", "path": "/late", "schema": "id BIGINT"}}}))
        ]),
        expect![[r#"
            {"kind":"wasm","from":"/operations/1","name":"process_2","uid":"process_2","input":"source","function":"sessions","arguments":null,"output":"replace","prefix":"","key":["id"],"sideOutputs":{"late":"process_2_late","odd":"process_2_odd"}}
            {"kind":"statement","from":"/operations/1/sideOutputs/late","sql":"CREATE TEMPORARY TABLE `process_2_late_sink` (\n  `id` BIGINT\n) WITH (\n  'connector' = 'filesystem',\n  'format' = 'json',\n  'path' = '/late'\n)"}
            {"kind":"insert","from":"/operations/1/sideOutputs/late","table":"process_2_late_sink","input":"process_2_late"}
            {"kind":"insert","from":"/operations/1/sideOutputs/odd","table":"process_2_odd_sink","input":"process_2_odd","with":{"connector":"flink-wasm-console"}}
            {"kind":"insert","from":"/sink","table":"sink","input":"process_2","with":{"connector":"flink-wasm-console"}}
        "#]],
    );
    check(
        json!([by("id"), sessions(json!({"sideOutputs": {"late": {"type": "blackhole"}}}))]),
        expect![[r#"
            {"kind":"wasm","from":"/operations/1","name":"process_2","uid":"process_2","input":"source","function":"sessions","arguments":null,"output":"replace","prefix":"","key":["id"],"sideOutputs":{"late":"process_2_late"}}
            {"kind":"insert","from":"/operations/1/sideOutputs/late","table":"process_2_late_sink","input":"process_2_late","with":{"connector":"blackhole"}}
            {"kind":"insert","from":"/sink","table":"sink","input":"process_2","with":{"connector":"flink-wasm-console"}}
            warning: error[FW0104]: rows of the side output `odd` of `sessions` are dropped: it has no sink
              --> (/operations/1)
               = help: give it one: "sideOutputs": {"odd": {"type": "console"}}
        "#]],
    );
    check(
        json!([by("id"), sessions(json!({"sideOutputs": {"lat": {"type": "blackhole"}}}))]),
        expect![[r#"
        17:16 error[FW0104]: `sessions` has no side output `lat`
          --> (/operations/1/sideOutputs/lat)
           = help: did you mean `late`?
        warning: error[FW0104]: rows of the side output `late` of `sessions` are dropped: it has no sink
          --> (/operations/1)
           = help: give it one: "sideOutputs": {"late": {"type": "console"}}
        warning: error[FW0104]: rows of the side output `odd` of `sessions` are dropped: it has no sink
          --> (/operations/1)
           = help: give it one: "sideOutputs": {"odd": {"type": "console"}}
    "#]],
    );
    check(
        json!([
            by("id"),
            sessions(
                json!({"sideOutputs": {"late": {"type": "kafka", "topic": "t"}, "odd": {"type": "file", "path": "/o", "schema": "name STRING"}}})
            )
        ]),
        expect![[r#"
            17:17 error[FW0103]: sink `kafka` can't be run yet
              --> (/operations/1/sideOutputs/late)
            24:21 error[FW0201]: the rows have no column `name` for the sink
              --> (/operations/1/sideOutputs/odd/schema)
               = note: columns: id
        "#]],
    );
    // FlinkDotnet's operation: a declared side output, or a condition of its own.
    let side = |tag: &str, condition: &str| json!({"type": "sideOutput", "outputTag": tag, "condition": condition, "sideOutputSink": {"type": "console"}});
    let none = sessions(json!({"sideOutputs": {}}));
    check(
        json!([by("id"), none, side("late", ""), side("odd", "")]),
        expect![[r#"
        {"kind":"wasm","from":"/operations/1","name":"process_2","uid":"process_2","input":"source","function":"sessions","arguments":null,"output":"replace","prefix":"","key":["id"],"sideOutputs":{"late":"process_2_late","odd":"process_2_odd"}}
        {"kind":"insert","from":"/operations/2/sideOutputSink","table":"process_2_late_sink","input":"process_2_late","with":{"connector":"flink-wasm-console"}}
        {"kind":"insert","from":"/operations/3/sideOutputSink","table":"process_2_odd_sink","input":"process_2_odd","with":{"connector":"flink-wasm-console"}}
        {"kind":"insert","from":"/sink","table":"sink","input":"process_2","with":{"connector":"flink-wasm-console"}}
    "#]],
    );
    check(
        json!([by("id"), sessions(json!({})), side("high-value", "total > 1000")]),
        expect![[r#"
        {"kind":"wasm","from":"/operations/1","name":"process_2","uid":"process_2","input":"source","function":"sessions","arguments":null,"output":"replace","prefix":"","key":["id"],"sideOutputs":{"late":"process_2_late","odd":"process_2_odd"}}
        {"kind":"insert","from":"/operations/1/sideOutputs/late","table":"process_2_late_sink","input":"process_2_late","with":{"connector":"blackhole"}}
        {"kind":"insert","from":"/operations/1/sideOutputs/odd","table":"process_2_odd_sink","input":"process_2_odd","with":{"connector":"blackhole"}}
        {"kind":"view","from":"/operations/2","name":"sideOutput_3","sql":"SELECT * FROM `process_2` WHERE `total` > 1000","drop":[]}
        {"kind":"insert","from":"/operations/2/sideOutputSink","table":"sideOutput_3_sink","input":"sideOutput_3","with":{"connector":"flink-wasm-console"}}
        {"kind":"insert","from":"/sink","table":"sink","input":"process_2","with":{"connector":"flink-wasm-console"}}
    "#]],
    );
    check(
        json!([side("high-value", "amount > 1000 && valid(amount)")]),
        expect![[r#"
        {"kind":"wasm","from":"/operations/0","name":"sideOutput_1_call_0","uid":"sideOutput_1_call_0","input":"source","function":"valid","arguments":["amount"],"output":"flag","prefix":"__call_1_0_"}
        {"kind":"view","from":"/operations/0","name":"sideOutput_1","sql":"SELECT * FROM `sideOutput_1_call_0` WHERE `amount` > 1000 AND `__call_1_0_`","drop":["__call_1_0_"]}
        {"kind":"insert","from":"/operations/0/sideOutputSink","table":"sideOutput_1_sink","input":"sideOutput_1","with":{"connector":"flink-wasm-console"}}
        {"kind":"insert","from":"/sink","table":"sink","input":"source","with":{"connector":"flink-wasm-console"}}
    "#]],
    );
    check(
        json!([by("id"), sessions(json!({})), side("late", "total > 1")]),
        expect![[r#"
        28:20 error[FW0101]: `sessions` itself says which rows go to its side output `late`
          --> (/operations/2/condition)
           = help: leave out `condition`, or give the output another tag
    "#]],
    );
    check(
        json!([by("id"), sessions(json!({})), side("late", "")]),
        expect![[r#"
        27:20 error[FW0101]: side output `late` of `sessions` has two sinks
          --> (/operations/2/outputTag)
    "#]],
    );
    check(
        json!([by("id"), sessions(json!({})), side("latte", "")]),
        expect![[r#"
        27:20 error[FW0104]: `sessions` has no side output `latte`
          --> (/operations/2/outputTag)
           = help: did you mean `late`?
    "#]],
    );
    check(
        json!([by("id"), sessions(json!({})), side("high-value", "totl > 1")]),
        expect![[r#"
        28:21 error[FW0201]: unknown column `totl`
          --> (/operations/2/condition)
           = note: columns: id, total
           = help: did you mean `total`?
    "#]],
    );
    check(
        json!([side("late", "")]),
        expect![[r#"
        12:20 error[FW0104]: which rows go to this side output?
          --> (/operations/0/condition)
           = help: give a `condition`, or put it behind the `processFunction` whose side output it names
    "#]],
    );
    check(
        json!([{"type": "sideOutput", "outputTag": "a", "condition": "id > 1"}]),
        expect![[r#"
        9:5 error[FW0104]: side output `a` has no sink
          --> (/operations/0/sideOutputSink)
    "#]],
    );
}

#[test]
fn error_policies() {
    let dead = json!({"policy": "dead-letter", "retries": 2, "sink": {"type": "file", "path": "/dead"}});
    check(
        json!([by("id"), sessions(json!({"onError": dead}))]),
        expect![[r#"
        {"kind":"wasm","from":"/operations/1","name":"process_2","uid":"process_2","input":"source","function":"sessions","arguments":null,"output":"replace","prefix":"","key":["id"],"sideOutputs":{"late":"process_2_late","odd":"process_2_odd"},"onError":{"policy":"dead-letter","retries":2,"relation":"process_2_dead_letter"}}
        {"kind":"insert","from":"/operations/1/sideOutputs/late","table":"process_2_late_sink","input":"process_2_late","with":{"connector":"blackhole"}}
        {"kind":"insert","from":"/operations/1/sideOutputs/odd","table":"process_2_odd_sink","input":"process_2_odd","with":{"connector":"blackhole"}}
        {"kind":"insert","from":"/operations/1/onError/sink","table":"process_2_dead_letter_sink","input":"process_2_dead_letter","with":{"connector":"filesystem","format":"json","path":"/dead"}}
        {"kind":"insert","from":"/sink","table":"sink","input":"process_2","with":{"connector":"flink-wasm-console"}}
    "#]],
    );
    check(
        json!([by("id"), sessions(json!({"onError": "skip"}))]),
        expect![[r#"
        {"kind":"wasm","from":"/operations/1","name":"process_2","uid":"process_2","input":"source","function":"sessions","arguments":null,"output":"replace","prefix":"","key":["id"],"sideOutputs":{"late":"process_2_late","odd":"process_2_odd"},"onError":{"policy":"skip","retries":0}}
        {"kind":"insert","from":"/operations/1/sideOutputs/late","table":"process_2_late_sink","input":"process_2_late","with":{"connector":"blackhole"}}
        {"kind":"insert","from":"/operations/1/sideOutputs/odd","table":"process_2_odd_sink","input":"process_2_odd","with":{"connector":"blackhole"}}
        {"kind":"insert","from":"/sink","table":"sink","input":"process_2","with":{"connector":"flink-wasm-console"}}
    "#]],
    );
    // The operation goes before the function.
    let with = |on_error: &Value| {
        json!({"functions": {
        "sessions": {"component": "s.wasm", "parameters": {"gap": 5}, "onError": on_error},
        "tax": {"component": "t.wasm", "onError": on_error}, "valid": {"component": "v.wasm", "onError": on_error}}})
    };
    check_job(
        json!([by("id"), sessions(json!({"onError": "fail"}))]),
        with(&dead),
        expect![[r#"
        {"kind":"wasm","from":"/operations/1","name":"process_2","uid":"process_2","input":"source","function":"sessions","arguments":null,"output":"replace","prefix":"","key":["id"],"sideOutputs":{"late":"process_2_late","odd":"process_2_odd"}}
        {"kind":"insert","from":"/operations/1/sideOutputs/late","table":"process_2_late_sink","input":"process_2_late","with":{"connector":"blackhole"}}
        {"kind":"insert","from":"/operations/1/sideOutputs/odd","table":"process_2_odd_sink","input":"process_2_odd","with":{"connector":"blackhole"}}
        {"kind":"insert","from":"/sink","table":"sink","input":"process_2","with":{"connector":"flink-wasm-console"}}
    "#]],
    );
    check_job(
        json!([{"type": "map", "expression": "tax(amount)"}, {"type": "filter", "expression": "valid(amount)"},
            {"type": "filter", "expression": "tax(total) > 1"}, by("id"), sessions(json!({}))]),
        with(&dead),
        expect![[r#"
            {"kind":"wasm","from":"/operations/0","name":"map_1","uid":"map_1","input":"source","function":"tax","arguments":["amount"],"output":"append","prefix":"","onError":{"policy":"dead-letter","retries":2,"relation":"map_1_dead_letter"}}
            {"kind":"insert","from":"/functions/tax/onError/sink","table":"map_1_dead_letter_sink","input":"map_1_dead_letter","with":{"connector":"filesystem","format":"json","path":"/dead"}}
            {"kind":"wasm","from":"/operations/1","name":"filter_2","uid":"filter_2","input":"map_1","function":"valid","arguments":["amount"],"output":"keep","prefix":"","onError":{"policy":"dead-letter","retries":2,"relation":"filter_2_dead_letter"}}
            {"kind":"insert","from":"/functions/valid/onError/sink","table":"filter_2_dead_letter_sink","input":"filter_2_dead_letter","with":{"connector":"filesystem","format":"json","path":"/dead"}}
            {"kind":"wasm","from":"/operations/2","name":"filter_3_call_0","uid":"filter_3_call_0","input":"filter_2","function":"tax","arguments":["total"],"output":"append","prefix":"__call_3_0_","onError":{"policy":"dead-letter","retries":2,"relation":"filter_3_call_0_dead_letter"}}
            {"kind":"insert","from":"/functions/tax/onError/sink","table":"filter_3_call_0_dead_letter_sink","input":"filter_3_call_0_dead_letter","with":{"connector":"filesystem","format":"json","path":"/dead"}}
            {"kind":"view","from":"/operations/2","name":"filter_3","sql":"SELECT * FROM `filter_3_call_0` WHERE `__call_3_0_total` > 1","drop":["__call_3_0_total"]}
            {"kind":"wasm","from":"/operations/4","name":"process_5","uid":"process_5","input":"filter_3","function":"sessions","arguments":null,"output":"replace","prefix":"","key":["id"],"sideOutputs":{"late":"process_5_late","odd":"process_5_odd"},"onError":{"policy":"dead-letter","retries":2,"relation":"process_5_dead_letter"}}
            {"kind":"insert","from":"/operations/4/sideOutputs/late","table":"process_5_late_sink","input":"process_5_late","with":{"connector":"blackhole"}}
            {"kind":"insert","from":"/operations/4/sideOutputs/odd","table":"process_5_odd_sink","input":"process_5_odd","with":{"connector":"blackhole"}}
            {"kind":"insert","from":"/functions/sessions/onError/sink","table":"process_5_dead_letter_sink","input":"process_5_dead_letter","with":{"connector":"filesystem","format":"json","path":"/dead"}}
            {"kind":"insert","from":"/sink","table":"sink","input":"process_5","with":{"connector":"flink-wasm-console"}}
        "#]],
    );
    check_job(
        json!([{"type": "map", "expression": "tax(amount)"}]),
        with(&json!({"policy": "fail", "retries": 3})),
        expect![[r#"
            {"kind":"wasm","from":"/operations/0","name":"map_1","uid":"map_1","input":"source","function":"tax","arguments":["amount"],"output":"append","prefix":"","onError":{"policy":"fail","retries":3}}
            {"kind":"insert","from":"/sink","table":"sink","input":"map_1","with":{"connector":"flink-wasm-console"}}
        "#]],
    );
    for (sink, shown) in [
        (json!({"type": "console"}), true),
        (json!({"type": "blackhole"}), true),
        (
            json!({"type": "file", "path": "/d", "format": "csv", "schema": "error STRING, `row` STRING"}),
            true,
        ),
        (json!({"type": "file", "path": "/d", "schema": "erorr STRING"}), false),
        (json!({"type": "redis"}), false),
    ] {
        let on_error = json!({"policy": "dead-letter", "sink": sink});
        let planned =
            common::plan_of(&job(json!([by("id"), sessions(json!({"onError": on_error}))]), json!({})));
        assert_eq!(planned.is_ok(), shown, "{planned:?}");
    }
    check(
        json!([by("id"), sessions(json!({"onError": "dead-letter"}))]),
        expect![[r#"
        24:18 error[FW0104]: dead letters need a sink
          --> (/operations/1/onError)
           = help: such as {"policy": "dead-letter", "sink": {"type": "file", "path": "/data/failed"}}
    "#]],
    );
    check(
        json!([by("id"), sessions(json!({"onError": {"policy": "skip", "sink": {"type": "console"}}}))]),
        expect![[r#"
            26:17 error[FW0101]: only dead letters go to a sink
              --> (/operations/1/onError/sink)
               = help: set `policy` to `dead-letter`
        "#]],
    );
    check_job(
        json!([]),
        with(&json!({"policy": "skip", "retries": 101})),
        expect![[r#"
        24:20 error[FW0207]: a row is tried again 101 times; it must be from 0 to 100
          --> (/functions/sessions/onError/retries)
        31:20 error[FW0207]: a row is tried again 101 times; it must be from 0 to 100
          --> (/functions/tax/onError/retries)
        38:20 error[FW0207]: a row is tried again 101 times; it must be from 0 to 100
          --> (/functions/valid/onError/retries)
    "#]],
    );
    check(
        json!([
            by("id"),
            sessions(
                json!({"onError": {"policy": "dead-letter", "sink": {"type": "file", "path": "/d", "schema": "erorr STRING"}}})
            )
        ]),
        expect![[r#"
            29:21 error[FW0201]: the rows have no column `erorr` for the sink
              --> (/operations/1/onError/sink/schema)
               = note: columns: row, error, code, function, digest, failed_at
               = help: did you mean `error`?
        "#]],
    );
    // A side output that is called like the relation of dead letters gets none of its rows.
    let mut functions = common::functions();
    functions.get_mut("sessions").unwrap().descriptor.side_outputs[1].name = "dead_letter".into();
    let text = job(
        json!([
            by("id"),
            sessions(json!({"sideOutputs": {"dead_letter": {"type": "console"}}, "onError": dead}))
        ]),
        json!({}),
    );
    let plan = flink_wasm_plan::lower(&flink_wasm_ir::parse(&text).unwrap().job, &functions).unwrap();
    let inputs: Vec<&str> = plan
        .steps
        .iter()
        .filter_map(|step| match step {
            Step::Insert { input, .. } => Some(input.as_str()),
            _ => None,
        })
        .collect();
    expect![[r#"
        [
            "process_2_dead_letter",
            "process_2_dead_letter_",
            "process_2",
        ]
    "#]]
    .assert_debug_eq(&inputs);
}

#[test]
fn rate_limiters() {
    let with =
        |limiters: Value| json!({"functions": {"tax": {"component": "t.wasm", "rateLimiters": limiters}}});
    let good = json!([{"name": "api", "rate": 0.5, "burst": 1, "scope": "job", "tiers": [{"name": "api", "rate": 5, "burst": 5}]}]);
    let plan =
        common::plan_of(&job(json!([{"type": "map", "expression": "tax(amount)"}]), with(good.clone())))
            .unwrap();
    expect![[
        r#"[{"name":"api","rate":0.5,"burst":1,"scope":"job","tiers":[{"name":"api","rate":5.0,"burst":5}]}]"#
    ]]
    .assert_eq(&json!(plan.functions["tax"].rate_limiters).to_string());
    check_job(
        json!([]),
        with(json!([{"name": "", "rate": 0, "burst": 0}, {"name": "a", "rate": -1, "burst": 1},
            {"name": "a", "rate": 1, "burst": 1, "tiers": [{"name": "t", "rate": 1, "burst": 1}, {"name": "t", "rate": 1, "burst": 0}]},
            {"name": "x".repeat(129), "rate": 1, "burst": 1}])),
        expect![[r#"
            21:19 error[FW0207]: a rate limiter has no name
              --> (/functions/tax/rateLimiters/0/name)
            22:19 error[FW0207]: `rate` of `` is 0; it must be permits a second, above 0
              --> (/functions/tax/rateLimiters/0/rate)
            23:20 error[FW0207]: `burst` of `` is 0; it must be at least 1, or nothing is ever granted
              --> (/functions/tax/rateLimiters/0/burst)
            27:19 error[FW0207]: `rate` of `a` is -1; it must be permits a second, above 0
              --> (/functions/tax/rateLimiters/1/rate)
            31:19 error[FW0207]: two rate limiters are called `a`
              --> (/functions/tax/rateLimiters/2/name)
            41:23 error[FW0207]: two rate limiters are called `t`
              --> (/functions/tax/rateLimiters/2/tiers/1/name)
            43:24 error[FW0207]: `burst` of `t` is 0; it must be at least 1, or nothing is ever granted
              --> (/functions/tax/rateLimiters/2/tiers/1/burst)
            48:19 error[FW0207]: the name has 129 bytes; at most 128 are taken
              --> (/functions/tax/rateLimiters/3/name)
        "#]],
    );
    let many = |count: usize| {
        (0..count).map(|i| json!({"name": i.to_string(), "rate": 1, "burst": 1})).collect::<Vec<_>>()
    };
    check_job(
        json!([]),
        with(json!(many(64))),
        expect![[r#"
        {"kind":"insert","from":"/sink","table":"sink","input":"source","with":{"connector":"flink-wasm-console"}}
    "#]],
    );
    check_job(
        json!([]),
        with(json!(many(65))),
        expect![[r#"
        19:23 error[FW0207]: function `tax` has 65 rate limiters; at most 64 are taken
          --> (/functions/tax/rateLimiters)
    "#]],
    );
    check_job(
        json!([]),
        with(json!([{"name": "a", "rate": 1, "burst": 1, "tiers": many(17)}])),
        expect![[r#"
            24:20 error[FW0207]: rate limiter `a` has 17 tiers; at most 16 are taken
              --> (/functions/tax/rateLimiters/0/tiers)
        "#]],
    );
    let two = |other: Value| json!({"functions": {"tax": {"component": "t.wasm", "rateLimiters": good}, "valid": {"component": "v.wasm", "rateLimiters": other}}});
    check_job(
        json!([]),
        two(good.clone()),
        expect![[r#"
        {"kind":"insert","from":"/sink","table":"sink","input":"source","with":{"connector":"flink-wasm-console"}}
    "#]],
    );
    check_job(
        json!([]),
        two(json!([{"name": "api", "rate": 1, "burst": 1}])),
        expect![[r#"
        38:9 error[FW0207]: functions `tax` and `valid` declare rate limiter `api` differently
          --> (/functions/valid/rateLimiters/0)
           = note: rate limiters of one name share one bucket
           = help: declare the same, or give one of them another name
    "#]],
    );
}

#[test]
fn limits() {
    let with = |limits: Value| json!({"functions": {"sessions": {"component": "s.wasm", "parameters": {"gap": 5}, "limits": limits}}});
    let operations = json!([by("id"), sessions(json!({}))]);
    let plan = common::plan_of(&job(operations.clone(), with(json!({"stateValueBytes": 2048})))).unwrap();
    expect![[r#"{"memoryBytes":67108864,"deadlineMs":10000,"stateValueBytes":2048}"#]]
        .assert_eq(&json!(plan.functions["sessions"].limits).to_string());
    check_job(
        operations,
        with(json!({"stateValueBytes": 16777217})),
        expect![[r#"
        40:28 error[FW0207]: `stateValueBytes` is 16777217; it must be from 1 to 16777216
          --> (/functions/sessions/limits/stateValueBytes)
    "#]],
    );
    check_job(
        json!([]),
        json!({"functions": {"tax": {"component": "t.wasm", "limits": {"stateValueBytes": 1}}}}),
        expect![[r#"
            20:28 error[FW0207]: a map function has no state
              --> (/functions/tax/limits/stateValueBytes)
        "#]],
    );
}

#[test]
fn declarations_beside_a_process_function() {
    let state = |more: Value| {
        let mut state = json!({"type": "state", "stateType": "value", "stateKey": "clicks", "valueType": "string", "properties": {}});
        for (key, value) in more.as_object().unwrap() {
            state[key] = value.clone();
        }
        state
    };
    let timer = json!({"type": "timer", "timerType": "processing", "delayMs": 5, "timerName": "gap"});
    let retry = |more: Value| {
        let mut retry = json!({"type": "retry", "maxRetries": 3, "delayMs": [], "stateKey": "retry_state"});
        for (key, value) in more.as_object().unwrap() {
            retry[key] = value.clone();
        }
        retry
    };
    let process = sessions(json!({"stateKeys": ["clicks", "seen"], "timerNames": ["gap"]}));
    check(
        json!([
            by("id"),
            state(json!({"ttlMs": 3600000})),
            process,
            state(json!({"stateType": "MAP", "stateKey": "seen"})),
            timer,
            retry(json!({}))
        ]),
        expect![[r#"
            {"kind":"wasm","from":"/operations/2","name":"process_3","uid":"process_3","input":"source","function":"sessions","arguments":null,"output":"replace","prefix":"","key":["id"],"sideOutputs":{"late":"process_3_late","odd":"process_3_odd"},"onError":{"policy":"fail","retries":3}}
            {"kind":"insert","from":"/operations/2/sideOutputs/late","table":"process_3_late_sink","input":"process_3_late","with":{"connector":"blackhole"}}
            {"kind":"insert","from":"/operations/2/sideOutputs/odd","table":"process_3_odd_sink","input":"process_3_odd","with":{"connector":"blackhole"}}
            {"kind":"insert","from":"/sink","table":"sink","input":"process_3","with":{"connector":"flink-wasm-console"}}
        "#]],
    );
    let behind = |operation: Value| json!([by("id"), sessions(json!({})), operation]);
    check(
        behind(state(json!({"stateKey": "clicsk"}))),
        expect![[r#"
        28:19 error[FW0104]: `sessions` has no state `clicsk`
          --> (/operations/2/stateKey)
           = help: did you mean `clicks`?
    "#]],
    );
    check(
        behind(state(json!({"stateType": "list", "ttlMs": 7200000, "defaultValue": "0"}))),
        expect![[r#"
            27:20 error[FW0204]: state `clicks` of `sessions` is a value state, not a list state
              --> (/operations/2/stateType)
            31:16 error[FW0204]: state `clicks` of `sessions` has a time to live of 3600000 ms, not 7200000 ms
              --> (/operations/2/ttlMs)
               = help: the function says how long its state lives; leave out `ttlMs`
            32:23 error[FW0103]: a default value of state can't be given by the job
              --> (/operations/2/defaultValue)
               = help: the function says what an absent value means; give it a parameter
        "#]],
    );
    check(
        behind(state(json!({"stateKey": "seen", "stateType": "map", "ttlMs": 1}))),
        expect![[r#"
        31:16 error[FW0204]: state `seen` of `sessions` has no time to live, not 1 ms
          --> (/operations/2/ttlMs)
           = help: the function says how long its state lives; leave out `ttlMs`
    "#]],
    );
    check(
        behind(json!({"type": "timer", "delayMs": 5})),
        expect![[r#"
        25:5 error[FW0103]: a timer's delay is given to the function, but the timer has no name
          --> (/operations/2/timerName)
           = help: the delay becomes the function's parameter of the timer's name; declare one
    "#]],
    );
    check(
        behind(json!({"type": "timer", "delayMs": 7, "timerName": "gap", "action": "flush"})),
        expect![[r#"
            29:17 error[FW0103]: the action of a timer can't be given by the job
              --> (/operations/2/action)
               = help: what happens when a timer fires is the function's `on_timer`
        "#]],
    );
    check(
        behind(json!({"type": "timer", "delayMs": 7, "timerName": "gasp"})),
        expect![[r#"
        28:20 error[FW0103]: `sessions` takes no delay for a timer `gasp`
          --> (/operations/2/timerName)
           = help: did you mean its parameter `gap`?
    "#]],
    );
    check(
        json!([by("id"), count(), timer]),
        expect![[r#"
        17:5 error[FW0204]: `count` registers no timers
          --> (/operations/2)
    "#]],
    );
    check(
        behind(json!({"type": "retry", "retryCondition": "a", "deadLetterTopic": "t", "maxRetries": 1000})),
        expect![[r#"
            25:5 error[FW0103]: a pause before a retry can't be run yet
              --> (/operations/2/delayMs)
               = help: rows are tried again at once: set `delayMs` to []
            27:25 error[FW0103]: a condition for retries can't be given by the job
              --> (/operations/2/retryCondition)
               = help: the function says which failures may pass: `Transient(error)`
            28:26 error[FW0103]: a topic for dead letters can't be run yet
              --> (/operations/2/deadLetterTopic)
               = help: set `onError` of the processFunction: {"policy": "dead-letter", "sink": {..}}
            29:21 error[FW0207]: a row is tried again 1000 times; it must be from 0 to 100
              --> (/operations/2/maxRetries)
        "#]],
    );
    check(
        json!([by("id"), sessions(json!({"onError": {"policy": "skip", "retries": 2}})), retry(json!({}))]),
        expect![[r#"
            31:21 error[FW0101]: the `retry` operation says 3 retries, `onError` 2
              --> (/operations/2/maxRetries)
               = note: `onError` stands at /operations/1/onError
        "#]],
    );
    check(
        json!([
            by("id"),
            sessions(json!({"onError": {"policy": "skip"}})),
            retry(json!({})),
            retry(json!({}))
        ]),
        expect![[r#"
            34:5 error[FW0101]: `sessions` has two `retry` operations
              --> (/operations/3)
        "#]],
    );
    check(
        json!([by("id"), sessions(json!({"stateKeys": ["click"], "timerNames": []}))]),
        expect![[r#"
        25:9 error[FW0104]: `sessions` has no state `click`
          --> (/operations/1/stateKeys/0)
           = help: did you mean `clicks`?
    "#]],
    );
    check(
        json!([by("id"), {"type": "processFunction", "function": "count", "stateKeys": ["a"], "timerNames": ["t"]}]),
        expect![[r#"
            17:9 error[FW0104]: `count` has no state `a`
              --> (/operations/1/stateKeys/0)
               = note: it has no states
            19:21 error[FW0204]: `count` registers no timers
              --> (/operations/1/timerNames)
        "#]],
    );
    // Beside nothing that they could be about.
    check(
        json!([state(json!({})), timer, retry(json!({})), {"type": "asyncFunction", "functionType": "http"}]),
        expect![[r#"
            9:5 error[FW0103]: operation `state` can't be run yet
              --> (/operations/0)
               = help: state is a process function's: put this beside its `processFunction`
            16:5 error[FW0103]: operation `timer` can't be run yet
              --> (/operations/1)
               = help: timers are a process function's: put this beside its `processFunction`
            22:5 error[FW0103]: operation `retry` can't be run yet
              --> (/operations/2)
               = help: `functions.<name>.onError` tries rows again: {"policy": "fail", "retries": 3}
            28:5 error[FW0103]: operation `asyncFunction` can't be run yet
              --> (/operations/3)
               = help: functions are synchronous: docs/synchronous.md shows each asynchronous pattern in its synchronous form
        "#]],
    );
}

#[test]
fn the_plan_for_the_runtime_and_for_people() {
    let text = job(
        json!([
            by("id"),
            sessions(
                json!({"uid": "visits", "onError": {"policy": "dead-letter", "retries": 1, "sink": {"type": "console"}}})
            )
        ]),
        json!({"functions": {"sessions": {"component": "s.wasm", "parameters": {"gap": 5},
            "rateLimiters": [{"name": "api", "rate": 10, "burst": 20, "tiers": [{"name": "tenant", "rate": 0.5, "burst": 1}]}]}}}),
    );
    let mut plan = common::plan_of(&text).unwrap();
    expect![[r#"
        {
          "version": 1,
          "name": "test",
          "parallelism": null,
          "options": {},
          "functions": {
            "sessions": {
              "component": "sha256:0000000000000000000000000000000000000000000000000000000000000000",
              "kind": "process",
              "version": "0.1.0",
              "input": [
                {
                  "name": "id",
                  "type": "BIGINT NOT NULL"
                },
                {
                  "name": "amount",
                  "type": "DOUBLE"
                }
              ],
              "output": [
                {
                  "name": "id",
                  "type": "BIGINT NOT NULL"
                },
                {
                  "name": "total",
                  "type": "DOUBLE NOT NULL"
                }
              ],
              "parameters": {
                "gap": 5
              },
              "limits": {
                "memoryBytes": 67108864,
                "deadlineMs": 10000,
                "stateValueBytes": 1048576
              },
              "key": [
                {
                  "name": "id",
                  "type": "BIGINT NOT NULL"
                }
              ],
              "states": [
                {
                  "name": "clicks",
                  "kind": "value",
                  "schema": "v1:i64",
                  "ttlMs": 3600000
                },
                {
                  "name": "seen",
                  "kind": "map",
                  "schema": "v1:map<i64,string>"
                }
              ],
              "sideOutputs": [
                {
                  "name": "late",
                  "fields": [
                    {
                      "name": "id",
                      "type": "BIGINT NOT NULL"
                    }
                  ]
                },
                {
                  "name": "odd",
                  "fields": [
                    {
                      "name": "id",
                      "type": "BIGINT NOT NULL"
                    }
                  ]
                }
              ],
              "timers": true,
              "rateLimiters": [
                {
                  "name": "api",
                  "rate": 10.0,
                  "burst": 20,
                  "scope": "sidecar",
                  "tiers": [
                    {
                      "name": "tenant",
                      "rate": 0.5,
                      "burst": 1
                    }
                  ]
                }
              ]
            }
          },
          "steps": [
            {
              "kind": "statement",
              "from": "/source",
              "sql": "CREATE TEMPORARY TABLE `source` (\n  `id` BIGINT,\n  `amount` DOUBLE,\n  `region` STRING\n) WITH (\n  'connector' = 'filesystem',\n  'path' = '/in',\n  'format' = 'json'\n)"
            },
            {
              "kind": "wasm",
              "from": "/operations/1",
              "name": "process_2",
              "uid": "visits",
              "input": "source",
              "function": "sessions",
              "arguments": null,
              "output": "replace",
              "prefix": "",
              "key": [
                "id"
              ],
              "sideOutputs": {
                "late": "process_2_late",
                "odd": "process_2_odd"
              },
              "onError": {
                "policy": "dead-letter",
                "retries": 1,
                "relation": "process_2_dead_letter"
              }
            },
            {
              "kind": "insert",
              "from": "/operations/1/sideOutputs/late",
              "table": "process_2_late_sink",
              "input": "process_2_late",
              "with": {
                "connector": "blackhole"
              }
            },
            {
              "kind": "insert",
              "from": "/operations/1/sideOutputs/odd",
              "table": "process_2_odd_sink",
              "input": "process_2_odd",
              "with": {
                "connector": "blackhole"
              }
            },
            {
              "kind": "insert",
              "from": "/operations/1/onError/sink",
              "table": "process_2_dead_letter_sink",
              "input": "process_2_dead_letter",
              "with": {
                "connector": "flink-wasm-console"
              }
            },
            {
              "kind": "insert",
              "from": "/sink",
              "table": "sink",
              "input": "process_2",
              "with": {
                "connector": "flink-wasm-console"
              }
            }
          ],
          "relations": {}
        }"#]].assert_eq(&plan.to_json());
    let again: flink_wasm_plan::Plan = serde_json::from_str(&plan.to_json()).unwrap();
    assert_eq!(again, plan);
    plan.relations.insert("process_2".into(), plan.functions["sessions"].output.clone());
    expect![[r#"
        job test
        parallelism of the cluster

        functions
          sessions 0.1.0, process function
            component   sha256:0000000000000000000000000000000000000000000000000000000000000000
            input       id BIGINT NOT NULL, amount DOUBLE
            output      id BIGINT NOT NULL, total DOUBLE NOT NULL
            parameter   gap = 5
            key         id BIGINT NOT NULL
            state       clicks: value of v1:i64, for 3600000 ms
            state       seen: map of v1:map<i64,string>
            side output late: id BIGINT NOT NULL
            side output odd: id BIGINT NOT NULL
            timers      yes
            limiter     api: 10 a second, burst 20, in each sidecar; tenant: 0.5 a second, burst 1
            limits      67108864 bytes, 10000 ms a bundle, 1048576 bytes a state value

        steps
          1  statement  (/source)
               CREATE TEMPORARY TABLE `source` (
                 `id` BIGINT,
                 `amount` DOUBLE,
                 `region` STRING
               ) WITH (
                 'connector' = 'filesystem',
                 'path' = '/in',
                 'format' = 'json'
               )
          2  wasm process_2  (/operations/1)
               sessions(whole row): its output is the new row
               over source by id
               uid visits
               side output late is process_2_late
               side output odd is process_2_odd
               on error: 1 retry, then dead letter in process_2_dead_letter
               -> id     BIGINT NOT NULL
                  total  DOUBLE NOT NULL
          3  insert into process_2_late_sink  (/operations/1/sideOutputs/late)
               rows of process_2_late
               'connector' = 'blackhole'
          4  insert into process_2_odd_sink  (/operations/1/sideOutputs/odd)
               rows of process_2_odd
               'connector' = 'blackhole'
          5  insert into process_2_dead_letter_sink  (/operations/1/onError/sink)
               rows of process_2_dead_letter
               'connector' = 'flink-wasm-console'
          6  insert into sink  (/sink)
               rows of process_2
               'connector' = 'flink-wasm-console'
    "#]]
    .assert_eq(&plan.render());
}
