//! Takes lines of an access log apart (the common log format of web servers): a map that refuses what it can't read.

use flink_wasm::prelude::*;

/// A line as the web server wrote it.
#[derive(Row)]
pub struct Line<'a> {
    /// Such as `203.0.113.9 - ada [10/Oct/2026:13:55:36 -0700] "GET /index.html HTTP/1.1" 200 2326`.
    pub line: &'a str,
}

/// What the line says.
#[derive(Debug, PartialEq, Row)]
pub struct Access<'a> {
    /// Who asked.
    pub host: &'a str,
    /// When.
    pub at: TimestampLtz<3>,
    /// Such as `GET`.
    pub method: &'a str,
    /// What was asked for.
    pub path: &'a str,
    /// Such as 404.
    pub status: i16,
    /// How much was sent; none when the server wrote `-`.
    pub bytes: Option<i64>,
}

/// Takes a line of an access log apart.
#[flink_wasm::map]
pub fn access_log<'a>(line: Line<'a>) -> Result<Access<'a>, String> {
    let refuse = |part: &str| format!("no {part} in the line `{}`", line.line);
    let (host, rest) = line.line.split_once(' ').ok_or_else(|| refuse("host"))?;
    let (_identity_and_user, rest) = rest.split_once('[').ok_or_else(|| refuse("time"))?;
    let (time, rest) = rest.split_once("] \"").ok_or_else(|| refuse("request"))?;
    // A request may contain quotes; status and size never do.
    let (request, rest) = rest.rsplit_once("\" ").ok_or_else(|| refuse("end of the request"))?;
    let mut request = request.split(' ');
    let (Some(method), Some(path)) = (request.next(), request.next()) else {
        return Err(refuse("path"));
    };
    let (status, bytes) = rest.split_once(' ').ok_or_else(|| refuse("size"))?;
    Ok(Access {
        host,
        at: parse_time(time).ok_or_else(|| refuse("time such as 10/Oct/2026:13:55:36 -0700"))?,
        method,
        path,
        status: status.parse().map_err(|_| refuse("status"))?,
        bytes: match bytes {
            "-" => None,
            bytes => Some(bytes.parse().map_err(|_| refuse("size"))?),
        },
    })
}

/// `10/Oct/2026:13:55:36 -0700`
fn parse_time(text: &str) -> Option<TimestampLtz<3>> {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (local, zone) = text.split_once(' ')?;
    let (date, clock) = local.split_once(':')?;
    let mut date = date.split('/');
    let (day, month, year) = (date.next()?, date.next()?, date.next()?);
    let month = MONTHS.iter().position(|name| *name == month)? as u32 + 1;
    let date = Date::from_ymd(year.parse().ok()?, month, day.parse().ok()?)?;
    let clock: Time = clock.parse().ok()?;
    let (sign, offset) = match zone.as_bytes() {
        [b'+', ..] => (1, &zone[1..]),
        [b'-', ..] => (-1, &zone[1..]),
        _ => return None,
    };
    let offset: i64 = (offset.len() == 4).then(|| offset.parse().ok())??;
    let offset_minutes = sign * (offset / 100 * 60 + offset % 100);
    let local = i64::from(date.days()) * 86_400_000 + i64::from(clock.millis());
    Some(TimestampLtz::from_millis(local - offset_minutes * 60_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_a_line_apart() {
        let line = r#"203.0.113.9 - ada [10/Oct/2026:13:55:36 -0700] "GET /a"b HTTP/1.1" 200 2326"#;
        assert_eq!(
            access_log(Line { line }),
            Ok(Access {
                host: "203.0.113.9",
                at: "2026-10-10 20:55:36Z".parse().expect("a timestamp"),
                method: "GET",
                path: "/a\"b",
                status: 200,
                bytes: Some(2326),
            })
        );
    }

    #[test]
    fn a_dash_is_no_size() {
        let line = r#"::1 - - [01/Jan/1970:00:00:00 +0000] "HEAD / HTTP/1.0" 304 -"#;
        let access = access_log(Line { line }).expect(line);
        assert_eq!((access.at.millis(), access.bytes), (0, None));
    }

    #[track_caller]
    fn check_refused(line: &str, part: &str) {
        assert_eq!(access_log(Line { line }), Err(format!("no {part} in the line `{line}`")));
    }

    #[test]
    fn what_is_malformed_is_refused() {
        check_refused("", "host");
        check_refused("host - -", "time");
        check_refused(r#"h - - [x] "GET / HTTP/1.1" 200 1"#, "time such as 10/Oct/2026:13:55:36 -0700");
        check_refused(
            r#"h - - [30/Feb/2026:00:00:00 +0000] "GET / HTTP/1.1" 200 1"#,
            "time such as 10/Oct/2026:13:55:36 -0700",
        );
        check_refused(r#"h - - [01/Jan/1970:00:00:00 +0000] "GET" 200 1"#, "path");
        check_refused(r#"h - - [01/Jan/1970:00:00:00 +0000] "GET / HTTP/1.1" ok 1"#, "status");
        check_refused(r#"h - - [01/Jan/1970:00:00:00 +0000] "GET / HTTP/1.1" 200 many"#, "size");
        check_refused(
            r#"h - - [01/Jan/1970:00:00:00 +0é0] "GET / HTTP/1.1" 200 1"#,
            "time such as 10/Oct/2026:13:55:36 -0700",
        );
    }
}
