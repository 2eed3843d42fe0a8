//! Whether anything answers: the last outcomes of the scenario's requests and probes.
//!
//! systemd calls a hanging service `running`. From these outcomes, a picture shows that it is not.

use std::collections::{BTreeMap, BTreeSet};

use systemd_lab_protocol::EventKind;
use systemd_lab_protocol::event::{ProbeOutcome, ResponseOutcome};

use crate::timeline::Timeline;

/// The last outcomes.
#[derive(Debug, Default)]
pub(super) struct Answers {
    /// For each probe, which reports every change.
    probes: BTreeMap<String, bool>,
    /// For the last request. It says nothing about a process that takes over later.
    request: Option<bool>,
}

impl Answers {
    /// Records the outcome of a request or a probe, and returns whether that was an answer; `None` for other events.
    pub(super) fn take(&mut self, kind: &EventKind) -> Option<bool> {
        let is_answer = match kind {
            EventKind::Response { outcome, .. } => {
                let is_answer = matches!(outcome, ResponseOutcome::Answered { .. });
                self.request = Some(is_answer);
                is_answer
            }
            EventKind::ProbeChanged { name, outcome, .. } => {
                let is_answer = is_answer(outcome);
                self.probes.insert(name.clone(), is_answer);
                if !is_answer {
                    // An answer from before the probe began to fail no longer counts.
                    self.request = self.request.filter(|is_answer| !is_answer);
                }
                is_answer
            }
            _ => return None,
        };
        Some(is_answer)
    }

    /// Forgets the last request: the process that did not answer it is gone.
    pub(super) fn begin_again(&mut self) {
        self.request = None;
    }

    /// Whether something was asked, and nothing answers.
    pub(super) fn are_missing(&self) -> bool {
        let mut all = self.probes.values().chain(&self.request).peekable();
        all.peek().is_some() && all.all(|is_answer| !is_answer)
    }
}

/// Any answer counts, also an error: a hanging service gives none.
fn is_answer(outcome: &ProbeOutcome) -> bool {
    match outcome {
        ProbeOutcome::Answered { .. }
        | ProbeOutcome::Connected
        | ProbeOutcome::Expected
        | ProbeOutcome::Unexpected { .. }
        | ProbeOutcome::Exited { .. } => true,
        ProbeOutcome::Refused | ProbeOutcome::TimedOut | ProbeOutcome::Broken { .. } => false,
    }
}

/// The service that requests and probes ask, among these units: the only one that listens or, if none was seen to listen,
/// the only service. If there are several, it is unknown.
pub(super) fn asked_of(timeline: &Timeline, units: &[String]) -> Option<usize> {
    let events = timeline.events().iter();
    let listening: BTreeSet<&str> = events
        .filter(|event| matches!(event.kind, EventKind::ListenerOpened { .. }))
        .filter_map(|event| event.unit.as_deref())
        .collect();
    let services: Vec<(usize, &String)> = units
        .iter()
        .enumerate()
        .filter(|(_, unit)| unit.ends_with(".service"))
        .collect();
    let those_that_listen: Vec<(usize, &String)> = services
        .iter()
        .copied()
        .filter(|(_, unit)| listening.contains(unit.as_str()))
        .collect();
    let candidates = match those_that_listen.is_empty() {
        true => services,
        false => those_that_listen,
    };
    match candidates[..] {
        [(lane, _)] => Some(lane),
        _ => None,
    }
}
