//! A fault at every moment of a run: does the service recover, whenever it is hit?
//!
//! ```no_run
//! use std::sync::atomic::AtomicBool;
//! use systemd_lab::{Experiment, Fault, Lab, Probe, Sweep};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let experiment = Experiment::new("units/my.service")
//!     .probe(Probe::get("http://127.0.0.1:8080/"))
//!     .require("recovery <= 10s".parse()?);
//! let sweep = Sweep::new(experiment).fault("kill".parse()?).fault(Fault::Freeze);
//! let swept = sweep.run(&Lab::open()?, &AtomicBool::new(false), |done, of| eprintln!("{done} of {of}"))?;
//! for trial in &swept.trials {
//!     assert!(trial.holds(), "{} at {:?}", trial.fault, trial.at);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! The plan runs once without the swept faults. Each event of that run is a moment: every fault comes a millisecond before it and a
//! millisecond after it, in separate runs, and also during each request. Virtual time makes this repeatable. Near the start, a run's
//! stamps differ by some milliseconds from those of the run without the fault.

mod trial;

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde::Serialize;
use systemd_timeline::Timeline;

use crate::experiment::{Branches, Experiment, ExperimentError, Fault, PlanError, Verdict};
use crate::lab::Lab;
use crate::moments;
use crate::pool;

pub use crate::moments::{MOST_MOMENTS, Moment};
pub use trial::{Outcome, Trial};

/// An experiment, and the faults that hit it at every moment.
#[derive(Debug, Clone)]
pub struct Sweep {
    experiment: Experiment,
    faults: Vec<(Fault, String)>,
    most: NonZeroUsize,
}

/// The results of a sweep.
#[derive(Debug, Clone, Serialize)]
pub struct Swept {
    /// The moments that were tried, in order.
    pub moments: Vec<Moment>,
    /// How many more moments there were: requests in between, which were left out.
    pub left_out: usize,
    /// The requirements, judged for the run without the swept faults; without requirements on recovery, which that run cannot show.
    pub without_fault: Vec<Verdict>,
    /// One for each moment and fault, by fault and then by time. Trials that had not run when the sweep was stopped are missing.
    pub trials: Vec<Trial>,
    /// How many trials there are to run.
    pub planned: usize,
    /// Whether the experiment has requirements.
    #[serde(skip)]
    is_required: bool,
    /// The timeline of the run without the swept faults.
    #[serde(skip)]
    pub baseline: Timeline,
}

impl Sweep {
    /// A sweep of this experiment. The experiment's own faults come in every run.
    pub fn new(experiment: Experiment) -> Sweep {
        Sweep {
            experiment,
            faults: Vec::new(),
            most: MOST_MOMENTS,
        }
    }

    /// Hits the experiment's main unit with this fault.
    #[must_use]
    pub fn fault(self, fault: Fault) -> Sweep {
        let unit = self.experiment.main_unit().to_owned();
        self.fault_on(&unit, fault)
    }

    /// Hits another unit of the experiment with this fault. The same fault twice counts once.
    #[must_use]
    pub fn fault_on(mut self, unit: &str, fault: Fault) -> Sweep {
        let fault = (fault, unit.to_owned());
        if !self.faults.contains(&fault) {
            self.faults.push(fault);
        }
        self
    }

    /// Tries at most this many moments. Requests are left out first, evenly.
    #[must_use]
    pub fn at_most(self, most: NonZeroUsize) -> Sweep {
        Sweep { most, ..self }
    }

    /// The experiment of a trial.
    pub fn experiment(&self, at: Duration, fault: &Fault, unit: &str) -> Experiment {
        let length = self.experiment.length_after(at);
        self.experiment
            .clone()
            .fault_on(unit, at, fault.clone())
            .lasting(length)
    }

    /// Finds what is wrong with the plan, as far as possible without a lab.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong.
    pub fn check(&self) -> Result<(), PlanError> {
        for (fault, unit) in &self.faults {
            self.experiment(Duration::ZERO, fault, unit).check()?;
        }
        Ok(())
    }

    /// Runs everything, on all processors. Calls `progress` with how many trials have ended, and how many there are. Once `stop` is
    /// set, the trials that still run end, and the results so far are returned.
    ///
    /// # Errors
    ///
    /// [`ExperimentError::Plan`] if something is wrong with the plan; otherwise when the lab cannot run. A trial that runs out of time
    /// is a result.
    pub fn run(
        &self,
        lab: &Lab,
        stop: &AtomicBool,
        mut progress: impl FnMut(usize, usize),
    ) -> Result<Swept, ExperimentError> {
        self.check()?;
        // Without a fault, requirements on recovery are not measured.
        let without = self
            .experiment
            .clone()
            .with_requirements(|it| !it.is_about_recovery());
        let baseline = without.run(lab)?;
        let without_fault = without.verdicts(&baseline);
        let (moments, left_out) = moments::of(&self.experiment, &baseline, self.most.get());
        let planned: Vec<(usize, &Moment, &Fault, &str)> = self
            .faults
            .iter()
            .enumerate()
            .flat_map(|(number, (fault, unit))| {
                let moments = moments.iter();
                moments.map(move |moment| (number, moment, fault, unit.as_str()))
            })
            .collect();
        let latest = moments.last().map_or(Duration::ZERO, |moment| moment.at);
        let longest = self.experiment.length_after(latest);
        let branches = Branches::new(lab, &self.experiment, &baseline, &self.faults, longest);
        let ended_early = AtomicBool::new(false);
        let mut results = Vec::new();
        let mut error = None;
        progress(0, planned.len());
        pool::run(
            &planned,
            pool::processors(),
            |(number, moment, fault, unit)| {
                if stop.load(Ordering::Relaxed) || ended_early.load(Ordering::Relaxed) {
                    return None;
                }
                let experiment = self.experiment(moment.at, fault, unit);
                let trial = Trial::of(&experiment, &branches, &baseline, moment, fault, unit, stop);
                if trial.is_err() {
                    ended_early.store(true, Ordering::Relaxed);
                }
                Some((*number, trial))
            },
            |_, result| match result {
                // If a run is interrupted together with the command, the lab is not at fault.
                Some((_, Err(_))) if stop.load(Ordering::Relaxed) => {}
                Some((_, Err(of_run))) => error = error.take().or(Some(of_run)),
                Some((number, Ok(trial))) => {
                    results.push((number, trial));
                    progress(results.len(), planned.len());
                }
                None => {}
            },
        );
        if let Some(error) = error {
            return Err(error);
        }
        results.sort_by_key(|(number, trial)| (*number, trial.at));
        Ok(Swept {
            left_out,
            without_fault,
            trials: results.into_iter().map(|(_, trial)| trial).collect(),
            planned: planned.len(),
            is_required: !self.experiment.requirements().is_empty(),
            moments,
            baseline,
        })
    }
}

impl Swept {
    /// The faults that were tried, in order, as in [`Trial::fault`].
    pub fn faults(&self) -> Vec<&str> {
        let mut seen = BTreeSet::new();
        let faults = self.trials.iter().map(|trial| trial.fault.as_str());
        faults.filter(|fault| seen.insert(*fault)).collect()
    }

    /// Whether a fault came in at least one run. systemd may have refused all of them, e.g. because the service never started.
    pub fn has_hit(&self) -> bool {
        let mut trials = self.trials.iter();
        trials.any(|trial| trial.outcome != Outcome::Refused)
    }

    /// In how many runs at least one requirement was judged: see [`Trial::verdicts`].
    pub fn judged(&self) -> usize {
        let judged = self.trials.iter().filter(|it| !it.verdicts.is_empty());
        judged.count()
    }

    /// Whether all requirements are met in every run, and a fault came at all: without one, nothing is known. Neither is it if there are
    /// requirements and none was judged in any run.
    pub fn holds(&self) -> bool {
        self.has_hit()
            && (self.judged() > 0 || !self.is_required)
            && self.without_fault.iter().all(|verdict| verdict.holds)
            && self.trials.iter().all(Trial::holds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_counts_once() {
        let kill = || Fault::Kill(9);
        let sweep = Sweep::new(Experiment::new("a.service")).fault(kill());
        let sweep = sweep.fault(kill()).fault_on("b.service", kill());
        assert_eq!(sweep.fault(kill()).faults.len(), 2);
    }
}
