//! Many runs of one experiment that differ only in added faults: each continues from a checkpoint before its first added fault.

use std::sync::OnceLock;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use systemd_timeline::Timeline;

use super::steps::SETTLED;
use super::{Experiment, ExperimentError};
use crate::lab::Lab;
use crate::lab::checkpoint::Checkpoint;
use crate::lab::options::RunOptions;

/// How many checkpoints there are at most. Each holds the guest's memory.
const MOST: usize = 4;

/// How long nothing should have happened before a checkpoint, so that nothing is under way.
const QUIET_BEFORE: Duration = Duration::from_millis(50);

/// How long nothing should happen after it: until the clock has settled, and some more.
const QUIET_AFTER: Duration = Duration::from_millis(30);

/// About how much wall time it takes to see an event, and to answer a request, in milliseconds.
const COST_OF_EVENT: usize = 4;
const COST_OF_REQUEST: usize = 5;

/// A restored guest executes code that QEMU has to translate again, which takes about half a second: a checkpoint is worth that only
/// after more work than this, in milliseconds. (Measured with QEMU 7.2: right after the start of a service it saves nothing.)
const WORTH_SAVING: usize = 700;

/// An experiment, and the checkpoints of its run.
pub(crate) struct Branches<'a> {
    lab: &'a Lab,
    base: Experiment,
    checkpoints: Vec<(Duration, OnceLock<Option<Checkpoint>>)>,
}

impl<'a> Branches<'a> {
    /// The branches of an experiment, which was checked, and whose run is `baseline`. None of them is longer than `longest`.
    pub(crate) fn new(
        lab: &'a Lab,
        base: &Experiment,
        baseline: &Timeline,
        longest: Duration,
    ) -> Branches<'a> {
        let places = places(base, baseline).into_iter();
        Branches {
            lab,
            base: base.clone().lasting(longest),
            checkpoints: places.map(|at| (at, OnceLock::new())).collect(),
        }
    }

    /// Runs the experiment, to which faults were added that come at this time or later. Once `stop` is set, the run ends.
    ///
    /// # Errors
    ///
    /// As [`Experiment::run`]; [`LabError::Interrupted`](crate::LabError::Interrupted) when it was stopped.
    pub(crate) fn run(
        &self,
        experiment: &Experiment,
        first_added: Duration,
        stop: &AtomicBool,
    ) -> Result<Timeline, ExperimentError> {
        let options = || {
            let options = RunOptions::default().interrupted_by(stop);
            options.deadline(experiment.deadline())
        };
        let mut checkpoints = self.checkpoints.iter().rev();
        let latest = checkpoints.find(|(at, _)| *at + SETTLED < first_added);
        let result = latest.and_then(|(at, checkpoint)| {
            let scenario =
                |of: &Experiment| of.add_steps_with_checkpoint(of.prepared_scenario(), *at);
            let make = || self.lab.checkpoint(&scenario(&self.base), &self.base.files);
            let checkpoint = checkpoint.get_or_init(make).as_ref()?;
            Some(
                self.lab
                    .run_from(checkpoint, &scenario(experiment), options()),
            )
        });
        experiment.prepared(result.unwrap_or_else(|| {
            let scenario = experiment.scenario();
            self.lab.run_with(&scenario, &experiment.files, options())
        }))
    }
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
        if cost >= WORTH_SAVING && *before + QUIET_BEFORE + QUIET_AFTER < *after {
            quiet.push((*before + QUIET_BEFORE, cost));
        }
    }
    let most = quiet.last().map_or(0, |(_, cost)| *cost);
    let shares = (1..=MOST).filter_map(|share| {
        let mut quiet = quiet.iter();
        quiet.find(|(_, cost)| cost * MOST >= most * share)
    });
    let mut places: Vec<Duration> = shares.map(|(at, _)| *at).collect();
    places.dedup();
    places
}
