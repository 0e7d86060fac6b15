//! What bounds a function: error policies, rate limiters and limits.

mod common;

use common::process::{by, check, check_job, job, sessions};
use expect_test::expect;
use flink_wasm_plan::Step;
use serde_json::{Value, json};

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
