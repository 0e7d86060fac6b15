//! FlinkDotnet's operations of state, timers and side outputs beside a process function.

mod common;

use common::process::{by, check, count, sessions};
use expect_test::expect;
use serde_json::{Value, json};

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
