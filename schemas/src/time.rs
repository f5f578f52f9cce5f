//! Points in time, hours and billing months, all in UTC.
//!
//! Invariant: an [`Instant`] lies between the years 1 and 9999, so that every
//! calendar operation on it succeeds.

use std::fmt;

use chrono::{DateTime, Datelike, NaiveDateTime, TimeZone, Utc};
use thiserror::Error;

/// Microseconds of one hour.
pub const HOUR_US: i64 = 3_600_000_000;

const FIRST_US: i64 = -62_135_596_800_000_000; // 0001-01-01
const END_US: i64 = 253_402_300_800_000_000; // 10000-01-01

/// A text that is not a time, or one out of range.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0:?} is not a time such as 2023-11-01T00:00:00Z")]
pub struct TimeError(pub String);

/// A text that is not a month.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0:?} is not a month such as 2023-11")]
pub struct MonthError(pub String);

/// A point in time: microseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(i64);

impl Instant {
    /// From microseconds since 1970; `None` outside the years 1 to 9999.
    pub const fn from_us(us: i64) -> Option<Instant> {
        if us >= FIRST_US && us < END_US { Some(Instant(us)) } else { None }
    }

    /// Microseconds since 1970.
    pub const fn us(self) -> i64 {
        self.0
    }

    /// Reads RFC 3339, or the same without a zone (UTC), with a `T` or a
    /// space between date and time. A date alone is its first moment. What is
    /// finer than a microsecond is cut off.
    pub fn parse(text: &str) -> Result<Instant, TimeError> {
        let error = || TimeError(crate::decimal::shorten(text));
        let text = text.trim();
        // Some of the readers below take a year of two digits at its word.
        if !text.bytes().take(5).map(|byte| if byte.is_ascii_digit() { b'0' } else { byte }).eq(*b"0000-") {
            return Err(error());
        }
        let us = if let Ok(time) = DateTime::parse_from_rfc3339(text) {
            time.timestamp_micros()
        } else if let Ok(time) = text.parse::<DateTime<Utc>>() {
            time.timestamp_micros()
        } else {
            let local = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f"]
                .iter()
                .find_map(|form| NaiveDateTime::parse_from_str(text, form).ok())
                .or_else(|| text.parse::<chrono::NaiveDate>().ok()?.and_hms_opt(0, 0, 0));
            local.ok_or_else(error)?.and_utc().timestamp_micros()
        };
        Instant::from_us(us).ok_or_else(error)
    }

    /// The hour that this moment lies in.
    pub const fn hour(self) -> Hour {
        Hour::of_us(self.0)
    }

    fn calendar(self) -> DateTime<Utc> {
        Utc.timestamp_micros(self.0).single().unwrap_or(DateTime::UNIX_EPOCH)
    }
}

impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let form = if self.0 % 1_000_000 == 0 { "%Y-%m-%dT%H:%M:%SZ" } else { "%Y-%m-%dT%H:%M:%S%.6fZ" };
        write!(f, "{}", self.calendar().format(form))
    }
}

/// A whole hour: hours since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hour(pub i32);

impl Hour {
    /// The hour of a moment between the years 1 and 9999, in microseconds since
    /// 1970, whose hours all fit.
    pub const fn of_us(us: i64) -> Hour {
        Hour(us.div_euclid(HOUR_US) as i32)
    }

    /// The hour's first moment.
    pub const fn start(self) -> Instant {
        Instant(self.0 as i64 * HOUR_US)
    }

    /// The calendar month that the hour lies in.
    pub fn month(self) -> Month {
        let date = self.start().calendar();
        Month::from_index(date.year() * 12 + date.month0() as i32)
    }
}

/// A calendar month in UTC: the billing period. Start inclusive, end
/// exclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Month(i32);

impl Month {
    /// From months since the year 0.
    pub const fn from_index(index: i32) -> Month {
        Month(index)
    }

    /// Months since the year 0.
    pub const fn index(self) -> i32 {
        self.0
    }

    /// Reads `2023-11`.
    pub fn parse(text: &str) -> Result<Month, MonthError> {
        let error = || MonthError(crate::decimal::shorten(text));
        let (year, month) = text.split_once('-').ok_or_else(error)?;
        let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
        if year.len() != 4 || month.len() != 2 || !digits(year) || !digits(month) {
            return Err(error());
        }
        let year: i32 = year.parse().map_err(|_| error())?;
        let month: i32 = month.parse().map_err(|_| error())?;
        if year < 1 || !(1..=12).contains(&month) {
            return Err(error());
        }
        Ok(Month(year * 12 + month - 1))
    }

    /// The month after this one.
    pub const fn next(self) -> Month {
        Month(self.0 + 1)
    }

    /// The month's first moment.
    pub fn start(self) -> Instant {
        let first = Utc.with_ymd_and_hms(self.0.div_euclid(12), self.0.rem_euclid(12) as u32 + 1, 1, 0, 0, 0);
        Instant(first.single().unwrap_or(DateTime::UNIX_EPOCH).timestamp_micros())
    }

    /// The next month's first moment.
    pub fn end(self) -> Instant {
        self.next().start()
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.0.div_euclid(12), self.0.rem_euclid(12) + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_with_and_without_a_zone() {
        let expected = "2023-11-16T18:17:03.979960Z";
        for text in [
            "2023-11-16 18:17:03.9799600",
            "2023-11-16T18:17:03.97996",
            "2023-11-16T18:17:03.979960Z",
            "2023-11-16T19:17:03.979960+01:00",
        ] {
            assert_eq!(Instant::parse(text).unwrap().to_string(), expected, "{text}");
        }
        assert_eq!(Instant::parse("2023-11-16").unwrap().to_string(), "2023-11-16T00:00:00Z");
        for text in ["", "yesterday", "2023-13-01T00:00:00Z", "2023-02-29", "99999-01-01T00:00:00Z", "23-11-16"] {
            assert!(Instant::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn months_have_ends_in_leap_years_too() {
        let february = Month::parse("2024-02").unwrap();
        assert_eq!(february.end().us() - february.start().us(), 29 * 24 * HOUR_US);
        assert_eq!(Instant::parse("2023-12-31T23:59:59.999999Z").unwrap().hour().month().to_string(), "2023-12");
        assert_eq!(Month::parse("2023-12").unwrap().next().to_string(), "2024-01");
        for text in ["2023-00", "2023-13", "2023-1", "23-01", "2023", "+023-01"] {
            assert!(Month::parse(text).is_err(), "{text}");
        }
        assert_eq!(Instant::from_us(-1).unwrap().hour(), Hour(-1));
    }
}
