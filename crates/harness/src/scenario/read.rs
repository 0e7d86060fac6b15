//! Reads scenarios. Everything that is wrong with a file is told before anything runs, with line and column.

use flink_wasm_diagnostic::{Code, Diagnostic, Result};
use flink_wasm_ir::place;
use flink_wasm_protocol::handshake::{ErrorPolicy, Limits, OnError, RateLimiter, Tier};
use flink_wasm_protocol::json;
use flink_wasm_protocol::schema::RowField;
use serde_json::{Map, Value};

use super::node::{Node, unknown_property};
use super::{Action, Scenario, Scenarios, Step};
use crate::function::{Function, Grouping, Settings, in_row};

const TOP: &[&str] = &["parameters", "key", "onError", "rateLimiters", "limits", "scenarios"];
/// The property that says what a step is.
const ACTIONS: &[&str] = &[
    "row",
    "rows",
    "watermark",
    "clock",
    "snapshot",
    "restore",
    "expect",
    "failures",
    "error",
    "state",
    "timers",
    "counters",
];
/// The property of an expected row that holds its timestamp.
pub(super) const TIMESTAMP: &str = "@timestamp";

/// The parameters that a file of scenarios gives; they are checked as those of a job are, by the caller.
pub fn parameters(text: &str) -> Result<Map<String, Value>> {
    let value = parse(text)?;
    let root = Node { value: &value, pointer: String::new() };
    let read = || match root.get("parameters") {
        Some(parameters) => Ok(parameters.object()?.clone()),
        None => Ok(Map::new()),
    };
    read().map_err(|error| place(text, error))
}

/// Reads a file of scenarios for a function.
///
/// FW0101 for what is malformed or unknown, FW0508 for a row that does not fit the function, each with line and column.
pub fn read(text: &str, function: &Function) -> Result<Scenarios> {
    let value = parse(text)?;
    let root = Node { value: &value, pointer: String::new() };
    read_root(&root, function).map_err(|error| place(text, error))
}

fn parse(text: &str) -> Result<Value> {
    serde_json::from_str(text).map_err(|error| {
        let message = error.to_string();
        // serde_json ends its messages with the position, which the diagnostic has itself.
        let message = message.split(" at line ").next().unwrap_or_default();
        Diagnostic::new(Code::MalformedJob, format!("the scenarios are not JSON: {message}"))
            .at(error.line() as u32, error.column() as u32)
    })
}

fn read_root(root: &Node<'_>, function: &Function) -> Result<Scenarios> {
    root.object_of(TOP)?;
    let key = match root.get("key") {
        Some(key) => key.list()?.iter().map(|name| Ok(name.text()?.to_owned())).collect::<Result<_>>()?,
        None => Vec::new(),
    };
    let settings = Settings { key, ..Settings::default() };
    let key_node = root.get("key").unwrap_or_else(|| root.clone());
    let grouping = Grouping::new(function, &settings).map_err(|error| key_node.place(error))?;
    let reader = Reader { function, grouping };
    let scenarios = root.require("scenarios")?.list()?;
    Ok(Scenarios {
        key: settings.key,
        on_error: root.get("onError").map(|node| on_error(&node)).transpose()?.unwrap_or_default(),
        rate_limiters: root
            .get("rateLimiters")
            .map(|node| rate_limiters(&node))
            .transpose()?
            .unwrap_or_default(),
        limits: root.get("limits").map(|node| limits(&node)).transpose()?.unwrap_or_default(),
        scenarios: scenarios.iter().map(|scenario| reader.scenario(scenario)).collect::<Result<_>>()?,
    })
}

fn on_error(node: &Node<'_>) -> Result<OnError> {
    let policy = |node: &Node<'_>| match node.text()? {
        "fail" => Ok(ErrorPolicy::Fail),
        "skip" => Ok(ErrorPolicy::Skip),
        "dead-letter" => Ok(ErrorPolicy::DeadLetter),
        other => Err(node.error(format!("unknown policy `{other}`; there are fail, skip and dead-letter"))),
    };
    if node.value.is_string() {
        return Ok(OnError { policy: policy(node)?, retries: 0 });
    }
    node.object_of(&["policy", "retries"])?;
    Ok(OnError {
        policy: policy(&node.require("policy")?)?,
        retries: node.get("retries").map_or(Ok(0), |retries| retries.count())?,
    })
}

fn rate_limiters(node: &Node<'_>) -> Result<Vec<RateLimiter>> {
    let tier = |node: &Node<'_>| {
        node.object_of(&["name", "rate", "burst"])?;
        Ok(Tier {
            name: node.require("name")?.text()?.to_owned(),
            rate: node.require("rate")?.number()?,
            burst: node.require("burst")?.count()?,
        })
    };
    let limiter = |node: &Node<'_>| {
        node.object_of(&["name", "rate", "burst", "scope", "tiers"])?;
        let shared = match node.get("scope") {
            None => true,
            Some(scope) => match scope.text()? {
                "sidecar" => true,
                "job" => false,
                other => {
                    return Err(scope.error(format!("unknown scope `{other}`; there are sidecar and job")));
                }
            },
        };
        let tiers = node.get("tiers").map_or(Ok(Vec::new()), |tiers| tiers.list())?;
        Ok(RateLimiter {
            name: node.require("name")?.text()?.to_owned(),
            rate: node.require("rate")?.number()?,
            burst: node.require("burst")?.count()?,
            shared,
            tiers: tiers.iter().map(tier).collect::<Result<_>>()?,
        })
    };
    node.list()?.iter().map(limiter).collect()
}

fn limits(node: &Node<'_>) -> Result<Limits> {
    node.object_of(&["memoryBytes", "deadlineMs", "stateValueBytes"])?;
    serde_json::from_value(node.value.clone())
        .map_err(|error| node.error(format!("the limits are malformed: {error}")))
}

struct Reader<'f> {
    function: &'f Function,
    grouping: Grouping,
}

impl Reader<'_> {
    fn scenario(&self, node: &Node<'_>) -> Result<Scenario> {
        node.object_of(&["name", "steps"])?;
        let steps = node.require("steps")?.list()?;
        Ok(Scenario {
            name: node.require("name")?.text()?.to_owned(),
            steps: steps.iter().map(|step| self.step(step)).collect::<Result<_>>()?,
            pointer: node.pointer.clone(),
        })
    }

    fn step(&self, node: &Node<'_>) -> Result<Step> {
        let properties = node.properties()?;
        let is_action = |name: &str| ACTIONS.contains(&name);
        let actions: Vec<_> = properties.iter().filter(|(name, _)| is_action(name)).collect();
        let [(name, value)] = actions[..] else {
            return Err(match (actions.len(), properties.first()) {
                (0, Some((name, value))) => unknown_property(value, name, ACTIONS.iter().copied()),
                (0, None) => node.error("an empty step").note(format!("steps: {}", ACTIONS.join(", "))),
                _ => node
                    .error(format!("a step is one thing; this is `{}` and `{}`", actions[0].0, actions[1].0)),
            });
        };
        match *name {
            "row" | "rows" => node.object_of(&[name, "timestamp", "key"])?,
            _ => node.object_of(&[name])?,
        };
        Ok(Step { pointer: node.pointer.clone(), action: self.action(node, name, value)? })
    }

    fn action(&self, node: &Node<'_>, name: &str, value: &Node<'_>) -> Result<Action> {
        Ok(match name {
            "row" => self.rows(node, vec![value.clone()])?,
            "rows" => self.rows(node, value.list()?)?,
            "watermark" if value.value == "max" => Action::Watermark(i64::MAX),
            "watermark" => Action::Watermark(value.timestamp()?),
            "clock" => Action::Clock(value.timestamp()?),
            "snapshot" => value.is_true().map(|()| Action::Snapshot)?,
            "restore" => value.is_true().map(|()| Action::Restore)?,
            "expect" => self.expect(value)?,
            "failures" => {
                for failure in value.list()? {
                    failure.object_of(&["row", "code", "error"])?;
                }
                Action::Failures(value.value.clone())
            }
            "error" => Action::Error(value.text()?.to_owned()),
            "state" => {
                value.object_of(&["name", "key", "is"])?;
                let name = value.require("name")?;
                self.function.state_index(name.text()?).map_err(|error| name.place(error))?;
                Action::State {
                    name: name.text()?.to_owned(),
                    key: self.key(&value.require("key")?)?,
                    is: value.require("is")?.value.clone(),
                }
            }
            "timers" => {
                value.object_of(&["key", "eventTime", "processingTime"])?;
                let times = |name| {
                    let times = value.get(name).map_or(Ok(Vec::new()), |times| times.list())?;
                    times.iter().map(Node::timestamp).collect::<Result<Vec<_>>>()
                };
                Action::Timers {
                    key: self.key(&value.require("key")?)?,
                    event_time: times("eventTime")?,
                    processing_time: times("processingTime")?,
                }
            }
            _ => Action::Counters(value.object()?.clone()),
        })
    }

    fn rows(&self, node: &Node<'_>, rows: Vec<Node<'_>>) -> Result<Action> {
        for row in &rows {
            check_names(row, &self.function.input, &[])?;
            for field in &self.function.input {
                // A missing property is NULL, which stands where the row stands.
                let cell = row.get(&field.name);
                let one: Map<String, Value> =
                    cell.iter().map(|cell| (field.name.clone(), cell.value.clone())).collect();
                json::rows_to_batch(std::slice::from_ref(field), &[Value::Object(one)])
                    .map_err(|error| cell.as_ref().unwrap_or(row).place(in_row(error, "the row")))?;
            }
        }
        let key = node.get("key").map(|key| self.key(&key)).transpose()?;
        for row in rows.iter().filter(|_| key.is_none()) {
            self.grouping.of_row(row.value).map_err(|error| row.place(error))?;
        }
        Ok(Action::Rows {
            timestamp: node.get("timestamp").map(|timestamp| timestamp.timestamp()).transpose()?,
            key,
            rows: rows.into_iter().map(|row| row.value.clone()).collect(),
        })
    }

    fn expect(&self, node: &Node<'_>) -> Result<Action> {
        let mut outputs = Vec::new();
        for (name, rows) in node.properties()? {
            let index = self.function.output_index(name).map_err(|error| rows.place(error))?;
            let mut expected = Vec::new();
            for row in rows.list()? {
                check_names(&row, self.function.output_fields(index), &[TIMESTAMP])?;
                let mut cells = row.object()?.clone();
                if let Some(timestamp) = row.get(TIMESTAMP).filter(|timestamp| !timestamp.value.is_null()) {
                    cells.insert(TIMESTAMP.to_owned(), timestamp.timestamp()?.into());
                }
                expected.push(Value::Object(cells));
            }
            outputs.push((name.to_owned(), Value::Array(expected)));
        }
        Ok(Action::Expect(outputs))
    }

    fn key(&self, node: &Node<'_>) -> Result<Vec<Value>> {
        let values: Vec<Value> = node.list()?.into_iter().map(|value| value.value.clone()).collect();
        self.grouping.of_values(&values).map_err(|error| node.place(error))?;
        Ok(values)
    }
}

fn check_names(row: &Node<'_>, fields: &[RowField], further: &[&str]) -> Result<()> {
    for (name, value) in row.properties()? {
        let known = fields.iter().map(|field| field.name.as_str()).chain(further.iter().copied());
        if !known.clone().any(|known| known == name) {
            return Err(unknown_property(&value, name, known));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use flink_wasm_protocol::DataType;
    use flink_wasm_protocol::handshake::{State, StateKind};

    use super::*;
    use crate::function::SideOutput;

    fn function() -> Function {
        let field = |name: &str, sql_type| RowField {
            name: name.into(),
            data_type: DataType::parse(sql_type).unwrap(),
        };
        Function {
            name: "sessions".into(),
            input: vec![field("user_id", "BIGINT NOT NULL"), field("url", "STRING")],
            output: vec![field("clicks", "BIGINT NOT NULL")],
            side_outputs: vec![SideOutput { name: "late".into(), fields: vec![field("url", "STRING")] }],
            key: vec![field("user_id", "BIGINT NOT NULL")],
            states: vec![State {
                name: "clicks".into(),
                kind: StateKind::Value,
                schema: "v1:i64".into(),
                ttl_ms: None,
            }],
        }
    }

    #[test]
    fn everything_is_read() {
        let text = r#"{
            "parameters": {"gap": 5}, "key": ["user_id"], "onError": {"policy": "skip", "retries": 2},
            "rateLimiters": [{"name": "api", "rate": 0.5, "burst": 3, "scope": "job", "tiers": [{"name": "t", "rate": 1, "burst": 1}]}],
            "limits": {"deadlineMs": 50},
            "scenarios": [{"name": "all", "steps": [
                {"row": {"user_id": 1, "url": "a"}, "timestamp": "2026-01-31T12:00:00.5Z"},
                {"rows": [{"user_id": 1}, {"user_id": 2}], "key": [7]},
                {"watermark": 5000}, {"watermark": "max"}, {"clock": "1970-01-01 00:01:00Z"},
                {"snapshot": true}, {"restore": true},
                {"expect": {"output": [{"clicks": 3, "@timestamp": "1970-01-01T00:00:01Z"}], "late": []}},
                {"failures": [{"error": "negative"}]}, {"error": "trapped"},
                {"state": {"name": "clicks", "key": [1], "is": 3}},
                {"timers": {"key": [1], "eventTime": ["1970-01-01T00:00:01Z", 7]}},
                {"counters": {"seen": 3}}
            ]}]}"#;
        assert_eq!(parameters(text).unwrap().len(), 1);
        let read = read(text, &function()).unwrap();
        assert_eq!(read.on_error, OnError { policy: ErrorPolicy::Skip, retries: 2 });
        assert!(!read.rate_limiters[0].shared && read.rate_limiters[0].tiers.len() == 1);
        assert_eq!(read.limits, Limits { deadline_ms: 50, ..Limits::default() });
        let steps = &read.scenarios[0].steps;
        assert_eq!(steps.len(), 13);
        assert!(matches!(steps[0].action, Action::Rows { timestamp: Some(1_769_860_800_500), .. }));
        assert!(matches!(steps[3].action, Action::Watermark(i64::MAX)));
        assert!(matches!(steps[4].action, Action::Clock(60_000)));
        assert_eq!(steps[12].pointer, "/scenarios/0/steps/12");
        match &steps[7].action {
            Action::Expect(outputs) => assert_eq!(outputs[0].1[0][TIMESTAMP], 1000),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_wrong_is_shown_where_it_stands() {
        for (step, at, message) in [
            (
                r#"{"row": {"user_id": "x"}}"#,
                r#""x"}}]"#,
                "the row, column `user_id`: expected BIGINT NOT NULL, found \"x\"",
            ),
            (
                r#"{"row": {"url": "x"}}"#,
                r#"{"url""#,
                "the row, column `user_id`: NULL in a field of type BIGINT NOT NULL",
            ),
            (r#"{"row": {"user_id": 1, "ulr": "x"}}"#, r#""x"}}]"#, "unknown property `ulr`"),
            (
                r#"{"row": {"user_id": 1}, "timestamp": "today"}"#,
                r#""today""#,
                "expected a time: milliseconds, or text such as \"2026-01-31T12:34:56.789Z\", found \"today\"",
            ),
            (r#"{"rwo": {}}"#, r#"{}}]"#, "unknown property `rwo`"),
            (
                r#"{"watermark": 1, "clock": 2}"#,
                r#"{"watermark""#,
                "a step is one thing; this is `watermark` and `clock`",
            ),
            (r#"{}"#, r#"{}]"#, "an empty step"),
            (r#"{"restore": 1}"#, r#"1}]"#, "expected `true`, found a number"),
            (r#"{"expect": {"outptu": []}}"#, r#"[]}}]"#, "there is no output `outptu`"),
            (r#"{"expect": {"late": [{"clicks": 1}]}}"#, r#"1}]}}]"#, "unknown property `clicks`"),
            (
                r#"{"state": {"name": "click", "key": [1], "is": 3}}"#,
                r#""click""#,
                "there is no state `click`",
            ),
            (
                r#"{"state": {"name": "clicks", "key": [], "is": 3}}"#,
                r#"[], "#,
                "a key of 0 values, it has 1",
            ),
            (
                r#"{"state": {"name": "clicks", "key": ["a"], "is": 3}}"#,
                r#"["a"]"#,
                "the key, column `user_id`: expected BIGINT NOT NULL, found \"a\"",
            ),
            (r#"{"state": {"name": "clicks", "key": [1]}}"#, r#"{"name": "clicks""#, "`is` is missing"),
        ] {
            let text = format!(r#"{{"scenarios": [{{"name": "a scenario", "steps": [{step}]}}]}}"#);
            let error = read(&text, &function()).unwrap_err();
            let found = text.get(error.location.column.unwrap() as usize - 1..).unwrap();
            assert_eq!(error.message, message, "{step}");
            assert!(found.starts_with(at), "{step}: {found}");
        }
        for (text, message) in [
            ("{\n  \"scenarios\": }", "the scenarios are not JSON: expected value"),
            ("{}", "`scenarios` is missing"),
            (r#"{"scenarios": [], "key": ["user"]}"#, "the input has no key column `user`"),
            (
                r#"{"scenarios": [], "onError": "ignore"}"#,
                "unknown policy `ignore`; there are fail, skip and dead-letter",
            ),
            (r#"{"scenarios": [], "limits": {"deadline": 5}}"#, "unknown property `deadline`"),
        ] {
            let error = read(text, &function()).unwrap_err();
            assert_eq!(error.message, message);
            assert!(error.location.line.is_some(), "{text}");
        }
    }
}
