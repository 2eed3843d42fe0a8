//! The runs of an exploration: of many plans at once, and of ever smaller ones.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use systemd_timeline::Timeline;

use super::coverage::{self, Combination};
use super::plans::{FAMILY, Limits, Plan};
use crate::error::LabError;
use crate::experiment::{
    Beginnings, Branches, Experiment, ExperimentError, Fault, PlannedFault, Verdict,
};
use crate::{pool, shrink};

/// How often faults are taken away and times are rounded: twice has always been enough.
const ROUNDS: usize = 3;

/// What one run showed.
pub(super) struct Shown {
    pub(super) combinations: Vec<Combination>,
    /// The requirements that were not met, with what was measured.
    pub(super) broken: Vec<(String, String)>,
    /// Whether it continued from a checkpoint.
    pub(super) is_continued: bool,
}

/// Runs plans.
pub(super) struct Runs<'a> {
    base: &'a Experiment,
    limits: Limits,
    branches: Branches<'a>,
}

/// A plan that was made smaller.
pub(super) struct Shrunk {
    pub(super) plan: Plan,
    /// What was measured with it, if it was run.
    pub(super) measured: Option<String>,
    /// How many runs that took.
    pub(super) runs: usize,
}

impl<'a> Runs<'a> {
    pub(super) fn new(base: &'a Experiment, limits: Limits, branches: Branches<'a>) -> Runs<'a> {
        Runs {
            base,
            limits,
            branches,
        }
    }

    /// Runs the plans, on all processors. In the order of the plans: `None` if it was not run, and inside that `None` if it took too
    /// long.
    pub(super) fn all(
        &self,
        plans: &[Plan],
        stop: &AtomicBool,
    ) -> Vec<Option<Result<Option<Shown>, ExperimentError>>> {
        let faults: Vec<&[PlannedFault]> = plans.iter().map(|it| &*it.faults).collect();
        let beginnings = self.branches.beginnings(&faults);
        let mut numbered: Vec<(usize, &Plan)> = plans.iter().enumerate().collect();
        numbered.sort_by_key(|(number, _)| number % FAMILY);
        let mut results: Vec<_> = plans.iter().map(|_| None).collect();
        pool::run(
            &numbered,
            pool::processors(),
            |(_, plan)| (!stop.load(Ordering::Relaxed)).then(|| self.one(plan, &beginnings, stop)),
            |(number, _), result| results[*number] = result,
        );
        results
    }

    fn one(
        &self,
        plan: &Plan,
        beginnings: &Beginnings,
        stop: &AtomicBool,
    ) -> Result<Option<Shown>, ExperimentError> {
        let experiment = plan.added_to(self.base);
        match beginnings.run(&experiment, &plan.faults, stop) {
            Ok((timeline, is_continued)) => Ok(Some(shown(&experiment, &timeline, is_continued))),
            Err(ExperimentError::Lab(LabError::OutOfTime { .. })) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// What was measured for this requirement with this plan, if the plan breaks it.
    fn measured(
        &self,
        plan: &Plan,
        requirement: &str,
        stop: &AtomicBool,
    ) -> Result<Option<String>, ExperimentError> {
        let broken = self
            .one(plan, &self.branches.beginnings(&[]), stop)?
            .map(|shown| shown.broken);
        let mut broken = broken.into_iter().flatten();
        let found = broken.find(|(broken, _)| broken == requirement);
        Ok(found.map(|(_, measured)| measured))
    }

    /// Makes the plan as small as possible. When the exploration is stopped, no further runs are tried.
    pub(super) fn shrunk(
        &self,
        found: &Plan,
        requirement: &str,
        stop: &AtomicBool,
    ) -> Result<Shrunk, ExperimentError> {
        // The plans that were tried, and whether they fail: a second round asks for the same ones.
        let mut tried: Vec<(Plan, bool)> = Vec::new();
        let mut measured = None;
        let mut fails = |faults: Vec<PlannedFault>| -> Result<bool, ExperimentError> {
            if stop.load(Ordering::Relaxed) {
                return Ok(false);
            }
            let plan = Plan::of(faults);
            if let Some((_, fails)) = tried.iter().find(|(known, _)| *known == plan) {
                return Ok(*fails);
            }
            let now = self.measured(&plan, requirement, stop)?;
            let fails = now.is_some();
            tried.push((plan, fails));
            measured = now.or(measured.take());
            Ok(fails)
        };
        let mut faults = found.faults.clone();
        // With rounder times, a fault that was needed may no longer be.
        for _ in 0..ROUNDS {
            let before = faults.clone();
            faults = shrink::fewest(faults, |some| fails(some.to_vec()))?;
            for place in 0..faults.len() {
                faults = self.rounded(faults, place, &mut fails)?;
            }
            if faults == before {
                break;
            }
        }
        Ok(Shrunk {
            plan: Plan::of(faults),
            measured,
            runs: tried.len(),
        })
    }

    /// The faults with a rounder time of this one, if they still fail then.
    fn rounded(
        &self,
        faults: Vec<PlannedFault>,
        place: usize,
        mut fails: impl FnMut(Vec<PlannedFault>) -> Result<bool, ExperimentError>,
    ) -> Result<Vec<PlannedFault>, ExperimentError> {
        let Some(time) = faults[place].when.time() else {
            return Ok(faults);
        };
        let with = |time: Duration| {
            let mut faults = faults.clone();
            faults[place].when = time.into();
            faults
        };
        let limits = self.limits;
        let round = shrink::roundest(time, |time| {
            let faults = with(time);
            match limits.allow(&faults) {
                true => fails(faults),
                false => Ok(false),
            }
        })?;
        Ok(with(round))
    }
}

fn shown(experiment: &Experiment, timeline: &Timeline, is_continued: bool) -> Shown {
    let faults = experiment.summary(timeline).faults;
    let mut hits = faults.iter().filter(|fault| fault.has_hit());
    let was_stopped = hits.any(|fault| fault.planned.fault == Fault::Stop);
    let counts = |verdict: &Verdict| {
        let requirement = &verdict.requirement;
        let is_about_time = requirement.is_about_recovery() || requirement.is_about_answers();
        !(is_about_time && was_stopped)
    };
    let verdicts = experiment.verdicts_of_overlapping(timeline).into_iter();
    let broken = verdicts.filter(|it| !it.holds && counts(it));
    Shown {
        combinations: coverage::of(experiment, timeline),
        broken: broken
            .map(|it| (it.requirement.to_string(), it.measured))
            .collect(),
        is_continued,
    }
}
