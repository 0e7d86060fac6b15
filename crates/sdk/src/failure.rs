//! Why a function refuses a row.

use std::fmt::Display;

use crate::batch::RowFailure;

/// An error that may pass: the function expects that the same row goes well later, so the retries of the job's error policy
/// apply. `Err(Transient("the limiter is empty"))`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transient<E>(pub E);

/// What a refused row comes to: every error that can be displayed, or [`Transient`], turns into it. A function that knows
/// errors of both sorts returns `Result<_, Failure>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The error as a text.
    pub message: String,
    /// Whether the same row may go well later.
    pub transient: bool,
}

impl Failure {
    /// The failure of one row of a batch.
    #[doc(hidden)]
    pub fn at(self, row: u32) -> RowFailure {
        let Self { message, transient } = self;
        RowFailure { row, message, transient }
    }
}

impl<E: Display> From<E> for Failure {
    fn from(error: E) -> Self {
        Self { message: error.to_string(), transient: false }
    }
}

impl<E: Display> From<Transient<E>> for Failure {
    fn from(Transient(error): Transient<E>) -> Self {
        Self { message: error.to_string(), transient: true }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_passes_only_when_it_says_so() {
        let failure = |message: &str, transient| Failure { message: message.into(), transient };
        assert_eq!(Failure::from("no amount"), failure("no amount", false));
        assert_eq!(Failure::from(Transient("busy")), failure("busy", true));
        fn both(value: i64) -> Result<i64, Failure> {
            if value < 0 {
                return Err(Transient("not yet").into());
            }
            Ok("x".parse::<i64>()? + value)
        }
        assert_eq!(both(-1), Err(failure("not yet", true)));
        assert_eq!(both(1), Err(failure("invalid digit found in string", false)));
    }
}
