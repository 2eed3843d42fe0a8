//! What an exploration has seen: which fault met a unit in which state, and what came of it.

use serde::Serialize;
use systemd_lab_protocol::EventKind;
use systemd_timeline::Timeline;

use crate::experiment::Experiment;

/// The sub-state of a unit before anything has happened to it.
const DEAD: &str = "dead";

/// A fault that met a unit in a state, and the state that followed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Combination {
    /// The unit.
    pub unit: String,
    /// Its sub-state when the fault came, in systemd's words.
    pub state: String,
    /// The fault: `kill=SIGKILL`.
    pub fault: String,
    /// Its next sub-state before the next fault; `None` if it stayed as it was.
    pub next: Option<String>,
}

/// The combinations of a run.
pub(super) fn of(experiment: &Experiment, timeline: &Timeline) -> Vec<Combination> {
    let summary = experiment.summary(timeline);
    let came: Vec<_> = summary.faults.iter().filter(|it| it.at.is_some()).collect();
    let combinations = came.iter().enumerate().map(|(number, fault)| {
        let unit = &fault.planned.unit;
        let at = fault.at.unwrap_or_default();
        let end = came.get(number + 1).and_then(|next| next.at);
        let (mut state, mut next) = (DEAD, None);
        for event in timeline.events() {
            let EventKind::StateChanged { to, .. } = &event.kind else {
                continue;
            };
            let time = timeline.time_of(event);
            if !event.is_about(unit) {
                continue;
            }
            if time < at {
                state = to;
            } else if next.is_none() && end.is_none_or(|end| time < end) {
                next = Some(to.clone());
            }
        }
        Combination {
            unit: unit.clone(),
            state: state.to_owned(),
            fault: fault.planned.fault.to_string(),
            next,
        }
    });
    combinations.collect()
}
