//! What a benchmark gives: panels of series and ratios. The report is made of these alone.

use std::path::Path;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::statistics::{median, pairwise};

/// The result of one benchmark, kept as `<name>.json` beside the report.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Benchmark {
    /// As on the command line.
    pub(crate) name: String,
    /// What was measured, in a sentence or two.
    pub(crate) about: String,
    /// Facts of the run: settings, load, sizes.
    pub(crate) facts: Vec<(String, String)>,
    /// The measurements.
    pub(crate) panels: Vec<Panel>,
}

/// Series that were measured side by side.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Panel {
    /// Name of the workload.
    pub(crate) title: String,
    /// Unit of every sample.
    pub(crate) unit: String,
    /// One a variant.
    pub(crate) series: Vec<Series>,
    /// What the series say about each other.
    pub(crate) ratios: Vec<Comparison>,
    /// The same, where a difference says more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) differences: Vec<Comparison>,
}

/// The samples of one variant, one a round.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Series {
    /// Name of the variant.
    pub(crate) name: String,
    /// In the order of the rounds.
    pub(crate) samples: Vec<f64>,
    /// What the median should reach.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) target: Option<Target>,
}

/// Two variants, round by round.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Comparison {
    /// Such as `wasm / Java map`.
    pub(crate) name: String,
    /// In the order of the rounds.
    pub(crate) samples: Vec<f64>,
    /// What the median should reach.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) target: Option<Target>,
}

/// What a median should reach.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Target {
    /// More is better.
    AtLeast(f64),
    /// Less is better.
    AtMost(f64),
}

impl Target {
    /// Whether these samples reach it.
    pub(crate) fn is_met(self, samples: &[f64]) -> bool {
        match self {
            Target::AtLeast(bound) => median(samples) >= bound,
            Target::AtMost(bound) => median(samples) <= bound,
        }
    }
}

impl std::fmt::Display for Target {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Target::AtLeast(bound) => write!(out, "≥ {bound}"),
            Target::AtMost(bound) => write!(out, "≤ {bound}"),
        }
    }
}

impl Panel {
    /// A panel without series.
    pub(crate) fn new(title: impl Into<String>, unit: &str) -> Self {
        Self {
            title: title.into(),
            unit: unit.into(),
            series: Vec::new(),
            ratios: Vec::new(),
            differences: Vec::new(),
        }
    }

    /// Adds a series.
    pub(crate) fn series(&mut self, name: &str, samples: Vec<f64>, target: Option<Target>) {
        self.series.push(Series { name: name.into(), samples, target });
    }

    /// Adds the ratio of two series of this panel.
    pub(crate) fn ratio(&mut self, numerator: &str, denominator: &str, target: Option<Target>) {
        let samples =
            pairwise(self.samples(numerator), self.samples(denominator), |above, below| above / below);
        self.ratios.push(Comparison { name: format!("{numerator} / {denominator}"), samples, target });
    }

    /// Adds the difference of two series of this panel.
    pub(crate) fn difference(&mut self, minuend: &str, subtrahend: &str, target: Option<Target>) {
        let samples = pairwise(self.samples(minuend), self.samples(subtrahend), |from, what| from - what);
        self.differences.push(Comparison { name: format!("{minuend} - {subtrahend}"), samples, target });
    }

    /// Whether there is such a series.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.series.iter().any(|series| series.name == name)
    }

    fn samples(&self, name: &str) -> &[f64] {
        let series = self.series.iter().find(|series| series.name == name);
        series.map(|series| &series.samples[..]).unwrap_or_default()
    }
}

impl Benchmark {
    /// A result without measurements.
    pub(crate) fn new(name: &str, about: impl Into<String>) -> Self {
        Self { name: name.into(), about: about.into(), facts: Vec::new(), panels: Vec::new() }
    }

    /// Adds a fact.
    pub(crate) fn fact(&mut self, name: &str, value: impl std::fmt::Display) {
        self.facts.push((name.into(), value.to_string()));
    }

    /// Keeps the result in a folder.
    pub(crate) fn save(&self, folder: &Path) -> Result<()> {
        let path = folder.join(format!("{}.json", self.name));
        std::fs::create_dir_all(folder)?;
        std::fs::write(&path, serde_json::to_string_pretty(self)? + "\n")
            .with_context(|| format!("can't write {}", path.display()))
    }

    /// What a former run kept, if there is such a result.
    pub(crate) fn load(folder: &Path, name: &str) -> Result<Option<Self>> {
        match std::fs::read(folder.join(format!("{name}.json"))) {
            Ok(bytes) => {
                Ok(Some(serde_json::from_slice(&bytes).with_context(|| format!("{name}.json is malformed"))?))
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}
