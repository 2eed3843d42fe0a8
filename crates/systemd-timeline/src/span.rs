//! Time spans as people write them: systemd.time(7), "Parsing time spans".

use std::time::Duration;

/// Units and how many microseconds each has. Months and years are left out: no one waits that long
/// here.
const UNITS: &[(&[&str], u64)] = &[
    (&["us", "usec", "µs"], 1),
    (&["ms", "msec"], 1_000),
    (&["s", "sec", "second", "seconds", ""], 1_000_000),
    (&["m", "min", "minute", "minutes"], 60_000_000),
    (&["h", "hr", "hour", "hours"], 3_600_000_000),
    (&["d", "day", "days"], 86_400_000_000),
    (&["w", "week", "weeks"], 604_800_000_000),
];

/// The units for writing a span, longest first.
const WRITTEN: [(&str, u128); 5] = [
    ("d", 86_400_000_000),
    ("h", 3_600_000_000),
    ("min", 60_000_000),
    ("s", 1_000_000),
    ("ms", 1_000),
];

/// Reads `10s`, `5min`, `1h 30min`, `100ms`, `2.5h`. A number alone is seconds.
///
/// # Errors
///
/// A message that shows what a span looks like.
pub fn parse_span(text: &str) -> Result<Duration, String> {
    let wrong = || format!("expected a time such as 10s, 5min, 1h 30min or 100ms, got {text:?}");
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(wrong());
    }
    let mut sum_us = 0_u64;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.');
        let (number, after) = rest.split_at(end.unwrap_or(rest.len()));
        let after = after.trim_start();
        let end = after.find(|c: char| !c.is_alphabetic());
        let (unit, after) = after.split_at(end.unwrap_or(after.len()));
        let known = UNITS.iter().find(|(names, _)| names.contains(&unit));
        let (_, factor) = known.ok_or_else(wrong)?;
        let part = microseconds(number, *factor).ok_or_else(wrong)?;
        sum_us = sum_us.checked_add(part).ok_or_else(wrong)?;
        rest = after.trim_start();
    }
    Ok(Duration::from_micros(sum_us))
}

/// `2.5` of a unit, exactly; anything below a microsecond is dropped.
fn microseconds(number: &str, factor: u64) -> Option<u64> {
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    let mut sum = whole.parse::<u64>().ok()?.checked_mul(factor)?;
    let mut worth = factor;
    for digit in part.chars() {
        worth /= 10;
        sum = sum.checked_add(u64::from(digit.to_digit(10)?) * worth)?;
    }
    Some(sum)
}

/// `1h 30min`: a span in the format that [`parse_span`] reads, in whole milliseconds.
pub fn span_text(span: Duration) -> String {
    let mut rest = span.as_micros();
    let mut parts = Vec::new();
    for (unit, factor) in WRITTEN {
        if rest >= factor {
            parts.push(format!("{}{unit}", rest / factor));
            rest %= factor;
        }
    }
    match parts.is_empty() {
        true => "0s".to_owned(),
        false => parts.join(" "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_as_systemd_reads_them() {
        let millis = |text| parse_span(text).map(|span| span.as_millis());
        for (text, expected) in [
            ("10s", 10_000),
            ("10", 10_000),
            ("5min", 300_000),
            ("1h 30min", 5_400_000),
            ("1h30min", 5_400_000),
            ("2 h", 7_200_000),
            ("100ms", 100),
            ("2.5h", 9_000_000),
            ("1.05s", 1_050),
            ("0", 0),
        ] {
            assert_eq!(millis(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn a_bad_span_is_refused() {
        for text in [
            "",
            "s",
            "10 parsecs",
            "-5s",
            "1.2.3s",
            "99999999999999w",
            "1h,2",
        ] {
            assert!(parse_span(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_span_is_written_as_it_is_read() {
        for text in ["0s", "10s", "5min", "1h 30min", "100ms", "2d 1h", "1s 50ms"] {
            assert_eq!(parse_span(text).map(span_text), Ok(text.to_owned()));
        }
    }
}
