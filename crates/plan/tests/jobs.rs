//! Whole jobs: sources, sinks, options, functions, and the plan as JSON and as text.

mod common;

use expect_test::{Expect, expect};
use serde_json::{Value, json};

/// A job with these parts put over `{source: file, sink: console}`.
fn job(parts: Value) -> String {
    let mut job = json!({
        "source": {"type": "file", "path": "/in", "format": "json", "schema": "id BIGINT, amount DOUBLE"},
        "operations": [],
        "sink": {"type": "console"},
        "metadata": {"jobId": "1", "jobName": "test"}
    });
    for (key, value) in parts.as_object().unwrap() {
        job[key] = value.clone();
    }
    serde_json::to_string_pretty(&job).unwrap()
}

/// Shows the SQL of statements and views, and the insert.
#[track_caller]
fn check(parts: Value, expected: Expect) {
    let shown = match common::plan_of(&job(parts)) {
        Ok(plan) => {
            let steps: String = plan
                .steps
                .iter()
                .map(|step| {
                    let mut value = serde_json::to_value(step).unwrap();
                    match value.as_object_mut().unwrap().shift_remove("sql") {
                        Some(Value::String(sql)) => format!("{value}\n{sql}\n"),
                        _ => format!("{value}\n"),
                    }
                })
                .collect();
            match plan.options.is_empty() {
                true => steps,
                false => format!("{steps}{:?}\n", plan.options),
            }
        }
        Err(problems) => problems,
    };
    expected.assert_eq(&shown);
}

#[test]
fn file_sources() {
    check(
        json!({}),
        expect![[r#"
        {"kind":"statement","from":"/source"}
        CREATE TEMPORARY TABLE `source` (
          `id` BIGINT,
          `amount` DOUBLE
        ) WITH (
          'connector' = 'filesystem',
          'path' = '/in',
          'format' = 'json'
        )
        {"kind":"insert","from":"/sink","table":"sink","input":"source","with":{"connector":"flink-wasm-console"}}
    "#]],
    );
    check(
        json!({"source": {"type": "file", "path": "/in/*.csv", "format": "csv", "properties": {"csv.field-delimiter": ";"},
            "schema": "id BIGINT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '5' SECOND"}}),
        expect![[r#"
            {"kind":"statement","from":"/source"}
            CREATE TEMPORARY TABLE `source` (
              `id` BIGINT,
              `ts` TIMESTAMP(3),
              WATERMARK FOR ts AS ts - INTERVAL '5' SECOND
            ) WITH (
              'connector' = 'filesystem',
              'path' = '/in/',
              'format' = 'csv',
              'source.path.regex-pattern' = '^.*/in/[^/]*\.csv$',
              'csv.field-delimiter' = ';'
            )
            {"kind":"insert","from":"/sink","table":"sink","input":"source","with":{"connector":"flink-wasm-console"}}
        "#]],
    );
    check(
        json!({"source": {"type": "file", "path": "/in"}}),
        expect![[r#"
        {"kind":"statement","from":"/source"}
        CREATE TEMPORARY TABLE `source` (
          `line` STRING
        ) WITH (
          'connector' = 'filesystem',
          'path' = '/in',
          'format' = 'raw'
        )
        {"kind":"insert","from":"/sink","table":"sink","input":"source","with":{"connector":"flink-wasm-console"}}
    "#]],
    );
    check(
        json!({"source": {"type": "file", "path": "/in", "format": "raw"}}),
        expect![[r#"
        {"kind":"statement","from":"/source"}
        CREATE TEMPORARY TABLE `source` (
          `payload` BYTES
        ) WITH (
          'connector' = 'filesystem',
          'path' = '/in',
          'format' = 'raw'
        )
        {"kind":"insert","from":"/sink","table":"sink","input":"source","with":{"connector":"flink-wasm-console"}}
    "#]],
    );
    // A function that takes the whole row says what the columns are.
    check(
        json!({"source": {"type": "file", "path": "/in", "format": "json"},
            "operations": [{"type": "map", "expression": "x => split(x)"}]}),
        expect![[r#"
            {"kind":"statement","from":"/source"}
            CREATE TEMPORARY TABLE `source` (
              `a` BIGINT,
              `b` BIGINT
            ) WITH (
              'connector' = 'filesystem',
              'path' = '/in',
              'format' = 'json'
            )
            {"kind":"wasm","from":"/operations/0","name":"map_1","uid":"map_1","input":"source","function":"split","arguments":null,"output":"replace","prefix":""}
            {"kind":"insert","from":"/sink","table":"sink","input":"map_1","with":{"connector":"flink-wasm-console"}}
        "#]],
    );
    check(
        json!({"source": {"type": "file", "path": "/in"}, "operations": [{"type": "map", "function": "decode"}]}),
        expect![[r#"
            {"kind":"statement","from":"/source"}
            CREATE TEMPORARY TABLE `source` (
              `payload` BYTES
            ) WITH (
              'connector' = 'filesystem',
              'path' = '/in',
              'format' = 'raw'
            )
            {"kind":"wasm","from":"/operations/0","name":"map_1","uid":"map_1","input":"source","function":"decode","arguments":null,"output":"replace","prefix":""}
            {"kind":"insert","from":"/sink","table":"sink","input":"map_1","with":{"connector":"flink-wasm-console"}}
        "#]],
    );
    check(
        json!({"source": {"type": "file", "path": "/in", "format": "json"}}),
        expect![[r#"
        2:13 error[FW0104]: a file source of format `json` needs a schema
          --> (/source/schema)
           = help: add `schema`, such as "id BIGINT, name STRING"
    "#]],
    );
    check(
        json!({"source": {"type": "file", "format": "csv", "schema": "id BIGNT(", "path": ""}}),
        expect![[r#"
        6:13 error[FW0104]: the file source has no path
          --> (/source/path)
        5:25 error[FW0202]: `(` is never closed
          --> (/source/schema)
    "#]],
    );
    check(
        json!({"source": {"type": "file", "path": "/in", "schema": "a STRING, b STRING"}}),
        expect![[r#"
        5:15 error[FW0204]: format `text` gives one column, but the schema has 2
          --> (/source/schema)
    "#]],
    );
    check(
        json!({"source": {"type": "file", "path": "/in", "format": "parquet", "schema": "a INT"}}),
        expect![[r#"
        5:15 error[FW0103]: format `parquet` of a file source can't be run yet
          --> (/source/format)
    "#]],
    );
    check(
        json!({"source": {"type": "file", "path": "/in", "properties": {"path": "/other"}}}),
        expect![[r#"
        6:15 error[FW0101]: `path` is set from the definition and can't be a property
          --> (/source/properties/path)
    "#]],
    );
}

#[test]
fn hostile_texts_stay_in_their_quotes() {
    check(
        json!({"source": {"type": "file", "path": "/in', 'connector' = 'x", "properties": {"a' = 'b": "c'); DROP TABLE d; --"},
                "schema": "`a``) WITH (` INT"},
            "sink": {"type": "file", "path": "/out'", "schema": "`a``) WITH (` INT"}}),
        expect![[r#"
            {"kind":"statement","from":"/source"}
            CREATE TEMPORARY TABLE `source` (
              `a``) WITH (` INT
            ) WITH (
              'connector' = 'filesystem',
              'path' = '/in'', ''connector'' = ''x',
              'format' = 'raw',
              'a'' = ''b' = 'c''); DROP TABLE d; --'
            )
            {"kind":"statement","from":"/sink"}
            CREATE TEMPORARY TABLE `sink` (
              `a``) WITH (` INT
            ) WITH (
              'connector' = 'filesystem',
              'format' = 'json',
              'path' = '/out'''
            )
            {"kind":"insert","from":"/sink","table":"sink","input":"source"}
        "#]],
    );
}

#[test]
fn sinks() {
    check(
        json!({"sink": {"type": "blackhole"}}),
        expect![[r#"
        {"kind":"statement","from":"/source"}
        CREATE TEMPORARY TABLE `source` (
          `id` BIGINT,
          `amount` DOUBLE
        ) WITH (
          'connector' = 'filesystem',
          'path' = '/in',
          'format' = 'json'
        )
        {"kind":"insert","from":"/sink","table":"sink","input":"source","with":{"connector":"blackhole"}}
    "#]],
    );
    check(
        json!({"sink": {"type": "file", "path": "/out", "format": "csv", "properties": {"sink.parallelism": "1"}}}),
        expect![[r#"
        {"kind":"statement","from":"/source"}
        CREATE TEMPORARY TABLE `source` (
          `id` BIGINT,
          `amount` DOUBLE
        ) WITH (
          'connector' = 'filesystem',
          'path' = '/in',
          'format' = 'json'
        )
        {"kind":"insert","from":"/sink","table":"sink","input":"source","with":{"connector":"filesystem","format":"csv","path":"/out","sink.parallelism":"1"}}
    "#]],
    );
    check(
        json!({"sink": {"type": "file", "path": "/out", "schema": "amount DOUBLE"}}),
        expect![[r#"
        {"kind":"statement","from":"/source"}
        CREATE TEMPORARY TABLE `source` (
          `id` BIGINT,
          `amount` DOUBLE
        ) WITH (
          'connector' = 'filesystem',
          'path' = '/in',
          'format' = 'json'
        )
        {"kind":"statement","from":"/sink"}
        CREATE TEMPORARY TABLE `sink` (
          `amount` DOUBLE
        ) WITH (
          'connector' = 'filesystem',
          'format' = 'json',
          'path' = '/out'
        )
        {"kind":"insert","from":"/sink","table":"sink","input":"source"}
    "#]],
    );
    check(
        json!({"sink": {"type": "file", "path": "/out", "schema": "amuont DOUBLE"}}),
        expect![[r#"
        12:15 error[FW0201]: the rows have no column `amuont` for the sink
          --> (/sink/schema)
           = note: columns: id, amount
           = help: did you mean `amount`?
    "#]],
    );
    check(
        json!({"sink": {"type": "file", "path": "/out", "format": "text"}}),
        expect![[r#"
        12:15 error[FW0204]: format `text` writes one column, but the rows have 2
          --> (/sink/format)
    "#]],
    );
    check(
        json!({"sink": {"type": "file"}}),
        expect![[r#"
        9:11 error[FW0104]: the file sink has no path
          --> (/sink/path)
    "#]],
    );
    check(
        json!({"sink": {"type": "console", "format": "text"}}),
        expect![[r#"
        11:15 error[FW0103]: format `text` of a console sink can't be run yet
          --> (/sink/format)
    "#]],
    );
    check(
        json!({"sink": null}),
        expect![[r#"
        9:11 error[FW0104]: the job has no sink
          --> (/sink)
           = help: only a job whose source is `sql` may do without
    "#]],
    );
}

#[test]
fn sql_sources() {
    let sql = |statements: &[&str]| json!({"type": "sql", "statements": statements});
    check(
        json!({"source": sql(&["CREATE TABLE a (id INT) WITH ('connector'='datagen');", "SET 'table.local-time-zone' = 'UTC'",
            "INSERT INTO b SELECT * FROM a"]), "sink": null}),
        expect![[r#"
            {"kind":"statement","from":"/source/statements/0"}
            CREATE TABLE a (id INT) WITH ('connector'='datagen')
            {"kind":"statement","from":"/source/statements/2"}
            INSERT INTO b SELECT * FROM a
            {"execution.runtime-mode": "STREAMING", "table.local-time-zone": "UTC"}
        "#]],
    );
    check(
        json!({"source": sql(&["CREATE TABLE a (id INT) WITH ('connector'='datagen')", "SELECT id FROM a -- last"]),
            "operations": [{"type": "filter", "expression": "id > 1 AND valid(id)"}]}),
        expect![[r#"
            {"kind":"statement","from":"/source/statements/0"}
            CREATE TABLE a (id INT) WITH ('connector'='datagen')
            {"kind":"view","from":"/source/statements/1","name":"source","drop":[]}
            SELECT id FROM a
            {"kind":"wasm","from":"/operations/0","name":"filter_1_call_0","uid":"filter_1_call_0","input":"source","function":"valid","arguments":["id"],"output":"flag","prefix":"__call_1_0_"}
            {"kind":"view","from":"/operations/0","name":"filter_1","drop":["__call_1_0_"]}
            SELECT * FROM `filter_1_call_0` WHERE `id` > 1 AND `__call_1_0_`
            {"kind":"insert","from":"/sink","table":"sink","input":"filter_1","with":{"connector":"flink-wasm-console"}}
            {"execution.runtime-mode": "STREAMING"}
        "#]],
    );
    check(
        json!({"source": sql(&["CREATE TABLE source (id INT) WITH ('connector'='datagen')"]),
            "operations": [{"type": "map", "expression": "a = id"}]}),
        expect![[r#"
            {"kind":"statement","from":"/source/statements/0"}
            CREATE TABLE source (id INT) WITH ('connector'='datagen')
            {"kind":"view","from":"/source","name":"source_","drop":[]}
            SELECT * FROM `source`
            {"kind":"assign","from":"/operations/0","name":"map_1","input":"source_","column":"a"}
            `id`
            {"kind":"insert","from":"/sink","table":"sink","input":"map_1","with":{"connector":"flink-wasm-console"}}
            {"execution.runtime-mode": "STREAMING"}
        "#]],
    );
    check(
        json!({"source": sql(&["SELECT 1"]), "sink": null}),
        expect![[r#"
        5:7 error[FW0104]: the rows of this SELECT go nowhere
          --> (/source/statements/0)
           = help: write INSERT INTO a table, or give the job a sink and keep only the last SELECT
    "#]],
    );
    check(
        json!({"source": sql(&["CREATE CATALOG c WITH ('type'='x')"])}),
        expect![[r#"
        4:19 error[FW0104]: no statement gives the operations and the sink their rows
          --> (/source/statements)
           = help: end with a SELECT, or create a table or a view
    "#]],
    );
    check(
        json!({"source": sql(&["EXECUTE STATEMENT SET BEGIN INSERT INTO a SELECT 1; END"]), "sink": null}),
        expect![[r#"
        5:7 error[FW0103]: a statement set is made of all INSERTs of the job
          --> (/source/statements/0)
           = help: write the INSERTs as statements of their own
    "#]],
    );
    check(
        json!({"source": sql(&["SET 'env.java.opts' = 'x'", "INSERT INTO a SELECT 1; DROP TABLE a"]), "sink": null}),
        expect![[r#"
        5:7 error[FW0103]: the option `env.java.opts` can't be run yet
          --> (/source/statements/0)
        6:7 error[FW0202]: more than one statement in one string
          --> (/source/statements/1)
    "#]],
    );
    check(
        json!({"source": sql(&[]), "sink": null}),
        expect![[r#"
        4:19 error[FW0104]: the SQL source has no statements
          --> (/source/statements)
    "#]],
    );
    check(
        json!({"source": sql(&["INSERT INTO a SELECT 1"]), "sink": null, "operations": [{"type": "map", "expression": "a = 1"}]}),
        expect![[r#"
            4:19 error[FW0104]: no statement gives the operations and the sink their rows
              --> (/source/statements)
               = help: end with a SELECT, or create a table or a view
            14:11 error[FW0104]: the job has operations and no sink for their rows
              --> (/sink)
        "#]],
    );
}

#[test]
fn metadata_and_options() {
    check(
        json!({"metadata": {"jobId": "1", "parallelism": 0}}),
        expect![[r#"
            14:20 error[FW0101]: `parallelism` is 0; it must be from 1 to 32768
              --> (/metadata/parallelism)
        "#]],
    );
    let text = job(json!({"metadata": {"jobId": "1", "parallelism": 4, "properties":
        {"timeCharacteristic": "EventTime", "execution.runtime-mode": "BATCH", "restart-strategy": "none"}}}));
    let plan = common::plan_of(&text).unwrap();
    expect![[r#"Some(4) 1 {"execution.runtime-mode": "BATCH", "restart-strategy": "none"}"#]]
        .assert_eq(&format!("{:?} {} {:?}", plan.parallelism, plan.name, plan.options));
    let warnings = flink_wasm_plan::warnings(&flink_wasm_ir::parse(&text).unwrap().job, &common::functions());
    expect![[r#"
        error[FW0103]: `timeCharacteristic` is not an option of Flink's and is not used
          --> (/metadata/properties/timeCharacteristic)
           = note: options begin with execution., flink-wasm., parallelism., pipeline., restart-strategy., state., table., taskmanager.
    "#]].assert_eq(&warnings.iter().map(|w| format!("{w}\n")).collect::<String>());
    let uid = |uid: &str| json!({"type": "filter", "expression": "valid", "uid": uid});
    check(
        json!({"operations": [uid("a"), uid("b")]}),
        expect![[r#"
        {"kind":"statement","from":"/source"}
        CREATE TEMPORARY TABLE `source` (
          `id` BIGINT,
          `amount` DOUBLE
        ) WITH (
          'connector' = 'filesystem',
          'path' = '/in',
          'format' = 'json'
        )
        {"kind":"wasm","from":"/operations/0","name":"filter_1","uid":"a","input":"source","function":"valid","arguments":null,"output":"keep","prefix":""}
        {"kind":"wasm","from":"/operations/1","name":"filter_2","uid":"b","input":"filter_1","function":"valid","arguments":null,"output":"keep","prefix":""}
        {"kind":"insert","from":"/sink","table":"sink","input":"filter_2","with":{"connector":"flink-wasm-console"}}
    "#]],
    );
    check(
        json!({"operations": [uid("a"), uid("a")]}),
        expect![[r#"
        17:14 error[FW0101]: operations 0 and 1 have the same uid `a`
          --> (/operations/1/uid)
    "#]],
    );
}

#[test]
fn function_declarations() {
    let function = |parts: Value| json!({"functions": {"tax": parts}, "operations": [{"type": "map", "expression": "tax(amount)"}]});
    let text = job(function(
        json!({"component": "tax.wasm", "parameters": {"rate": 0.5}, "limits": {"memoryBytes": 131072}}),
    ));
    let plan = common::plan_of(&text).unwrap();
    expect![[r#"
        {
          "version": 1,
          "name": "test",
          "parallelism": null,
          "options": {},
          "functions": {
            "tax": {
              "component": "sha256:0000000000000000000000000000000000000000000000000000000000000000",
              "kind": "map",
              "version": "0.1.0",
              "input": [
                {
                  "name": "amount",
                  "type": "DOUBLE NOT NULL"
                }
              ],
              "output": [
                {
                  "name": "total",
                  "type": "DOUBLE NOT NULL"
                }
              ],
              "parameters": {
                "rate": 0.5
              },
              "limits": {
                "memoryBytes": 131072,
                "deadlineMs": 10000
              }
            }
          },
          "steps": [
            {
              "kind": "statement",
              "from": "/source",
              "sql": "CREATE TEMPORARY TABLE `source` (\n  `id` BIGINT,\n  `amount` DOUBLE\n) WITH (\n  'connector' = 'filesystem',\n  'path' = '/in',\n  'format' = 'json'\n)"
            },
            {
              "kind": "wasm",
              "from": "/operations/0",
              "name": "map_1",
              "uid": "map_1",
              "input": "source",
              "function": "tax",
              "arguments": [
                "amount"
              ],
              "output": "append",
              "prefix": ""
            },
            {
              "kind": "insert",
              "from": "/sink",
              "table": "sink",
              "input": "map_1",
              "with": {
                "connector": "flink-wasm-console"
              }
            }
          ],
          "relations": {}
        }"#]].assert_eq(&plan.to_json());
    expect![[r#"
        job test
        parallelism of the cluster

        functions
          tax 0.1.0, map function
            component   sha256:0000000000000000000000000000000000000000000000000000000000000000
            input       amount DOUBLE NOT NULL
            output      total DOUBLE NOT NULL
            parameter   rate = 0.5
            limits      131072 bytes, 10000 ms a bundle

        steps
          1  statement  (/source)
               CREATE TEMPORARY TABLE `source` (
                 `id` BIGINT,
                 `amount` DOUBLE
               ) WITH (
                 'connector' = 'filesystem',
                 'path' = '/in',
                 'format' = 'json'
               )
          2  wasm map_1  (/operations/0)
               tax(amount): its output is added to the row
               over source
          3  insert into sink  (/sink)
               rows of map_1
               'connector' = 'flink-wasm-console'
    "#]]
    .assert_eq(&plan.render());
    check(
        function(json!({"component": "tax.wasm", "parameters": {"rat": 0.5, "rate": "x"}})),
        expect![[r#"
        25:16 error[FW0207]: function `tax` has no parameter `rat`
          --> (/functions/tax/parameters/rat)
           = help: did you mean `rate`?
        26:17 error[FW0207]: parameter `rate` of function `tax` is a string; expected a number
          --> (/functions/tax/parameters/rate)
           = note: its type: DOUBLE NOT NULL
    "#]],
    );
    check(
        function(json!({"limits": {"memoryBytes": 1, "deadlineMs": 99999999}})),
        expect![[r#"
        24:24 error[FW0207]: `memoryBytes` is 1; it must be from 65536 to 1073741824
          --> (/functions/tax/limits/memoryBytes)
        25:23 error[FW0207]: `deadlineMs` is 99999999; it must be from 1 to 600000
          --> (/functions/tax/limits/deadlineMs)
    "#]],
    );
    check(
        json!({"functions": {"other": {"component": "other.wasm"}}}),
        expect![[r#"
        17:14 error[FW0104]: the component `other.wasm` of function `other` was not given
          --> (/functions/other)
    "#]],
    );
}

#[test]
fn a_resolved_plan_shows_columns() {
    let mut plan =
        common::plan_of(&common::job(&["filter: valid(amount + 1)", "map: id, tax(amount)", "map: t = id"]))
            .unwrap();
    let fields: Vec<flink_wasm_ir::Field> = serde_json::from_value(
        json!([{"name": "id", "type": "BIGINT"}, {"name": "total", "type": "DOUBLE NOT NULL"}]),
    )
    .unwrap();
    plan.relations.insert("map_2".into(), fields.clone());
    plan.relations.insert("source".into(), fields);
    plan.options.insert("a".into(), "b".into());
    expect![[r#"
        job test
        parallelism of the cluster

        options
          a  b

        functions
          tax 0.1.0, map function
            component   sha256:0000000000000000000000000000000000000000000000000000000000000000
            input       amount DOUBLE NOT NULL
            output      total DOUBLE NOT NULL
            parameter   rate = 0.2
            limits      67108864 bytes, 10000 ms a bundle
          valid 0.1.0, filter function
            component   sha256:0000000000000000000000000000000000000000000000000000000000000000
            input       amount DOUBLE
            limits      67108864 bytes, 10000 ms a bundle

        steps
          1  statement  (/source)
               CREATE TEMPORARY TABLE `source` (
                 `id` BIGINT,
                 `amount` DOUBLE,
                 `region` STRING,
                 `timestamp` TIMESTAMP(3),
                 `item` ROW<sku STRING>
               ) WITH (
                 'connector' = 'filesystem',
                 'path' = '/in',
                 'format' = 'json'
               )
               -> id     BIGINT
                  total  DOUBLE NOT NULL
          2  assign filter_1_arg_0_0  (/operations/0)
               __arg_1_0_0 = `amount` + 1
               over source
          3  wasm filter_1_call  (/operations/0)
               valid(__arg_1_0_0): keeps the rows that it says yes to
               over filter_1_arg_0_0
          4  view filter_1  (/operations/0)
               SELECT * FROM `filter_1_call`
               without __arg_1_0_0
          5  wasm map_2_call_0  (/operations/1)
               tax(amount): its output is added to the row, as __call_2_0_..
               over filter_1
          6  view map_2  (/operations/1)
               SELECT `id`, `__call_2_0_total` AS `total` FROM `map_2_call_0`
               -> id     BIGINT
                  total  DOUBLE NOT NULL
          7  assign map_3  (/operations/2)
               t = `id`
               over map_2
          8  insert into sink  (/sink)
               rows of map_3
               'connector' = 'flink-wasm-console'
    "#]]
    .assert_eq(&plan.render());
    let again: flink_wasm_plan::Plan = serde_json::from_str(&plan.to_json()).unwrap();
    assert_eq!(again, plan);
}

#[test]
fn errors_of_the_runtime_find_their_place() {
    let text = common::job(&["filter: amount > 1", "map: x = enrich(id, regoin)"]);
    let job = flink_wasm_ir::parse(&text).unwrap().job;
    let explain = |error: Value| flink_wasm_plan::explain_runtime_error(&job, &text, &error);
    let shown = |error: Value| {
        let d = explain(error);
        format!("{:?} {:?} {:?}\n{d}\n", d.location.line, d.location.column, d.location.span)
    };
    expect![[r#"
        Some(15) Some(37) Some((15, 21))
        error[FW0201]: unknown column `regoin`
          --> (/operations/1/expression)
           = help: did you mean `region`?
    "#]].assert_eq(&shown(json!({"code": "FW0201", "message": "unknown column `regoin`", "notes": [], "help": null,
        "location": {"pointer": "/operations/1", "span": null}, "identifier": "regoin", "candidates": ["id", "region"]})));
    expect![[r#"
        Some(15) Some(26) Some((4, 10))
        error[FW0203]: unknown function `enrich`
          --> (/operations/1/expression)
           = help: declare it: "functions": {"enrich": {"component": ..}}
    "#]]
    .assert_eq(&shown(json!({"code": "FW0203", "message": "unknown function `enrich`",
        "location": {"pointer": "/operations/1"}, "identifier": "ENRICH", "candidates": ["UPPER"]})));
    expect![[r#"
        Some(18) Some(11) None
        error[FW0204]: types
          --> (/sink)
           = note: a
           = help: b
    "#]]
    .assert_eq(&shown(json!({"code": "FW0204", "message": "types", "notes": ["a"], "help": "b",
        "location": {"pointer": "/sink"}})));
    expect![[r#"
        None None None
        error[FW0009]: the runtime's error is malformed: unknown code FW9999
           = note: {"code":"FW9999"}
    "#]]
    .assert_eq(&shown(json!({"code": "FW9999"})));
}
