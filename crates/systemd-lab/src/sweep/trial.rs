//! One fault at one moment, and its effect.

use std::sync::atomic::AtomicBool;
use std::time::Duration;

use serde::Serialize;
use systemd_timeline::Timeline;

use crate::error::LabError;
use crate::experiment::{Branches, Experiment, ExperimentError, Fault, Recovery, Verdict};
use crate::moments::{Moment, milliseconds, phase};

/// The effect of one fault at one moment.
#[derive(Debug, Clone, Serialize)]
pub struct Trial {
    /// When the fault came, since the start of the main unit.
    #[serde(serialize_with = "milliseconds", rename = "at_ms")]
    pub at: Duration,
    /// The event just before or after it.
    pub what: String,
    /// What the unit that it hit was doing, in systemd's words, and whether it answered: `running, answering`.
    pub phase: String,
    /// In the syntax of a plan: `kill=SIGKILL`, `freeze@db.service`.
    pub fault: String,
    /// How it ended.
    pub outcome: Outcome,
    /// Each requirement with what was measured; empty if the run was out of time. After a `stop`, requirements on answers and recovery
    /// are left out, because nothing should restart the service; after a fault that systemd refused, those on recovery.
    pub verdicts: Vec<Verdict>,
    #[serde(skip)]
    is_continued: bool,
}

/// How a trial ended.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Outcome {
    /// systemd refused the fault, e.g. because there was no process to kill.
    Refused,
    /// The service was available all the time.
    NeverGone,
    /// `stop` ended it.
    Stopped {
        /// The sub-state of the unit that it hit, at the end.
        state: String,
    },
    /// The service recovered.
    Recovered {
        /// How long after the fault: until the unit was up and all probes succeeded.
        #[serde(serialize_with = "milliseconds", rename = "after_ms")]
        after: Duration,
    },
    /// The service had not recovered when the run ended.
    Lost {
        /// The sub-state of the unit that it hit, at the end.
        state: String,
    },
    /// The lab did not see what systemd did.
    Unseen,
    /// The run took too long.
    OutOfTime,
}

impl Trial {
    /// Runs the trial. `baseline` is the run without the fault.
    pub(super) fn of(
        experiment: &Experiment,
        branches: &Branches<'_>,
        baseline: &Timeline,
        moment: &Moment,
        fault: &Fault,
        unit: &str,
        stop: &AtomicBool,
    ) -> Result<Trial, ExperimentError> {
        let mut is_continued = false;
        let (outcome, verdicts) = match branches.run(experiment, moment.at, stop) {
            Ok((timeline, continued)) => {
                is_continued = continued;
                judged(experiment, &timeline, moment.at, fault, unit)
            }
            Err(ExperimentError::Lab(LabError::OutOfTime { .. })) => {
                (Outcome::OutOfTime, Vec::new())
            }
            Err(error) => return Err(error),
        };
        Ok(Trial {
            at: moment.at,
            what: moment.what.clone(),
            phase: phase(experiment, baseline, unit, moment.at),
            fault: match unit == experiment.main_unit() || !fault.hits_unit() {
                true => fault.to_string(),
                false => format!("{fault}@{unit}"),
            },
            outcome,
            verdicts,
            is_continued,
        })
    }

    /// Whether its beginning was shared with other trials: it continued from a copy of the machine.
    pub fn is_continued(&self) -> bool {
        self.is_continued
    }

    /// Whether all requirements are met.
    pub fn holds(&self) -> bool {
        self.outcome != Outcome::OutOfTime && self.verdicts.iter().all(|verdict| verdict.holds)
    }

    /// How long it took the service to recover: zero if it was never unavailable; `None` if it did not recover, or was not meant
    /// to.
    pub fn recovery(&self) -> Option<Duration> {
        match &self.outcome {
            Outcome::NeverGone => Some(Duration::ZERO),
            Outcome::Recovered { after } => Some(*after),
            _ => None,
        }
    }
}

fn judged(
    experiment: &Experiment,
    timeline: &Timeline,
    at: Duration,
    fault: &Fault,
    unit: &str,
) -> (Outcome, Vec<Verdict>) {
    let summary = experiment.summary(timeline);
    let planned_at = Some(at);
    // The plan may have the same fault at a different time.
    let hit = summary.faults.iter().find(|it| {
        it.planned.unit == unit
            && it.planned.fault == *fault
            && it.planned.when.time() == planned_at
    });
    let state = || {
        let mut units = summary.units.iter();
        let found = units.find(|it| it.unit == unit);
        found.map_or_else(String::new, |it| it.state_at_end.clone())
    };
    let outcome = match hit {
        Some(hit) if hit.has_hit() => {
            match hit.answering.into_iter().fold(hit.running, Recovery::max) {
                Recovery::Unknown => Outcome::Unseen,
                _ if *fault == Fault::Stop => Outcome::Stopped { state: state() },
                Recovery::NeverGone => Outcome::NeverGone,
                Recovery::After(after) => Outcome::Recovered { after },
                Recovery::NotBeforeNext | Recovery::NotAgain => Outcome::Lost { state: state() },
            }
        }
        _ => Outcome::Refused,
    };
    let counts = |verdict: &Verdict| match outcome {
        Outcome::Refused => !verdict.requirement.is_about_recovery(),
        Outcome::Stopped { .. } => {
            !verdict.requirement.is_about_recovery() && !verdict.requirement.is_about_answers()
        }
        _ => true,
    };
    let verdicts = experiment.verdicts(timeline);
    let verdicts = verdicts.into_iter().filter(counts).collect();
    (outcome, verdicts)
}
