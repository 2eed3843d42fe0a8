//! The date at which the guest's calendar begins, in UTC.

use std::fmt;
use std::str::FromStr;

use super::PlanError;

const DAY_S: i64 = 86_400;

/// The kernel's clocks end in 2232; there is no reason to come near that.
const YEARS: std::ops::RangeInclusive<i64> = 1971..=2199;

/// A date and a time of day in UTC, to the second.
///
/// As text: `2026-03-29 00:59:30`, without seconds, or without a time of day (midnight).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Date {
    /// Since 1970-01-01 00:00:00 UTC.
    unix_s: i64,
}

impl Date {
    /// Seconds since 1970-01-01 00:00:00 UTC.
    pub fn unix_seconds(self) -> i64 {
        self.unix_s
    }
}

impl FromStr for Date {
    type Err = PlanError;

    fn from_str(text: &str) -> Result<Date, PlanError> {
        parsed(text).ok_or_else(|| PlanError::BadDate {
            date: text.to_owned(),
        })
    }
}

fn parsed(text: &str) -> Option<Date> {
    let text = text.trim();
    let text = text
        .strip_suffix("UTC")
        .or(text.strip_suffix('Z'))
        .unwrap_or(text)
        .trim_end();
    let (day, time) = text.split_once([' ', 'T']).unwrap_or((text, "00:00"));
    let mut parts = day.splitn(3, '-').map(number);
    let [year, month, day] = [parts.next()??, parts.next()??, parts.next()??];
    let mut parts = time.trim().splitn(3, ':').map(number);
    let (hour, minute) = (parts.next()??, parts.next()??);
    let second = parts.next().unwrap_or(Some(0))?;
    let is_date = YEARS.contains(&year)
        && (1..=12).contains(&month)
        && (1..=days_of(year, month)).contains(&day);
    (is_date && hour < 24 && minute < 60 && second < 60).then(|| Date {
        unix_s: days_before(year, month, day) * DAY_S + hour * 3600 + minute * 60 + second,
    })
}

fn number(text: &str) -> Option<i64> {
    let is_number = text.chars().all(|c| c.is_ascii_digit());
    text.parse().ok().filter(|_| is_number)
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_of(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// From 1970-01-01 to this day.
fn days_before(year: i64, month: i64, day: i64) -> i64 {
    let years: i64 = (1970..year)
        .map(|year| 365 + i64::from(is_leap(year)))
        .sum();
    let months: i64 = (1..month).map(|month| days_of(year, month)).sum();
    years + months + day - 1
}

impl fmt::Display for Date {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mut days, seconds) = (self.unix_s / DAY_S, self.unix_s % DAY_S);
        let mut year = 1970;
        while days >= 365 + i64::from(is_leap(year)) {
            days -= 365 + i64::from(is_leap(year));
            year += 1;
        }
        let mut month = 1;
        while days >= days_of(year, month) {
            days -= days_of(year, month);
            month += 1;
        }
        let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        let day = days + 1;
        write!(
            formatter,
            "{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        let seconds = |text: &str| text.parse::<Date>().expect(text).unix_seconds();
        assert_eq!(seconds("2030-01-01"), 1_893_456_000);
        assert_eq!(seconds("2000-02-29 12:00"), 951_825_600);
        assert_eq!(seconds("2026-03-29T00:59:30Z"), 1_774_745_970);
        for text in [
            "1971-01-01 00:00:00 UTC",
            "2024-02-29 23:59:59 UTC",
            "2199-12-31 00:00:01 UTC",
        ] {
            assert_eq!(text.parse::<Date>().expect(text).to_string(), text);
        }
    }

    #[test]
    fn a_bad_date_is_refused() {
        for wrong in [
            "",
            "tomorrow",
            "2026-02-29",
            "2026-13-01",
            "2026-00-10",
            "26-01-01",
            "2026-01-01 24:00",
            "2026-01-01 10",
            "2026-01-01 +1:00",
            "1970-01-01",
            "2500-01-01",
        ] {
            let error = wrong.parse::<Date>().expect_err(wrong).to_string();
            assert!(error.contains("2026-03-29 00:59:30"), "{error}");
        }
    }
}
