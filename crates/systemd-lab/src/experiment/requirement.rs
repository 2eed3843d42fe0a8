//! What a run must show: figures with a limit, and units that must not fail.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Serialize, Serializer};

use super::PlanError;
use systemd_timeline::span::{parse_span, span_text};

/// The possible requirements, for error messages.
pub(super) const KNOWN: &str = "\"availability >= 99.9%\", \"outage <= 2s\", \"outages <= 1\", \"recovery <= 5s\", \"restarts <= 3\", \
                                \"starts of alert@.service = 1\", \"no unit failed\", \"my.service did not fail\"";

const NO_UNIT_FAILED: &str = "no unit failed";
const DID_NOT_FAIL: &str = " did not fail";

/// Comes before the name of a probe or unit.
const OF: &str = " of ";

/// A condition that a run must meet.
///
/// As text, with the name of a probe or a unit if only that one is meant: `availability >= 99.9%`, `availability of health >= 99%`,
/// `outage <= 2s` (the longest of any probe), `outages <= 1` (their number), `recovery <= 5s` (the longest after any fault), `restarts of
/// worker.service <= 3`, `starts of alert@.service = 1` (of the main unit if none is named, of all instances of a template), `no unit failed`, `worker.service did not fail`. The signs are `>=`, `<=`, `>`, `<` and `=`.
#[derive(Debug, Clone, PartialEq)]
pub struct Requirement {
    /// The probe or unit that it is about; `None` if it is about all of them.
    pub of: Option<String>,
    /// The condition.
    pub wanted: Wanted,
}

/// The condition.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Wanted {
    /// The share of time in which a probe was answered, from 0 to 1.
    Availability(Sign, Share),
    /// The longest outage that a probe saw.
    Outage(Sign, Duration),
    /// How many outages a probe saw.
    Outages(Sign, u32),
    /// The longest time after a fault until its unit was up again and the probes were answered again.
    Recovery(Sign, Duration),
    /// How often systemd restarted a unit.
    Restarts(Sign, u32),
    /// How often a unit was started, no matter what asked for it.
    Starts(Sign, u32),
    /// Units did not enter the state `failed`. An automatic restart does not count as that state.
    NotFailed,
}

impl Requirement {
    /// Whether it is about what comes after a fault.
    pub fn is_about_recovery(&self) -> bool {
        matches!(self.wanted, Wanted::Recovery(..))
    }

    /// Whether it is about the answers that probes got.
    pub fn is_about_answers(&self) -> bool {
        matches!(
            self.wanted,
            Wanted::Availability(..) | Wanted::Outage(..) | Wanted::Outages(..)
        )
    }
}

/// A share of time, with as many digits as it was written with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Share {
    /// From 0 to 1.
    pub share: f64,
    /// How many digits its percentage has after the decimal point.
    pub digits: usize,
}

/// Shares count as equal if they differ by less than this: a microsecond in eleven days.
const PART_OF_SHARE: f64 = 1e-12;

impl Share {
    /// In a form that can be compared exactly: 99.9 % has no exact value as a binary fraction.
    pub(super) fn exactly(share: f64) -> i64 {
        // At most the inverse of that part, which fits.
        (share / PART_OF_SHARE).round() as i64
    }
}

/// How a figure is compared with its limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sign {
    /// `>=`
    AtLeast,
    /// `<=`
    AtMost,
    /// `>`
    Above,
    /// `<`
    Below,
    /// `=`
    Equal,
}

const SIGNS: [(&str, Sign); 5] = [
    (">=", Sign::AtLeast),
    ("<=", Sign::AtMost),
    (">", Sign::Above),
    ("<", Sign::Below),
    ("=", Sign::Equal),
];

impl Sign {
    /// Whether a figure meets its limit.
    pub fn holds<T: PartialOrd>(self, figure: &T, bound: &T) -> bool {
        match self {
            Sign::AtLeast => figure >= bound,
            Sign::AtMost => figure <= bound,
            Sign::Above => figure > bound,
            Sign::Below => figure < bound,
            Sign::Equal => figure == bound,
        }
    }
}

impl fmt::Display for Sign {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = SIGNS.iter().find(|(_, sign)| sign == self);
        formatter.write_str(known.map_or("", |(text, _)| text))
    }
}

impl FromStr for Requirement {
    type Err = PlanError;

    fn from_str(text: &str) -> Result<Requirement, PlanError> {
        parsed(text.trim()).ok_or_else(|| PlanError::UnknownRequirement {
            requirement: text.to_owned(),
            known: KNOWN,
        })
    }
}

fn parsed(text: &str) -> Option<Requirement> {
    if text == NO_UNIT_FAILED {
        return Some(Requirement {
            of: None,
            wanted: Wanted::NotFailed,
        });
    }
    if let Some(unit) = text.strip_suffix(DID_NOT_FAIL) {
        return Some(Requirement {
            of: Some(unit.trim().to_owned()),
            wanted: Wanted::NotFailed,
        });
    }
    // The last sign, because the name of a probe may be a URL that contains one.
    let end = text.rfind(['<', '>', '='])? + 1;
    let before = text[..end].trim_end_matches(['<', '>', '=']);
    let written = &text[before.len()..end];
    let (_, sign) = *SIGNS.iter().find(|(sign, _)| *sign == written)?;
    let before = before.trim();
    let (figure, of) = match before.split_once(OF) {
        Some((figure, name)) => (figure.trim(), Some(name.trim().to_owned())),
        None => (before, None),
    };
    let bound = text[end..].trim();
    let wanted = match figure {
        "availability" => Wanted::Availability(sign, share(bound)?),
        "outage" => Wanted::Outage(sign, parse_span(bound).ok()?),
        "outages" => Wanted::Outages(sign, bound.parse().ok()?),
        "recovery" => Wanted::Recovery(sign, parse_span(bound).ok()?),
        "restarts" => Wanted::Restarts(sign, bound.parse().ok()?),
        "starts" => Wanted::Starts(sign, bound.parse().ok()?),
        _ => return None,
    };
    Some(Requirement { of, wanted })
}

/// Reads `99.9%`.
fn share(text: &str) -> Option<Share> {
    let number = text.strip_suffix('%')?.trim_end();
    let percent: f64 = number.parse().ok()?;
    let digits = number.split_once('.').map_or(0, |(_, digits)| digits.len());
    (0.0..=100.0).contains(&percent).then_some(Share {
        share: percent / 100.0,
        digits,
    })
}

impl fmt::Display for Share {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:.*}%", self.digits, self.share * 100.0)
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = match &self.of {
            Some(name) => format!("{OF}{name}"),
            None => String::new(),
        };
        match &self.wanted {
            Wanted::Availability(sign, share) => {
                write!(formatter, "availability{of} {sign} {share}")
            }
            Wanted::Outage(sign, span) => {
                write!(formatter, "outage{of} {sign} {}", span_text(*span))
            }
            Wanted::Outages(sign, number) => write!(formatter, "outages{of} {sign} {number}"),
            Wanted::Recovery(sign, span) => {
                write!(formatter, "recovery{of} {sign} {}", span_text(*span))
            }
            Wanted::Restarts(sign, number) => write!(formatter, "restarts{of} {sign} {number}"),
            Wanted::Starts(sign, number) => write!(formatter, "starts{of} {sign} {number}"),
            Wanted::NotFailed => match &self.of {
                Some(unit) => write!(formatter, "{unit}{DID_NOT_FAIL}"),
                None => formatter.write_str(NO_UNIT_FAILED),
            },
        }
    }
}

impl Serialize for Requirement {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_written_as_it_is_read() {
        for text in [
            "availability >= 99.9%",
            "availability of health >= 99%",
            "availability of GET http://127.0.0.1/?a=b > 99.995%",
            "outage <= 2s",
            "outages = 0",
            "recovery < 1min 30s",
            "restarts of worker.service <= 3",
            "starts of alert@.service = 1",
            "starts > 0",
            "no unit failed",
            "worker.service did not fail",
        ] {
            let requirement = text.parse::<Requirement>().expect(text);
            assert_eq!(requirement.to_string(), text);
        }
        let short = "availability>=99.90 %"
            .parse::<Requirement>()
            .expect("it is right");
        assert_eq!(short.to_string(), "availability >= 99.90%");
    }

    #[test]
    fn what_is_unknown_is_refused_with_what_is_known() {
        for wrong in [
            "",
            "availability",
            "availability >= 0.999",
            "availability >= 101%",
            "availability 99%",
            "uptime >= 99%",
            "recovery <= soon",
            "restarts <= 1.5",
            "recovery => 5s",
        ] {
            let error = wrong.parse::<Requirement>().expect_err(wrong).to_string();
            assert!(error.contains("availability >= 99.9%"), "{error}");
        }
    }
}
