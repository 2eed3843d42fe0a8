//! The results of an experiment, in figures.
//!
//! They are exact, because they come from the events' own stamps. An outage lasts from the first failed attempt to the next
//! successful one; it begins earlier if nothing listened before. The trace of listeners reveals an outage between two
//! attempts.

use std::time::Duration;

use serde::{Serialize, Serializer};
use systemd_lab_protocol::event::{MachineEnd, StepOutcome};
use systemd_lab_protocol::{Event, EventKind};

use super::outages::{self, Change, ListenerOutage, microseconds};
use super::requirement::{Requirement, Wanted};
use super::steps;
use super::{Experiment, PlannedFault, Probe};
use systemd_timeline::Timeline;
use systemd_timeline::jobs;

/// The results of an experiment.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// How often systemd restarted the main unit by itself (`NRestarts`, over all of it). At least that often, if the lab went blind.
    pub restarts: u32,
    /// The main unit's sub-state at the end, e.g. `running` or `failed`; `unknown` if the lab went blind and could not ask systemd.
    pub state_at_end: String,
    /// When the lab first lost sight of what systemd did about a unit of the plan. Restarts and recoveries are unknown then.
    #[serde(
        serialize_with = "maybe_microseconds",
        rename = "went_blind_us",
        skip_serializing_if = "Option::is_none"
    )]
    pub went_blind: Option<Duration>,
    /// systemd's words when it refused to start the unit at time 0, if it did.
    pub start_refused: Option<String>,
    /// One entry for each unit of the plan, the main unit first; then one for each unit that `OnFailure=` or `OnSuccess=` started.
    pub units: Vec<UnitSummary>,
    /// One entry for each probe, in the order of the experiment.
    pub probes: Vec<ProbeSummary>,
    /// One entry for each fault: in order those that came, then those that never did.
    pub faults: Vec<FaultSummary>,
}

/// What a probe saw.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ProbeSummary {
    /// `GET http://127.0.0.1:8080/`
    pub name: String,
    /// The number of attempts.
    pub attempts: u64,
    /// How many attempts failed, including those before the service first answered.
    pub failed: u64,
    /// When the service first answered, counted from its start.
    #[serde(serialize_with = "maybe_microseconds", rename = "first_success_us")]
    pub first_success: Option<Duration>,
    /// The share of time in which it answered, from its first answer to the end; `None` if it never answered.
    pub availability: Option<f64>,
    /// How often it stopped answering.
    pub outages: usize,
    /// The longest time in which it did not answer, after its first answer.
    #[serde(serialize_with = "microseconds", rename = "longest_outage_us")]
    pub longest_outage: Duration,
    /// The outages among those above that no attempt hit: the kernel's trace shows that nothing listened. Empty if the trace shows no
    /// listener on the probe's address at all.
    pub between_attempts: Vec<ListenerOutage>,
}

/// The effects of a fault.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FaultSummary {
    /// The fault.
    #[serde(flatten)]
    pub planned: PlannedFault,
    /// When it came; `None` if its event never happened.
    #[serde(serialize_with = "maybe_microseconds", rename = "at_us")]
    pub at: Option<Duration>,
    /// systemd's words when it refused the fault, e.g. because there was no process to kill.
    pub refused: Option<String>,
    /// The outcome of the job that it queued, if it queued one.
    pub job: Option<JobOutcome>,
    /// When the unit that it hit was up again, according to systemd.
    pub running: Recovery,
    /// When all probes succeeded again, for at least ten seconds or until the next fault; `None` without a probe.
    pub answering: Option<Recovery>,
    /// When each of the probes succeeded again. JSON has it only if there are several.
    #[serde(skip_serializing_if = "has_one_at_most")]
    pub probes: Vec<ProbeRecovery>,
}

impl Summary {
    /// Leaves out the faults after which the next fault came before the service had recovered, and before this requirement says that it
    /// should have.
    pub(super) fn leave_out_cut_off(&mut self, requirement: &Requirement) {
        let Wanted::Recovery(_, limit) = requirement.wanted else {
            return;
        };
        let came: Vec<Duration> = self.faults.iter().filter_map(|it| it.at).collect();
        self.faults.retain(|fault| {
            let recovery = fault
                .answering
                .into_iter()
                .fold(fault.running, Recovery::max);
            let Some(at) = fault.at.filter(|_| recovery == Recovery::NotBeforeNext) else {
                return true;
            };
            let next = came.iter().filter(|other| **other > at).min();
            next.is_none_or(|next| *next - at > limit)
        });
    }
}

/// When a probe succeeded again after a fault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ProbeRecovery {
    /// The probe's name.
    pub probe: String,
    /// When it succeeded again.
    pub answering: Recovery,
}

/// Then `answering` says the same.
fn has_one_at_most(probes: &[ProbeRecovery]) -> bool {
    probes.len() <= 1
}

impl FaultSummary {
    /// Whether it came, and systemd did not refuse it.
    pub fn has_hit(&self) -> bool {
        self.at.is_some() && self.refused.is_none()
    }

    /// When the probe of this name succeeded again.
    pub(super) fn of_probe(&self, name: &str) -> Option<Recovery> {
        let found = self.probes.iter().find(|it| it.probe == name);
        found.map(|it| it.answering)
    }
}

/// The job of a fault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct JobOutcome {
    /// `start`, `stop`, `restart` or `reload`.
    pub job: &'static str,
    /// `done`, `failed`, `timeout`, `canceled`, …; `None` if it did not end before the next fault.
    pub result: Option<String>,
}

/// The results for one unit of the plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UnitSummary {
    /// Its name.
    pub unit: String,
    /// How often systemd restarted it: by itself, or because another unit was restarted.
    pub restarts: u32,
    /// Its sub-state at the end, e.g. `running` or `failed`.
    pub state_at_end: String,
}

/// Whether something recovered after a fault. A later recovery is greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Recovery {
    /// It was available until the next fault.
    NeverGone,
    /// It was available again this long after the fault.
    After(#[serde(serialize_with = "microseconds")] Duration),
    /// It became unavailable, and did not recover before the next fault of the plan.
    NotBeforeNext,
    /// It became unavailable, and did not recover by the end.
    NotAgain,
    /// The lab did not see it.
    Unknown,
}

impl Summary {
    /// The share of time in which the first probe succeeded, from 0 to 1; `None` without a probe, or if it never did.
    pub fn availability(&self) -> Option<f64> {
        self.probes.first()?.availability
    }

    /// The longest outage that any probe saw.
    pub fn longest_outage(&self) -> Duration {
        let outages = self.probes.iter().map(|probe| probe.longest_outage);
        outages.max().unwrap_or_default()
    }
}

pub(super) fn of(experiment: &Experiment, timeline: &Timeline) -> Summary {
    let unit = experiment.main_unit();
    // The last event comes later than planned, by as long as it takes to ask systemd about the units, or earlier, with the machine's end.
    let end = timeline.events().last();
    let end = end.map_or(Duration::ZERO, |event| timeline.time_of(event));
    let end = end.min(experiment.length());
    let (probed, missed): (Vec<Vec<Change>>, Vec<Vec<ListenerOutage>>) = experiment
        .probes
        .iter()
        .map(|probe| {
            let closed = outages::listener_gaps(timeline, probe);
            outages::with_listener(probe_changes(timeline, probe), closed, probe.every, end)
        })
        .unzip();
    let probes = experiment.probes.iter().zip(&probed).zip(missed);
    let restarts = timeline.of(unit);
    let restarts =
        restarts.filter(|event| matches!(event.kind, EventKind::RestartScheduled { .. }));
    let units = experiment.units.iter().filter(|it| !it.contains("@."));
    let mut units: Vec<String> = units.cloned().collect();
    // Most of these are instances, and the plan has only their template.
    let mut called = jobs::called(timeline);
    called.retain(|it| !units.contains(it));
    units.append(&mut called);
    Summary {
        restarts: u32::try_from(restarts.count()).unwrap_or(u32::MAX),
        state_at_end: state_at_end(timeline, unit),
        went_blind: went_blind(experiment, timeline),
        units: units
            .iter()
            .map(|unit| unit_summary(experiment, timeline, unit))
            .collect(),
        start_refused: refusal(timeline, steps::START),
        probes: probes
            .map(|((probe, changes), missed)| ProbeSummary {
                between_attempts: missed,
                ..probe_summary(timeline, &probe.name(), changes, end)
            })
            .collect(),
        faults: fault_summaries(experiment, timeline, &probed),
    }
}

/// The only property that a summary needs: org.freedesktop.systemd1(5), "Unit Objects".
pub(super) const SUB_STATE: &str = "SubState";

/// The sub-state of a unit that the lab could not see.
const UNKNOWN: &str = "unknown";

/// When the lab first lost sight of what systemd did about a unit of the plan.
fn went_blind(experiment: &Experiment, timeline: &Timeline) -> Option<Duration> {
    let units = &experiment.units;
    let mut blind = units.iter().filter_map(|unit| blind_for(timeline, unit));
    blind.next().map(|first| blind.fold(first, Duration::min))
}

fn blind_for(timeline: &Timeline, unit: &str) -> Option<Duration> {
    let mut events = timeline.events().iter();
    let event = events.find(|event| {
        let is_of = event.unit.as_ref().is_none_or(|of| of == unit);
        // Without the agent, nothing after that was seen.
        is_of
            && matches!(
                event.kind,
                EventKind::WentBlind { .. }
                    | EventKind::MachineEnded {
                        how: MachineEnd::AgentEnded,
                        ..
                    }
            )
    })?;
    Some(timeline.time_of(event))
}

fn state_at_end(timeline: &Timeline, unit: &str) -> String {
    if blind_for(timeline, unit).is_some() {
        let asked = timeline.of(unit).rev().find_map(|event| match &event.kind {
            EventKind::Properties { values } => values.get(SUB_STATE)?.as_str(),
            _ => None,
        });
        return asked.unwrap_or(UNKNOWN).to_owned();
    }
    let last = timeline.of(unit).rev().find_map(|event| match &event.kind {
        EventKind::StateChanged { to, .. } => Some(to.clone()),
        _ => None,
    });
    last.unwrap_or_else(|| "dead".to_owned())
}

fn unit_summary(experiment: &Experiment, timeline: &Timeline, unit: &str) -> UnitSummary {
    let events = timeline.events().iter().enumerate();
    let restarts = events.filter(|(index, event)| {
        event.is_about(unit)
            && match &event.kind {
                EventKind::RestartScheduled { .. } => true,
                // The restart of another unit, because of Requires= or PartOf=.
                EventKind::JobQueued { job } if job.ends_with("restart") => {
                    jobs::unasked(timeline, *index, |event, unit| {
                        experiment.asks_for(timeline, event, unit)
                    })
                    .is_some()
                }
                // A start that is not the first.
                EventKind::JobQueued { .. } => {
                    jobs::upholder(timeline, event).is_some()
                        && has_ended_before(timeline, unit, event.at_us)
                }
                _ => false,
            }
    });
    UnitSummary {
        unit: unit.to_owned(),
        restarts: u32::try_from(restarts.count()).unwrap_or(u32::MAX),
        state_at_end: state_at_end(timeline, unit),
    }
}

/// Whether the unit was up before, and went down.
fn has_ended_before(timeline: &Timeline, unit: &str, at_us: u64) -> bool {
    let mut before = timeline.of(unit).filter(|event| event.at_us < at_us);
    before.any(|event| match &event.kind {
        EventKind::StateChanged { to, .. } => ["dead", "failed"].contains(&to.as_str()),
        _ => false,
    })
}

fn probe_changes(timeline: &Timeline, probe: &Probe) -> Vec<Change> {
    let wanted = probe.name();
    let changes = timeline
        .events()
        .iter()
        .filter_map(|event| match &event.kind {
            EventKind::ProbeChanged { name, outcome, .. } if *name == wanted => Some(Change {
                at: timeline.time_of(event),
                is_up: outcome.is_success(),
            }),
            _ => None,
        });
    changes.collect()
}

fn probe_summary(
    timeline: &Timeline,
    name: &str,
    changes: &[Change],
    end: Duration,
) -> ProbeSummary {
    let counted = timeline
        .events()
        .iter()
        .find_map(|event| match &event.kind {
            EventKind::ProbeEnded {
                name: ended,
                attempts,
                failed,
            } if ended == name => Some((*attempts, *failed)),
            _ => None,
        });
    let (attempts, failed) = counted.unwrap_or_default();
    let first = changes.iter().position(|change| change.is_up);
    let since_first = first.map_or(&[][..], |first| &changes[first..]);
    // A probe that never gets an answer is an outage from beginning to end.
    let never = vec![end];
    let outages = match first {
        None if attempts > 0 => never,
        _ => outages(since_first, end),
    };
    let gone: Duration = outages.iter().sum();
    let first_success = since_first.first().map(|change| change.at);
    let availability = first_success.map(|first| {
        let all = end.saturating_sub(first);
        match all.is_zero() {
            true => 1.0,
            false => 1.0 - gone.as_secs_f64() / all.as_secs_f64(),
        }
    });
    ProbeSummary {
        name: name.to_owned(),
        attempts,
        failed,
        first_success,
        availability,
        outages: outages.len(),
        longest_outage: outages.into_iter().max().unwrap_or_default(),
        between_attempts: Vec::new(),
    }
}

/// The length of each outage. Consecutive failures of different kinds are one outage.
fn outages(changes: &[Change], end: Duration) -> Vec<Duration> {
    let mut outages = Vec::new();
    let mut gone_since = None;
    for change in changes {
        match (change.is_up, gone_since) {
            (false, None) => gone_since = Some(change.at),
            (true, Some(since)) => {
                outages.push(change.at - since);
                gone_since = None;
            }
            _ => {}
        }
    }
    outages.extend(gone_since.map(|since| end.saturating_sub(since)));
    outages
}

fn fault_summaries(
    experiment: &Experiment,
    timeline: &Timeline,
    probed: &[Vec<Change>],
) -> Vec<FaultSummary> {
    let began: Vec<_> = experiment.faults_that_came(timeline).collect();
    let summaries = began
        .iter()
        .enumerate()
        .map(|(number, &(at, label, planned))| {
            let next = began.get(number + 1).map(|(at, ..)| *at);
            let hit = carried_out(timeline, planned, label, at);
            let of_probes = experiment.probes.iter().zip(probed);
            let of_probes = of_probes.map(|(probe, changes)| ProbeRecovery {
                probe: probe.name(),
                answering: recovery(changes, at, hit, next, SETTLED.max(probe.every)),
            });
            let of_probes: Vec<ProbeRecovery> = of_probes.collect();
            FaultSummary {
                planned: planned.clone(),
                at: Some(planned.when.time().unwrap_or(at)),
                refused: refusal(timeline, label),
                job: job_of(timeline, planned, hit, next),
                running: match blind_for(timeline, &planned.unit) {
                    // This includes earlier faults: the unit may have recovered while the lab was blind.
                    Some(_) => Recovery::Unknown,
                    None => {
                        let changes = state_changes(timeline, &planned.unit);
                        recovery(&changes, at, hit, next, ENDING)
                    }
                },
                answering: of_probes.iter().map(|it| it.answering).max(),
                probes: of_probes,
            }
        });
    let never = experiment.faults_that_never_came(timeline).into_iter();
    let never = never.map(|planned| FaultSummary {
        planned: planned.clone(),
        at: None,
        refused: None,
        job: None,
        running: Recovery::NeverGone,
        answering: None,
        probes: Vec::new(),
    });
    summaries.chain(never).collect()
}

/// The outcome of the job that the fault queued. A restart continues as a start job.
fn job_of(
    timeline: &Timeline,
    planned: &PlannedFault,
    at: Duration,
    next: Option<Duration>,
) -> Option<JobOutcome> {
    let job = planned.fault.job()?;
    let ended = timeline.of(&planned.unit).filter(|event| {
        let ended = timeline.time_of(event);
        ended >= at && next.is_none_or(|next| ended < next)
    });
    let results = ended.filter_map(|event| match &event.kind {
        EventKind::JobEnded { job: ended, result }
            if ended == job || (job == "restart" && ended == "start") =>
        {
            Some((ended.as_str(), result.clone()))
        }
        _ => None,
    });
    let mut results: Vec<(&str, String)> = results.collect();
    if job == "restart" && results.first().is_some_and(|(_, result)| result == "done") {
        results.remove(0);
    }
    Some(JobOutcome {
        job,
        result: results.into_iter().next().map(|(_, result)| result),
    })
}

/// When systemd carried out the fault that came at this time. It does one thing after another: what it began before, such as the start of
/// the unit, comes first.
fn carried_out(timeline: &Timeline, planned: &PlannedFault, step: &str, at: Duration) -> Duration {
    let is_of = |label: &Option<String>| label.as_deref() == Some(step);
    let events = timeline.events().iter();
    let mut of_step = events
        .skip_while(
            |event| !matches!(&event.kind, EventKind::StepBegan { label, .. } if is_of(label)),
        )
        .take_while(
            |event| !matches!(&event.kind, EventKind::StepEnded { label, .. } if is_of(label)),
        );
    let carried_out = of_step.find(|event| {
        event.unit.as_deref() == Some(planned.unit.as_str())
            && match &event.kind {
                EventKind::JobQueued { job } => planned.fault.job() == Some(job.as_str()),
                EventKind::Manager { message, .. } => message.ends_with(" on client request."),
                _ => false,
            }
    });
    carried_out.map_or(at, |event| timeline.time_of(event))
}

/// A service that stops answering again within this time had not recovered yet: within the default `StartLimitIntervalSec=`, systemd, too,
/// counts what happens as one thing. What happens later may have nothing to do with the fault.
const SETTLED: Duration = Duration::from_secs(10);

/// systemd may read READY=1 of a process after the signal that ends it, and enters `running` before it learns of the end: that is a matter
/// of milliseconds.
const ENDING: Duration = Duration::from_millis(100);

/// Whether something became unavailable after a fault was carried out, and when it recovered, both before the next fault. A later recovery
/// belongs to the next fault. If it becomes unavailable again before it has settled, it had not recovered.
fn recovery(
    changes: &[Change],
    fault: Duration,
    carried_out: Duration,
    next: Option<Duration>,
    settled: Duration,
) -> Recovery {
    let is_before_next = |at: Duration| next.is_none_or(|next| at < next);
    let mut before = changes.iter().rev();
    let before = before.find(|change| change.at < carried_out);
    let gone_before = before.is_none_or(|change| !change.is_up);
    let mut after = changes.iter().filter(|change| change.at >= carried_out);
    if !gone_before {
        let goes = after.find(|change| !change.is_up);
        if !goes.is_some_and(|change| is_before_next(change.at)) {
            return Recovery::NeverGone;
        }
    }
    loop {
        let Some(returns) = after.find(|change| change.is_up) else {
            return Recovery::NotAgain;
        };
        if !is_before_next(returns.at) {
            return Recovery::NotBeforeNext;
        }
        let goes = after.find(|change| !change.is_up);
        if !goes.is_some_and(|it| it.at < returns.at + settled && is_before_next(it.at)) {
            return Recovery::After(returns.at - fault);
        }
    }
}

/// When the unit was up, according to systemd.
fn state_changes(timeline: &Timeline, unit: &str) -> Vec<Change> {
    let changes = timeline.of(unit).filter_map(|event| match &event.kind {
        EventKind::StateChanged { to, .. } => Some(Change {
            at: timeline.time_of(event),
            is_up: is_up(to),
        }),
        _ => None,
    });
    changes.collect()
}

/// Sub-states in which a unit is not up, for services and the other kinds.
const NOT_UP: [&str; 9] = [
    "dead",
    "failed",
    "start",
    "stop",
    "final",
    "auto-restart",
    "condition",
    "activating",
    "deactivating",
];

fn is_up(sub_state: &str) -> bool {
    !NOT_UP.iter().any(|state| sub_state.starts_with(state))
}

/// systemd's words when it refused the step with this label.
fn refusal(timeline: &Timeline, wanted: &str) -> Option<String> {
    timeline
        .events()
        .iter()
        .find_map(|event: &Event| match &event.kind {
            EventKind::StepEnded {
                label: Some(label),
                outcome: StepOutcome::Refused { message, .. },
                ..
            } if label == wanted => Some(message.clone()),
            _ => None,
        })
}

fn maybe_microseconds<S: Serializer>(time: &Option<Duration>, to: S) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => microseconds(time, to),
        None => to.serialize_none(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use systemd_lab_protocol::Event;
    use systemd_lab_protocol::event::{ProbeOutcome, Source};

    fn seconds(number: u64) -> Duration {
        Duration::from_secs(number)
    }

    fn changes(of: &[(u64, bool)]) -> Vec<Change> {
        let changes = of.iter().map(|&(at, is_up)| Change {
            at: seconds(at),
            is_up,
        });
        changes.collect()
    }

    #[test]
    fn failures_of_two_kinds_are_one_outage() {
        let seen = changes(&[(0, true), (10, false), (12, false), (15, true), (90, false)]);
        assert_eq!(outages(&seen, seconds(100)), [seconds(5), seconds(10)]);
    }

    #[test]
    fn a_fault_is_recovered_from_when_it_is_there_again() {
        let seen = changes(&[
            (0, false),
            (1, true),
            (10, false),
            (15, true),
            (60, false),
            (125, true),
        ]);
        let after = |fault, next: Option<u64>| {
            let next = next.map(seconds);
            recovery(&seen, seconds(fault), seconds(fault), next, SETTLED)
        };
        assert_eq!(after(5, Some(9)), Recovery::NeverGone);
        assert_eq!(after(10, Some(60)), Recovery::After(seconds(5)));
        // A hang that the next fault ends.
        assert_eq!(after(60, Some(120)), Recovery::NotBeforeNext);
        assert_eq!(after(120, None), Recovery::After(seconds(5)));
        assert_eq!(after(130, None), Recovery::NeverGone);
        let never = recovery(&seen[..5], seconds(60), seconds(60), None, SETTLED);
        assert_eq!(never, Recovery::NotAgain);
    }

    /// It is there for a moment, and goes again without a further fault.
    #[test]
    fn what_goes_again_at_once_has_not_recovered() {
        let seen = changes(&[
            (0, true),
            (10, false),
            (11, true),
            (14, false),
            (19, true),
            (29, false),
            (35, true),
        ]);
        let after = |next: Option<u64>, settled| {
            let (fault, next) = (seconds(10), next.map(seconds));
            recovery(&seen, fault, fault, next, settled)
        };
        let nine = Recovery::After(seconds(9));
        assert_eq!(after(None, SETTLED), nine);
        assert_eq!(after(Some(20), SETTLED), nine);
        assert_eq!(after(Some(17), SETTLED), Recovery::NotBeforeNext);
        assert_eq!(after(Some(14), SETTLED), Recovery::After(seconds(1)));
        assert_eq!(after(None, Duration::ZERO), Recovery::After(seconds(1)));
        let cut = recovery(&seen[..4], seconds(10), seconds(10), None, SETTLED);
        assert_eq!(cut, Recovery::NotAgain);
    }

    /// READY=1 was on its way when the signal came.
    #[test]
    fn a_process_that_is_ending_has_not_recovered() {
        let at = Duration::from_millis;
        let change = |(at_ms, is_up)| Change {
            at: at(at_ms),
            is_up,
        };
        let seen = [(2152, true), (2160, false), (12_600, true)].map(change);
        let recovered = recovery(&seen, at(2140), at(2140), None, ENDING);
        assert_eq!(recovered, Recovery::After(at(10_460)));
    }

    /// The start that the fault interrupts is not a recovery from it.
    #[test]
    fn a_start_that_ends_before_the_fault_is_carried_out() {
        let seen = changes(&[(3, true), (5, false), (35, true)]);
        let after = |seen| recovery(seen, seconds(2), seconds(4), None, SETTLED);
        assert_eq!(after(&seen), Recovery::After(seconds(33)));
        assert_eq!(after(&seen[..2]), Recovery::NotAgain);
        assert_eq!(after(&seen[..1]), Recovery::NeverGone);
    }

    /// Each has its own figures, and the total has the worst.
    #[test]
    fn two_probes_are_distinguished() {
        let (quick, slow) = (
            Probe::connect("127.0.0.1:80"),
            Probe::connect("127.0.0.1:81"),
        );
        let begin = (
            0,
            EventKind::ScenarioBegan {
                name: "two".to_owned(),
            },
        );
        let changed = |at, probe: &Probe, is_up| {
            let outcome = match is_up {
                true => ProbeOutcome::Connected,
                false => ProbeOutcome::Refused,
            };
            let kind = EventKind::ProbeChanged {
                name: probe.name(),
                outcome,
                attempts_before: at,
            };
            (at, kind)
        };
        let ended = |probe: &Probe, failed| {
            let kind = EventKind::ProbeEnded {
                name: probe.name(),
                attempts: 100,
                failed,
            };
            (100, kind)
        };
        let events = [
            begin,
            changed(0, &quick, true),
            changed(0, &slow, true),
            changed(10, &quick, false),
            changed(15, &quick, true),
            changed(60, &slow, false),
            changed(90, &slow, true),
            ended(&quick, 5),
            ended(&slow, 30),
        ];
        let events = events.into_iter().map(|(at, kind)| Event {
            at_us: at * 1_000_000,
            unit: None,
            source: Source::Agent,
            kind,
        });
        let mut experiment = Experiment::new("a.service").lasting(seconds(100));
        experiment.probes = vec![quick, slow];
        let summary = of(&experiment, &Timeline::new(events.collect()));
        let figures = summary.probes.iter().map(|it| {
            let gone = it.longest_outage;
            (
                it.failed,
                it.first_success,
                it.outages,
                gone,
                it.availability,
            )
        });
        let start = Some(Duration::ZERO);
        let expected = [
            (5, start, 1, seconds(5), Some(0.95)),
            (30, start, 1, seconds(30), Some(0.7)),
        ];
        assert_eq!(figures.collect::<Vec<_>>(), expected);
        assert_eq!(summary.longest_outage(), seconds(30));
    }

    #[test]
    fn what_reloads_is_up() {
        assert!(
            ["running", "exited", "reload-notify", "listening", "waiting"]
                .iter()
                .all(|it| is_up(it))
        );
        let down = [
            "start-pre",
            "stop-sigterm",
            "auto-restart",
            "final-sigkill",
            "dead",
        ];
        assert!(!down.iter().any(|it| is_up(it)));
    }
}
