//! Points in simulated time, how Azure writes them, and the arithmetic of the user's clock.
//! Must not know: what time it is.

use serde::{Deserialize, Serialize};

/// A point in time: microseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

/// One second, in microseconds.
pub const SECOND: i64 = 1_000_000;
/// One minute, in microseconds.
pub const MINUTE: i64 = 60 * SECOND;
/// One hour, in microseconds.
pub const HOUR: i64 = 60 * MINUTE;
/// One day, in microseconds.
pub const DAY: i64 = 24 * HOUR;

/// The latest point the emulator can reach: 9000-01-01. Beyond it the clock refuses to go.
pub const END_OF_TIME: Timestamp = Timestamp(221_845_392_000 * SECOND);

impl Timestamp {
    /// From whole seconds since 1970.
    #[must_use]
    pub fn from_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(SECOND))
    }

    /// Whole seconds since 1970, rounded down: how Key Vault and tokens count.
    #[must_use]
    pub fn seconds(self) -> i64 {
        self.0.div_euclid(SECOND)
    }

    /// Later by `micros` microseconds.
    #[must_use]
    pub fn plus(self, micros: i64) -> Self {
        Self(self.0.saturating_add(micros))
    }

    /// The first of the instants that lie whole `period`s from this one, and not before it, that is at `at` or later.
    #[must_use]
    pub fn recurring(self, period: i64, at: Self) -> Self {
        let periods = (at.0.saturating_sub(self.0).max(0).saturating_add(period - 1)) / period;
        Self(self.0.saturating_add(periods.saturating_mul(period)))
    }

    /// Parses RFC 3339, with a zone.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        text.parse::<jiff::Timestamp>().ok().map(|t| Self(t.as_microsecond()))
    }

    fn civil(self, format: &str) -> String {
        match jiff::Timestamp::from_microsecond(self.0) {
            Ok(t) => t.strftime(format).to_string(),
            Err(_) => "9999-12-31T23:59:59".to_owned(),
        }
    }

    /// `2023-12-21T23:57:13.3199680Z`: seven fractional digits, as registries' `creationDate` [recorded].
    #[must_use]
    pub fn zulu7(self) -> String {
        format!("{}0Z", self.civil("%Y-%m-%dT%H:%M:%S.%6f"))
    }

    /// `2023-12-21T23:57:13.3199680+00:00`: as `systemData`, policies and rotation stamps [recorded].
    #[must_use]
    pub fn offset7(self) -> String {
        format!("{}0+00:00", self.civil("%Y-%m-%dT%H:%M:%S.%6f"))
    }

    /// `2023-12-21T23:57:13Z`: as deleted vaults' dates [recorded].
    #[must_use]
    pub fn zulu(self) -> String {
        self.civil("%Y-%m-%dT%H:%M:%SZ")
    }

    /// `Thu, 21 Dec 2023 23:57:13 GMT`: as HTTP writes dates.
    #[must_use]
    pub fn http_date(self) -> String {
        self.civil("%a, %d %b %Y %H:%M:%S GMT")
    }

    /// `2023-12-21T23:57:13+00:00`: as runs' `lastUpdatedTime` [recorded].
    #[must_use]
    pub fn offset(self) -> String {
        self.civil("%Y-%m-%dT%H:%M:%S+00:00")
    }

    /// `2023-12-21T23:57:13.319Z`: as the `systemData` of vaults [recorded].
    #[must_use]
    pub fn zulu3(self) -> String {
        format!("{}Z", self.civil("%Y-%m-%dT%H:%M:%S.%3f"))
    }

    /// `7/2/2018 12:08:13 PM`: as texts about deployments say it [issue].
    #[must_use]
    pub fn american(self) -> String {
        self.civil("%-m/%-d/%Y %-I:%M:%S %p")
    }
}

/// How simulated time follows machine time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ClockSetting {
    /// Machine time at which the setting was made.
    pub machine: Timestamp,
    /// Simulated time at that moment.
    pub simulated: Timestamp,
    /// Simulated seconds for each machine second, while not frozen.
    pub rate: f64,
    /// Whether simulated time stands still.
    pub frozen: bool,
}

impl ClockSetting {
    /// A clock that shows machine time.
    #[must_use]
    pub fn real(machine: Timestamp) -> Self {
        Self { machine, simulated: machine, rate: 1.0, frozen: false }
    }

    /// Simulated time when the machine's is `machine`. Never before the setting was made.
    #[must_use]
    pub fn at(&self, machine: Timestamp) -> Timestamp {
        if self.frozen {
            return self.simulated;
        }
        let elapsed = machine.0.saturating_sub(self.machine.0).max(0);
        #[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss)]
        let scaled = if self.rate == 1.0 { elapsed } else { (elapsed as f64 * self.rate) as i64 };
        self.simulated.plus(scaled).min(END_OF_TIME)
    }

    /// The same clock, re-anchored so that it shows `simulated` now.
    #[must_use]
    pub fn showing(&self, simulated: Timestamp, machine: Timestamp) -> Self {
        Self { machine, simulated: simulated.min(END_OF_TIME), ..*self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn azure_writes_seven_digits() {
        let t = Timestamp::parse("2023-12-21T23:57:13.319968Z").unwrap();
        assert_eq!(t.zulu7(), "2023-12-21T23:57:13.3199680Z");
        assert_eq!(t.offset7(), "2023-12-21T23:57:13.3199680+00:00");
        assert_eq!(t.zulu(), "2023-12-21T23:57:13Z");
        assert_eq!(t.zulu3(), "2023-12-21T23:57:13.319Z");
        assert_eq!(t.american(), "12/21/2023 11:57:13 PM");
        assert_eq!(Timestamp::parse("2018-07-02T00:08:03Z").unwrap().american(), "7/2/2018 12:08:03 AM");
    }

    #[test]
    fn what_recurs_comes_at_its_instants_only() {
        let first = Timestamp(10);
        for (at, next) in [(-5, 10), (10, 10), (11, 110), (110, 110), (111, 210)] {
            assert_eq!(first.recurring(100, Timestamp(at)), Timestamp(next), "{at}");
        }
        assert!(first.recurring(HOUR, Timestamp(i64::MAX)) > END_OF_TIME, "no overflow");
    }

    #[test]
    fn a_frozen_clock_stands_and_a_fast_one_runs() {
        let clock = ClockSetting::real(Timestamp(0));
        assert_eq!(clock.at(Timestamp(5)), Timestamp(5));
        let fast = ClockSetting { rate: 60.0, ..clock };
        assert_eq!(fast.at(Timestamp(SECOND)), Timestamp(MINUTE));
        let frozen = ClockSetting { frozen: true, ..clock }.showing(Timestamp(7), Timestamp(1));
        assert_eq!(frozen.at(Timestamp(1_000)), Timestamp(7));
    }
}
