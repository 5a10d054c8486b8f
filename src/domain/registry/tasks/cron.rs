//! Schedules of timers: cron expressions of five fields, in UTC [docs: NCronTab's, without seconds].
//! Must not know: what happens then.

use jiff::ToSpan as _;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

use crate::domain::Timestamp;

/// The fields, with the values that they may have.
const FIELDS: [(&str, u8, u8); 5] =
    [("minute", 0, 59), ("hour", 0, 23), ("day", 1, 31), ("month", 1, 12), ("day of the week", 0, 6)];
const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const DAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
/// The years in which an instant is looked for: a leap day falls on a given weekday within forty.
const YEARS: i64 = 40;

/// A schedule: for each field the values that it names, as bits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule([u64; 5]);

impl Schedule {
    /// Reads an expression. An error says why it is none.
    pub fn parse(text: &str) -> Result<Self, String> {
        let fields: Vec<&str> = text.split_whitespace().collect();
        let fields: [&str; 5] =
            fields.try_into().map_err(|f: Vec<_>| format!("it has {} fields, and not five", f.len()))?;
        let mut bits = [0; 5];
        for (at, field) in fields.into_iter().enumerate() {
            bits[at] = parse_field(field, at)?;
        }
        let schedule = Self(bits);
        if schedule.next(Timestamp(0)).is_none() {
            return Err("no day ever fits it".to_owned());
        }
        Ok(schedule)
    }

    fn has(&self, field: usize, value: i8) -> bool {
        self.0[field] >> value & 1 == 1
    }

    fn fits(&self, day: Date) -> bool {
        self.has(3, day.month()) && self.has(2, day.day()) && self.has(4, day.weekday().to_sunday_zero_offset())
    }

    /// The first instant after `after`. `None`: there is none before the end of time.
    #[must_use]
    pub fn next(&self, after: Timestamp) -> Option<Timestamp> {
        let from = TimeZone::UTC.to_datetime(jiff::Timestamp::from_microsecond(after.0).ok()?);
        let end = from.date().checked_add(YEARS.years()).ok()?;
        let mut day = from.date();
        while day <= end {
            if self.fits(day) {
                for hour in (0..24_i8).filter(|h| self.has(1, *h)) {
                    for minute in (0..60_i8).filter(|m| self.has(0, *m)) {
                        let at: DateTime = day.at(hour, minute, 0, 0);
                        if at > from {
                            return TimeZone::UTC.to_timestamp(at).ok().map(|t| Timestamp(t.as_microsecond()));
                        }
                    }
                }
            }
            day = day.tomorrow().ok()?;
        }
        None
    }
}

fn parse_field(field: &str, at: usize) -> Result<u64, String> {
    let (name, least, most) = FIELDS[at];
    let wrong = || format!("'{field}' is no {name}");
    let value = |text: &str| -> Result<u8, String> {
        let names: &[&str] = match at {
            3 => &MONTHS,
            4 => &DAYS,
            _ => &[],
        };
        let named = names.iter().position(|n| n.eq_ignore_ascii_case(text)).and_then(|p| u8::try_from(p).ok());
        let value = match named {
            Some(named) => named + least,
            None if text.bytes().all(|b| b.is_ascii_digit()) => text.parse().map_err(|_| wrong())?,
            None => return Err(wrong()),
        };
        // Sunday is 0 and 7.
        let value = if at == 4 && value == 7 { 0 } else { value };
        if (least..=most).contains(&value) { Ok(value) } else { Err(wrong()) }
    };
    let mut bits = 0;
    for part in field.split(',') {
        let (range, step) = part.split_once('/').map_or((part, None), |(range, step)| (range, Some(step)));
        let step = match step {
            None => 1,
            Some(step) => step.parse::<u8>().ok().filter(|s| *s > 0).ok_or_else(wrong)?,
        };
        let (first, last) = match (range, range.split_once('-')) {
            ("*", _) => (least, most),
            (_, Some((first, last))) => (value(first)?, value(last)?),
            (one, None) if part.contains('/') => (value(one)?, most),
            (one, None) => (value(one)?, value(one)?),
        };
        if first > last {
            return Err(wrong());
        }
        (first..=last).step_by(usize::from(step)).for_each(|value| bits |= 1 << value);
    }
    Ok(bits)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(schedule: &str, after: &str) -> String {
        Schedule::parse(schedule).unwrap().next(Timestamp::parse(after).unwrap()).unwrap().zulu()
    }

    #[test]
    fn the_next_instant_is_after_this_one() {
        for (schedule, after, wanted) in [
            ("0 0 * * *", "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"),
            ("0 0 * * *", "2025-12-31T23:59:59.999Z", "2026-01-01T00:00:00Z"),
            ("*/15 * * * *", "2026-01-01T00:01:00Z", "2026-01-01T00:15:00Z"),
            ("30 9 * * 1-5", "2026-01-02T10:00:00Z", "2026-01-05T09:30:00Z"),
            ("0 12 * * MON,wed", "2026-01-05T12:00:00Z", "2026-01-07T12:00:00Z"),
            ("0 0 29 2 *", "2026-01-01T00:00:00Z", "2028-02-29T00:00:00Z"),
            ("5/20 1 1 jan *", "2026-01-01T01:25:00Z", "2026-01-01T01:45:00Z"),
            ("0 0 * * 7", "2026-01-01T00:00:00Z", "2026-01-04T00:00:00Z"),
            // Both days have to fit.
            ("0 0 13 * 5", "2026-01-01T00:00:00Z", "2026-02-13T00:00:00Z"),
        ] {
            assert_eq!(next(schedule, after), wanted, "{schedule} after {after}");
        }
    }

    #[test]
    fn what_never_comes_is_no_schedule() {
        for wrong in [
            "",
            "* * * *",
            "* * * * * *",
            "60 * * * *",
            "* 24 * * *",
            "* * 0 * *",
            "* * 32 * *",
            "* * * 13 *",
            "* * * * 8",
            "*/0 * * * *",
            "a * * * *",
            "5-1 * * * *",
            "+1 * * * *",
            "1,, * * * *",
            "0 0 31 2 *",
            "0 0 30 2 *",
            "/5 * * * *",
        ] {
            assert!(Schedule::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn there_is_an_end_of_time() {
        assert_eq!(Schedule::parse("0 0 1 1 *").unwrap().next(Timestamp(i64::MAX)), None);
    }
}
