//! Many runs of one experiment that differ only in added faults: each continues from a checkpoint before its first added fault, or from
//! one after faults that it shares with other runs.

mod beginnings;

pub(crate) use beginnings::Beginnings;

use std::sync::OnceLock;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use systemd_lab_protocol::Scenario;
use systemd_timeline::Timeline;

use super::steps::SETTLED;
use super::summary::SUB_STATE;
use super::{Experiment, ExperimentError, Fault};
use crate::lab::Lab;
use crate::lab::checkpoint::{Checkpoint, Checkpoints};
use crate::lab::options::RunOptions;

/// How many checkpoints there are at most without added faults, and without the one before the beginning. Each keeps the memory that the
/// guest has written since the one before: some 30 MB.
const MOST: usize = 16;

/// How long nothing should have happened before a checkpoint, so that nothing is under way.
const QUIET_BEFORE: Duration = Duration::from_millis(50);

/// How long nothing should happen after it: until the guest has read its new job, and some more.
const QUIET_AFTER: Duration = Duration::from_millis(30);

/// About how much wall time it takes to see an event, and to answer a request, in milliseconds.
const COST_OF_EVENT: usize = 4;
const COST_OF_REQUEST: usize = 3;

/// An experiment, and the checkpoints of its run.
pub(crate) struct Branches<'a> {
    lab: &'a Lab,
    base: Experiment,
    /// With every fault that may be added: what they contain decides what the guest is given.
    with_all: Experiment,
    checkpoints: Checkpoints,
    places: Vec<Duration>,
    /// One before the beginning and one for each place, once it was needed.
    made: Vec<OnceLock<Option<Checkpoint>>>,
}

impl<'a> Branches<'a> {
    /// The branches of an experiment, which was checked, and whose run is `baseline`. Only these faults are added to it. No branch is longer
    /// than `longest`.
    pub(crate) fn new(
        lab: &'a Lab,
        base: &Experiment,
        baseline: &Timeline,
        added: &[(Fault, String)],
        longest: Duration,
    ) -> Branches<'a> {
        let places = places(base, baseline);
        let base = base.clone().lasting(longest);
        let with_all = added.iter().fold(base.clone(), |all, (fault, unit)| {
            all.fault_on(unit, Duration::ZERO, fault.clone())
        });
        Branches {
            lab,
            base,
            with_all,
            checkpoints: Checkpoints::new(lab),
            made: (0..=places.len()).map(|_| OnceLock::new()).collect(),
            places,
        }
    }

    /// Runs the experiment, to which faults were added that come at this time or later. Once `stop` is set, the run ends.
    /// Also returns whether the run continued from a checkpoint.
    ///
    /// # Errors
    ///
    /// As [`Experiment::run`]; [`LabError::Interrupted`](crate::LabError::Interrupted) when it was stopped.
    pub(crate) fn run(
        &self,
        experiment: &Experiment,
        first_added: Duration,
        stop: &AtomicBool,
    ) -> Result<(Timeline, bool), ExperimentError> {
        let before = self.places_before(first_added);
        let checkpoint = self.checkpoint(before, stop);
        self.run_from(checkpoint, &self.places[..before], experiment, stop)
    }

    /// Runs the experiment from this checkpoint, which is at the last one of the places, or before the beginning if there are none.
    /// Without one, runs it from the start.
    fn run_from(
        &self,
        checkpoint: Option<&Checkpoint>,
        places: &[Duration],
        experiment: &Experiment,
        stop: &AtomicBool,
    ) -> Result<(Timeline, bool), ExperimentError> {
        let options = RunOptions::default().interrupted_by(stop);
        let mut options = options.deadline(experiment.deadline());
        let mut result = None;
        if let Some(checkpoint) = checkpoint {
            let scenario = scenario(experiment, places);
            let run = self
                .checkpoints
                .run_from(checkpoint, &scenario, &mut options);
            result = run.transpose();
        }
        let is_continued = result.is_some();
        let timeline = experiment.prepared(result.unwrap_or_else(|| {
            let scenario = experiment.scenario();
            self.lab.run_with(&scenario, &experiment.files, options)
        }))?;
        Ok((timeline, is_continued))
    }

    /// How many places are before a fault at this time.
    fn places_before(&self, fault: Duration) -> usize {
        let places = self.places.iter();
        places.filter(|at| **at + SETTLED < fault).count()
    }

    /// The checkpoint after so many places. It is made from the one before.
    fn checkpoint(&self, places: usize, stop: &AtomicBool) -> Option<&Checkpoint> {
        let made = self.made[places].get_or_init(|| {
            let before = places
                .checked_sub(1)
                .and_then(|it| self.checkpoint(it, stop));
            let experiment = match places {
                0 => &self.with_all,
                _ => &self.base,
            };
            let scenario = scenario(experiment, &self.places[..places]);
            self.checkpoints
                .make(&scenario, &self.base.files, before, stop)
        });
        made.as_ref()
    }
}

fn scenario(of: &Experiment, places: &[Duration]) -> Scenario {
    let scenario = of.prepared_scenario().observe_only(&[SUB_STATE]);
    of.add_steps_with_checkpoints(scenario, places)
}

/// The times for checkpoints: each in a quiet moment, and so that about the same work is done between two of them.
fn places(experiment: &Experiment, baseline: &Timeline) -> Vec<Duration> {
    let length = experiment.length();
    let events = baseline.events().iter();
    let mut busy: Vec<(Duration, usize)> = events
        .map(|event| (baseline.time_of(event), COST_OF_EVENT))
        .collect();
    for probe in experiment.probes() {
        let mut at = probe.first_attempt();
        while at <= length {
            busy.push((at, COST_OF_REQUEST));
            at += probe.interval();
        }
    }
    let faults = experiment.faults().iter();
    busy.extend(faults.filter_map(|planned| Some((planned.when.time()?, 0))));
    busy.push((length, 0));
    busy.sort_unstable();
    let mut cost = 0;
    let mut quiet = Vec::new();
    for pair in busy.windows(2) {
        let [(before, of_event), (after, _)] = pair else {
            continue;
        };
        cost += of_event;
        if *before + QUIET_BEFORE + QUIET_AFTER < *after {
            quiet.push((*before + QUIET_BEFORE, cost));
        }
    }
    let most = quiet.last().map_or(0, |(_, cost)| *cost);
    let shares = (0..MOST).filter_map(|share| {
        let mut quiet = quiet.iter();
        quiet.find(|(_, cost)| cost * MOST >= most * share)
    });
    let mut places: Vec<Duration> = shares.map(|(at, _)| *at).collect();
    places.dedup();
    places
}
