//! `boundary`: what a row costs from the frame that came to the frame that goes, without sockets and without Flink.

use std::hint::black_box;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, ensure};
use flink_wasm::testing::TestContext;
use flink_wasm::{Batch, Cells, Column, MapFunction, Varlen};
use flink_wasm_engine::Instance;
use flink_wasm_protocol::bundle::Bundle;
use flink_wasm_protocol::handshake::Limits;
use flink_wasm_protocol::reply::{Reply, ReplyBody};
use flink_wasm_protocol::{BatchView, CellsView, ColumnKind, Schema};

use crate::guest::{BUNDLE_ROWS, Guest};
use crate::result::{Benchmark, Panel, Target};

/// What a row may cost in the engine.
const TARGET: Target = Target::AtMost(25.0);

const ENGINE: &str = "engine";
const NATIVE: &str = "native";
const MEMCPY: &str = "memcpy";
const AGAIN: &str = "engine again";

/// Measures `identity` and `tax`.
pub(crate) fn run(rounds: usize, round: Duration) -> Result<Benchmark> {
    let mut benchmark = Benchmark::new(
        "boundary",
        "One bundle of 1000 rows, again and again, on one thread: the engine from BUNDLE payload to REPLY frame (validate, copy into the \
         guest, run it, copy out, validate), the same batch function compiled natively (columns in, columns out), and memcpy of as many \
         bytes as both frames have.",
    );
    benchmark.fact("Rows a bundle", BUNDLE_ROWS);
    benchmark.fact("Rounds", format!("{rounds} of {} ms a variant", round.as_millis()));
    let (identity, tax) = (Guest::identity()?, Guest::tax()?);
    for guest in [&identity, &tax] {
        benchmark.fact(
            &format!("Bytes a row of `{}`", guest.component.name),
            format!(
                "{} in, {} out",
                guest.bundle.len() / BUNDLE_ROWS as usize,
                guest.reply.len() / BUNDLE_ROWS as usize
            ),
        );
    }
    benchmark.panels.push(measure::<identity::identity>(&identity, rounds, round)?);
    benchmark.panels.push(measure::<tax::tax>(&tax, rounds, round)?);
    Ok(benchmark)
}

fn measure<F: MapFunction>(guest: &Guest, rounds: usize, round: Duration) -> Result<Panel> {
    let mut engine = EngineVariant::open(guest)?;
    let mut again = EngineVariant::open(guest)?;
    let mut native = NativeVariant::<F>::open(guest)?;
    let mut copy = vec![0; guest.bundle.len().max(guest.reply.len())];
    let mut memcpy = || {
        for bytes in [&guest.bundle, &guest.reply] {
            black_box(&mut copy)[..bytes.len()].copy_from_slice(black_box(bytes));
        }
        Ok(())
    };
    let names = [ENGINE, NATIVE, MEMCPY, AGAIN];
    let mut samples = [const { Vec::new() }; 4];
    // The first round warms caches up.
    for index in 0..=rounds {
        let costs = [
            time(round, || engine.run())?,
            time(round, || native.run())?,
            time(round, &mut memcpy)?,
            time(round, || again.run())?,
        ];
        engine.check()?;
        again.check()?;
        native.check()?;
        if index > 0 {
            samples.iter_mut().zip(costs).for_each(|(samples, cost)| samples.push(cost));
        }
    }
    let mut panel = Panel::new(guest.component.name, "ns a row");
    for (name, samples) in names.into_iter().zip(samples) {
        panel.series(name, samples, (name == ENGINE).then_some(TARGET));
    }
    panel.ratio(ENGINE, NATIVE, None);
    panel.ratio(ENGINE, MEMCPY, None);
    panel.ratio(ENGINE, AGAIN, None);
    Ok(panel)
}

/// Nanoseconds a row of something that does a bundle.
fn time(round: Duration, mut bundle: impl FnMut() -> Result<()>) -> Result<f64> {
    let started = Instant::now();
    let mut bundles = 0_u32;
    loop {
        // The clock is asked rarely, so that it costs nothing.
        for _ in 0..16 {
            bundle()?;
        }
        bundles += 16;
        let elapsed = started.elapsed();
        if elapsed >= round {
            return Ok(elapsed.as_nanos() as f64 / f64::from(bundles) / f64::from(BUNDLE_ROWS));
        }
    }
}

/// The engine, as the sidecar uses it.
struct EngineVariant<'g> {
    guest: &'g Guest,
    instance: Instance,
    /// The bundle where the sidecar has it: on a multiple of 8 bytes.
    aligned: Vec<u64>,
}

impl<'g> EngineVariant<'g> {
    fn open(guest: &'g Guest) -> Result<Self> {
        let instance = guest
            .component
            .function
            .open(&serde_json::Map::new(), Limits::default())
            .map_err(|fault| anyhow!(fault.diagnostic))?;
        let mut aligned = vec![0; guest.bundle.len().div_ceil(8)];
        bytemuck::cast_slice_mut::<u64, u8>(&mut aligned)[..guest.bundle.len()]
            .copy_from_slice(&guest.bundle);
        Ok(Self { guest, instance, aligned })
    }

    fn frame(&mut self) -> Result<&[u8]> {
        let bundle = &bytemuck::cast_slice::<u64, u8>(&self.aligned)[..self.guest.bundle.len()];
        self.instance.run(1, bundle).map_err(|fault| anyhow!(fault.diagnostic))
    }

    fn run(&mut self) -> Result<()> {
        black_box(self.frame()?);
        Ok(())
    }

    fn check(&mut self) -> Result<()> {
        let guest = self.guest;
        guest.check(&self.frame()?[flink_wasm_protocol::frame::HEADER_BYTES..])
    }
}

/// The function's batch code without a sandbox.
struct NativeVariant<F> {
    function: F,
    context: TestContext,
    input: Batch,
    expected: Batch,
}

impl<F: MapFunction> NativeVariant<F> {
    fn open(guest: &Guest) -> Result<Self> {
        let function = F::open("{}").map_err(anyhow::Error::msg)?;
        let input = to_guest(
            guest.component.function.input(),
            &Bundle::parse(guest.component.function.input(), &guest.bundle)?.rows,
        );
        let reply = Reply::parse(guest.component.function.output(), &guest.reply)?;
        let ReplyBody::Map(emissions) = reply.body else { anyhow::bail!("a map's reply has rows") };
        let expected = to_guest(guest.component.function.output(), &emissions[0].rows);
        Ok(Self { function, context: TestContext::new(), input, expected })
    }

    fn run(&mut self) -> Result<()> {
        let failures = self.function.map_batch(black_box(&self.input), &self.context, &mut |rows, origin| {
            black_box((rows, origin));
        });
        ensure!(failures.is_empty(), "no row fails");
        Ok(())
    }

    fn check(&mut self) -> Result<()> {
        let mut is_right = false;
        self.function.map_batch(&self.input, &self.context, &mut |rows, _| is_right = *rows == self.expected);
        ensure!(is_right, "the native function gave wrong rows");
        Ok(())
    }
}

/// A batch as the SDK has it.
fn to_guest(schema: &Schema, rows: &BatchView<'_>) -> Batch {
    fn typed<T: bytemuck::AnyBitPattern>(bytes: &[u8]) -> Vec<T> {
        bytes.chunks_exact(size_of::<T>()).map(bytemuck::pod_read_unaligned).collect()
    }
    let columns = rows.columns().iter().zip(schema.columns()).map(|(column, described)| {
        let cells = match (column.cells, described.kind) {
            (CellsView::Fixed(bytes), ColumnKind::Int64) => Cells::Int64(typed(bytes)),
            (CellsView::Fixed(bytes), ColumnKind::Float64) => Cells::Float64(typed(bytes)),
            (CellsView::Varlen { offsets, data }, _) => {
                Cells::Varlen(Varlen { offsets: typed(offsets), data: data.to_vec() })
            }
            (_, kind) => unreachable!("no workload has a column of kind {kind:?}"),
        };
        Column { validity: column.validity.map(<[u8]>::to_vec), cells }
    });
    Batch { row_count: rows.row_count() as u32, columns: columns.collect() }
}
