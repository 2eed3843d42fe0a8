//! What some runs have in common: a beginning with faults in it. Each beginning has a checkpoint of its own, for as long as the runs last.

use std::sync::OnceLock;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use systemd_timeline::Timeline;

use super::{Branches, QUIET_AFTER, QUIET_BEFORE, scenario};
use crate::experiment::steps::SETTLED;
use crate::experiment::{AFTER_LAST_FAULT, Experiment, ExperimentError, PlannedFault};
use crate::lab::checkpoint::Checkpoint;

/// Runs that begin alike, and their beginnings.
pub(crate) struct Beginnings<'a> {
    branches: &'a Branches<'a>,
    /// Each comes after those that it continues. With its checkpoint, once a run has needed it.
    all: Vec<(Beginning, OnceLock<Option<Checkpoint>>)>,
}

/// A beginning.
#[derive(Debug, PartialEq, Eq)]
struct Beginning {
    /// The added faults that have come. All have a time.
    faults: Vec<PlannedFault>,
    /// When its guest stands still.
    place: Duration,
}

impl<'a> Beginnings<'a> {
    /// The beginnings of these runs, which are given as their added faults: all with a time, in order.
    pub(super) fn new(branches: &'a Branches<'a>, runs: &[&[PlannedFault]]) -> Beginnings<'a> {
        let found = found(runs, |from, until| branches.base.quiet(from, until));
        Beginnings {
            branches,
            all: found.into_iter().map(|it| (it, OnceLock::new())).collect(),
        }
    }

    /// Runs the experiment, to which these faults were added. Once `stop` is set, the run ends. Also returns whether the run continued
    /// from a checkpoint.
    ///
    /// # Errors
    ///
    /// As [`Branches::run`].
    pub(crate) fn run(
        &self,
        experiment: &Experiment,
        added: &[PlannedFault],
        stop: &AtomicBool,
    ) -> Result<(Timeline, bool), ExperimentError> {
        let mut of_run = (0..self.all.len()).filter(|it| self.all[*it].0.leads_to(added));
        let checkpoint = of_run
            .next_back()
            .and_then(|number| Some((number, self.checkpoint(number, stop)?)));
        let Some((number, checkpoint)) = checkpoint else {
            return self.branches.run(experiment, time(added.first()), stop);
        };
        let places = self.places(number);
        self.branches
            .run_from(Some(checkpoint), &places, experiment, stop)
    }

    /// The checkpoint of the beginning with this number. It is made from the one before.
    fn checkpoint(&self, number: usize, stop: &AtomicBool) -> Option<&Checkpoint> {
        let (beginning, made) = &self.all[number];
        let made = made.get_or_init(|| {
            let branches = self.branches;
            let before = match self.before(number).next_back() {
                Some(number) => self.checkpoint(number, stop),
                None => {
                    let places = branches.places_before(time(beginning.faults.first()));
                    branches.checkpoint(places, stop)
                }
            };
            let faults = beginning.faults.iter();
            let base = faults.fold(branches.base.clone(), |experiment, it| {
                experiment.fault_on(&it.unit, it.when.clone(), it.fault.clone())
            });
            let scenario = scenario(&base, &self.places(number));
            branches
                .checkpoints
                .make(&scenario, &base.files, before, stop)
        });
        made.as_ref()
    }

    /// The beginnings that this one continues.
    fn before(&self, number: usize) -> impl DoubleEndedIterator<Item = usize> {
        let (beginning, _) = &self.all[number];
        (0..number).filter(|it| beginning.continues(&self.all[*it].0))
    }

    /// All places for checkpoints up to the one of this beginning.
    fn places(&self, number: usize) -> Vec<Duration> {
        let (beginning, _) = &self.all[number];
        let shared = self.branches.places_before(time(beginning.faults.first()));
        let mut places = self.branches.places[..shared].to_vec();
        places.extend(self.before(number).map(|it| self.all[it].0.place));
        places.push(beginning.place);
        places
    }
}

impl Drop for Beginnings<'_> {
    fn drop(&mut self) {
        let made = self.all.iter_mut().filter_map(|(_, made)| made.take());
        for checkpoint in made.flatten() {
            self.branches.checkpoints.end(&checkpoint);
        }
    }
}

impl Beginning {
    /// Whether it goes on from another one's guest.
    fn continues(&self, other: &Beginning) -> bool {
        other.faults.len() < self.faults.len() && other.leads_to(&self.faults)
    }

    /// Whether a run with these faults begins so, and nothing else comes before the guest stands still.
    fn leads_to(&self, faults: &[PlannedFault]) -> bool {
        let next = next_after(faults, self.faults.len());
        faults.starts_with(&self.faults) && self.place + SETTLED < next
    }
}

/// The beginnings that at least two of these runs have in common, shorter ones first. `quiet` returns, in order, the moments between two
/// times that are good for a checkpoint.
fn found<Q: Iterator<Item = Duration>>(
    runs: &[&[PlannedFault]],
    quiet: impl Fn(Duration, Duration) -> Q,
) -> Vec<Beginning> {
    let mut found: Vec<Beginning> = Vec::new();
    let longest = runs.iter().map(|faults| faults.len()).max().unwrap_or(0);
    for length in 1..=longest {
        for (number, faults) in runs.iter().enumerate() {
            let Some(common) = faults.get(..length) else {
                continue;
            };
            if runs[..number].iter().any(|run| run.starts_with(common)) {
                continue;
            }
            let runs = runs[number..].iter().filter(|run| run.starts_with(common));
            let next: Vec<Duration> = runs.map(|run| next_after(run, length)).collect();
            let fault = time(common.last());
            found.extend(place(fault, next, &quiet).map(|place| Beginning {
                faults: common.to_vec(),
                place,
            }));
        }
    }
    // Those from which only one goes on would save nothing.
    let going_on = |number: usize| {
        let of_run =
            |run: &&&[PlannedFault]| found.iter().rposition(|it| it.leads_to(run)) == Some(number);
        let of_longer =
            |longer: &&Beginning| found.iter().rposition(|it| longer.continues(it)) == Some(number);
        runs.iter().filter(of_run).count() + found.iter().filter(of_longer).count()
    };
    let useful: Vec<bool> = (0..found.len()).map(|it| going_on(it) > 1).collect();
    let mut useful = useful.into_iter();
    found.retain(|_| useful.next() == Some(true));
    found
}

/// The latest moment after a fault for a checkpoint that at least two runs can use. `next` is when something else comes in each run; those
/// in which that is too soon are left out.
fn place<Q: Iterator<Item = Duration>>(
    fault: Duration,
    next: Vec<Duration>,
    quiet: impl Fn(Duration, Duration) -> Q,
) -> Option<Duration> {
    let first = quiet(fault, *next.iter().max()?).next()?;
    let mut later = next;
    later.retain(|next| first + QUIET_AFTER < *next);
    if later.len() < 2 {
        return None;
    }
    let until = *later.iter().min()?;
    let before = quiet(fault, until).filter(|place| *place + SETTLED < until);
    before.last()
}

/// When a run's next fault comes after so many have come; if there is none, a time that is not after the run's end.
fn next_after(faults: &[PlannedFault], come: usize) -> Duration {
    match faults.get(come) {
        next @ Some(_) => time(next),
        None => time(faults.last()) + AFTER_LAST_FAULT,
    }
}

/// When a fault comes.
fn time(fault: Option<&PlannedFault>) -> Duration {
    let time = fault.and_then(|fault| fault.when.time());
    time.unwrap_or_default()
}

impl Branches<'_> {
    /// Finds out what these runs have in common. They are given as their added faults: all with a time, in order.
    pub(crate) fn beginnings(&self, runs: &[&[PlannedFault]]) -> Beginnings<'_> {
        Beginnings::new(self, runs)
    }
}

impl Experiment {
    /// The moments between two times that are good for a checkpoint, in order: no request and no fault of the experiment is near.
    fn quiet(&self, from: Duration, until: Duration) -> impl Iterator<Item = Duration> {
        let mut busy = vec![from, until];
        for probe in self.probes() {
            let times = (0..).map(|number| probe.first_attempt() + probe.interval() * number);
            busy.extend(times.take_while(|at| *at < until));
        }
        busy.extend(self.faults().iter().filter_map(|it| it.when.time()));
        busy.retain(|at| (from..=until).contains(at));
        busy.sort_unstable();
        let ends = busy.clone().into_iter().skip(1);
        let gaps = busy.into_iter().zip(ends);
        gaps.filter(|(from, until)| *from + QUIET_BEFORE + QUIET_AFTER < *until)
            .map(|(from, _)| from + QUIET_BEFORE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::Fault;

    /// Kills at these times, in milliseconds.
    fn kills(times: &[u64]) -> Vec<PlannedFault> {
        let kill = |at: &u64| PlannedFault {
            when: Duration::from_millis(*at).into(),
            fault: Fault::Kill(9),
            unit: "a.service".to_owned(),
        };
        times.iter().map(kill).collect()
    }

    /// For runs with kills at these times, in milliseconds: the common beginnings, with their places.
    fn beginnings(runs: &[&[u64]]) -> Vec<(Vec<u64>, u64)> {
        let runs: Vec<_> = runs.iter().map(|times| kills(times)).collect();
        let runs: Vec<&[PlannedFault]> = runs.iter().map(Vec::as_slice).collect();
        let milliseconds = |time: Duration| time.as_millis() as u64;
        // At 0.55 s, 1.55 s and so on, as after requests at half seconds.
        let quiet = |from: Duration, until: Duration| {
            let times = (0..).map(|second| Duration::from_millis(second * 1000 + 550));
            times
                .skip_while(move |time| *time <= from)
                .take_while(move |time| *time < until)
        };
        let found = found(&runs, quiet).into_iter();
        found
            .map(|it| {
                let times = it.faults.iter().map(|fault| time(Some(fault)));
                (times.map(milliseconds).collect(), milliseconds(it.place))
            })
            .collect()
    }

    #[test]
    fn runs_that_differ_from_the_start_have_nothing_in_common() {
        assert_eq!(beginnings(&[&[1000, 5000], &[1001, 5000], &[]]), []);
    }

    #[test]
    fn a_checkpoint_comes_as_late_as_all_runs_permit() {
        let runs: [&[u64]; 3] = [&[1000, 9000], &[1000, 5000, 6000], &[1000]];
        assert_eq!(beginnings(&runs), [(vec![1000], 4550)]);
    }

    #[test]
    fn a_beginning_continues_a_shorter_one() {
        let runs: [&[u64]; 4] = [
            &[1000, 5000, 8000],
            &[1000, 5000, 7000],
            &[1000, 3000],
            &[2000, 5000],
        ];
        let expected = [(vec![1000], 2550), (vec![1000, 5000], 6550)];
        assert_eq!(beginnings(&runs), expected);
    }

    /// In one run, the second fault comes before a checkpoint is possible: the others have one all the same.
    #[test]
    fn a_run_in_which_something_comes_too_soon_is_left_out() {
        let runs: [&[u64]; 3] = [&[1000, 1100], &[1000, 5000], &[1000, 4000]];
        let [(faults, place)] = beginnings(&runs)
            .try_into()
            .expect("they have one beginning in common");
        assert_eq!((faults.as_slice(), place), ([1000].as_slice(), 3550));
        let beginning = Beginning {
            faults: kills(&[1000]),
            place: Duration::from_millis(place),
        };
        let leads_to = |times: &[u64]| beginning.leads_to(&kills(times));
        assert_eq!(
            [&[1000, 1100][..], &[1000, 5000], &[1000], &[900, 5000]].map(leads_to),
            [false, true, true, false]
        );
        assert_eq!(beginnings(&runs[..2]), []);
    }

    /// The guest of a shorter beginning may stand after a fault of a longer one.
    #[test]
    fn a_beginning_does_not_continue_one_that_stands_too_late() {
        let runs: [&[u64]; 4] = [
            &[1000, 1100, 5000],
            &[1000, 1100, 6000],
            &[1000, 8000],
            &[1000, 9000],
        ];
        let expected = [(vec![1000], 7550), (vec![1000, 1100], 4550)];
        assert_eq!(beginnings(&runs), expected);
        let of = |times: &[u64], place| Beginning {
            faults: kills(times),
            place: Duration::from_millis(place),
        };
        let longer = of(&[1000, 1100], 4550);
        assert!(!longer.continues(&of(&[1000], 7550)));
        assert!(of(&[1000, 7600], 8550).continues(&of(&[1000], 7550)));
    }

    #[test]
    fn a_beginning_from_which_only_one_run_goes_on_is_left_out() {
        let runs: [&[u64]; 2] = [&[1000, 3000, 5000], &[1000, 3000, 7000]];
        assert_eq!(beginnings(&runs), [(vec![1000, 3000], 4550)]);
    }

    /// Runs that are the same go on together until a minute after the last fault, which is before they end.
    #[test]
    fn runs_that_are_the_same() {
        let expected = [(vec![1000], 60_550)];
        assert_eq!(beginnings(&[&[1000], &[1000]]), expected);
    }
}
