//! State of every kind, through the macros: what a function sees of its own changes within a batch and behind it.

use std::collections::BTreeMap;

use flink_wasm::prelude::*;
use flink_wasm::testing::ProcessHarness;
use flink_wasm::{ProcessFunction, StateDescriptor, StateKind};
use proptest::prelude::*;

/// What to do with one state, as text: `add 3`.
#[derive(Row)]
struct Command<'a> {
    command: &'a str,
    text: &'a str,
    number: i64,
}

#[derive(Default, State)]
struct States {
    #[state(ttl = "1 h")]
    value: ValueState<String>,
    #[state(reduce = |sum, more| sum + more)]
    sum: ReducingState<i64>,
    #[state(name = "recent-numbers")]
    list: ListState<i64>,
    #[state]
    map: MapState<String, i64>,
}

#[flink_wasm::process]
impl States {
    fn process(&self, row: Command<'_>, _ctx: &KeyedContext<i64>, out: &mut Collector<String>) {
        let Command { command, text, number } = row;
        match command {
            "value set" => self.value.set(text.into()),
            "value update" => {
                self.value.update(|old| old.unwrap_or_default() + text);
            }
            "value clear" => self.value.clear(),
            "value get" => out.collect(format!("{:?}", self.value.get())),
            "sum add" => self.sum.add(number),
            "sum clear" => self.sum.clear(),
            "sum get" => out.collect(format!("{:?}", self.sum.get())),
            "list add" => self.list.add(number),
            "list set" => self.list.set([number, number + 1]),
            "list clear" => self.list.clear(),
            "list get" => out.collect(format!("{:?}", self.list.iter().collect::<Vec<_>>())),
            "map insert" => self.map.insert(text.into(), number),
            "map update" => {
                self.map.update(text.into(), |old| old.unwrap_or(0) + number);
            }
            "map remove" => self.map.remove(text),
            "map clear" => self.map.clear(),
            "map get" => out.collect(format!("{:?}", self.map.get(text))),
            "map all" => out.collect(format!("{:?}", self.map.iter().collect::<BTreeMap<_, _>>())),
            other => panic!("no command is named `{other}`"),
        }
    }
}

/// The same with a plain Rust value for each state.
#[derive(Default)]
struct Oracle {
    value: Option<String>,
    sum: Option<i64>,
    list: Vec<i64>,
    map: BTreeMap<String, i64>,
}

impl Oracle {
    fn run(&mut self, command: &str, text: &str, number: i64) -> Option<String> {
        match command {
            "value set" => self.value = Some(text.into()),
            "value update" => self.value.get_or_insert_default().push_str(text),
            "value clear" => self.value = None,
            "value get" => return Some(format!("{:?}", self.value)),
            "sum add" => *self.sum.get_or_insert(0) += number,
            "sum clear" => self.sum = None,
            "sum get" => return Some(format!("{:?}", self.sum)),
            "list add" => self.list.push(number),
            "list set" => self.list = vec![number, number + 1],
            "list clear" => self.list.clear(),
            "list get" => return Some(format!("{:?}", self.list)),
            "map insert" => drop(self.map.insert(text.into(), number)),
            "map update" => *self.map.entry(text.into()).or_default() += number,
            "map remove" => drop(self.map.remove(text)),
            "map clear" => self.map.clear(),
            "map get" => return Some(format!("{:?}", self.map.get(text))),
            "map all" => return Some(format!("{:?}", self.map)),
            other => panic!("no command is named `{other}`"),
        }
        None
    }
}

const COMMANDS: [&str; 17] = [
    "value set",
    "value update",
    "value clear",
    "value get",
    "sum add",
    "sum clear",
    "sum get",
    "list add",
    "list set",
    "list clear",
    "list get",
    "map insert",
    "map update",
    "map remove",
    "map clear",
    "map get",
    "map all",
];

proptest! {
    /// However rows are cut into batches, every row sees what the rows of its key before it did.
    #[test]
    fn states_hold_what_was_put(
        rows in prop::collection::vec((0_usize..3, prop::sample::select(&COMMANDS[..]), 0_usize..3, -5_i64..5), 1..60),
        batch_rows in 1_usize..20,
    ) {
        let mut harness = ProcessHarness::<States, i64>::open("{}").expect("opens");
        let mut oracles: [Oracle; 3] = Default::default();
        let texts = ["", "a", "bb"];
        let mut expected = Vec::new();
        for batch in rows.chunks(batch_rows) {
            let items = batch.iter().map(|(key, command, text, number)| {
                expected.extend(oracles[*key].run(command, texts[*text], *number));
                (*key as i64, Command { command, text: texts[*text], number: *number }, None)
            });
            prop_assert_eq!(harness.process_batch(items.collect::<Vec<_>>()), Ok(()));
        }
        prop_assert_eq!(harness.output::<String>(), expected);
    }
}

#[test]
fn states_describe_themselves() {
    let state = |name: &str, kind, schema: &str, ttl_ms| StateDescriptor {
        name: name.into(),
        kind,
        schema: schema.into(),
        ttl_ms,
    };
    assert_eq!(
        States::describe().states,
        [
            state("value", StateKind::Value, "v1:string", Some(3_600_000)),
            state("sum", StateKind::Reducing, "v1:i64", None),
            state("recent-numbers", StateKind::List, "v1:list<i64>", None),
            state("map", StateKind::Map, "v1:map<string,i64>", None),
        ]
    );
}
