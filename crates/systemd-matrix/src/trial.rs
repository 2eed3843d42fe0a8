//! Runs many small trials in few guests: one after the other in each, and as many guests at a time as there are processors.
//!
//! A [`Trial`] is a scenario with its files, as a single run would be. A [`Series`] distributes its trials over a
//! number of runs. [`run`] returns what was [`Seen`] of each trial: by itself, or with everything else that happened in
//! its guest. This module knows the lab, but not what is tried.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use systemd_lab::protocol::event::StepOutcome;
use systemd_lab::protocol::{Event, EventKind, Scenario, Step};
use systemd_lab::{GuestFile, Lab, LabError, RunOptions, Timeline};

use crate::table::short_version;
use systemd_lab::pool;

/// Limits each run in wall time. The longest runs take about 12 s if they have a processor to themselves; a machine
/// that is busy with something else may take ten times as long, and the measurement is still right.
const DEADLINE: Duration = Duration::from_secs(600);

/// One trial.
#[derive(Debug, Clone)]
pub struct Trial {
    scenario: Scenario,
    files: Vec<GuestFile>,
    /// What is done after the trial, so that it does not disturb the next one.
    cleanup: Scenario,
}

impl Trial {
    /// A trial with the steps of this scenario, and with these files. Names of units must be unique, because all trials
    /// of a run share a guest.
    pub fn new(scenario: Scenario, files: Vec<GuestFile>) -> Trial {
        Trial {
            scenario,
            files,
            cleanup: Scenario::default(),
        }
    }

    /// Stops the unit after the trial, and waits until it has ended, up to the deadline. This is not part of the trial.
    #[must_use]
    pub fn then_stop(mut self, unit: &str, deadline: Duration) -> Trial {
        self.cleanup = self
            .cleanup
            .stop(unit)
            .wait_for_state(unit, &["dead", "failed"], deadline);
        self
    }
}

/// Trials of one kind.
#[derive(Debug, Clone)]
pub struct Series {
    name: String,
    trials: Vec<Trial>,
    /// The files of every run.
    files: Vec<GuestFile>,
    runs: usize,
    last: Option<Step>,
}

impl Series {
    /// All of them in one run. `name` is a few words about what is tried.
    pub fn new(name: impl Into<String>, trials: Vec<Trial>) -> Series {
        Series {
            name: name.into(),
            trials,
            files: Vec::new(),
            runs: 1,
            last: None,
        }
    }

    /// Distributes them over this many runs, like cards. The number must not depend on the machine, because the bytes of a run
    /// decide whether its result is stored already.
    #[must_use]
    pub fn in_runs(self, runs: usize) -> Series {
        Series { runs, ..self }
    }

    /// Adds files that all of them share.
    #[must_use]
    pub fn with_files(self, files: Vec<GuestFile>) -> Series {
        Series { files, ..self }
    }

    /// Ends each run with this step.
    #[must_use]
    pub fn with_last(self, step: Step) -> Series {
        Series {
            last: Some(step),
            ..self
        }
    }

    /// The trials of one run.
    fn dealt(&self, run: usize) -> impl Iterator<Item = &Trial> {
        self.trials.iter().skip(run).step_by(self.runs)
    }

    fn batches(&self) -> impl Iterator<Item = Batch> {
        (0..self.runs.min(self.trials.len())).map(|run| Batch::of(self, run))
    }
}

/// Whether to repeat a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Memory {
    /// Earlier runs are taken from [`RunOptions::remembered`].
    Used,
    /// Everything is run.
    Ignored,
}

/// What happened in the guest of a trial.
#[derive(Debug, Clone)]
pub struct Seen {
    run: Arc<Timeline>,
    /// The label of the trial's steps.
    label: String,
}

impl Seen {
    /// The whole run, with all other trials that shared the guest.
    pub fn run(&self) -> &Timeline {
        &self.run
    }

    /// What happened to these units from the trial's first step to its last, as if it were alone in the guest: times count from the
    /// trial's beginning.
    pub fn of(&self, units: &[&str]) -> Timeline {
        let began_us = self.began_us();
        let part = self.run.labelled(&self.label);
        let kept = part.events().iter().filter_map(|event| match event.kind {
            EventKind::ScenarioBegan { .. } => Some(Event {
                at_us: began_us,
                ..event.clone()
            }),
            _ => units
                .iter()
                .any(|unit| event.is_about(unit))
                .then(|| event.clone()),
        });
        Timeline::new(kept.collect())
    }

    /// When the trial's last step began, counted from the trial's beginning: usually, this step watches what follows.
    pub fn last_step(&self) -> Duration {
        let last = self.run.began_with(&self.label).next_back();
        let last = last.map_or(0, |event| event.at_us);
        Duration::from_micros(last.saturating_sub(self.began_us()))
    }

    /// The version of the guest's systemd, without the distribution's part: e.g. `257`.
    pub fn systemd_version(&self) -> Option<String> {
        let with = self.run.measured_with()?;
        Some(short_version(&with.systemd).to_owned())
    }

    /// The stamp of the event with which the trial's first step began. Without one, the run did not end correctly, and there
    /// is nothing to see.
    fn began_us(&self) -> u64 {
        let began = self.run.began_with(&self.label).next();
        began.map_or(0, |event| event.at_us)
    }
}

/// Trials that share a run.
struct Batch {
    scenario: Scenario,
    files: Vec<GuestFile>,
    /// The label of each trial's steps. What is done after the trial has none.
    trials: Vec<String>,
}

impl Batch {
    fn of(series: &Series, run: usize) -> Batch {
        let mut scenario = Scenario::new(&series.name);
        let mut files = series.files.clone();
        let mut trials = Vec::new();
        for (number, trial) in series.dealt(run).enumerate() {
            let label = format!("trial {number}");
            for step in &trial.scenario.steps {
                scenario = scenario.step(step.clone()).labelled(&label);
            }
            trials.push(label);
            scenario.steps.extend_from_slice(&trial.cleanup.steps);
            files.extend_from_slice(&trial.files);
        }
        scenario.steps.extend(series.last.clone());
        Batch {
            scenario,
            files,
            trials,
        }
    }
}

/// Runs all trials. Calls `progress` with how many of all runs are done.
///
/// Returns what was seen of each series' trials, in their order.
///
/// # Errors
///
/// When the lab cannot run; [`LabError::Host`] when a step did not succeed.
pub fn run(
    lab: &Lab,
    all: &[Series],
    memory: Memory,
    mut progress: impl FnMut(usize, usize),
) -> Result<Vec<Vec<Seen>>, LabError> {
    let batches: Vec<Batch> = all.iter().flat_map(Series::batches).collect();
    let has_failed = AtomicBool::new(false);
    let work = |(_, batch): &(usize, &Batch)| {
        if has_failed.load(Ordering::Relaxed) {
            // It would be useless.
            return None;
        }
        let options = RunOptions::default().deadline(DEADLINE);
        let options = match memory {
            Memory::Used => options.remembered(),
            Memory::Ignored => options,
        };
        let run = lab.run_with(&batch.scenario, &batch.files, options);
        let run = run.and_then(|timeline| ended_well(timeline, &batch.scenario));
        has_failed.fetch_or(run.is_err(), Ordering::Relaxed);
        Some(run)
    };
    let numbered: Vec<(usize, &Batch)> = batches.iter().enumerate().collect();
    let mut timelines: Vec<Option<Arc<Timeline>>> = vec![None; batches.len()];
    let mut error = None;
    let mut done = 0;
    progress(done, batches.len());
    pool::run(&numbered, pool::processors(), work, |(index, _), run| {
        match run {
            Some(Ok(timeline)) => timelines[*index] = Some(Arc::new(timeline)),
            Some(Err(why)) => error = error.take().or(Some(why)),
            None => return,
        }
        done += 1;
        progress(done, batches.len());
    });
    if let Some(error) = error {
        return Err(error);
    }
    // Without an error, all of them have run.
    let mut runs = batches.iter().zip(timelines.into_iter().flatten());
    let seen_of = |series: &Series| {
        let mut dealt = Vec::new();
        for (batch, run) in runs.by_ref().take(series.runs.min(series.trials.len())) {
            let seen = batch.trials.iter().map(move |label| Seen {
                run: Arc::clone(&run),
                label: label.clone(),
            });
            dealt.push(seen);
        }
        let runs = dealt.len();
        let in_order = (0..series.trials.len()).filter_map(|index| dealt[index % runs].next());
        in_order.collect()
    };
    Ok(all.iter().map(seen_of).collect())
}

/// The timeline, if every step of the scenario succeeded.
fn ended_well(timeline: Timeline, scenario: &Scenario) -> Result<Timeline, LabError> {
    let bad = timeline
        .events()
        .iter()
        .find_map(|event| match &event.kind {
            EventKind::StepEnded { index, outcome, .. } if *outcome != StepOutcome::Done => {
                Some((scenario.steps.get(*index), outcome))
            }
            _ => None,
        });
    match bad {
        Some((step, outcome)) => Err(LabError::Host {
            message: format!(
                "nothing was measured, because a step of \"{}\" did not end well: {step:?}: {outcome:?}; this is a fault of the workshop, please report it",
                scenario.name
            ),
        }),
        None => Ok(timeline),
    }
}

#[cfg(test)]
mod tests {
    use systemd_lab::protocol::event::Source;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// A trial that starts a unit and waits, with a file of the unit's name.
    fn trial(unit: &str) -> Trial {
        let scenario = Scenario::new("ignored").start(unit).sleep(SECOND);
        Trial::new(scenario, vec![GuestFile::text(format!("/{unit}"), "")]).then_stop(unit, SECOND)
    }

    fn started(scenario: &Scenario) -> Vec<&str> {
        let units = scenario.steps.iter().filter_map(|step| match step {
            Step::Start { unit } => Some(unit.as_str()),
            _ => None,
        });
        units.collect()
    }

    #[test]
    fn trials_are_dealt_out_with_their_files() {
        let series = Series::new("letters", ["a", "b", "c"].map(trial).to_vec())
            .in_runs(2)
            .with_last(Step::DaemonReload);
        let batches: Vec<Batch> = series.batches().collect();
        let units: Vec<_> = batches.iter().map(|it| started(&it.scenario)).collect();
        assert_eq!(units, [vec!["a", "c"], vec!["b"]]);
        let [first, second] = &batches[..] else {
            panic!("there are two runs");
        };
        // Start and sleep are part of a trial; stop and wait come after it.
        let labelled = |label: &str| {
            let labels = first.scenario.labels.iter();
            let labels = labels.filter(|(_, it)| *it == label);
            labels.map(|(index, _)| *index).collect::<Vec<_>>()
        };
        assert_eq!(first.trials.len(), 2);
        assert_eq!(labelled(&first.trials[0]), [0, 1]);
        assert_eq!(labelled(&first.trials[1]), [4, 5]);
        assert_eq!(first.files.len(), 2);
        for batch in [first, second] {
            assert_eq!(batch.scenario.name, "letters");
            assert_eq!(batch.scenario.steps.last(), Some(&Step::DaemonReload));
        }
        let few = Series::new("one", vec![trial("a")]).in_runs(2);
        assert_eq!(few.batches().count(), 1, "no run is empty");
    }

    const UNIT: &str = "a.service";

    /// Events a second apart, all about one unit.
    fn timeline(kinds: Vec<EventKind>) -> Timeline {
        let event = |(second, kind)| Event {
            at_us: second * 1_000_000,
            unit: Some(UNIT.to_owned()),
            source: Source::Agent,
            kind,
        };
        Timeline::new((0_u64..).zip(kinds).map(event).collect())
    }

    #[test]
    fn a_trial_begins_at_zero_and_has_nothing_of_the_next_one() {
        let name = "both".to_owned();
        let began = |index, label: Option<&str>| EventKind::StepBegan {
            index,
            label: label.map(str::to_owned),
        };
        let run = timeline(vec![
            EventKind::ScenarioBegan { name },
            began(0, Some("trial 0")),
            EventKind::Deactivated,
            began(1, Some("trial 1")),
            EventKind::Deactivated,
            began(2, Some("trial 1")),
            EventKind::Deactivated,
            began(3, None),
            EventKind::Deactivated,
        ]);
        let seen = Seen {
            run: Arc::new(run),
            label: "trial 1".to_owned(),
        };
        let of_unit = seen.of(&[UNIT]);
        let ended = of_unit.of(UNIT);
        let ended = ended.filter(|event| event.kind == EventKind::Deactivated);
        let ended: Vec<Duration> = ended.map(|event| of_unit.time_of(event)).collect();
        assert_eq!(ended, [SECOND, 3 * SECOND]);
        assert_eq!(seen.last_step(), 2 * SECOND);
        assert_eq!(seen.of(&["b.service"]).events().len(), 1, "it has begun");
        assert_eq!(seen.run().events().len(), 9);
    }

    #[test]
    fn a_step_that_did_not_end_well_is_named() {
        let scenario = Scenario::new("t").start("a.service");
        let step = |outcome| {
            timeline(vec![EventKind::StepEnded {
                index: 0,
                label: None,
                outcome,
            }])
        };
        assert!(ended_well(step(StepOutcome::Done), &scenario).is_ok());
        let error = ended_well(step(StepOutcome::DeadlinePassed), &scenario);
        let error = error.expect_err("the deadline passed").to_string();
        assert!(
            error.contains(
                "a step of \"t\" did not end well: Some(Start { unit: \"a.service\" }): DeadlinePassed"
            ),
            "{error}"
        );
    }
}
