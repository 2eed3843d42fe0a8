//! When to carry out a step that does not simply follow the one before: at a time, or when something happens.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::event::{Event, EventKind};

/// When the agent carries out a [`Step::Later`](super::Step::Later).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum When {
    /// This long after the scenario began.
    At(Duration),
    /// When something happens.
    On(Trigger),
}

/// Something that a unit does, and a delay after it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trigger {
    /// The unit that does it.
    pub unit: String,
    /// What happens.
    pub happening: Happening,
    /// Which occurrence since the scenario began, counted from 1.
    pub count: u32,
    /// How long to wait afterwards.
    pub delay: Duration,
}

/// What can happen to a unit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Happening {
    /// It sends a notification with an assignment that begins like this, e.g. `READY=1` or `STATUS=`.
    Notifies(String),
    /// It enters this sub-state, e.g. `running`.
    Enters(String),
    /// systemd restarts it automatically.
    Restarts,
    /// It logs a line that contains this text.
    Logs(String),
}

impl Happening {
    /// Whether the event reports this.
    pub fn is(&self, kind: &EventKind) -> bool {
        match (self, kind) {
            (Happening::Notifies(wanted), EventKind::Notified { assignments, .. }) => {
                assignments.iter().any(|sent| sent.starts_with(wanted))
            }
            (Happening::Enters(wanted), EventKind::StateChanged { to, .. }) => to == wanted,
            (Happening::Restarts, EventKind::RestartScheduled { .. }) => true,
            (Happening::Logs(wanted), EventKind::Log { message, .. }) => message.contains(wanted),
            _ => false,
        }
    }
}

impl Trigger {
    /// Whether the trigger counts this event.
    pub fn counts(&self, event: &Event) -> bool {
        event.is_about(&self.unit) && self.happening.is(&event.kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_happening_is_an_event_of_its_own_kind() {
        let notified = EventKind::Notified {
            pid: 7,
            assignments: vec!["STATUS=well".into(), "READY=1".into()],
        };
        let entered = EventKind::StateChanged {
            from: "start".into(),
            to: "running".into(),
        };
        let logged = EventKind::Log {
            priority: 6,
            message: "now listening".into(),
        };
        let kinds = [
            notified,
            entered,
            EventKind::RestartScheduled { counter: 3 },
            logged,
        ];
        let happenings = [
            Happening::Notifies("READY=1".into()),
            Happening::Enters("running".into()),
            Happening::Restarts,
            Happening::Logs("listening".into()),
        ];
        for (row, happening) in happenings.iter().enumerate() {
            for (column, kind) in kinds.iter().enumerate() {
                assert_eq!(happening.is(kind), row == column, "{happening:?} {kind:?}");
            }
        }
        assert!(!Happening::Notifies("STATUS=ill".into()).is(&kinds[0]));
        assert!(!Happening::Enters("start".into()).is(&kinds[1]));
    }
}
