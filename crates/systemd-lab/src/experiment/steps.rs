//! An experiment's steps, and which of its faults came during a run.

use std::collections::BTreeSet;
use std::time::Duration;

use systemd_lab_protocol::{Event, EventKind, Scenario, Step};

use systemd_timeline::Timeline;

use super::{Experiment, Fault, PlannedFault};

/// A job that is queued this soon after a fault was caused by it: systemd takes a few milliseconds.
const WITHIN: Duration = Duration::from_millis(400);

/// By then, a guest has read its new job after a checkpoint: that takes it about a millisecond.
pub(super) const SETTLED: Duration = Duration::from_millis(10);

/// The label of the step that starts the unit.
pub(super) const START: &str = "start";

/// How the label of a fault's step begins; its number follows.
const FAULT: &str = "fault ";

/// The label of the step of the fault with this number.
pub(super) fn fault_label(number: usize) -> String {
    format!("{FAULT}{number}")
}

impl Experiment {
    /// Adds the experiment's steps to a scenario: probes, faults, the start, and a wait while everything happens.
    pub(super) fn add_steps(&self, scenario: Scenario) -> Scenario {
        let scenario = self.add_start(scenario, |_| true);
        scenario.sleep_until(self.length())
    }

    /// The same, with a checkpoint before the beginning, and at these times. The faults that come after a checkpoint are planned after it,
    /// so that scenarios which differ only in those begin alike. Whatever waits for an event is planned at the beginning.
    pub(super) fn add_steps_with_checkpoints(
        &self,
        scenario: Scenario,
        places: &[Duration],
    ) -> Scenario {
        debug_assert!(places.is_sorted());
        // The number of checkpoints before a fault, without the first one.
        let segment = |planned: &PlannedFault| {
            let time = planned.when.time();
            time.map_or(0, |time| places.partition_point(|place| *place < time))
        };
        let scenario = scenario.step(Step::Checkpoint);
        let mut scenario = self.add_start(scenario, |planned| segment(planned) == 0);
        for (number, place) in places.iter().enumerate() {
            scenario = scenario.sleep_until(*place).step(Step::Checkpoint);
            // Reading the new job takes the guest some time.
            scenario = scenario.sleep_until(*place + SETTLED);
            scenario = self.add_faults(scenario, |planned| segment(planned) == number + 1);
        }
        scenario.sleep_until(self.length())
    }

    fn add_start(&self, scenario: Scenario, keep: impl Fn(&PlannedFault) -> bool) -> Scenario {
        let probes = self.probes.iter();
        let scenario = probes.fold(scenario, |scenario, it| scenario.step(it.step()));
        self.add_faults(scenario, keep)
            .start(self.main_unit())
            .labelled(START)
    }

    fn add_faults(&self, mut scenario: Scenario, keep: impl Fn(&PlannedFault) -> bool) -> Scenario {
        for (number, planned) in self.faults.iter().enumerate() {
            if keep(planned) {
                let when = planned.when.of(self.main_unit());
                let step = planned.fault.step(&planned.unit, self.length());
                scenario = scenario.later(when, step).labelled(fault_label(number));
            }
        }
        scenario
    }

    /// The fault whose step has this label.
    pub(super) fn fault_labelled(&self, label: &str) -> Option<&PlannedFault> {
        let number = label.strip_prefix(FAULT)?;
        self.faults.get(number.parse::<usize>().ok()?)
    }

    /// The faults that came, in order: when each came, and the label of its step.
    pub(super) fn faults_that_came<'a>(
        &'a self,
        timeline: &'a Timeline,
    ) -> impl Iterator<Item = (Duration, &'a str, &'a PlannedFault)> {
        timeline.events().iter().filter_map(|event| {
            let EventKind::StepBegan { label, .. } = &event.kind else {
                return None;
            };
            let label = label.as_deref()?;
            let planned = self.fault_labelled(label)?;
            Some((timeline.time_of(event), label, planned))
        })
    }

    /// Whether a fault of the plan is stopping or restarting the unit at this moment.
    pub(super) fn asks_for(&self, timeline: &Timeline, event: &Event, unit: &str) -> bool {
        let now = timeline.time_of(event);
        let mut faults = self.faults_that_came(timeline);
        faults.any(|(at, _, planned)| {
            if planned.fault == Fault::Reboot {
                return at <= now;
            }
            planned.unit == unit
                && matches!(planned.fault, Fault::Stop | Fault::Restart)
                && at <= now
                && now - at < WITHIN
        })
    }

    /// The faults that never came, because the event that they wait for did not happen in time.
    pub fn faults_that_never_came(&self, timeline: &Timeline) -> Vec<&PlannedFault> {
        let came: BTreeSet<&str> = self
            .faults_that_came(timeline)
            .map(|(_, label, _)| label)
            .collect();
        let faults = self.faults.iter().enumerate();
        let missing = faults.filter(|(number, _)| !came.contains(fault_label(*number).as_str()));
        missing.map(|(_, planned)| planned).collect()
    }
}
