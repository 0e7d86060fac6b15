//! The report: Markdown and pictures, made of the results in a folder.

use std::fmt::Write;
use std::path::Path;

use anyhow::{Context, Result};

use crate::plot::{self, short};
use crate::result::{Benchmark, Comparison, Panel, Target};
use crate::statistics::{greatest, least, median};

/// Writes `report.md` and one picture for each of the benchmarks that the folder has results of.
pub(crate) fn write(folder: &Path, names: &[&str]) -> Result<()> {
    let mut text = String::from(
        "# Results\n\nWritten by `make bench`; do not edit. [How to run and read this](../README.md).\n\n\
         Medians over rounds, with the least and the greatest sample. A ratio or difference is taken round by round, between runs side by side. \
         `wasm / wasm again` and the like compare a variant with itself: a difference smaller than their range is no difference.\n",
    );
    for name in names {
        let Some(benchmark) = Benchmark::load(folder, name)? else { continue };
        std::fs::write(folder.join(format!("{name}.svg")), plot::svg(&benchmark))?;
        section(&mut text, &benchmark)?;
    }
    std::fs::write(folder.join("report.md"), text).context("can't write the report")
}

fn section(text: &mut String, benchmark: &Benchmark) -> Result<()> {
    writeln!(
        text,
        "\n## {}\n\n{}\n\n![{}]({}.svg)",
        benchmark.name, benchmark.about, benchmark.name, benchmark.name
    )?;
    for panel in &benchmark.panels {
        table(text, panel)?;
    }
    writeln!(text, "\n| fact | |\n|---|---|")?;
    for (name, value) in &benchmark.facts {
        writeln!(text, "| {name} | {value} |")?;
    }
    Ok(())
}

fn table(text: &mut String, panel: &Panel) -> Result<()> {
    writeln!(
        text,
        "\n### {}\n\n| {} | median | least | greatest | spread | target | |",
        panel.title, panel.unit
    )?;
    writeln!(text, "|---|---:|---:|---:|---:|---:|---|")?;
    for series in &panel.series {
        line(text, &series.name, &series.samples, series.target, spread_in_percent)?;
    }
    comparisons(text, "ratio", &panel.ratios, spread_in_percent)?;
    // The median of a difference may be nothing: its spread is no share of it.
    comparisons(text, &format!("difference, {}", panel.unit), &panel.differences, |samples| {
        short(greatest(samples) - least(samples))
    })
}

fn comparisons(
    text: &mut String,
    title: &str,
    comparisons: &[Comparison],
    spread: fn(&[f64]) -> String,
) -> Result<()> {
    if comparisons.is_empty() {
        return Ok(());
    }
    writeln!(text, "\n| {title} | median | least | greatest | spread | target | |")?;
    writeln!(text, "|---|---:|---:|---:|---:|---:|---|")?;
    for comparison in comparisons {
        line(text, &comparison.name, &comparison.samples, comparison.target, spread)?;
    }
    writeln!(text, "\n| {title}, round by round | |\n|---|---|")?;
    for comparison in comparisons {
        writeln!(
            text,
            "| {} | {} |",
            comparison.name,
            comparison.samples.iter().map(|sample| short(*sample)).collect::<Vec<_>>().join(" ")
        )?;
    }
    Ok(())
}

fn spread_in_percent(samples: &[f64]) -> String {
    format!("{:.0} %", (greatest(samples) - least(samples)) / median(samples) * 100.0)
}

fn line(
    text: &mut String,
    name: &str,
    samples: &[f64],
    target: Option<Target>,
    spread: fn(&[f64]) -> String,
) -> Result<()> {
    let (least, median, greatest) = (least(samples), median(samples), greatest(samples));
    let verdict = target.map_or("", |target| if target.is_met(samples) { "met" } else { "**missed**" });
    let target = target.map_or(String::new(), |target| target.to_string());
    writeln!(
        text,
        "| {name} | {} | {} | {} | {} | {target} | {verdict} |",
        short(median),
        short(least),
        short(greatest),
        spread(samples)
    )?;
    Ok(())
}
