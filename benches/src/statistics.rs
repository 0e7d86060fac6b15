//! What is said about the samples of a run: medians, spread, and ratios pair by pair.

/// The middle sample, or the mean of the two in the middle. NaN without samples.
pub(crate) fn median(samples: &[f64]) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => f64::NAN,
        length if length % 2 == 1 => sorted[length / 2],
        length => (sorted[length / 2 - 1] + sorted[length / 2]) / 2.0,
    }
}

/// The least sample.
pub(crate) fn least(samples: &[f64]) -> f64 {
    samples.iter().copied().fold(f64::INFINITY, f64::min)
}

/// The greatest sample.
pub(crate) fn greatest(samples: &[f64]) -> f64 {
    samples.iter().copied().fold(f64::NEG_INFINITY, f64::max)
}

/// What was measured side by side, compared round by round: a drift of the machine from round to round cancels out.
pub(crate) fn pairwise(left: &[f64], right: &[f64], compare: impl Fn(f64, f64) -> f64) -> Vec<f64> {
    left.iter().zip(right).map(|(left, right)| compare(*left, *right)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians() {
        for (samples, expected) in [(&[3.0, 1.0, 2.0][..], 2.0), (&[4.0, 1.0], 2.5), (&[7.0], 7.0)] {
            assert_eq!(median(samples), expected);
        }
        assert!(median(&[]).is_nan());
    }

    #[test]
    fn comparisons_are_made_round_by_round() {
        assert_eq!(pairwise(&[2.0, 9.0], &[4.0, 3.0], |left, right| left / right), [0.5, 3.0]);
        assert_eq!(pairwise(&[2.0, 9.0], &[4.0, 3.0], |left, right| left - right), [-2.0, 6.0]);
    }
}
