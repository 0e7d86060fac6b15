//! No text makes lowering panic, and no expression leaves the clause that it stands in.

mod common;

use flink_wasm_plan::Step;
use proptest::prelude::*;

/// Pieces that expressions are made of, and pieces that try to get out of one.
fn expression() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "amount",
        "id",
        "region",
        "tax",
        "split",
        "valid",
        "(",
        ")",
        ",",
        "=",
        "==",
        "!=",
        "&&",
        "||",
        "x",
        "=>",
        ".",
        "*",
        "+",
        "null",
        "NOT",
        "AND",
        "CASE",
        "WHEN",
        "END",
        "CAST",
        "AS",
        "INT",
        "'",
        "''",
        "`",
        "``",
        "--",
        "/*",
        "*/",
        ";",
        "1",
        "1e9",
        "[",
        "]",
        "{",
        "<",
        ">",
        "JSON_VALUE",
        "TIMESTAMPDIFF",
        "DAY",
        "MAP",
        "SELECT",
        "é",
        "\u{1f600}",
        "\n",
        "\\",
        "\0",
        "$$",
        "N'a'",
        "x'0'",
        "INTERVAL",
        "current_timestamp",
        "UNION",
        "OVER",
        "DISTINCT",
        "record",
    ]);
    (prop::collection::vec(piece, 0..14), prop::sample::select(vec!["", " "]))
        .prop_map(|(p, space)| p.join(space))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn any_expression_is_lowered_or_refused(text in expression(), kind in prop::sample::select(vec!["filter", "map"])) {
        let job = common::job(&[&format!("{kind}: {text}"), "map: tax(amount)"]);
        if let Ok(plan) = common::plan_of(&job) {
            for step in &plan.steps {
                let sql = match step {
                    Step::View { sql, .. } | Step::Assign { sql, .. } => sql,
                    _ => continue,
                };
                prop_assert!(closed(sql), "{sql}");
            }
        }
    }

    #[test]
    fn any_key_and_condition_are_lowered_or_refused(key in expression(), condition in expression()) {
        let side = serde_json::json!({"type": "blackhole"});
        let job = serde_json::json!({
            "source": {"type": "file", "path": "/in", "format": "json", "schema": "id BIGINT, amount DOUBLE"},
            "operations": [
                {"type": "sideOutput", "outputTag": "a", "condition": condition, "sideOutputSink": side},
                {"type": "groupBy", "key": key}, {"type": "processFunction", "function": "count"},
            ],
            "sink": side,
        });
        if let Ok(plan) = common::plan_of(&job.to_string()) {
            for step in &plan.steps {
                match step {
                    Step::View { sql, .. } | Step::Assign { sql, .. } => prop_assert!(closed(sql), "{sql}"),
                    Step::Wasm { key, .. } => prop_assert!(key.iter().all(|k| k == "id" || k == "amount"), "{key:?}"),
                    _ => {}
                }
            }
        }
    }

    #[test]
    fn any_schema_is_lowered_or_refused(text in "[a-c`'(),;<> \\[\\]ARIOWNTS\\-*/]{0,24}") {
        let job = serde_json::json!({
            "source": {"type": "file", "path": "/in", "format": "json", "schema": text}, "sink": {"type": "blackhole"},
        });
        if let Ok(plan) = common::plan_of(&job.to_string()) {
            let Step::Statement { sql, .. } = &plan.steps[0] else { panic!("a statement") };
            prop_assert!(closed(sql), "{sql}");
            prop_assert_eq!(sql.matches("WITH (\n").count(), 1 + text.matches("WITH (\n").count());
        }
    }
}

/// Whether quotes and parentheses are balanced outside of each other, and no comment or semicolon stands outside of quotes:
/// a reader of its own, to check the one under test.
fn closed(sql: &str) -> bool {
    let mut depth = 0i32;
    let mut quote = None;
    let mut previous = ' ';
    for c in sql.chars() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '`') => quote = Some(c),
            (None, '(') => depth += 1,
            (None, ')') => depth -= 1,
            (None, ';') => return false,
            (None, '-') if previous == '-' => return false,
            (None, '*') if previous == '/' => return false,
            _ => {}
        }
        previous = c;
        if depth < 0 {
            return false;
        }
    }
    depth == 0 && quote.is_none()
}
