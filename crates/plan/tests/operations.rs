//! Every form of `filter` and `map`, and the steps that it becomes.

mod common;

use expect_test::{Expect, expect};
use flink_wasm_plan::Step;

/// Shows the steps between source and sink, one JSON line each; or the problems, with the text that they point at.
#[track_caller]
fn check(operations: &[&str], expected: Expect) {
    let shown = match common::plan_of(&common::job(operations)) {
        Ok(plan) => plan.steps[1..]
            .iter()
            .filter(|step| !matches!(step, Step::Insert { .. }))
            .map(|step| {
                let mut value = serde_json::to_value(step).unwrap();
                value.as_object_mut().unwrap().shift_remove("from");
                format!("{value}\n")
            })
            .collect(),
        Err(problems) => problems,
    };
    expected.assert_eq(&shown);
}

#[test]
fn sql_filters() {
    check(
        &["filter: amount > 100"],
        expect![[r#"
        {"kind":"view","name":"filter_1","sql":"SELECT * FROM `source` WHERE `amount` > 100","drop":[]}
    "#]],
    );
    check(
        &["filter: region == 'a''b' && id != null /* c */ || 'x' = region"],
        expect![[r#"
        {"kind":"view","name":"filter_1","sql":"SELECT * FROM `source` WHERE `region` = 'a''b' AND `id` IS NOT NULL || 'x' = `region`","drop":[]}
    "#]],
    );
    check(
        &["filter: timestamp IS NOT NULL AND item.sku <> 'x -- y' AND id IN (1, 2)"],
        expect![[r#"
        {"kind":"view","name":"filter_1","sql":"SELECT * FROM `source` WHERE `timestamp` IS NOT NULL AND `item`.`sku` <> 'x -- y' AND `id` IN (1, 2)","drop":[]}
    "#]],
    );
    check(
        &["filter: x => x.amount > 25.0 && x.item.sku == 'a'"],
        expect![[r#"
        {"kind":"view","name":"filter_1","sql":"SELECT * FROM `source` WHERE `amount` > 25.0 AND `item`.`sku` = 'a'","drop":[]}
    "#]],
    );
    check(
        &["filter: `timestamp` >= CURRENT_DATE - INTERVAL '7' DAY AND current_timestamp() > `timestamp`"],
        expect![[r#"
        {"kind":"view","name":"filter_1","sql":"SELECT * FROM `source` WHERE `timestamp` >= CURRENT_DATE - INTERVAL '7' DAY AND CURRENT_TIMESTAMP > `timestamp`","drop":[]}
    "#]],
    );
    check(
        &["filter: CASE WHEN CAST(id AS DECIMAL(10, 2)) > 1 THEN TRUE ELSE region LIKE '%x' END"],
        expect![[r#"
        {"kind":"view","name":"filter_1","sql":"SELECT * FROM `source` WHERE CASE WHEN CAST(`id` AS DECIMAL(10, 2)) > 1 THEN TRUE ELSE `region` LIKE '%x' END","drop":[]}
    "#]],
    );
    check(
        &["filter: JSON_VALUE(region, '$.a' RETURNING INT DEFAULT 0 ON EMPTY) BETWEEN 1 AND id"],
        expect![[r#"
        {"kind":"view","name":"filter_1","sql":"SELECT * FROM `source` WHERE JSON_VALUE(`region`, '$.a' RETURNING INT DEFAULT 0 ON EMPTY) BETWEEN 1 AND `id`","drop":[]}
    "#]],
    );
    check(
        &["filter: TIMESTAMPDIFF(DAY, `timestamp`, LOCALTIMESTAMP) < 3"],
        expect![[r#"
        {"kind":"view","name":"filter_1","sql":"SELECT * FROM `source` WHERE TIMESTAMPDIFF(DAY, `timestamp`, LOCALTIMESTAMP) < 3","drop":[]}
    "#]],
    );
}

#[test]
fn filter_functions() {
    check(
        &["filter: valid(amount)"],
        expect![[r#"
        {"kind":"wasm","name":"filter_1","uid":"filter_1","input":"source","function":"valid","arguments":["amount"],"output":"keep","prefix":""}
    "#]],
    );
    check(
        &["filter: valid"],
        expect![[r#"
        {"kind":"wasm","name":"filter_1","uid":"filter_1","input":"source","function":"valid","arguments":null,"output":"keep","prefix":""}
    "#]],
    );
    check(
        &["filter: x => valid(x)"],
        expect![[r#"
        {"kind":"wasm","name":"filter_1","uid":"filter_1","input":"source","function":"valid","arguments":null,"output":"keep","prefix":""}
    "#]],
    );
    check(
        &["filter: valid(amount * 2)"],
        expect![[r#"
        {"kind":"assign","name":"filter_1_arg_0_0","input":"source","column":"__arg_1_0_0","sql":"`amount` * 2"}
        {"kind":"wasm","name":"filter_1_call","uid":"filter_1_call","input":"filter_1_arg_0_0","function":"valid","arguments":["__arg_1_0_0"],"output":"keep","prefix":""}
        {"kind":"view","name":"filter_1","sql":"SELECT * FROM `filter_1_call`","drop":["__arg_1_0_0"]}
    "#]],
    );
    check(
        &["filter: NOT valid(amount) OR region = 'eu'"],
        expect![[r#"
        {"kind":"wasm","name":"filter_1_call_0","uid":"filter_1_call_0","input":"source","function":"valid","arguments":["amount"],"output":"flag","prefix":"__call_1_0_"}
        {"kind":"view","name":"filter_1","sql":"SELECT * FROM `filter_1_call_0` WHERE NOT `__call_1_0_` OR `region` = 'eu'","drop":["__call_1_0_"]}
    "#]],
    );
    check(
        &["filter: tax(amount) > 3 AND tax(amount + 1) < 9"],
        expect![[r#"
        {"kind":"wasm","name":"filter_1_call_0","uid":"filter_1_call_0","input":"source","function":"tax","arguments":["amount"],"output":"append","prefix":"__call_1_0_"}
        {"kind":"assign","name":"filter_1_arg_1_0","input":"filter_1_call_0","column":"__arg_1_1_0","sql":"`amount` + 1"}
        {"kind":"wasm","name":"filter_1_call_1","uid":"filter_1_call_1","input":"filter_1_arg_1_0","function":"tax","arguments":["__arg_1_1_0"],"output":"append","prefix":"__call_1_1_"}
        {"kind":"view","name":"filter_1","sql":"SELECT * FROM `filter_1_call_1` WHERE `__call_1_0_total` > 3 AND `__call_1_1_total` < 9","drop":["__call_1_0_total","__arg_1_1_0","__call_1_1_total"]}
    "#]],
    );
    check(
        &["filter: isEven(id)"],
        expect![[r#"
        {"kind":"wasm","name":"filter_1_call_0","uid":"filter_1_call_0","input":"source","function":"isEven","arguments":["id"],"output":"append","prefix":"__call_1_0_"}
        {"kind":"view","name":"filter_1","sql":"SELECT * FROM `filter_1_call_0` WHERE `__call_1_0_even`","drop":["__call_1_0_even"]}
    "#]],
    );
    check(
        &["filter: valid(tax(amount))"],
        expect![[r#"
        {"kind":"wasm","name":"filter_1_call_0","uid":"filter_1_call_0","input":"source","function":"tax","arguments":["amount"],"output":"append","prefix":"__call_1_0_"}
        {"kind":"wasm","name":"filter_1_call","uid":"filter_1_call","input":"filter_1_call_0","function":"valid","arguments":["__call_1_0_total"],"output":"keep","prefix":""}
        {"kind":"view","name":"filter_1","sql":"SELECT * FROM `filter_1_call`","drop":["__call_1_0_total"]}
    "#]],
    );
}

#[test]
fn map_functions() {
    check(
        &["map: tax(amount)"],
        expect![[r#"
        {"kind":"wasm","name":"map_1","uid":"map_1","input":"source","function":"tax","arguments":["amount"],"output":"append","prefix":""}
    "#]],
    );
    check(
        &["map: tax"],
        expect![[r#"
        {"kind":"wasm","name":"map_1","uid":"map_1","input":"source","function":"tax","arguments":null,"output":"replace","prefix":""}
    "#]],
    );
    check(
        &["map: TAX()"],
        expect![[r#"
        {"kind":"wasm","name":"map_1","uid":"map_1","input":"source","function":"tax","arguments":null,"output":"replace","prefix":""}
    "#]],
    );
    check(
        &["map: tax(*)"],
        expect![[r#"
        {"kind":"wasm","name":"map_1","uid":"map_1","input":"source","function":"tax","arguments":null,"output":"replace","prefix":""}
    "#]],
    );
    check(
        &["map: record => tax(record)"],
        expect![[r#"
        {"kind":"wasm","name":"map_1","uid":"map_1","input":"source","function":"tax","arguments":null,"output":"replace","prefix":""}
    "#]],
    );
    check(
        &["map: tax(record)"],
        expect![[r#"
        {"kind":"wasm","name":"map_1","uid":"map_1","input":"source","function":"tax","arguments":null,"output":"replace","prefix":""}
    "#]],
    );
    check(
        &["map: split(id, id + 1)"],
        expect![[r#"
        {"kind":"assign","name":"map_1_arg_0_1","input":"source","column":"__arg_1_0_1","sql":"`id` + 1"}
        {"kind":"wasm","name":"map_1_call","uid":"map_1_call","input":"map_1_arg_0_1","function":"split","arguments":["id","__arg_1_0_1"],"output":"append","prefix":""}
        {"kind":"view","name":"map_1","sql":"SELECT * FROM `map_1_call`","drop":["__arg_1_0_1"]}
    "#]],
    );
    check(
        &["map: total = tax(amount)"],
        expect![[r#"
        {"kind":"wasm","name":"map_1_call_0","uid":"map_1_call_0","input":"source","function":"tax","arguments":["amount"],"output":"append","prefix":"__call_1_0_"}
        {"kind":"assign","name":"map_1_assign","input":"map_1_call_0","column":"total","sql":"`__call_1_0_total`"}
        {"kind":"view","name":"map_1","sql":"SELECT * FROM `map_1_assign`","drop":["__call_1_0_total"]}
    "#]],
    );
    check(
        &["map: `total` = COALESCE(tax(amount), 0) + 1"],
        expect![[r#"
        {"kind":"wasm","name":"map_1_call_0","uid":"map_1_call_0","input":"source","function":"tax","arguments":["amount"],"output":"append","prefix":"__call_1_0_"}
        {"kind":"assign","name":"map_1_assign","input":"map_1_call_0","column":"total","sql":"COALESCE(`__call_1_0_total`, 0) + 1"}
        {"kind":"view","name":"map_1","sql":"SELECT * FROM `map_1_assign`","drop":["__call_1_0_total"]}
    "#]],
    );
    check(
        &["map: ok = valid(amount)"],
        expect![[r#"
        {"kind":"wasm","name":"map_1_call_0","uid":"map_1_call_0","input":"source","function":"valid","arguments":["amount"],"output":"flag","prefix":"__call_1_0_"}
        {"kind":"assign","name":"map_1_assign","input":"map_1_call_0","column":"ok","sql":"`__call_1_0_`"}
        {"kind":"view","name":"map_1","sql":"SELECT * FROM `map_1_assign`","drop":["__call_1_0_"]}
    "#]],
    );
    check(
        &["map: id, tax(amount), tax(amount) * 2 AS twice"],
        expect![[r#"
        {"kind":"wasm","name":"map_1_call_0","uid":"map_1_call_0","input":"source","function":"tax","arguments":["amount"],"output":"append","prefix":"__call_1_0_"}
        {"kind":"view","name":"map_1","sql":"SELECT `id`, `__call_1_0_total` AS `total`, `__call_1_0_total` * 2 AS `twice` FROM `map_1_call_0`","drop":[]}
    "#]],
    );
    check(
        &["map: *, isEven(id) AS value"],
        expect![[r#"
        {"kind":"wasm","name":"map_1_call_0","uid":"map_1_call_0","input":"source","function":"isEven","arguments":["id"],"output":"append","prefix":"__call_1_0_"}
        {"kind":"view","name":"map_1","sql":"SELECT *, `__call_1_0_even` AS `value` FROM `map_1_call_0`","drop":["__call_1_0_even"]}
    "#]],
    );
    check(
        &["map: split(id, id)", "filter: x > 1 AND y <> ''", "map: tax"],
        expect![[r#"
        {"kind":"wasm","name":"map_1","uid":"map_1","input":"source","function":"split","arguments":["id","id"],"output":"append","prefix":""}
        {"kind":"view","name":"filter_2","sql":"SELECT * FROM `map_1` WHERE `x` > 1 AND `y` <> ''","drop":[]}
        {"kind":"wasm","name":"map_3","uid":"map_3","input":"filter_2","function":"tax","arguments":null,"output":"replace","prefix":""}
    "#]],
    );
}

#[test]
fn sql_maps() {
    check(
        &["map: doubled = amount * 2"],
        expect![[r#"
        {"kind":"assign","name":"map_1","input":"source","column":"doubled","sql":"`amount` * 2"}
    "#]],
    );
    check(
        &["map: amount = NULL"],
        expect![[r#"
        {"kind":"assign","name":"map_1","input":"source","column":"amount","sql":"NULL"}
    "#]],
    );
    check(
        &["map: big = amount == 2"],
        expect![[r#"
        {"kind":"assign","name":"map_1","input":"source","column":"big","sql":"`amount` = 2"}
    "#]],
    );
    check(
        &["map: id, UPPER(region) AS value, amount * 2 twice", "filter: value = 'x' AND twice > 1"],
        expect![[r#"
        {"kind":"view","name":"map_1","sql":"SELECT `id`, UPPER(`region`) AS `value`, `amount` * 2 `twice` FROM `source`","drop":[]}
        {"kind":"view","name":"filter_2","sql":"SELECT * FROM `map_1` WHERE `value` = 'x' AND `twice` > 1","drop":[]}
    "#]],
    );
    check(
        &["map: x => x", "map: *", "map: region"],
        expect![[r#"
        {"kind":"view","name":"map_3","sql":"SELECT `region` FROM `source`","drop":[]}
    "#]],
    );
    check(
        &[
            "map: ROW(id, region) AS pair, MAP['k', id] AS m, ARRAY[id][1] AS a, EXTRACT(YEAR FROM `timestamp`) AS y",
        ],
        expect![[r#"
        {"kind":"view","name":"map_1","sql":"SELECT ROW(`id`, `region`) AS `pair`, MAP['k', `id`] AS `m`, ARRAY[`id`][1] AS `a`, EXTRACT(YEAR FROM `timestamp`) AS `y` FROM `source`","drop":[]}
    "#]],
    );
    check(
        &["map: t = current_timestamp()", "map: s = SUBSTRING(region FROM 1 FOR 2)"],
        expect![[r#"
        {"kind":"assign","name":"map_1","input":"source","column":"t","sql":"CURRENT_TIMESTAMP"}
        {"kind":"assign","name":"map_2","input":"map_1","column":"s","sql":"SUBSTRING(`region` FROM 1 FOR 2)"}
    "#]],
    );
}

#[test]
fn what_can_be_known_to_be_wrong() {
    check(
        &["filter: amuont > 100", "map: x = regoin"],
        expect![[r#"
        11:22 error[FW0201]: unknown column `amuont`
          --> (/operations/0/expression)
           = note: columns: id, amount, region, timestamp, item
           = help: did you mean `amount`?
        15:26 error[FW0201]: unknown column `regoin`
          --> (/operations/1/expression)
           = note: columns: id, amount, region, timestamp, item
           = help: did you mean `region`?
    "#]],
    );
    check(
        &["filter: amount >"],
        expect![[r#"
        11:30 error[FW0202]: expected an expression, but the expression ends here
          --> (/operations/0/expression)
    "#]],
    );
    check(
        &["filter: amount > 1 UNION SELECT 1"],
        expect![[r#"
        11:33 error[FW0202]: `UNION` is not expected here
          --> (/operations/0/expression)
    "#]],
    );
    check(
        &["filter: amount > 1; DROP TABLE x"],
        expect![[r#"
        11:32 error[FW0202]: `;` is not expected here
          --> (/operations/0/expression)
    "#]],
    );
    check(
        &["filter: id IN (SELECT id FROM other)"],
        expect![[r#"
        11:29 error[FW0202]: a subquery can't be used in an expression
          --> (/operations/0/expression)
           = help: a source of type `sql` takes whole queries
    "#]],
    );
    check(
        &["filter: region = 'open"],
        expect![[r#"
        11:31 error[FW0202]: unterminated string literal
          --> (/operations/0/expression)
    "#]],
    );
    check(
        &["filter: region == \"eu\""],
        expect![[r#"
        11:32 error[FW0202]: `"eu"` is nothing in Flink's SQL
          --> (/operations/0/expression)
           = help: texts stand in single quotes, names that are no plain words in backquotes
    "#]],
    );
    check(
        &["filter: region = $$a$$"],
        expect![[r#"
        11:31 error[FW0202]: `$$a$$` is nothing in Flink's SQL
          --> (/operations/0/expression)
           = help: texts stand in single quotes, names that are no plain words in backquotes
    "#]],
    );
    check(
        &["filter: "],
        expect![[r#"
        11:21 error[FW0104]: the expression is empty
          --> (/operations/0/expression)
    "#]],
    );
    check(
        &["map: x ="],
        expect![[r#"
        11:25 error[FW0202]: a value is missing after `=`
          --> (/operations/0/expression)
    "#]],
    );
    check(
        &["map: tax(amount, id)"],
        expect![[r#"
        11:22 error[FW0205]: `tax` takes 1 argument, but 2 are given
          --> (/operations/0/expression)
           = note: its input: amount DOUBLE NOT NULL
           = help: `tax()` gives it the whole row, by name
    "#]],
    );
    check(
        &["map: split(id)"],
        expect![[r#"
        11:22 error[FW0205]: `split` takes 2 arguments, but 1 is given
          --> (/operations/0/expression)
           = note: its input: a BIGINT, b BIGINT
           = help: `split()` gives it the whole row, by name
    "#]],
    );
    check(
        &["map: split(idd)"],
        expect![[r#"
        11:28 error[FW0201]: unknown column `idd`
          --> (/operations/0/expression)
           = note: columns: id, amount, region, timestamp, item
           = help: did you mean `id`?
    "#]],
    );
    check(
        &["map: split(whatever)"],
        expect![[r#"
        11:22 error[FW0201]: `split` takes the row's columns `a`, `b`, which the row does not have
          --> (/operations/0/expression)
           = note: columns: id, amount, region, timestamp, item
           = help: give it columns by position: `split(.., ..)`
    "#]],
    );
    check(
        &["map: tax(amont)"],
        expect![[r#"
        11:26 error[FW0201]: unknown column `amont`
          --> (/operations/0/expression)
           = note: columns: id, amount, region, timestamp, item
           = help: did you mean `amount`?
    "#]],
    );
    check(
        &["map: tax(amount => 3)"],
        expect![[r#"
        11:22 error[FW0205]: `tax` takes plain arguments only: no names, DISTINCT, FILTER or OVER
          --> (/operations/0/expression)
    "#]],
    );
    check(
        &["filter: tax(amount)"],
        expect![[r#"
        11:22 error[FW0204]: `tax` is a map function and can't be the whole of this operation
          --> (/operations/0/expression)
           = help: this operation needs a filter function; compare its value, or use it in a `map` operation
    "#]],
    );
    check(
        &["filter: tax"],
        expect![[r#"
        11:22 error[FW0204]: `tax` is a map function and can't be the whole of this operation
          --> (/operations/0/expression)
           = help: this operation needs a filter function; compare its value, or use it in a `map` operation
    "#]],
    );
    check(
        &["map: valid(amount)"],
        expect![[r#"
        11:22 error[FW0204]: `valid` is a filter function and can't be the whole of this operation
          --> (/operations/0/expression)
           = help: this operation needs a map function; use it in a `filter` operation, or assign it: `column = ..`
    "#]],
    );
    check(
        &["map: v = split(id, id)"],
        expect![[r#"
        11:26 error[FW0204]: `split` gives 2 columns and can't be used as a value
          --> (/operations/0/expression)
           = note: its output: x, y
           = help: call it in a map operation of its own: `split(..)` adds its columns to the row
    "#]],
    );
    check(
        &["map: processMessage"],
        expect![[r#"
        11:22 error[FW0203]: no function and no column `processMessage`
          --> (/operations/0/expression)
           = note: columns: id, amount, region, timestamp, item
           = help: declare it: "functions": {"processMessage": {"component": ..}}
    "#]],
    );
    check(
        &["map: a => a + 1"],
        expect![[r#"
        11:27 error[FW0202]: `a` is the whole row, not a value
          --> (/operations/0/expression)
           = help: name a column: `a.column`
    "#]],
    );
    check(
        &["map: id", "map: decode"],
        expect![[r#"
        15:22 error[FW0201]: `decode` takes the row's column `payload`, which the row does not have
          --> (/operations/1/expression)
           = note: columns: id
           = help: give it columns by position: `decode(..)`
    "#]],
    );
    check(
        &["map: id, nothing.*"],
        expect![[r#"
        11:26 error[FW0202]: `name.*` can't be used here
          --> (/operations/0/expression)
           = help: write `*`
    "#]],
    );
}

#[test]
fn names_can_not_leave_their_quotes() {
    check(
        &["map: `a``b; DROP TABLE x` = id", "filter: `a``b; DROP TABLE x` > 1"],
        expect![[r#"
        {"kind":"assign","name":"map_1","input":"source","column":"a`b; DROP TABLE x","sql":"`id`"}
        {"kind":"view","name":"filter_2","sql":"SELECT * FROM `map_1` WHERE `a``b; DROP TABLE x` > 1","drop":[]}
    "#]],
    );
    check(
        &["map: id AS `x`` FROM y`"],
        expect![[r#"
        {"kind":"view","name":"map_1","sql":"SELECT `id` AS `x`` FROM y` FROM `source`","drop":[]}
    "#]],
    );
}
