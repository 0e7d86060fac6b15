//! Sums the values of each key, and misbehaves where a row says so: what a process function without the SDK might do.

wit_bindgen::generate!({ path: "../../../../wit", world: "process-function" });

use exports::flink_wasm::udf::descriptor::{Field, Function, Kind, SideOutput, State, StateKind};
use exports::flink_wasm::udf::processor::Keyed;
use exports::flink_wasm::udf::{descriptor, lifecycle, processor};
use flink_wasm::udf::types::{Batch, Cells, Column, RowFailure, Varlen};
use flink_wasm::udf::{context, effects, elements};

struct Component;
export!(Component);

const SUM: u32 = 0;
const SEEN: u32 = 1;
const NOTES: u32 = 2;

impl descriptor::Guest for Component {
    fn describe() -> Function {
        let field = |name: &str, sql_type: &str| Field { name: name.into(), sql_type: sql_type.into() };
        let state = |name: &str, kind, schema: &str| State {
            name: name.into(),
            kind,
            schema: schema.into(),
            ttl_ms: None,
        };
        Function {
            name: "hostile-process".into(),
            version: "0.1.0".into(),
            kind: Kind::Process,
            description: "Sums, and misbehaves on command".into(),
            input: vec![
                field("k", "BIGINT NOT NULL"),
                field("mode", "STRING NOT NULL"),
                field("value", "BIGINT NOT NULL"),
            ],
            output: vec![field("k", "BIGINT NOT NULL"), field("sum", "BIGINT NOT NULL")],
            parameters: vec![],
            key: vec![field("k", "BIGINT NOT NULL")],
            states: vec![
                state("sum", StateKind::Value, "v1:i64"),
                state("seen", StateKind::List, "v1:list<i64>"),
                state("notes", StateKind::Map, "v1:map<i64,i64>"),
            ],
            side_outputs: vec![SideOutput { name: "late".into(), fields: vec![field("k", "BIGINT NOT NULL")] }],
            timers: true,
        }
    }
}

impl lifecycle::Guest for Component {
    fn open(_parameters_json: String) -> Result<(), String> {
        Ok(())
    }
}

/// What a batch does, until its end.
#[derive(Default)]
struct Bundle {
    /// Encoded sums by key index, and which have changed.
    sums: Vec<Option<Vec<u8>>>,
    is_changed: Vec<bool>,
    rows: Vec<(i64, i64, i64)>,
    late: Vec<(i64, i64)>,
    added: Vec<(u32, i64)>,
    noted: Vec<(u32, i64, i64)>,
    timers: Vec<(u32, i64, u8)>,
    other_output: bool,
    twice: bool,
}

fn number(bytes: &[u8]) -> i64 {
    i64::from_le_bytes(bytes[..8].try_into().unwrap())
}

fn cell<'a>(column: &'a Column, index: usize) -> Option<&'a [u8]> {
    let Cells::Varlen(Varlen { offsets, data }) = &column.cells else { panic!("not varlen") };
    let is_null = column.validity.as_ref().is_some_and(|bits| bits[index / 8] & 1 << (index % 8) == 0);
    (!is_null).then(|| &data[offsets[index] as usize..offsets[index + 1] as usize])
}

fn numbers(column: &Column) -> &[i64] {
    match &column.cells {
        Cells::Int64(cells) => cells,
        _ => panic!("not int64"),
    }
}

fn varlen(cells: &[Option<Vec<u8>>]) -> Column {
    let (mut offsets, mut data, mut validity) = (vec![0], Vec::new(), vec![0; cells.len().div_ceil(8)]);
    for (index, cell) in cells.iter().enumerate() {
        if let Some(cell) = cell {
            data.extend_from_slice(cell);
            validity[index / 8] |= 1 << (index % 8);
        }
        offsets.push(data.len() as u32);
    }
    let has_null = cells.iter().any(Option::is_none);
    Column { validity: has_null.then_some(validity), cells: Cells::Varlen(Varlen { offsets, data }) }
}

impl Bundle {
    fn new(keyed: &Keyed) -> Self {
        let sums = (0..keyed.key_rows.row_count as usize).map(|key| cell(&keyed.values[0], key).map(<[u8]>::to_vec));
        let sums: Vec<_> = sums.collect();
        Self { is_changed: vec![false; sums.len()], sums, ..Self::default() }
    }

    fn sum(&self, key: usize) -> i64 {
        self.sums[key].as_deref().map_or(0, number)
    }

    fn set(&mut self, key: usize, value: Option<Vec<u8>>) {
        self.sums[key] = value;
        self.is_changed[key] = true;
    }

    fn row(&mut self, k: i64, mode: &str, value: i64, key: usize, timestamp: i64) -> Result<(), (String, bool)> {
        match mode {
            "error" => return Err((format!("told to fail with {value}"), false)),
            "transient" => return Err((format!("told to fail for now with {value}"), true)),
            "panic" => panic!("told to panic with {value}"),
            "loop" => while std::hint::black_box(true) {},
            "oversized" => return Ok(self.set(key, Some(vec![1; value as usize]))),
            "clear" => return Ok(self.set(key, None)),
            "other-output" => self.other_output = true,
            "twice" => self.twice = true,
            "late" => self.late.push((k, timestamp)),
            "count" => context::counter_add("counted", 1),
            "timer" => self.timers.push((key as u32, value, 0)),
            "unknown-key" => self.timers.push((1_000_000, value, 0)),
            "wrong-flag" => self.timers.push((key as u32, value, 4)),
            "add" => self.added.push((key as u32, value)),
            "note" => self.noted.push((key as u32, value, value * 10)),
            "seen" => {
                let (_, values) = elements::scan(SEEN, key as u32);
                let Cells::Varlen(Varlen { offsets, .. }) = &values.cells else { panic!("not varlen") };
                let found = (0..offsets.len() - 1).map(|index| number(cell(&values, index).unwrap())).sum();
                self.rows.push((k, found, timestamp));
                return Ok(());
            }
            "noted" => {
                let found = elements::get(NOTES, key as u32, &value.to_le_bytes());
                self.rows.push((k, found.map_or(-1, |bytes| number(&bytes)), timestamp));
                return Ok(());
            }
            "acquire-panic" => {
                context::try_acquire("api", value as u32);
                panic!("told to panic with {value}");
            }
            "acquire" | "acquire-unknown" => {
                let limiter = if mode == "acquire" { "api" } else { "unknown" };
                if !context::try_acquire(limiter, value as u32) {
                    return Err((format!("no {value} permits"), true));
                }
            }
            _ => {}
        }
        let sum = self.sum(key) + value;
        self.set(key, Some(sum.to_le_bytes().to_vec()));
        self.rows.push((k, sum, timestamp));
        Ok(())
    }

    fn tell(self) {
        let (k, sum): (Vec<i64>, Vec<i64>) = self.rows.iter().map(|(k, sum, _)| (*k, *sum)).unzip();
        let timestamps: Vec<i64> = self.rows.iter().map(|(.., timestamp)| *timestamp).collect();
        let column = |cells| Column { validity: None, cells: Cells::Int64(cells) };
        let rows = Batch { row_count: k.len() as u32, columns: vec![column(k), column(sum)] };
        effects::emit(if self.other_output { 7 } else { 0 }, &rows, &timestamps);
        if !self.late.is_empty() {
            let (k, timestamps): (Vec<i64>, Vec<i64>) = self.late.into_iter().unzip();
            let rows = Batch { row_count: k.len() as u32, columns: vec![column(k)] };
            effects::emit(1, &rows, &timestamps);
        }
        let keys: Vec<u32> =
            (0..self.sums.len() as u32).filter(|key| self.is_changed[*key as usize]).collect();
        let values: Vec<_> = keys.iter().map(|key| self.sums[*key as usize].clone()).collect();
        if !keys.is_empty() {
            effects::put_values(SUM, &keys, &varlen(&values));
        }
        if self.twice {
            effects::put_values(SUM, &keys, &varlen(&values));
        }
        let bytes = |number: &i64| Some(number.to_le_bytes().to_vec());
        if !self.added.is_empty() {
            let keys: Vec<u32> = self.added.iter().map(|(key, _)| *key).collect();
            let values: Vec<_> = self.added.iter().map(|(_, value)| bytes(value)).collect();
            let none = vec![None; keys.len()];
            effects::put_elements(SEEN, &keys, &vec![0; keys.len()], &varlen(&none), &varlen(&values));
        }
        if !self.noted.is_empty() {
            let keys: Vec<u32> = self.noted.iter().map(|(key, ..)| *key).collect();
            let cells: Vec<_> = self.noted.iter().map(|(_, note, _)| bytes(note)).collect();
            let values: Vec<_> = self.noted.iter().map(|(.., value)| bytes(value)).collect();
            effects::put_elements(NOTES, &keys, &vec![0; keys.len()], &varlen(&cells), &varlen(&values));
        }
        if !self.timers.is_empty() {
            let keys: Vec<u32> = self.timers.iter().map(|(key, ..)| *key).collect();
            let timestamps: Vec<i64> = self.timers.iter().map(|(_, timestamp, _)| *timestamp).collect();
            let flags: Vec<u8> = self.timers.iter().map(|(.., flags)| *flags).collect();
            effects::put_timers(&keys, &timestamps, &flags);
        }
    }
}

impl processor::Guest for Component {
    fn process_batch(rows: Batch, timestamps: Vec<i64>, keyed: Keyed) -> Result<(), RowFailure> {
        let mut bundle = Bundle::new(&keyed);
        for row in 0..rows.row_count as usize {
            let mode = String::from_utf8(cell(&rows.columns[1], row).unwrap().to_vec()).unwrap();
            let (k, value) = (numbers(&rows.columns[0])[row], numbers(&rows.columns[2])[row]);
            let key = keyed.keys[row] as usize;
            assert_eq!(numbers(&keyed.key_rows.columns[0])[key], k, "the row has another key");
            bundle
                .row(k, &mode, value, key, timestamps[row])
                .map_err(|(message, transient)| RowFailure { row: row as u32, message, transient })?;
        }
        bundle.tell();
        Ok(())
    }

    /// Puts out the sum, and clears it. A timer at 13 is refused, one at 666 traps.
    fn timers_batch(timestamps: Vec<i64>, _processing_time: bool, keyed: Keyed) -> Result<(), RowFailure> {
        let mut bundle = Bundle::new(&keyed);
        for (timer, timestamp) in timestamps.iter().enumerate() {
            let key = keyed.keys[timer] as usize;
            match timestamp {
                13 => {
                    let message = "told to fail by a timer".into();
                    return Err(RowFailure { row: timer as u32, message, transient: false });
                }
                666 => panic!("told to panic by a timer"),
                _ => {}
            }
            let k = numbers(&keyed.key_rows.columns[0])[key];
            bundle.rows.push((k, bundle.sum(key), *timestamp));
            bundle.set(key, None);
        }
        bundle.tell();
        Ok(())
    }
}
