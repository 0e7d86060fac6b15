//! Dates and times as SQL text. Years 1 to 9999 are read; any stored value is written.

/// Nanoseconds of the unit in which timestamps of this precision are stored.
pub(super) fn unit_nanos(precision: u8) -> i128 {
    match precision {
        0..=3 => 1_000_000,
        4..=6 => 1_000,
        _ => 1,
    }
}

/// Days since 1970-01-01.
pub(super) fn parse_date(text: &str) -> Option<i32> {
    let bytes = text.as_bytes();
    if bytes.len() != 10 || bytes[4] != b'-' || bytes[7] != b'-' {
        return None;
    }
    let (year, month, day) = (digits(&bytes[..4])?, digits(&bytes[5..7])?, digits(&bytes[8..])?);
    let days = days_from_civil(year, month, day);
    // Only a real date survives the way back.
    (year > 0 && civil_from_days(days) == (year, month, day)).then(|| i32::try_from(days).ok())?
}

/// Milliseconds of the day.
pub(super) fn parse_time_millis(text: &str) -> Option<i32> {
    let nanos = parse_time_nanos(text)?;
    (nanos % 1_000_000 == 0).then(|| i32::try_from(nanos / 1_000_000).ok())?
}

/// Nanoseconds since the epoch.
pub(super) fn parse_timestamp_nanos(text: &str) -> Option<i128> {
    let (date, time) = text.split_once([' ', 'T'])?;
    Some(i128::from(parse_date(date)?) * 86_400_000_000_000 + i128::from(parse_time_nanos(time)?))
}

fn parse_time_nanos(text: &str) -> Option<i64> {
    let (clock, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let clock = clock.as_bytes();
    if clock.len() != 8 || clock[2] != b':' || clock[5] != b':' || fraction.is_empty() || fraction.len() > 9 {
        return None;
    }
    let (hour, minute, second) = (digits(&clock[..2])?, digits(&clock[3..5])?, digits(&clock[6..])?);
    let nanos = digits(fraction.as_bytes())? * 10_i64.pow(9 - fraction.len() as u32);
    (hour < 24 && minute < 60 && second < 60)
        .then_some(((hour * 60 + minute) * 60 + second) * 1_000_000_000 + nanos)
}

fn digits(bytes: &[u8]) -> Option<i64> {
    bytes
        .iter()
        .try_fold(0, |number, byte| byte.is_ascii_digit().then(|| number * 10 + i64::from(byte - b'0')))
}

pub(super) fn format_date(days: i32) -> String {
    format_days(i64::from(days))
}

fn format_days(days: i64) -> String {
    let (year, month, day) = civil_from_days(days);
    format!("{year:04}-{month:02}-{day:02}")
}

pub(super) fn format_time_millis(millis: i32) -> String {
    format_nanos_of_day(i64::from(millis) * 1_000_000)
}

/// `unit` is the nanoseconds of one step of `value`.
pub(super) fn format_timestamp(value: i128, unit: i128) -> String {
    let per_day = 86_400_000_000_000 / unit;
    let (days, rest) = (value.div_euclid(per_day), value.rem_euclid(per_day));
    // Only nanoseconds in 128 bits can be further away than 64 bits of days; such a value is no date that anyone can read.
    match i64::try_from(days).ok().filter(|days| days.unsigned_abs() < 1 << 40) {
        Some(days) => format!("{} {}", format_days(days), format_nanos_of_day((rest * unit) as i64)),
        None => format!("{value} ns"),
    }
}

/// The fraction has as many digits as it needs, none when it is zero: Flink's `SQL_TIME_FORMAT`.
fn format_nanos_of_day(nanos: i64) -> String {
    let seconds = nanos / 1_000_000_000;
    let clock = format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
    match nanos % 1_000_000_000 {
        0 => clock,
        fraction => format!("{clock}.{}", format!("{fraction:09}").trim_end_matches('0')),
    }
}

/// Howard Hinnant's `days_from_civil`.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// Howard Hinnant's `civil_from_days`.
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day_of_year - (153 * shifted_month + 2) / 5 + 1)
}
