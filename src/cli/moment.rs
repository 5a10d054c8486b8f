//! Durations, instants and rates as people write them.
//! Pure; must not know what they are for.

use std::time::Duration;

use jiff::{Span, SpanRelativeTo, Timestamp};

/// `61m`, `1h30m`, `2d` (a day is 24 hours), or ISO 8601's `PT61M`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let complaint = || format!("`{text}` is not a duration such as 61m, 1h30m or 2d");
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let span: Span = text.parse().map_err(|_| complaint())?;
    let length = span.to_duration(SpanRelativeTo::days_are_24_hours()).map_err(|_| complaint())?;
    length.try_into().map_err(|_| format!("`{text}` is negative"))
}

/// An RFC 3339 instant.
pub(super) fn instant(text: &str) -> Result<Timestamp, String> {
    text.parse().map_err(|_| format!("`{text}` is not a time such as 2026-01-31T12:00:00Z"))
}

/// `60x` or `60`: how many seconds of the emulator pass in one of the machine.
pub(super) fn rate(text: &str) -> Result<f64, String> {
    let number = text.strip_suffix('x').unwrap_or(text).parse::<f64>().ok();
    let usable = number.filter(|rate| rate.is_finite() && *rate > 0.0);
    usable.ok_or_else(|| format!("`{text}` is not a rate such as 60x"))
}

/// How the emulator's clock starts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ClockStart {
    /// The first instant; otherwise the machine's, or where the data folder left off.
    pub start: Option<Timestamp>,
    /// Whether time stands still until told otherwise.
    pub frozen: bool,
    /// Seconds per machine second; otherwise one.
    pub rate: Option<f64>,
}

/// A start time, `frozen`, a rate, or a start time and one of the others, separated by a comma or a space.
pub(super) fn clock_start(text: &str) -> Result<ClockStart, String> {
    let mut clock = ClockStart::default();
    for part in text.split([',', ' ']).filter(|part| !part.is_empty()) {
        if part == "frozen" {
            clock.frozen = true;
        } else if part.ends_with('x') {
            clock.rate = Some(rate(part)?);
        } else {
            clock.start = Some(instant(part)?);
        }
    }
    if clock.frozen && clock.rate.is_some() {
        return Err("a frozen clock has no rate".into());
    }
    Ok(clock)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_as_people_write_them() {
        for (text, seconds) in
            [("61m", 3660), ("1h30m", 5400), ("2d", 172_800), ("PT61M", 3660), ("1w", 604_800), ("0s", 0), ("0", 0)]
        {
            assert_eq!(duration(text).unwrap(), Duration::from_secs(seconds), "{text}");
        }
        for bad in ["", "5", "1mo", "-5m", "soon"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn rates() {
        assert_eq!(rate("60x"), Ok(60.0));
        assert_eq!(rate("0.5"), Ok(0.5));
        for bad in ["0x", "-1x", "x", "infx", "NaN"] {
            assert!(rate(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn clocks() {
        let start = Some("2026-01-31T12:00:00Z".parse().unwrap());
        assert_eq!(clock_start("2026-01-31T12:00:00Z"), Ok(ClockStart { start, ..Default::default() }));
        assert_eq!(clock_start("2026-01-31T12:00:00Z,frozen"), Ok(ClockStart { start, frozen: true, rate: None }));
        assert_eq!(clock_start("2026-01-31T12:00:00Z 60x"), Ok(ClockStart { start, frozen: false, rate: Some(60.0) }));
        assert_eq!(clock_start("60x"), Ok(ClockStart { rate: Some(60.0), ..Default::default() }));
        for bad in ["now", "frozen,60x", "0x"] {
            assert!(clock_start(bad).is_err(), "{bad}");
        }
    }
}
