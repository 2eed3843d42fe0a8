//! Many random faults, from a seed: which plan breaks a requirement, and what is the smallest one that does?
//!
//! ```no_run
//! use std::num::NonZeroUsize;
//! use std::sync::atomic::AtomicBool;
//! use systemd_lab::explore::{Budget, Explore};
//! use systemd_lab::{Experiment, Fault, Lab, Probe};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let experiment = Experiment::new("units/my.service")
//!     .probe(Probe::get("http://127.0.0.1:8080/"))
//!     .require("recovery <= 10s".parse()?);
//! let explore = Explore::new(experiment, 1).fault("kill".parse()?).fault(Fault::Restart);
//! let budget = Budget::Runs(NonZeroUsize::new(200).ok_or("not zero")?);
//! let explored = explore.run(&Lab::open()?, budget, &AtomicBool::new(false), |_| {})?;
//! for violation in &explored.violations {
//!     println!("{} fails with {:?}", violation.requirement, violation.plan);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Plans that show a new combination of a unit's state, a fault and the next state are tried again with small changes. The same seed
//! gives the same plans and verdicts on any machine: plans are made in batches of a fixed size, whatever the number of processors.

mod coverage;
mod plans;
mod runs;

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::experiment::{
    Branches, Experiment, ExperimentError, Fault, PlanError, PlannedFault, Verdict,
};
use crate::lab::Lab;
use crate::moments::{self, MOST_MOMENTS};
use plans::Generator;
use runs::Runs;

pub use coverage::Combination;
pub use plans::{Limits, Plan};

/// How many plans are made before any of them has run.
const BATCH: usize = 16;

/// When an exploration ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Budget {
    /// After this many plans.
    Runs(NonZeroUsize),
    /// At the end of the batch in which this much wall time has passed.
    WallTime(Duration),
}

/// An experiment, and the faults that hit it at random.
#[derive(Debug, Clone)]
pub struct Explore {
    experiment: Experiment,
    faults: Vec<(Fault, String)>,
    limits: Limits,
    seed: u64,
}

/// A requirement that a plan broke.
#[derive(Debug, Clone, Serialize)]
pub struct Violation {
    /// The requirement, as it was written.
    pub requirement: String,
    /// What was measured with the smallest plan.
    pub measured: String,
    /// The number of the first plan that broke it, from 1.
    pub number: usize,
    /// That plan.
    pub found: Plan,
    /// The smallest plan that still breaks it: the fewest faults, then the roundest times.
    pub plan: Plan,
    /// Whether it is: `false` if the exploration was stopped before it was found, and then `plan` is the first one.
    pub is_smallest: bool,
    /// How many of the plans broke it.
    pub plans: usize,
}

/// The results of an exploration.
#[derive(Debug, Clone, Serialize)]
pub struct Explored {
    /// The seed.
    pub seed: u64,
    /// How many plans were run.
    pub plans: usize,
    /// How many of them took too long: nothing is known about those.
    pub out_of_time: usize,
    /// How many runs it took to make plans smaller.
    pub shrinking: usize,
    /// The requirements, judged for the run without the random faults; without requirements on recovery, which that run cannot show.
    pub without_fault: Vec<Verdict>,
    /// Everything that was seen, in order.
    pub combinations: BTreeSet<Combination>,
    /// The requirements that some plan broke, in the order of those plans.
    pub violations: Vec<Violation>,
    #[serde(skip)]
    continued: usize,
}

/// How far an exploration has come.
#[derive(Debug, Clone, Copy)]
pub struct Progress {
    /// How many plans have run.
    pub plans: usize,
    /// How many combinations they have shown.
    pub combinations: usize,
    /// How many requirements they have broken.
    pub violations: usize,
    /// Whether a plan is being made smaller.
    pub is_shrinking: bool,
}

impl Explore {
    /// An exploration of this experiment. The experiment's own faults come in every run.
    pub fn new(experiment: Experiment, seed: u64) -> Explore {
        Explore {
            experiment,
            faults: Vec::new(),
            limits: Limits::default(),
            seed,
        }
    }

    /// May hit the experiment's main unit with this fault.
    #[must_use]
    pub fn fault(self, fault: Fault) -> Explore {
        let unit = self.experiment.main_unit().to_owned();
        self.fault_on(&unit, fault)
    }

    /// May hit another unit of the experiment with this fault. The same fault twice counts once.
    #[must_use]
    pub fn fault_on(mut self, unit: &str, fault: Fault) -> Explore {
        let fault = (fault, unit.to_owned());
        if !self.faults.contains(&fault) {
            self.faults.push(fault);
        }
        self
    }

    /// Makes plans within these limits.
    #[must_use]
    pub fn within(self, limits: Limits) -> Explore {
        Explore { limits, ..self }
    }

    /// The experiment with the faults of a plan.
    pub fn experiment(&self, plan: &Plan) -> Experiment {
        plan.added_to(&self.experiment)
    }

    /// Finds what is wrong with the experiment, the faults and the limits, as far as possible without a lab.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong.
    pub fn check(&self) -> Result<(), PlanError> {
        if self.limits.from > self.limits.until {
            return Err(PlanError::EmptyWindow {
                from: self.limits.from,
                until: self.limits.until,
            });
        }
        for (fault, unit) in &self.faults {
            let planned = PlannedFault {
                when: self.limits.until.into(),
                fault: fault.clone(),
                unit: unit.clone(),
            };
            self.experiment(&Plan::of(vec![planned])).check()?;
        }
        Ok(())
    }

    /// Runs plans until the budget is used up, on all processors, and makes the first plan that breaks a requirement as small as
    /// possible. Calls `progress` after each batch and before it makes a plan smaller. Once `stop` is set, the runs end,
    /// and the results so far are returned.
    ///
    /// # Errors
    ///
    /// [`ExperimentError::Plan`] if something is wrong with the plan; otherwise when the lab cannot run. A run that takes too long is a
    /// result.
    pub fn run(
        &self,
        lab: &Lab,
        budget: Budget,
        stop: &AtomicBool,
        mut progress: impl FnMut(Progress),
    ) -> Result<Explored, ExperimentError> {
        self.check()?;
        let began = Instant::now();
        // Without a fault, requirements on recovery are not measured.
        let without = self
            .experiment
            .clone()
            .with_requirements(|it| !it.is_about_recovery());
        let baseline = without.run(lab)?;
        let (moments, _) = moments::of(&self.experiment, &baseline, MOST_MOMENTS.get());
        let moments = moments.into_iter().map(|moment| moment.at);
        let mut generator = Generator::new(self.seed, self.limits, &self.faults, moments);
        let longest = self.experiment.length_after(self.limits.until);
        let branches = Branches::new(lab, &self.experiment, &baseline, &self.faults, longest);
        let runs = Runs::new(&self.experiment, self.limits, branches);
        // How many violations have been made smaller.
        let mut smallest = 0;
        let mut explored = Explored {
            seed: self.seed,
            plans: 0,
            out_of_time: 0,
            shrinking: 0,
            without_fault: without.verdicts(&baseline),
            combinations: BTreeSet::new(),
            violations: Vec::new(),
            continued: 0,
        };
        loop {
            let size = match budget {
                Budget::Runs(runs) => (runs.get() - explored.plans).min(BATCH),
                Budget::WallTime(time) if began.elapsed() < time => BATCH,
                Budget::WallTime(_) => 0,
            };
            if size == 0 || stop.load(Ordering::Relaxed) {
                return Ok(explored);
            }
            let batch = generator.batch(size);
            let results = runs.all(&batch, stop);
            for (plan, result) in batch.iter().zip(results) {
                let shown = match result {
                    // The exploration was stopped before this run.
                    None => return Ok(explored),
                    Some(Err(_)) if stop.load(Ordering::Relaxed) => return Ok(explored),
                    Some(result) => result?,
                };
                explored.plans += 1;
                let Some(shown) = shown else {
                    explored.out_of_time += 1;
                    continue;
                };
                explored.continued += usize::from(shown.is_continued);
                let known = explored.combinations.len();
                explored.combinations.extend(shown.combinations);
                if explored.combinations.len() > known {
                    generator.reward(plan);
                }
                for (requirement, measured) in shown.broken {
                    explored.note(plan, requirement, measured);
                }
                progress(explored.progress(false));
            }
            while let Some(violation) = explored.violations.get(smallest).cloned() {
                progress(explored.progress(true));
                let shrunk = match runs.shrunk(&violation.found, &violation.requirement, stop) {
                    Err(_) if stop.load(Ordering::Relaxed) => return Ok(explored),
                    shrunk => shrunk?,
                };
                explored.shrinking += shrunk.runs;
                let violation = &mut explored.violations[smallest];
                violation.plan = shrunk.plan;
                violation.is_smallest = true;
                if let Some(measured) = shrunk.measured {
                    violation.measured = measured;
                }
                smallest += 1;
            }
        }
    }
}

impl Explored {
    /// Whether all requirements are met in every run, and something was hit at all: without that, nothing is known.
    pub fn holds(&self) -> bool {
        self.out_of_time == 0
            && !self.combinations.is_empty()
            && self.without_fault.iter().all(|verdict| verdict.holds)
            && self.violations.is_empty()
    }

    /// How many plans continued from a copy of the machine instead of running from the start.
    pub fn continued(&self) -> usize {
        self.continued
    }

    fn note(&mut self, plan: &Plan, requirement: String, measured: String) {
        let mut known = self.violations.iter_mut();
        match known.find(|it| it.requirement == requirement) {
            Some(violation) => violation.plans += 1,
            None => self.violations.push(Violation {
                requirement,
                measured,
                number: self.plans,
                found: plan.clone(),
                plan: plan.clone(),
                is_smallest: false,
                plans: 1,
            }),
        }
    }

    fn progress(&self, is_shrinking: bool) -> Progress {
        Progress {
            plans: self.plans,
            combinations: self.combinations.len(),
            violations: self.violations.len(),
            is_shrinking,
        }
    }
}
