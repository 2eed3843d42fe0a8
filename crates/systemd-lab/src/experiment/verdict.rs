//! Compares what was measured with what is required.

use std::time::Duration;

use serde::Serialize;
use systemd_lab_protocol::EventKind;

use super::requirement::{Requirement, Share, Wanted};
use super::summary::{FaultSummary, ProbeSummary, Recovery};
use super::{Experiment, PlanError, Summary};
use systemd_timeline::Timeline;
use systemd_timeline::clock::{clock_time, nearest_second};
use systemd_timeline::span::span_text;
use systemd_timeline::unit_file::template_of;

/// systemd 253 and older enter this state right after `failed` when they restart a unit; later versions do not
/// enter `failed`.
const RESTARTED: &str = "auto-restart";

/// The sub-states in which nothing of a unit runs: org.freedesktop.systemd1(5), and `service_state_table` of systemd's service.c.
const RESTING: [&str; 6] = [
    "dead",
    "failed",
    "dead-before-auto-restart",
    "failed-before-auto-restart",
    "auto-restart",
    "auto-restart-queued",
];

/// The result for something measured while the lab was blind.
const UNSEEN: &str = "unknown: the lab did not see all that systemd did";

/// Shares are shown with at least this many digits after the decimal point, rounded down.
const DIGITS: usize = 2;

/// No run is long enough for more digits to mean anything.
const MOST_DIGITS: usize = 6;

/// A requirement, and whether it is met.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Verdict {
    /// What is required.
    pub requirement: Requirement,
    /// What was measured, for people: `99.95 %`, `5.214 s after kill=SIGKILL at 10s`.
    pub measured: String,
    /// Whether the requirement is met.
    pub holds: bool,
}

impl Requirement {
    /// Whether the experiment measures it.
    pub(super) fn check(&self, experiment: &Experiment, units: &[String]) -> Result<(), PlanError> {
        let refuse = |why: String| {
            Err(PlanError::NotMeasured {
                requirement: self.to_string(),
                why,
            })
        };
        let probes: Vec<String> = experiment.probes.iter().map(|it| it.name()).collect();
        let is_unit = |name: &String| units.contains(name) || units.contains(&template_of(name));
        match (&self.wanted, &self.of) {
            (Wanted::Availability(..) | Wanted::Outage(..) | Wanted::Outages(..), of) => {
                if probes.is_empty() {
                    return refuse("there is no probe; add one, e.g. --get URL".to_owned());
                }
                match of.as_ref().filter(|name| !probes.contains(name)) {
                    Some(name) => refuse(format!(
                        "no probe is called {name:?}; there are: {}",
                        probes.join(", ")
                    )),
                    None => Ok(()),
                }
            }
            (Wanted::Recovery(..), of) => {
                if experiment.faults.is_empty() {
                    return refuse("the plan has no fault; add one, e.g. --at 10s kill".to_owned());
                }
                let hit = |name: &String| experiment.faults.iter().any(|it| it.unit == *name);
                match of.as_ref().filter(|it| !probes.contains(it) && !hit(it)) {
                    Some(name) => refuse(format!(
                        "{name:?} is neither a probe nor a unit that a fault hits"
                    )),
                    None => Ok(()),
                }
            }
            (Wanted::Restarts(..) | Wanted::Starts(..) | Wanted::NotFailed, of) => {
                match of.as_ref().filter(|name| !is_unit(name)) {
                    Some(name) => refuse(format!(
                        "no unit is called {name:?}; there are: {}",
                        units.join(" ")
                    )),
                    None => Ok(()),
                }
            }
        }
    }

    pub(super) fn verdict(&self, timeline: &Timeline, summary: &Summary) -> Verdict {
        let (measured, holds) = match &self.wanted {
            Wanted::Availability(sign, share) => {
                // If there are several, the worst counts. A probe that never got an answer is worse than all
                // others.
                let shares = self.probes(summary).map(|probe| probe.availability);
                let worst = shares.min_by(|one, other| {
                    one.partial_cmp(other).unwrap_or(std::cmp::Ordering::Equal)
                });
                match worst.flatten() {
                    Some(measured) => (
                        percent(measured, *share),
                        sign.holds(&Share::exactly(measured), &Share::exactly(share.share)),
                    ),
                    None => ("it never answered".to_owned(), false),
                }
            }
            Wanted::Outage(sign, span) => {
                let outages = self.probes(summary).map(|probe| probe.longest_outage);
                let worst = outages.max().unwrap_or_default();
                (exact(worst), sign.holds(&worst, span))
            }
            Wanted::Outages(sign, number) => {
                let most = self.probes(summary).map(|probe| probe.outages).max();
                let most = most.unwrap_or_default();
                let bound = usize::try_from(*number).unwrap_or(usize::MAX);
                (most.to_string(), sign.holds(&most, &bound))
            }
            Wanted::Recovery(sign, span) => match self.slowest(summary) {
                None => ("no fault came".to_owned(), false),
                Some((fault, recovery)) => {
                    let after = format!("after {} at {}", fault.planned.fault, fault.planned.when);
                    match recovery {
                        Recovery::NeverGone => {
                            ("never gone".to_owned(), sign.holds(&Duration::ZERO, span))
                        }
                        Recovery::After(time) => {
                            (format!("{} {after}", exact(time)), sign.holds(&time, span))
                        }
                        Recovery::NotBeforeNext => {
                            (format!("not before the next fault {after}"), false)
                        }
                        Recovery::NotAgain => (format!("not until the end {after}"), false),
                        Recovery::Unknown => (UNSEEN.to_owned(), false),
                    }
                }
            },
            // What the lab did see may be enough to know that a unit failed.
            Wanted::Restarts(..) | Wanted::Starts(..) if summary.went_blind.is_some() => {
                (UNSEEN.to_owned(), false)
            }
            Wanted::Starts(sign, number) => {
                let main = summary.units.first().map(|unit| unit.unit.as_str());
                let starts = starts(timeline, self.of.as_deref().or(main).unwrap_or_default());
                (starts.to_string(), sign.holds(&starts, number))
            }
            Wanted::Restarts(sign, number) => {
                let (restarts, unit) = self.restarts(timeline, summary);
                let measured = match (&self.of, summary.units.len(), restarts) {
                    (None, 2.., 1..) => format!("{restarts}, of {unit}"),
                    _ => restarts.to_string(),
                };
                (measured, sign.holds(&restarts, number))
            }
            Wanted::NotFailed => match first_failure(timeline, self.of.as_deref()) {
                Some((unit, at)) => {
                    let time = clock_time(nearest_second(at));
                    (format!("{unit} failed at {time}"), false)
                }
                None if summary.went_blind.is_some() => (UNSEEN.to_owned(), false),
                None => ("none failed".to_owned(), true),
            },
        };
        Verdict {
            requirement: self.clone(),
            measured,
            holds,
        }
    }

    /// The probes that it is about.
    fn probes<'a>(&'a self, summary: &'a Summary) -> impl Iterator<Item = &'a ProbeSummary> {
        let probes = summary.probes.iter();
        probes.filter(|probe| self.of.as_ref().is_none_or(|name| *name == probe.name))
    }

    /// The slowest recovery from a fault that came, and the fault.
    fn slowest<'a>(&self, summary: &'a Summary) -> Option<(&'a FaultSummary, Recovery)> {
        let came = summary.faults.iter().filter(|fault| fault.has_hit());
        let recoveries = came.filter_map(|fault| {
            let recovery = match &self.of {
                None => fault.answering.into_iter().chain([fault.running]).max()?,
                Some(name) if *name == fault.planned.unit => fault.running,
                Some(name) => fault.of_probe(name)?,
            };
            Some((fault, recovery))
        });
        // If several are equal, the first one.
        recoveries.reduce(|worst, next| if next.1 > worst.1 { next } else { worst })
    }

    /// The most restarts of a unit that it is about, and the unit.
    fn restarts(&self, timeline: &Timeline, summary: &Summary) -> (u32, String) {
        match &self.of {
            Some(name) => {
                let known = summary.units.iter().find(|unit| unit.unit == *name);
                let counted = || {
                    let restarts = timeline
                        .of(name)
                        .filter(|event| matches!(event.kind, EventKind::RestartScheduled { .. }));
                    u32::try_from(restarts.count()).unwrap_or(u32::MAX)
                };
                let restarts = known.map_or_else(counted, |unit| unit.restarts);
                (restarts, name.clone())
            }
            None => {
                let most = summary.units.iter().max_by_key(|unit| unit.restarts);
                most.map_or((0, String::new()), |it| (it.restarts, it.unit.clone()))
            }
        }
    }
}

/// How often this unit, or an instance of this template, left a state in which nothing of it runs.
fn starts(timeline: &Timeline, name: &str) -> u32 {
    let is_meant = |unit: &str| unit == name || template_of(unit) == name;
    let starts = timeline.events().iter().filter(|event| {
        let EventKind::StateChanged { from, to } = &event.kind else {
            return false;
        };
        let rests = |state: &String| RESTING.contains(&state.as_str());
        event.unit.as_deref().is_some_and(is_meant) && rests(from) && !rests(to)
    });
    u32::try_from(starts.count()).unwrap_or(u32::MAX)
}

/// The first unit that entered the state `failed`, and when; if a name is given, only that unit counts.
fn first_failure(timeline: &Timeline, name: Option<&str>) -> Option<(String, Duration)> {
    let events = timeline.events();
    let failures = events.iter().enumerate().filter_map(|(index, event)| {
        let unit = event.unit.as_deref()?;
        if name.is_some_and(|name| name != unit) {
            return None;
        }
        let EventKind::StateChanged { to, .. } = &event.kind else {
            return None;
        };
        let next = events[index + 1..]
            .iter()
            .find_map(|later| match &later.kind {
                EventKind::StateChanged { to, .. } if later.is_about(unit) => Some(to),
                _ => None,
            });
        let is_restarted = next.is_some_and(|to| to.starts_with(RESTARTED));
        (to == "failed" && !is_restarted).then(|| (unit.to_owned(), timeline.time_of(event)))
    });
    failures.into_iter().next()
}

/// Rounded down, with as many digits as the limit: a figure that looks like the limit reaches it.
fn percent(measured: f64, bound: Share) -> String {
    let digits = bound.digits.clamp(DIGITS, MOST_DIGITS);
    let one = 10_i64.pow(u32::try_from(digits).unwrap_or_default());
    let parts = Share::exactly(measured) / (Share::exactly(1.0) / (100 * one));
    format!("{}.{:0digits$} %", parts / one, parts % one)
}

/// To the millisecond.
fn exact(time: Duration) -> String {
    let minute = Duration::from_secs(60);
    match time < minute {
        true => format!("{}.{:03} s", time.as_secs(), time.subsec_millis()),
        false => span_text(Duration::from_millis(
            u64::try_from(time.as_millis()).unwrap_or(u64::MAX),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::Sign;

    fn share(percent: f64, digits: usize) -> Share {
        Share {
            share: percent / 100.0,
            digits,
        }
    }

    #[test]
    fn a_share_that_is_the_bound_reaches_it() {
        // An hour with an outage of 3.6 s.
        let measured = 1.0 - 3.6 / 3600.0;
        let bound = share(99.9, 1);
        assert!(Sign::AtLeast.holds(&Share::exactly(measured), &Share::exactly(bound.share)));
        assert_eq!(percent(measured, bound), "99.90 %");
        let less = 1.0 - 3.600_001 / 3600.0;
        assert!(!Sign::AtLeast.holds(&Share::exactly(less), &Share::exactly(bound.share)));
        assert_eq!(percent(less, bound), "99.89 %");
        assert_eq!(percent(less, share(99.999, 4)), "99.8999 %");
        assert_eq!(percent(1.0, bound), "100.00 %");
    }

    #[test]
    fn times_are_exact() {
        assert_eq!(exact(Duration::from_micros(5_214_999)), "5.214 s");
        assert_eq!(exact(Duration::from_millis(65_200)), "1min 5s 200ms");
    }
}
