//! One picture a benchmark: every sample a dot, every median a line, every target dashed.

use std::fmt::Write;

use crate::result::{Benchmark, Panel, Target};
use crate::statistics::{greatest, median};

const WIDTH: f64 = 860.0;
const LABELS: f64 = 220.0;
const VALUES: f64 = 120.0;
const ROW: f64 = 26.0;
const HEAD: f64 = 34.0;
const FOOT: f64 = 30.0;

const STYLE: &str = "text{font:13px sans-serif;fill:#1f2328}.title{font-weight:bold}.axis{fill:#59636e;font-size:11px}\
    .grid{stroke:#d1d9e0}.dot{fill:#0969da;fill-opacity:.5}.median{stroke:#0a3069;stroke-width:2.5}\
    .target{stroke:#1a7f37;stroke-width:1.5;stroke-dasharray:4 3}.missed{stroke:#cf222e}";

/// The picture as SVG.
pub(crate) fn svg(benchmark: &Benchmark) -> String {
    let mut body = String::new();
    let mut top = 0.0;
    for panel in &benchmark.panels {
        top += draw(&mut body, panel, top);
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {top}\" width=\"{WIDTH}\" height=\"{top}\">\n\
         <style>{STYLE}</style>\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n{body}</svg>\n"
    )
}

/// Draws a panel and gives its height. Writing into a string can't fail.
fn draw(out: &mut String, panel: &Panel, top: f64) -> f64 {
    let samples = panel.series.iter().flat_map(|series| series.samples.iter().copied()).collect::<Vec<_>>();
    let bounds = panel.series.iter().filter_map(|series| series.target).map(bound);
    let end = bounds.fold(greatest(&samples), f64::max);
    let step = step(end);
    let steps = (end / step).ceil().max(1.0);
    let x = |value: f64| LABELS + value / (step * steps) * (WIDTH - LABELS - VALUES);
    let height = ROW * panel.series.len() as f64;
    let _ = writeln!(
        out,
        "<text class=\"title\" x=\"12\" y=\"{:.1}\">{}</text><text class=\"axis\" x=\"{LABELS}\" y=\"{:.1}\">{}</text>",
        top + 21.0,
        escape(&panel.title),
        top + 21.0,
        escape(&panel.unit)
    );
    for index in 0..=steps as usize {
        let value = step * index as f64;
        let (at, bottom) = (x(value), top + HEAD + height);
        let _ = writeln!(
            out,
            "<line class=\"grid\" x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{:.1}\" y2=\"{bottom:.1}\"/>\
             <text class=\"axis\" text-anchor=\"middle\" x=\"{at:.1}\" y=\"{:.1}\">{}</text>",
            top + HEAD,
            bottom + 14.0,
            short(value)
        );
    }
    for (index, series) in panel.series.iter().enumerate() {
        let middle = top + HEAD + ROW * (index as f64 + 0.5);
        let _ = writeln!(
            out,
            "<text text-anchor=\"end\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
            LABELS - 12.0,
            middle + 4.0,
            escape(&series.name)
        );
        if let Some(target) = series.target {
            let class = if target.is_met(&series.samples) { "target" } else { "target missed" };
            vertical(out, class, x(bound(target)), middle);
        }
        for sample in &series.samples {
            let _ =
                writeln!(out, "<circle class=\"dot\" cx=\"{:.1}\" cy=\"{middle:.1}\" r=\"4\"/>", x(*sample));
        }
        vertical(out, "median", x(median(&series.samples)), middle);
        let _ = writeln!(
            out,
            "<text x=\"{:.1}\" y=\"{:.1}\">{}</text>",
            WIDTH - VALUES + 14.0,
            middle + 4.0,
            short(median(&series.samples))
        );
    }
    HEAD + height + FOOT
}

fn vertical(out: &mut String, class: &str, x: f64, middle: f64) {
    let (above, below) = (middle - 9.0, middle + 9.0);
    let _ = writeln!(
        out,
        "<line class=\"{class}\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{above:.1}\" y2=\"{below:.1}\"/>"
    );
}

fn bound(target: Target) -> f64 {
    match target {
        Target::AtLeast(bound) | Target::AtMost(bound) => bound,
    }
}

/// A step of 1, 2 or 5 times a power of ten, about five of them up to `end`.
fn step(end: f64) -> f64 {
    let rough = end.max(f64::MIN_POSITIVE) / 5.0;
    let power = 10_f64.powf(rough.log10().floor());
    [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|factor| factor * power)
        .find(|step| *step >= rough)
        .unwrap_or(rough)
}

/// Three significant digits.
pub(crate) fn short(value: f64) -> String {
    let digits = if value == 0.0 { 0.0 } else { 2.0 - value.abs().log10().floor() };
    let text = format!("{value:.*}", digits.clamp(0.0, 6.0) as usize);
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_digits() {
        for (value, expected) in
            [(0.0, "0"), (1234.5, "1234"), (12.345, "12.3"), (0.01234, "0.0123"), (2.0, "2"), (120.0, "120")]
        {
            assert_eq!(short(value), expected);
        }
    }

    #[test]
    fn steps_are_round() {
        for (end, expected) in [(5.0, 1.0), (7.3, 2.0), (24.0, 5.0), (0.9, 0.2), (60.0, 20.0)] {
            assert!((step(end) - expected).abs() < 1e-12, "{end}: {}", step(end));
        }
    }
}
