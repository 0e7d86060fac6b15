//! Process functions: keys, parameters, side outputs, and their plan.

mod common;

use common::process::{by, check, check_job, count, job, sessions};
use expect_test::expect;
use serde_json::{Value, json};

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
