//! Rules about the machine: a machine that ended during the run, and a processor that never rested.

use std::time::Duration;

use systemd_lab_protocol::EventKind;
use systemd_lab_protocol::event::{Blinding, MachineEnd};

use super::{Finding, MOST_TIMES, Place, Rule, Sources};
use crate::timeline::Timeline;

/// The settings that end the machine on a unit's behalf: systemd.unit(5).
const ACTIONS: [&str; 3] = ["FailureAction", "StartLimitAction", "SuccessAction"];

/// Units that end the machine when a process asks systemd for it: systemd.special(7).
const ENDING_UNITS: [&str; 5] = [
    "systemd-reboot.service",
    "systemd-poweroff.service",
    "systemd-halt.service",
    "systemd-soft-reboot.service",
    "systemd-kexec.service",
];

/// All findings about the machine.
pub(super) fn of_run(timeline: &Timeline, sources: &Sources) -> Vec<Finding> {
    let busy = busy(timeline);
    let mut findings: Vec<Finding> = busy.into_iter().collect();
    findings.extend(ended(timeline, sources));
    findings.extend(blind(timeline, sources));
    findings
}

/// The ways in which the lab was kept from seeing what systemd did, each with its times.
fn blind(timeline: &Timeline, sources: &Sources) -> Vec<Finding> {
    let mut findings: Vec<Finding> = Vec::new();
    for (index, event) in timeline.events().iter().enumerate() {
        let EventKind::WentBlind { how } = &event.kind else {
            continue;
        };
        let Some(unit) = event.unit.as_ref().or(sources.units().first()) else {
            continue;
        };
        let again = timeline.events()[index..]
            .iter()
            .find(|later| later.kind == EventKind::SightRestored);
        let again = again.filter(|_| can_see_again(how));
        let rule = Rule::WentBlind {
            how: how.clone(),
            until_us: again.map(|again| timeline.time_of(again).as_micros() as u64),
        };
        let at = timeline.time_of(event);
        let is_same = |it: &&mut Finding| matches!(&it.rule, Rule::WentBlind { how: other, .. } if other == how && it.unit == *unit);
        match findings.iter_mut().find(is_same) {
            Some(before) if before.at_us.len() < MOST_TIMES => {
                before.at_us.push(at.as_micros() as u64);
            }
            Some(_) => {}
            None => findings.push(Finding::new(unit, rule, [at])),
        }
    }
    findings
}

/// Whether the lab can see again: the agent undoes changes to systemd's log, and journald may come back.
fn can_see_again(how: &Blinding) -> bool {
    matches!(
        how,
        Blinding::LogLevel { .. }
            | Blinding::LogTarget { .. }
            | Blinding::NoJournal { .. }
            | Blinding::Reexecuted
    )
}

fn ended(timeline: &Timeline, sources: &Sources) -> Option<Finding> {
    let (at, how, message) = timeline
        .events()
        .iter()
        .find_map(|event| match &event.kind {
            EventKind::MachineEnded { how, message } => {
                Some((timeline.time_of(event), *how, message))
            }
            _ => None,
        })?;
    let of_a_unit = match how {
        MachineEnd::Panicked if message.contains("memory") => unkillable(sources),
        MachineEnd::Panicked | MachineEnd::AgentEnded => None,
        _ => said_by(timeline, sources)
            .or_else(|| of_a_job(timeline, sources))
            .or_else(|| at_once(sources)),
    };
    let is_asked_for = ENDING_UNITS
        .iter()
        .any(|unit| timeline.of(unit).next().is_some());
    let (unit, place) = match of_a_unit {
        Some((unit, place)) => (unit, Some(place)),
        None => (sources.units().first()?.clone(), None),
    };
    let rule = Rule::MachineEnded {
        how,
        message: message.clone(),
        setting: place.as_ref().map(|place| place.text.clone()),
        is_asked_for,
    };
    Some(Finding {
        place,
        ..Finding::new(&unit, rule, [at])
    })
}

/// The unit whose action ended the machine, which systemd names before it acts.
fn said_by(timeline: &Timeline, sources: &Sources) -> Option<(String, Place)> {
    let units = sources.units().iter();
    let mut said = units.filter(|unit| {
        let failed = format!(": unit {unit} failed");
        let succeeded = format!(": unit {unit} succeeded");
        timeline.of(unit).any(|event| {
            matches!(&event.kind, EventKind::Manager { message, .. } if message.ends_with(&failed) || message.ends_with(&succeeded))
        })
    });
    let unit = said.next()?;
    let limit = timeline
        .of(unit)
        .any(|event| matches!(event.kind, EventKind::StartLimitHit));
    // The start limit has its own action.
    let names: &[&str] = match limit {
        true => &["StartLimitAction", "FailureAction"],
        false => &ACTIONS,
    };
    Some((unit.clone(), sources.any(unit, names)?))
}

/// The unit whose job took too long: systemd.unit(5), `JobTimeoutAction=`. systemd does not name the unit.
fn of_a_job(timeline: &Timeline, sources: &Sources) -> Option<(String, Place)> {
    let is_said = |message: &str| message.ends_with(": job timed out");
    let mut events = timeline.events().iter();
    events.find(|event| match &event.kind {
        EventKind::Manager { message, .. } | EventKind::Log { message, .. } => is_said(message),
        _ => false,
    })?;
    sources.units().iter().find_map(|unit| {
        let place = sources.any(unit, &["JobTimeoutAction"])?;
        Some((unit.clone(), place))
    })
}

/// The unit with an action that takes effect before systemd can say anything.
fn at_once(sources: &Sources) -> Option<(String, Place)> {
    sources.units().iter().find_map(|unit| {
        let mut places = ACTIONS
            .iter()
            .filter_map(|name| sources.setting(unit, name));
        let place = places.find(|place| place.text.ends_with("-immediate"))?;
        Some((unit.clone(), place))
    })
}

/// The unit whose processes the kernel must not kill, so that it panics when they use up all the memory:
/// systemd.exec(5), "OOMScoreAdjust=".
fn unkillable(sources: &Sources) -> Option<(String, Place)> {
    /// The kernel never kills a process with this value.
    const NEVER: &str = "OOMScoreAdjust=-1000";
    let mut units = sources.units().iter();
    units.find_map(|unit| {
        let place = sources.setting(unit, "OOMScoreAdjust")?;
        (place.text == NEVER).then(|| (unit.clone(), place))
    })
}

/// Whether the run ended during a step.
fn is_cut(timeline: &Timeline) -> bool {
    let count = |wanted: fn(&EventKind) -> bool| {
        let events = timeline.events().iter();
        events.filter(|event| wanted(&event.kind)).count()
    };
    count(|kind| matches!(kind, EventKind::StepBegan { .. }))
        > count(|kind| matches!(kind, EventKind::StepEnded { .. }))
}

fn busy(timeline: &Timeline) -> Option<Finding> {
    let mut events = timeline.events().iter();
    let (event, used_us, system_us, over_us) = events.find_map(|event| match event.kind {
        EventKind::ProcessorBusy {
            used_us,
            system_us,
            over_us,
        } => Some((event, used_us, system_us, over_us)),
        _ => None,
    })?;
    let at = timeline.time_of(event);
    let last = timeline
        .events()
        .last()
        .map_or(at, |last| timeline.time_of(last));
    let rule = Rule::ProcessorBusy {
        percent: 100 * used_us.max(system_us) / over_us.max(1),
        is_system: system_us > used_us,
        over_us,
        cut_us: is_cut(timeline).then_some(last.as_micros() as u64),
    };
    let began = at.saturating_sub(Duration::from_micros(over_us));
    Some(Finding::new(event.unit.as_deref()?, rule, [began]))
}
