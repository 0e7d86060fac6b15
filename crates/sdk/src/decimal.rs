//! DECIMAL(p, s): exact numbers of up to 38 digits, with Flink's rounding (half up, away from zero).

use std::fmt;
use std::ops::{Add, Neg, Sub};
use std::str::FromStr;

/// `DECIMAL(P, S)`: a number of at most `P` digits (1 to 38), `S` of them after the point (0 to `P`).
///
/// `+`, `-` and unary `-` panic when the result has more than `P` digits; the `checked_` methods give `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Decimal<const P: u8, const S: u8> {
    unscaled: i128,
}

/// A text that is not a number, or a number that does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParseDecimalError {
    precision: u8,
    scale: u8,
}

impl fmt::Display for ParseDecimalError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "expected a number that fits DECIMAL({}, {})", self.precision, self.scale)
    }
}

impl std::error::Error for ParseDecimalError {}

impl<const P: u8, const S: u8> Decimal<P, S> {
    /// Zero.
    pub const ZERO: Self = Self { unscaled: 0 };

    /// The greatest value; the least one is its negative.
    pub const MAX: Self = {
        assert!(
            P >= 1 && P <= 38 && S <= P,
            "DECIMAL(p, s) has 1 to 38 digits, at most all of them after the point"
        );
        Self { unscaled: 10_i128.pow(P as u32) - 1 }
    };

    /// The number `unscaled` / 10^`S`, if it has at most `P` digits.
    pub const fn from_unscaled(unscaled: i128) -> Option<Self> {
        if unscaled.unsigned_abs() <= Self::MAX.unscaled as u128 { Some(Self { unscaled }) } else { None }
    }

    /// A whole number, if it fits.
    pub fn from_integer(value: i128) -> Option<Self> {
        value.checked_mul(10_i128.pow(S.into())).and_then(Self::from_unscaled)
    }

    pub(crate) const fn from_cell(unscaled: i128) -> Self {
        Self { unscaled }
    }

    /// The number times 10^`S`.
    pub const fn unscaled(self) -> i128 {
        self.unscaled
    }

    /// The nearest `f64`, up to one unit in the last place.
    pub fn to_f64(self) -> f64 {
        self.unscaled as f64 / 10_f64.powi(S.into())
    }

    /// The sum, if it fits.
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.unscaled.checked_add(other.unscaled).and_then(Self::from_unscaled)
    }

    /// The difference, if it fits.
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.unscaled.checked_sub(other.unscaled).and_then(Self::from_unscaled)
    }

    /// The product, rounded half up to `S` digits after the point, if it fits.
    pub fn checked_mul<const Q: u8, const T: u8>(self, other: Decimal<Q, T>) -> Option<Self> {
        let negative = (self.unscaled < 0) != (other.unscaled < 0);
        let magnitude = mul_div_half_up(
            self.unscaled.unsigned_abs(),
            other.unscaled.unsigned_abs(),
            10_u128.pow(T.into()),
        )?;
        Self::from_magnitude(magnitude, negative)
    }

    /// The quotient, rounded half up to `S` digits after the point, if it fits and `other` is not zero.
    pub fn checked_div<const Q: u8, const T: u8>(self, other: Decimal<Q, T>) -> Option<Self> {
        if other.unscaled == 0 {
            return None;
        }
        let negative = (self.unscaled < 0) != (other.unscaled < 0);
        let magnitude = mul_div_half_up(
            self.unscaled.unsigned_abs(),
            10_u128.pow(T.into()),
            other.unscaled.unsigned_abs(),
        )?;
        Self::from_magnitude(magnitude, negative)
    }

    /// The same number as `DECIMAL(Q, T)`, rounded half up, if it fits.
    pub fn rescale<const Q: u8, const T: u8>(self) -> Option<Decimal<Q, T>> {
        let magnitude = self.unscaled.unsigned_abs();
        let magnitude = mul_div_half_up(magnitude, 10_u128.pow(T.into()), 10_u128.pow(S.into()))?;
        Decimal::from_magnitude(magnitude, self.unscaled < 0)
    }

    fn from_magnitude(magnitude: u128, negative: bool) -> Option<Self> {
        let value = i128::try_from(magnitude).ok()?;
        Self::from_unscaled(if negative { -value } else { value })
    }
}

/// `left * right / divisor`, rounded half up, through 256 bits; `None` when it does not fit in 128.
fn mul_div_half_up(left: u128, right: u128, divisor: u128) -> Option<u128> {
    let (mut quotient, remainder) = match left.checked_mul(right) {
        Some(product) => (product / divisor, product % divisor),
        None => {
            let (high, low) = widening_mul(left, right);
            divide(high, low, divisor)?
        }
    };
    // Without doubling the remainder, which could overflow.
    if remainder >= divisor - remainder {
        quotient = quotient.checked_add(1)?;
    }
    Some(quotient)
}

fn widening_mul(left: u128, right: u128) -> (u128, u128) {
    const HALF: u128 = u64::MAX as u128;
    let (left_high, left_low) = (left >> 64, left & HALF);
    let (right_high, right_low) = (right >> 64, right & HALF);
    let low = left_low * right_low;
    let (middle, carry) = (left_low * right_high).overflowing_add(left_high * right_low);
    let (low, low_carry) = low.overflowing_add(middle << 64);
    (left_high * right_high + (middle >> 64) + (u128::from(carry) << 64) + u128::from(low_carry), low)
}

/// Long division bit by bit; `None` when the quotient needs more than 128 bits.
fn divide(high: u128, low: u128, divisor: u128) -> Option<(u128, u128)> {
    if high >= divisor {
        return None;
    }
    let (mut remainder, mut quotient) = (high, 0_u128);
    for bit in (0..128).rev() {
        let overflow = remainder >> 127 == 1;
        remainder = remainder << 1 | low >> bit & 1;
        quotient <<= 1;
        if overflow || remainder >= divisor {
            remainder = remainder.wrapping_sub(divisor);
            quotient |= 1;
        }
    }
    Some((quotient, remainder))
}

impl<const P: u8, const S: u8> Add for Decimal<P, S> {
    type Output = Self;

    #[track_caller]
    fn add(self, other: Self) -> Self {
        self.checked_add(other).expect("the sum has too many digits for its DECIMAL")
    }
}

impl<const P: u8, const S: u8> Sub for Decimal<P, S> {
    type Output = Self;

    #[track_caller]
    fn sub(self, other: Self) -> Self {
        self.checked_sub(other).expect("the difference has too many digits for its DECIMAL")
    }
}

impl<const P: u8, const S: u8> Neg for Decimal<P, S> {
    type Output = Self;

    fn neg(self) -> Self {
        Self { unscaled: -self.unscaled }
    }
}

impl<const P: u8, const S: u8> fmt::Display for Decimal<P, S> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.unscaled < 0 { "-" } else { "" };
        let magnitude = self.unscaled.unsigned_abs();
        let unit = 10_u128.pow(S.into());
        if S == 0 {
            return write!(out, "{sign}{magnitude}");
        }
        write!(out, "{sign}{}.{:0width$}", magnitude / unit, magnitude % unit, width = usize::from(S))
    }
}

/// Digits after the scale are rounded half up.
impl<const P: u8, const S: u8> FromStr for Decimal<P, S> {
    type Err = ParseDecimalError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(text, S).and_then(Self::from_unscaled).ok_or(ParseDecimalError { precision: P, scale: S })
    }
}

fn parse(text: &str, scale: u8) -> Option<i128> {
    let (negative, digits) = match text.as_bytes() {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        rest => (false, rest),
    };
    let mut unscaled: i128 = 0;
    let mut after_point: Option<u8> = None;
    let mut any = false;
    let mut round_up = false;
    for &byte in digits {
        match (byte, after_point) {
            (b'.', None) => after_point = Some(0),
            (b'0'..=b'9', _) => {
                any = true;
                let digit = i128::from(byte - b'0');
                match after_point {
                    // The first digit that is cut off decides; the others only have to be digits.
                    Some(count) if count > scale => {}
                    Some(count) if count == scale => {
                        round_up = digit >= 5;
                        after_point = Some(count + 1);
                    }
                    _ => {
                        unscaled = unscaled.checked_mul(10)?.checked_add(digit)?;
                        after_point = after_point.map(|count| count + 1);
                    }
                }
            }
            _ => return None,
        }
    }
    if !any {
        return None;
    }
    let missing = scale.saturating_sub(after_point.unwrap_or(0));
    unscaled = unscaled.checked_mul(10_i128.pow(missing.into()))?;
    unscaled = unscaled.checked_add(i128::from(round_up))?;
    Some(if negative { -unscaled } else { unscaled })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn parses_and_formats() {
        for (text, unscaled, written) in [
            ("0", 0, "0.00"),
            ("-0.01", -1, "-0.01"),
            ("+1.5", 150, "1.50"),
            (".5", 50, "0.50"),
            ("5.", 500, "5.00"),
            ("1.005", 101, "1.01"),
            ("1.00499999", 100, "1.00"),
            ("-1.005", -101, "-1.01"),
            ("999.99", 99_999, "999.99"),
        ] {
            let value: Decimal<5, 2> = text.parse().expect(text);
            assert_eq!((value.unscaled(), value.to_string().as_str()), (unscaled, written), "{text}");
        }
        for text in ["", ".", "-", "1e3", "1.2.3", "1000", "999.995", "é", &"9".repeat(60)] {
            assert!(text.parse::<Decimal<5, 2>>().is_err(), "{text}");
        }
        let all = "9".repeat(38);
        assert_eq!(all.parse::<Decimal<38, 0>>().map(|value| value.to_string()), Ok(all));
    }

    #[test]
    fn arithmetic_rounds_half_up_and_knows_its_bounds() {
        fn decimal(text: &str) -> Decimal<10, 2> {
            text.parse().expect(text)
        }
        let rate: Decimal<3, 3> = "0.125".parse().expect("a rate");
        assert_eq!(decimal("1.00").checked_mul(rate), Some(decimal("0.13")));
        assert_eq!(decimal("-1.00").checked_mul(rate), Some(decimal("-0.13")));
        assert_eq!(decimal("1.00").checked_div(decimal("3")), Some(decimal("0.33")));
        assert_eq!(decimal("2.00").checked_div(decimal("-3")), Some(decimal("-0.67")));
        assert_eq!(decimal("1").checked_div(decimal("0")), None);
        assert_eq!(decimal("1.25") + decimal("-2.50"), decimal("-1.25"));
        assert_eq!(Decimal::<10, 2>::MAX.checked_add(decimal("0.01")), None);
        assert_eq!((-Decimal::<10, 2>::MAX).checked_sub(decimal("0.01")), None);
        assert_eq!(decimal("1.25").rescale::<3, 1>().map(|value| value.to_string()), Some("1.3".into()));
        assert_eq!(
            decimal("1.25").rescale::<38, 36>().map(|value| value.unscaled()),
            Some(125 * 10_i128.pow(34))
        );
        assert_eq!(Decimal::<38, 0>::MAX.checked_mul(Decimal::<38, 0>::MAX), None);
        let nearly_one = Decimal::<38, 38>::MAX;
        assert_eq!(
            nearly_one.checked_mul(nearly_one).map(|value| value.unscaled()),
            Some(nearly_one.unscaled() - 1)
        );
    }

    proptest! {
        #[test]
        fn text_round_trips(unscaled in -(10_i128.pow(38) - 1)..10_i128.pow(38)) {
            let value = Decimal::<38, 17>::from_unscaled(unscaled).expect("38 digits");
            prop_assert_eq!(value.to_string().parse(), Ok(value));
        }

        #[test]
        fn wide_products_divide_exactly(left in 0..10_u128.pow(38), right in 1..10_u128.pow(38)) {
            prop_assert_eq!(mul_div_half_up(left, right, right), Some(left));
        }

        #[test]
        fn wide_and_narrow_arithmetic_agree(left: u64, right: u64, divisor in 1..u64::MAX) {
            let product = u128::from(left) * u128::from(right);
            let (high, low) = widening_mul(left.into(), right.into());
            prop_assert_eq!((high, low), (0, product));
            let divisor = u128::from(divisor);
            prop_assert_eq!(divide(high, low, divisor), Some((product / divisor, product % divisor)));
        }
    }
}
