//! Has systemd answer each choice.
//!
//! The choices are tried one after the other in the same guest, so that they do not slow each other down; waiting costs
//! next to nothing there.

use std::panic;
use std::thread;
use std::time::Duration;

use systemd_lab::protocol::event::StepOutcome;
use systemd_lab::protocol::{EventKind, Scenario, Step};
use systemd_lab::{GuestFile, Lab, LabError, Timeline};

use crate::choices::Choice;
use crate::outcome::Outcome;

/// How many rounds (a life and the wait for a restart) each service is watched: three that are alike and then the one
/// start too many of the limit of three. The rest keeps the end of the watch away from the end of a round.
const ROUNDS: f64 = 3.6;

/// Even if rounds are shorter: that it rests must show.
const WATCHED_AT_LEAST: Duration = Duration::from_secs(22);

/// For a service that is started several times a second: that it goes on like this shows soon, and each start costs.
const WATCHED_QUICK: Duration = Duration::from_secs(3);

/// Bounds the end of a service when it is stopped at last, which takes a moment.
const DEADLINE: Duration = Duration::from_secs(30);

/// The choices are dealt out to this many VMs, since each computes on one core.
const VMS: usize = 2;

/// Steps for each choice.
const STEPS: usize = 4;

/// What came of all choices.
pub struct Measured {
    /// systemd's version in the guest, without what Debian adds, e.g. `257`.
    pub systemd: String,
    /// In the order of [`Choice::measured`].
    pub outcomes: Vec<(Choice, Outcome)>,
}

/// Measures all choices.
///
/// # Errors
///
/// What keeps the lab from running, and [`LabError::Host`] when a service did what no outcome has words for.
pub fn measure(lab: &Lab) -> Result<Measured, LabError> {
    let choices = Choice::measured();
    let of_vm = |vm| -> Vec<Choice> { choices.iter().skip(vm).step_by(VMS).copied().collect() };
    let timelines = thread::scope(|scope| {
        let threads: Vec<_> = (0..VMS)
            .map(|vm| scope.spawn(move || run(lab, &of_vm(vm))))
            .collect();
        let join = |thread: thread::ScopedJoinHandle<'_, _>| match thread.join() {
            Ok(result) => result,
            Err(panicked) => panic::resume_unwind(panicked),
        };
        threads
            .into_iter()
            .map(join)
            .collect::<Result<Vec<Timeline>, LabError>>()
    })?;
    let mut outcomes = Vec::new();
    for (index, choice) in choices.iter().enumerate() {
        let of_choice = part(&timelines[index % VMS], index / VMS, &choice.unit_name());
        let outcome = Outcome::of(&of_choice, choice.round(), watched(choice))
            .map_err(|what| wrong(&format!("{}: {what}", choice.key())))?;
        outcomes.push((*choice, outcome));
    }
    Ok(Measured {
        systemd: timelines
            .first()
            .and_then(major_version)
            .ok_or_else(|| wrong("the guest did not say which systemd it has"))?,
        outcomes,
    })
}

fn watched(choice: &Choice) -> Duration {
    if choice.is_quick() {
        WATCHED_QUICK
    } else {
        let seconds = choice.round().mul_f64(ROUNDS).as_secs();
        Duration::from_secs(seconds).max(WATCHED_AT_LEAST)
    }
}

fn run(lab: &Lab, choices: &[Choice]) -> Result<Timeline, LabError> {
    let mut scenario = Scenario::new("what comes of Restart=");
    let mut files = Vec::new();
    for choice in choices {
        let unit = choice.unit_name();
        files.push(GuestFile::text(
            format!("/etc/systemd/system/{unit}"),
            choice.unit_text(),
        ));
        scenario = scenario
            .start(&unit)
            .sleep(watched(choice))
            .stop(&unit)
            .wait_for_state(&unit, &["dead", "failed"], DEADLINE);
    }
    debug_assert_eq!(scenario.steps.len(), STEPS * choices.len());
    debug_assert!(matches!(scenario.steps[0], Step::Start { .. }));
    // Their effective properties say nothing that the unit files do not.
    scenario.observe.clear();
    // Depends on nothing that anybody edits.
    let timeline = lab.run_remembered(&scenario, &files)?;
    for event in timeline.events() {
        match &event.kind {
            EventKind::StepEnded { outcome, .. } if *outcome != StepOutcome::Done => {
                return Err(wrong(&format!("a step did not end well: {outcome:?}")));
            }
            _ => {}
        }
    }
    Ok(timeline)
}

/// What happened to the unit of one choice while it was watched, as if it had been the only one.
fn part(timeline: &Timeline, index: usize, unit: &str) -> Timeline {
    let began_at = |step: usize| {
        let is_it = |kind: &EventKind| *kind == EventKind::StepBegan { index: step };
        let event = timeline.events().iter().find(|event| is_it(&event.kind));
        event.map_or(0, |event| event.at_us)
    };
    let (from, to) = (began_at(STEPS * index), began_at(STEPS * index + 2));
    let mut events = Vec::new();
    for event in timeline.events() {
        if matches!(event.kind, EventKind::ScenarioBegan { .. }) {
            let mut began = event.clone();
            began.at_us = from;
            events.push(began);
        } else if event.is_about(unit) && (from..to).contains(&event.at_us) {
            events.push(event.clone());
        }
    }
    Timeline::new(events)
}

fn major_version(timeline: &Timeline) -> Option<String> {
    timeline
        .events()
        .iter()
        .find_map(|event| match &event.kind {
            EventKind::Hello { systemd, .. } => {
                Some(systemd.chars().take_while(char::is_ascii_digit).collect())
            }
            _ => None,
        })
}

fn wrong(what: &str) -> LabError {
    LabError::Host {
        message: format!(
            "the page's choices were not measured: {what}; this is a fault of the workshop, please report it"
        ),
    }
}
