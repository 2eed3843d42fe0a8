//! Whether anything answers: what the scenario's requests and probes last said.
//!
//! systemd calls a service that hangs `running`. A picture shows from these that it is not.

use std::collections::{BTreeMap, BTreeSet};

use systemd_lab_protocol::EventKind;
use systemd_lab_protocol::event::{ProbeOutcome, ResponseOutcome};

use crate::timeline::Timeline;

/// The last outcomes.
#[derive(Debug, Default)]
pub(super) struct Answers {
    /// Of each probe: it reports each change.
    probes: BTreeMap<String, bool>,
    /// Of the last request. It says nothing of what comes after another process has taken over.
    request: Option<bool>,
}

impl Answers {
    /// Records the outcome of a request or a probe: whether that was an answer; none for other events.
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
                    // An answer from before it began to fail.
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

/// Any answer is one, also an error: a service that hangs gives none.
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

/// The service that is asked, among these units: the only one that listens or, where none was seen to, the only service. Of
/// several nobody knows which.
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
