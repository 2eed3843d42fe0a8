//! An experiment's steps, and which of its faults came during a run.

use std::time::Duration;

use systemd_lab_protocol::{Event, EventKind, Step};

use systemd_timeline::Timeline;

use super::{Experiment, Fault, PlannedFault};

/// A job that is queued this soon after a fault was caused by it: systemd takes a few milliseconds.
const WITHIN: Duration = Duration::from_millis(400);

/// The purpose of a step in an experiment's scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    Probe,
    /// The fault with this number.
    Fault(usize),
    /// Starts the unit.
    Start,
    /// Lets time pass while everything happens.
    Wait,
}

impl Experiment {
    /// The scenario's steps, each with its purpose.
    pub(super) fn steps(&self) -> Vec<(Purpose, Step)> {
        let main_unit = self.main_unit();
        let mut steps = Vec::new();
        steps.extend(self.probes.iter().map(|it| (Purpose::Probe, it.step())));
        for (number, planned) in self.faults.iter().enumerate() {
            let step = Step::Later {
                when: planned.when.of(main_unit),
                what: Box::new(planned.fault.step(&planned.unit, self.length())),
            };
            steps.push((Purpose::Fault(number), step));
        }
        let unit = main_unit.to_owned();
        steps.push((Purpose::Start, Step::Start { unit }));
        let time = self.length();
        steps.push((Purpose::Wait, Step::SleepUntil { time }));
        steps
    }

    /// The purpose of the step with this index.
    pub(super) fn purpose_of(&self, index: usize) -> Option<Purpose> {
        let step = self.steps().into_iter().nth(index);
        step.map(|(purpose, _)| purpose)
    }

    /// The fault that belongs to the step with this index.
    pub(super) fn fault_of_step(&self, index: usize) -> Option<&PlannedFault> {
        match self.purpose_of(index)? {
            Purpose::Fault(number) => self.faults.get(number),
            _ => None,
        }
    }

    /// The faults that came, in order: when each came, and the index of its step.
    pub(super) fn faults_that_came<'a>(
        &'a self,
        timeline: &'a Timeline,
    ) -> impl Iterator<Item = (Duration, usize, &'a PlannedFault)> {
        timeline.events().iter().filter_map(|event| {
            let EventKind::StepBegan { index } = event.kind else {
                return None;
            };
            let planned = self.fault_of_step(index)?;
            Some((timeline.time_of(event), index, planned))
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
        let came: Vec<usize> = self
            .faults_that_came(timeline)
            .map(|(_, index, _)| index)
            .collect();
        let steps = self.steps().into_iter().enumerate();
        let missing = steps.filter_map(|(index, (purpose, _))| match purpose {
            Purpose::Fault(number) if !came.contains(&index) => self.faults.get(number),
            _ => None,
        });
        missing.collect()
    }
}
