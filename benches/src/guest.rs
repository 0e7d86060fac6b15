//! The functions that are measured: built as users build them, with the rows they are given and what must come out.

use std::process::{Command, Stdio};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use flink_wasm_engine::{Engine, EngineConfig, Field, LoadedFunction};
use flink_wasm_protocol::batch::RawColumn;
use flink_wasm_protocol::bundle::encode_bundle;
use flink_wasm_protocol::frame::HEADER_BYTES;
use flink_wasm_protocol::handshake::{FunctionKind, Limits, OnError, Open, SideOutput};
use flink_wasm_protocol::reply::{ReplyWriter, Trailer};
use flink_wasm_protocol::{BatchView, BatchWriter, Cell, Schema};
use sha2::{Digest, Sha256};

use crate::sidecar::PROGRAMS;

/// Rows of a bundle: the default of `flink-wasm.bundle.rows`.
pub(crate) const BUNDLE_ROWS: u32 = 1000;

/// A built function.
pub(crate) struct Component {
    /// Name of its folder in `udfs/`.
    pub(crate) name: &'static str,
    /// The component.
    pub(crate) bytes: Vec<u8>,
    /// Compiled, and asked what it is.
    pub(crate) function: Arc<LoadedFunction>,
}

impl Component {
    /// Builds `udfs/<name>` with `flink-wasm build`, as users do.
    pub(crate) fn build(name: &'static str) -> Result<Self> {
        let mut command = Command::new(format!("{PROGRAMS}/flink-wasm"));
        command.args(["--json", "--quiet", "build"]).arg(format!("udfs/{name}")).stderr(Stdio::inherit());
        let output = command.output().context("flink-wasm can't be started; `make build` builds it")?;
        if !output.status.success() {
            bail!("`flink-wasm build udfs/{name}` failed: {}", String::from_utf8_lossy(&output.stdout));
        }
        let built: serde_json::Value = serde_json::from_slice(&output.stdout)?;
        let path = built["path"].as_str().context("`flink-wasm build --json` names no path")?;
        let bytes = std::fs::read(path).with_context(|| format!("can't read {path}"))?;
        let function = Engine::new(&EngineConfig::default())?.load(&bytes)?.function;
        Ok(Self { name, bytes, function })
    }

    /// `sha256:` and the digits.
    pub(crate) fn digest(&self) -> String {
        format!("sha256:{}", hex::encode(Sha256::digest(&self.bytes)))
    }

    /// The payload of OPEN.
    pub(crate) fn open_request(&self) -> Open {
        let description = self.function.description();
        let types = |fields: &[Field]| fields.iter().map(|field| field.sql_type.clone()).collect();
        Open {
            function: description.name.clone(),
            component: self.digest(),
            kind: description.kind,
            parameters: serde_json::Map::new(),
            input: types(&description.input),
            output: types(&description.output),
            limits: Limits::default(),
            key: types(&description.key),
            states: description.states.clone(),
            side_outputs: description
                .side_outputs
                .iter()
                .map(|side| SideOutput { name: side.name.clone(), types: types(&side.fields) })
                .collect(),
            on_error: OnError::default(),
            rate_limiters: Vec::new(),
        }
    }
}

/// A map with the rows that it is given.
pub(crate) struct Guest {
    /// The function.
    pub(crate) component: Component,
    /// The payload of a BUNDLE with [`BUNDLE_ROWS`] rows.
    pub(crate) bundle: Vec<u8>,
    /// The payload of its REPLY.
    pub(crate) reply: Vec<u8>,
}

impl Guest {
    /// `identity`: one column of 100 bytes.
    pub(crate) fn identity() -> Result<Self> {
        let row = |index| {
            let mut state = u64::from(index);
            let bytes = (0..100).map(|_| next(&mut state) as u8).collect();
            vec![Cell::Bytes(bytes)]
        };
        Self::new("identity", row, |row| row.to_vec())
    }

    /// `tax`: `id BIGINT, region STRING, amount DOUBLE`, and the total with the default rate behind.
    pub(crate) fn tax() -> Result<Self> {
        let row = |index| {
            let mut state = u64::from(index);
            let region = ["us-west", "us-east", "eu-central", "ap-south"][index as usize % 4];
            let amount = (next(&mut state) % 100_000) as f64 / 100.0;
            vec![Cell::Int64(i64::from(index)), Cell::Text(region.into()), Cell::Float64(amount)]
        };
        let expected = |row: &[Cell]| {
            let Cell::Float64(amount) = row[2] else { unreachable!("a row of tax has an amount") };
            [row, &[Cell::Float64(amount * (1.0 + 0.2))]].concat()
        };
        Self::new("tax", row, expected)
    }

    fn new(
        name: &'static str,
        row: impl Fn(u32) -> Vec<Cell>,
        expected: impl Fn(&[Cell]) -> Vec<Cell>,
    ) -> Result<Self> {
        let component = Component::build(name)?;
        let function = &component.function;
        let rows: Vec<Vec<Cell>> = (0..BUNDLE_ROWS).map(row).collect();
        let bundle = encode_bundle(0, i64::MIN, &batch(function.input(), &rows)?);
        let rows: Vec<Vec<Cell>> = rows.iter().map(|row| expected(row)).collect();
        let reply = reply(function.output(), &batch(function.output(), &rows)?)?;
        Ok(Self { component, bundle, reply })
    }

    /// Whether this is the reply that must come.
    pub(crate) fn check(&self, reply: &[u8]) -> Result<()> {
        if reply != self.reply {
            bail!(
                "`{}` gave a wrong reply of {} bytes, {} were expected",
                self.component.name,
                reply.len(),
                self.reply.len()
            );
        }
        Ok(())
    }
}

fn batch(schema: &Schema, rows: &[Vec<Cell>]) -> Result<Vec<u8>> {
    let mut writer = BatchWriter::new(schema);
    for row in rows {
        writer.push_row(row)?;
    }
    let mut bytes = Vec::new();
    writer.finish(&mut bytes)?;
    Ok(bytes)
}

fn reply(schema: &Schema, batch: &[u8]) -> Result<Vec<u8>> {
    let view = BatchView::parse(schema, batch)?;
    let columns: Vec<RawColumn<'_>> = view
        .columns()
        .iter()
        .map(|column| RawColumn { validity: column.validity, cells: column.cells })
        .collect();
    let origin: Vec<u32> = (0..BUNDLE_ROWS).collect();
    let mut writer = ReplyWriter::default();
    writer.begin(FunctionKind::Map);
    writer.emission(schema, 0, view.row_count(), &origin, &columns)?;
    Ok(writer.finish(1, &Trailer::default())?[HEADER_BYTES..].to_vec())
}

/// Pseudo-random numbers (splitmix64): the same rows in every run.
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut value = *state;
    value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}
