//! What a subcommand ends with when it does not succeed: one problem, or all that were found.

use flink_wasm_diagnostic::Diagnostic;

/// Everything that was wrong.
#[derive(Clone, Debug)]
pub struct Problems(pub Vec<Diagnostic>);

impl From<Diagnostic> for Problems {
    fn from(problem: Diagnostic) -> Self {
        Self(vec![problem])
    }
}

impl From<Vec<Diagnostic>> for Problems {
    fn from(problems: Vec<Diagnostic>) -> Self {
        Self(problems)
    }
}

impl Problems {
    /// Adds to each problem what `change` knows of it.
    pub fn map(self, change: impl Fn(Diagnostic) -> Diagnostic) -> Self {
        Self(self.0.into_iter().map(change).collect())
    }
}
