//! Dates in templates: .NET's format strings and ISO 8601 durations.
//! Must not know: what time it is.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};

type Result<T> = std::result::Result<T, String>;

/// Reads a date as templates write it: with or without a zone; without one it is UTC.
fn read(text: &str) -> Result<DateTime> {
    let text = text.trim();
    let utc = |t: Timestamp| TimeZone::UTC.to_datetime(t);
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(utc(at));
    }
    let bare = text.trim_end_matches(['Z', 'z']);
    let compact = (bare.len() == 15).then(|| jiff::fmt::strtime::parse("%Y%m%dT%H%M%S", bare).ok()).flatten();
    if let Some(at) = compact.and_then(|p| p.to_datetime().ok()) {
        return Ok(at);
    }
    bare.parse::<DateTime>().map_err(|_| format!("the string '{text}' was not recognized as a valid date and time"))
}

/// `dateTimeAdd`. Without a format the result is written as RFC 3339 [inferred].
pub fn add(base: &str, duration: &str, format: Option<&str>) -> Result<String> {
    let span: Span =
        duration.trim().parse().map_err(|_| format!("the duration '{duration}' is not a valid ISO 8601 duration"))?;
    let sum = read(base)?.checked_add(span).map_err(|_| "the resulting date is out of range".to_owned())?;
    write(sum, format.unwrap_or("yyyy-MM-ddTHH:mm:ssZ"))
}

/// `dateTimeFromEpoch`.
pub fn from_epoch(seconds: i64) -> Result<String> {
    let at = Timestamp::from_second(seconds).map_err(|_| "the number of seconds is out of range".to_owned())?;
    write(TimeZone::UTC.to_datetime(at), "yyyy-MM-ddTHH:mm:ssZ")
}

/// `dateTimeToEpoch`.
pub fn to_epoch(text: &str) -> Result<i64> {
    let at = TimeZone::UTC.to_timestamp(read(text)?).map_err(|_| "the date is out of range".to_owned())?;
    Ok(at.as_second())
}

/// `utcNow`, at a point in microseconds since 1970.
pub fn now(micros: i64, format: Option<&str>) -> Result<String> {
    let at = Timestamp::from_microsecond(micros).map_err(|_| "the date is out of range".to_owned())?;
    write(TimeZone::UTC.to_datetime(at), format.unwrap_or("yyyyMMddTHHmmssZ"))
}

/// Bytes of a format at most. [inferred: Azure's own limit is that of the expression]
const FORMAT_LIMIT: usize = 1024;

/// Writes a date, in UTC, by a .NET standard or custom format string.
fn write(at: DateTime, format: &str) -> Result<String> {
    if format.len() > FORMAT_LIMIT {
        return Err("the format is too long".to_owned());
    }
    let standard = match format {
        "d" => "MM/dd/yyyy",
        "D" => "dddd, dd MMMM yyyy",
        "t" => "HH:mm",
        "T" => "HH:mm:ss",
        "f" => "dddd, dd MMMM yyyy HH:mm",
        "F" | "U" => "dddd, dd MMMM yyyy HH:mm:ss",
        "g" => "MM/dd/yyyy HH:mm",
        "G" => "MM/dd/yyyy HH:mm:ss",
        "m" | "M" => "MMMM dd",
        "o" | "O" => "yyyy-MM-ddTHH:mm:ss.fffffffK",
        "r" | "R" => "ddd, dd MMM yyyy HH:mm:ss 'GMT'",
        "s" => "yyyy-MM-ddTHH:mm:ss",
        "u" => "yyyy-MM-dd HH:mm:ssZ",
        "y" | "Y" => "yyyy MMMM",
        single if single.chars().count() == 1 => return Err(format!("the format '{single}' is not valid")),
        custom => custom,
    };
    custom(at, standard)
}

fn custom(at: DateTime, format: &str) -> Result<String> {
    let wrong = || format!("the format '{format}' is not valid");
    let named = |directive: &str| at.strftime(directive).to_string();
    let mut made = String::new();
    let mut rest = format;
    while let Some(c) = rest.chars().next() {
        let run = rest.chars().take_while(|x| *x == c).count();
        let number = |value: i64, width: usize| format!("{value:0width$}");
        let hour = if at.hour() % 12 == 0 { 12 } else { at.hour() % 12 };
        let half = if at.hour() < 12 { "AM" } else { "PM" };
        let mut taken = run * c.len_utf8();
        match (c, run) {
            ('y', 1 | 2) => made.push_str(&number(i64::from(at.year()) % 100, run)),
            ('y', width) if width < 10 => made.push_str(&number(i64::from(at.year()), width)),
            ('M', 1 | 2) => made.push_str(&number(at.month().into(), run)),
            ('M', 3) => made.push_str(&named("%b")),
            ('M', _) => made.push_str(&named("%B")),
            ('d', 1 | 2) => made.push_str(&number(at.day().into(), run)),
            ('d', 3) => made.push_str(&named("%a")),
            ('d', _) => made.push_str(&named("%A")),
            ('H', _) => made.push_str(&number(at.hour().into(), run.min(2))),
            ('h', _) => made.push_str(&number(hour.into(), run.min(2))),
            ('m', _) => made.push_str(&number(at.minute().into(), run.min(2))),
            ('s', _) => made.push_str(&number(at.second().into(), run.min(2))),
            ('f' | 'F', digits) => {
                let fraction = number(i64::from(at.subsec_nanosecond()) / 100, 7);
                let shown = fraction.get(..digits).ok_or_else(wrong)?;
                // `F` leaves out the zeros at the end, and the point when nothing follows it [docs].
                let shown = if c == 'F' { shown.trim_end_matches('0') } else { shown };
                if shown.is_empty() && made.ends_with('.') {
                    made.pop();
                }
                made.push_str(shown);
            }
            ('g', _) => made.push_str("A.D."),
            ('t', 1) => made.push_str(&half[..1]),
            ('t', _) => made.push_str(half),
            ('K', _) => made.push('Z'),
            ('z', 1) => made.push_str("+0"),
            ('z', 2) => made.push_str("+00"),
            ('z', _) => made.push_str("+00:00"),
            ('\'' | '"', _) => {
                let end = rest[1..].find(c).ok_or_else(wrong)?;
                made.push_str(&rest[1..=end]);
                taken = end + 2;
            }
            ('\\', _) => {
                let next = rest[1..].chars().next().ok_or_else(wrong)?;
                made.push(next);
                taken = 1 + next.len_utf8();
            }
            // Before a single letter, which would be a standard format otherwise.
            ('%', 1) if rest.len() > 1 => taken = 1,
            ('%', _) => return Err(wrong()),
            _ => {
                made.push(c);
                taken = c.len_utf8();
            }
        }
        rest = &rest[taken..];
    }
    Ok(made)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fractions_are_written_as_dotnet_writes_them() {
        let at = |fraction: &str| read(&format!("2026-01-02T03:04:05{fraction}")).unwrap();
        for (fraction, format, written) in [
            (".1200000", "ss.FFFFFFF", "05.12"),
            (".1200000", "ss.fffffff", "05.1200000"),
            (".0000001", "ss.FFFFFFF", "05.0000001"),
            (".0000001", "ss.FFF", "05"),
            (".0000001", "ss.fff", "05.000"),
            ("", "ss.FFFZ", "05Z"),
            ("", "ssFF", "05"),
            (".5", "%F", "5"),
            (".5", "%f", "5"),
        ] {
            assert_eq!(write(at(fraction), format).unwrap(), written, "{fraction} by {format}");
        }
        for wrong in ["ffffffff", "FFFFFFFF", "ss%", "%%d", "ss\\", "'open"] {
            assert!(write(at(""), wrong).is_err(), "{wrong}");
        }
        assert_eq!(write(at(""), "U").unwrap(), "Friday, 02 January 2026 03:04:05");
        assert_eq!(write(at(""), "yyyy g").unwrap(), "2026 A.D.");
    }
}
