//! DATE, TIME, TIMESTAMP and TIMESTAMP_LTZ. Calendar arithmetic is that of the proleptic Gregorian calendar, as in Flink.
//!
//! Knows no clock and no time zone: a TIMESTAMP has none, a TIMESTAMP_LTZ counts from the epoch in UTC.

use std::fmt;
use std::str::FromStr;

const MILLIS_OF_DAY: i64 = 86_400_000;
const NANOS_OF_MILLI: i64 = 1_000_000;

/// A text that is not a date, a time or a timestamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParseTimeError {
    expected: &'static str,
}

impl fmt::Display for ParseTimeError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "expected {}", self.expected)
    }
}

impl std::error::Error for ParseTimeError {}

/// `DATE`: a day, counted from 1970-01-01.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date {
    days: i32,
}

impl Date {
    /// The day that is `days` after 1970-01-01.
    pub const fn from_days(days: i32) -> Self {
        Self { days }
    }

    /// The day of a calendar date, if there is such a day in the years 0 to 9999.
    pub fn from_ymd(year: i32, month: u32, day: u32) -> Option<Self> {
        if !(0..=9999).contains(&year)
            || !(1..=12).contains(&month)
            || day == 0
            || day > days_of_month(year, month)
        {
            return None;
        }
        Some(Self { days: days_of_civil(year, month, day) })
    }

    /// Days since 1970-01-01.
    pub const fn days(self) -> i32 {
        self.days
    }

    /// Year, month (1 to 12) and day of the month (1 to 31).
    pub fn ymd(self) -> (i32, u32, u32) {
        civil_of_days(i64::from(self.days))
    }
}

impl fmt::Display for Date {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_date(out, i64::from(self.days))
    }
}

impl FromStr for Date {
    type Err = ParseTimeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse_date(text).ok_or(ParseTimeError { expected: "a date such as 2026-01-31" })
    }
}

/// `TIME(3)`: milliseconds of the day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time {
    millis: i32,
}

impl Time {
    /// The time so many milliseconds after midnight, if that is still the same day.
    pub fn from_millis(millis: i32) -> Option<Self> {
        (0..MILLIS_OF_DAY).contains(&i64::from(millis)).then_some(Self { millis })
    }

    /// A time on the clock, if there is such a time.
    pub fn from_hms(hour: u32, minute: u32, second: u32, milli: u32) -> Option<Self> {
        if hour >= 24 || minute >= 60 || second >= 60 || milli >= 1000 {
            return None;
        }
        let millis = ((hour * 60 + minute) * 60 + second) * 1000 + milli;
        Some(Self { millis: millis as i32 })
    }

    pub(crate) fn from_cell(millis: i32) -> Self {
        Self { millis }
    }

    /// Milliseconds since midnight.
    pub const fn millis(self) -> i32 {
        self.millis
    }

    /// Hour, minute, second and millisecond.
    pub const fn hms(self) -> (u32, u32, u32, u32) {
        let millis = self.millis as u32;
        (millis / 3_600_000, millis / 60_000 % 60, millis / 1000 % 60, millis % 1000)
    }
}

impl fmt::Display for Time {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_time(out, i64::from(self.millis), 0, 3)
    }
}

impl FromStr for Time {
    type Err = ParseTimeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let expected = "a time such as 12:34:56.789";
        let (millis, _) = parse_time(text).ok_or(ParseTimeError { expected })?;
        Ok(Self { millis: millis as i32 })
    }
}

/// A point on a time line in nanoseconds; what both timestamp types are made of. In two parts as in Flink's
/// `TimestampData`, so that the whole range of years is exact.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Instant {
    millis: i64,
    nanos_of_milli: u32,
}

impl Instant {
    pub(crate) const fn from_millis(millis: i64) -> Self {
        Self { millis, nanos_of_milli: 0 }
    }

    pub(crate) const fn from_micros(micros: i64) -> Self {
        Self { millis: micros.div_euclid(1000), nanos_of_milli: micros.rem_euclid(1000) as u32 * 1000 }
    }

    /// # Panics
    /// When the milliseconds do not fit in 64 bits, which is far beyond the years that SQL knows.
    pub(crate) fn from_nanos(nanos: i128) -> Self {
        let millis = nanos.div_euclid(NANOS_OF_MILLI.into());
        let millis = i64::try_from(millis).expect("a timestamp beyond 64 bits of milliseconds");
        Self { millis, nanos_of_milli: nanos.rem_euclid(NANOS_OF_MILLI.into()) as u32 }
    }

    pub(crate) const fn millis(self) -> i64 {
        self.millis
    }

    /// # Panics
    /// When the microseconds do not fit in 64 bits: some 292 000 years from the epoch.
    pub(crate) fn micros(self) -> i64 {
        let micros = self
            .millis
            .checked_mul(1000)
            .and_then(|micros| micros.checked_add(i64::from(self.nanos_of_milli / 1000)));
        micros.expect("a timestamp beyond 64 bits of microseconds")
    }

    pub(crate) const fn nanos(self) -> i128 {
        self.millis as i128 * NANOS_OF_MILLI as i128 + self.nanos_of_milli as i128
    }

    /// Rounds down to so many digits of a second.
    fn floor(self, precision: u8) -> Self {
        if precision >= 9 {
            return self;
        }
        if precision >= 3 {
            let unit = 10_u32.pow(9 - u32::from(precision));
            return Self { millis: self.millis, nanos_of_milli: self.nanos_of_milli / unit * unit };
        }
        let unit = 10_i64.pow(3 - u32::from(precision));
        Self::from_millis(self.millis - self.millis.rem_euclid(unit))
    }

    fn parse(text: &str) -> Option<Self> {
        let at = text.find([' ', 'T'])?;
        let days = i64::from(parse_date(&text[..at])?.days);
        let (millis, nanos_of_milli) = parse_time(&text[at + 1..])?;
        Some(Self { millis: days * MILLIS_OF_DAY + millis, nanos_of_milli })
    }

    fn write(self, out: &mut fmt::Formatter<'_>, precision: u8) -> fmt::Result {
        write_date(out, self.millis.div_euclid(MILLIS_OF_DAY))?;
        out.write_str(" ")?;
        write_time(out, self.millis.rem_euclid(MILLIS_OF_DAY), self.nanos_of_milli, precision)
    }
}

macro_rules! timestamp {
    ($(#[$doc:meta])* $name:ident, $suffix:literal, $expected:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name<const P: u8 = 6> {
            instant: Instant,
        }

        impl<const P: u8> $name<P> {
            pub(crate) const fn from_cell(instant: Instant) -> Self {
                Self { instant }
            }

            pub(crate) const fn instant(self) -> Instant {
                self.instant
            }

            /// So many milliseconds after 1970-01-01 00:00:00, rounded down to the precision `P`.
            pub fn from_millis(millis: i64) -> Self {
                Self { instant: Instant::from_millis(millis).floor(P) }
            }

            /// So many microseconds after 1970-01-01 00:00:00, rounded down to the precision `P`.
            pub fn from_micros(micros: i64) -> Self {
                Self { instant: Instant::from_micros(micros).floor(P) }
            }

            /// So many nanoseconds after 1970-01-01 00:00:00, rounded down to the precision `P`.
            ///
            /// # Panics
            /// When the milliseconds do not fit in 64 bits.
            pub fn from_nanos(nanos: i128) -> Self {
                Self { instant: Instant::from_nanos(nanos).floor(P) }
            }

            /// Milliseconds since 1970-01-01 00:00:00, rounded down.
            pub const fn millis(self) -> i64 {
                self.instant.millis()
            }

            /// Microseconds since 1970-01-01 00:00:00, rounded down.
            ///
            /// # Panics
            /// When they do not fit in 64 bits: some 292 000 years from the epoch.
            pub fn micros(self) -> i64 {
                self.instant.micros()
            }

            /// Nanoseconds since 1970-01-01 00:00:00.
            pub const fn nanos(self) -> i128 {
                self.instant.nanos()
            }

            /// The day.
            pub fn date(self) -> Date {
                Date::from_days(self.millis().div_euclid(MILLIS_OF_DAY) as i32)
            }

            /// The time of the day, rounded down to milliseconds.
            pub const fn time(self) -> Time {
                Time { millis: self.millis().rem_euclid(MILLIS_OF_DAY) as i32 }
            }

            /// The same point in another precision, rounded down.
            pub fn with_precision<const Q: u8>(self) -> $name<Q> {
                $name { instant: self.instant.floor(Q) }
            }
        }

        impl<const P: u8> fmt::Display for $name<P> {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.instant.write(out, P)?;
                out.write_str($suffix)
            }
        }

        /// Digits of the second beyond the precision are cut off.
        impl<const P: u8> FromStr for $name<P> {
            type Err = ParseTimeError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let instant = text.strip_suffix($suffix).and_then(Instant::parse);
                let instant = instant.ok_or(ParseTimeError { expected: $expected })?;
                Ok(Self { instant: instant.floor(P) })
            }
        }
    };
}

timestamp! {
    /// `TIMESTAMP(P)`: date and time without a time zone, with `P` digits of a second (0 to 9).
    Timestamp, "", "a timestamp such as 2026-01-31 12:34:56.789"
}

timestamp! {
    /// `TIMESTAMP_LTZ(P)`: a point in time, counted from the epoch in UTC, with `P` digits of a second (0 to 9).
    TimestampLtz, "Z", "a timestamp such as 2026-01-31 12:34:56.789Z"
}

fn is_leap(year: i32) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_of_month(year: i32, month: u32) -> u32 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01; the year starts in March, so that the leap day is its last (Hinnant's `days_from_civil`).
fn days_of_civil(year: i32, month: u32, day: u32) -> i32 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month as i32 + 9) % 12) + 2) / 5 + day as i32 - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// The inverse of [`days_of_civil`].
fn civil_of_days(days: i64) -> (i32, u32, u32) {
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year as i32, month as u32, day as u32)
}

fn write_date(out: &mut fmt::Formatter<'_>, days: i64) -> fmt::Result {
    let (year, month, day) = civil_of_days(days);
    write!(out, "{year:04}-{month:02}-{day:02}")
}

fn write_time(out: &mut fmt::Formatter<'_>, millis: i64, nanos_of_milli: u32, precision: u8) -> fmt::Result {
    let seconds = millis / 1000;
    write!(out, "{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)?;
    if precision == 0 {
        return Ok(());
    }
    let fraction = (millis % 1000 * NANOS_OF_MILLI + i64::from(nanos_of_milli))
        / 10_i64.pow(9 - u32::from(precision.min(9)));
    write!(out, ".{fraction:0width$}", width = usize::from(precision))
}

fn digits(text: &str, length: usize) -> Option<u32> {
    let all = text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit());
    if all { text.parse().ok() } else { None }
}

fn parse_date(text: &str) -> Option<Date> {
    let mut parts = text.splitn(3, '-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    Date::from_ymd(digits(year, 4)? as i32, digits(month, 2)?, digits(day, 2)?)
}

/// Milliseconds of the day and nanoseconds of the millisecond. Seconds and their fraction may be left out.
fn parse_time(text: &str) -> Option<(i64, u32)> {
    let (clock, fraction) = match text.split_once('.') {
        Some((clock, fraction)) => (clock, Some(fraction)),
        None => (text, None),
    };
    let mut parts = clock.splitn(3, ':');
    let (hour, minute) = (digits(parts.next()?, 2)?, digits(parts.next()?, 2)?);
    let second = match parts.next() {
        Some(second) => digits(second, 2)?,
        None if fraction.is_some() => return None,
        None => 0,
    };
    let nanos = match fraction {
        Some(fraction) if (1..=9).contains(&fraction.len()) => {
            digits(fraction, fraction.len())? * 10_u32.pow(9 - fraction.len() as u32)
        }
        Some(_) => return None,
        None => 0,
    };
    let time = Time::from_hms(hour, minute, second, nanos / 1_000_000)?;
    Some((i64::from(time.millis), nanos % 1_000_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (text, days) in [
            ("1970-01-01", 0),
            ("1969-12-31", -1),
            ("2000-02-29", 11_016),
            ("2026-01-31", 20_484),
            ("0000-01-01", -719_528),
            ("0000-02-29", -719_469),
            ("9999-12-31", 2_932_896),
        ] {
            let date: Date = text.parse().expect(text);
            assert_eq!(date.days(), days, "{text}");
            assert_eq!(date.to_string(), text);
        }
        for text in [
            "2023-02-29",
            "1900-02-29",
            "2026-13-01",
            "2026-00-01",
            "2026-1-01",
            "10000-01-01",
            "2026-01",
            "",
        ] {
            assert!(text.parse::<Date>().is_err(), "{text}");
        }
    }

    #[test]
    fn every_day_of_the_range_round_trips() {
        for days in -719_528..=2_932_896 {
            let (year, month, day) = Date::from_days(days).ymd();
            assert_eq!(Date::from_ymd(year, month, day), Some(Date::from_days(days)));
        }
    }

    #[test]
    fn times_have_milliseconds() {
        for (text, written, millis) in [
            ("00:00:00", "00:00:00.000", 0),
            ("12:34", "12:34:00.000", 45_240_000),
            ("12:34:56.789", "12:34:56.789", 45_296_789),
            ("23:59:59.999999", "23:59:59.999", 86_399_999),
        ] {
            let time: Time = text.parse().expect(text);
            assert_eq!((time.millis(), time.to_string().as_str()), (millis, written));
        }
        for text in
            ["24:00:00", "12:60:00", "12:34:56.", "12:34.5", "1:00:00", "12:34:56.1234567890", "-1:00"]
        {
            assert!(text.parse::<Time>().is_err(), "{text}");
        }
    }

    #[test]
    fn timestamps_are_exact_at_the_ends_of_the_range() {
        for text in [
            "0000-01-01 00:00:00.000000001",
            "1969-12-31 23:59:59.999999999",
            "9999-12-31 23:59:59.999999999",
        ] {
            let timestamp: Timestamp<9> = text.parse().expect(text);
            assert_eq!(timestamp.to_string(), text);
            assert_eq!(Timestamp::<9>::from_nanos(timestamp.nanos()), timestamp);
        }
    }

    #[test]
    fn precision_cuts_towards_the_past() {
        let nanos = -1;
        assert_eq!(Timestamp::<9>::from_nanos(nanos).to_string(), "1969-12-31 23:59:59.999999999");
        assert_eq!(Timestamp::<6>::from_nanos(nanos).to_string(), "1969-12-31 23:59:59.999999");
        assert_eq!(Timestamp::<3>::from_nanos(nanos).to_string(), "1969-12-31 23:59:59.999");
        assert_eq!(Timestamp::<1>::from_nanos(nanos).to_string(), "1969-12-31 23:59:59.9");
        assert_eq!(TimestampLtz::<0>::from_nanos(nanos).to_string(), "1969-12-31 23:59:59Z");
        assert_eq!(Timestamp::<9>::from_nanos(1_234).with_precision::<7>().nanos(), 1_200);
    }

    #[test]
    fn a_point_in_time_ends_with_z() {
        assert_eq!(
            "2026-01-31 12:34:56Z".parse::<TimestampLtz<3>>().map(|at| at.millis()),
            Ok(1_769_862_896_000)
        );
        assert_eq!(
            "2026-01-31T12:34:56.5Z".parse::<TimestampLtz<3>>().map(|at| at.millis()),
            Ok(1_769_862_896_500)
        );
        assert!("2026-01-31 12:34:56".parse::<TimestampLtz<3>>().is_err());
        assert!("2026-01-31 12:34:56Z".parse::<Timestamp<3>>().is_err());
        assert!("2026-01-31é12:34:56".parse::<Timestamp<3>>().is_err());
    }
}
