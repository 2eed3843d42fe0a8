//! Runs a unit in the lab, and looks for events in its timeline.

use std::fmt::Debug;
use std::time::Duration;

use anyhow::ensure;
use systemd_lab::protocol::{EventKind, Scenario};
use systemd_lab::{GuestFile, Lab, Timeline, nearest_second};

/// A unit file with this name.
pub(super) fn file(name: &str, text: &str) -> GuestFile {
    GuestFile::unit(name, text)
}

/// Runs it. A step that does not end as it should is an error.
pub(super) fn run(lab: &Lab, scenario: &Scenario, files: &[GuestFile]) -> anyhow::Result<Timeline> {
    let timeline = lab.run(scenario, files)?;
    ensure!(
        timeline.step_that_timed_out().is_none() && timeline.refusal().is_none(),
        "a step of \"{}\" failed: {:?}, {:?}",
        scenario.name,
        timeline.step_that_timed_out(),
        timeline.refusal()
    );
    Ok(timeline)
}

/// Compares what was measured with what the page says. The error names both.
pub(super) fn holds<T: PartialEq<U> + Debug, U: Debug>(
    what: &str,
    measured: T,
    page_says: U,
) -> anyhow::Result<()> {
    ensure!(
        measured == page_says,
        "{what}: measured {measured:?}, and the page says {page_says:?}"
    );
    Ok(())
}

/// All times at which this happened to the unit, in whole seconds.
pub(super) fn times(
    timeline: &Timeline,
    unit: &str,
    wanted: impl Fn(&EventKind) -> bool,
) -> Vec<u64> {
    let its = timeline.of(unit).filter(|event| wanted(&event.kind));
    its.map(|event| nearest_second(timeline.time_of(event)))
        .collect()
}

/// When this first happened to the unit, if it did.
pub(super) fn first(
    timeline: &Timeline,
    unit: &str,
    wanted: impl Fn(&EventKind) -> bool,
) -> Option<Duration> {
    let event = timeline.first(unit, wanted)?;
    Some(timeline.time_of(event))
}

/// The unit's `Result` when it first failed.
pub(super) fn result<'a>(timeline: &'a Timeline, unit: &'a str) -> Option<&'a str> {
    timeline.of(unit).find_map(|event| match &event.kind {
        EventKind::Failed { result } => Some(result.as_str()),
        _ => None,
    })
}

/// What the commands of the scenario printed.
pub(super) fn printed(timeline: &Timeline) -> Vec<&str> {
    let outputs = timeline
        .events()
        .iter()
        .filter_map(|event| match &event.kind {
            EventKind::Command { output, .. } => Some(output.trim()),
            _ => None,
        });
    outputs.collect()
}

pub(super) fn is_exit(kind: &EventKind) -> bool {
    matches!(kind, EventKind::ProcessExited { role, .. } if role == "main")
}

pub(super) fn is_restart(kind: &EventKind) -> bool {
    matches!(kind, EventKind::RestartScheduled { .. })
}

pub(super) fn is_watchdog(kind: &EventKind) -> bool {
    matches!(kind, EventKind::WatchdogTimeout { .. })
}

/// From each end of the unit's main process to the restart that follows it, in whole seconds.
pub(super) fn delays(timeline: &Timeline, unit: &str) -> Vec<u64> {
    let mut delays = Vec::new();
    let mut ended = Duration::ZERO;
    for event in timeline.of(unit) {
        match &event.kind {
            kind if is_exit(kind) => ended = timeline.time_of(event),
            kind if is_restart(kind) => {
                delays.push(nearest_second(timeline.time_of(event) - ended));
            }
            _ => {}
        }
    }
    delays
}
