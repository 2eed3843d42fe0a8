//! Runs for the tests of rules, built from events as systemd reports them.

use std::collections::BTreeMap;

use serde_json::Value;
use systemd_lab_protocol::event::{ResponseOutcome, Source, StepOutcome};
use systemd_lab_protocol::{Event, EventKind};

use super::Case;
use crate::timeline::Timeline;
use crate::unit_texts::UnitTexts;
use crate::view::MAIN;

pub(super) const UNIT: &str = "a.service";
pub(super) const ADDRESS: &str = "127.0.0.1:7878";

/// A run of [`UNIT`]. Times are in milliseconds.
#[derive(Clone)]
pub(super) struct Run {
    /// The unit that the following events are about.
    unit: String,
    events: Vec<Event>,
    properties: BTreeMap<String, BTreeMap<String, Value>>,
    files: Vec<(String, String)>,
}

impl Run {
    pub(super) fn new() -> Run {
        Run {
            unit: UNIT.to_owned(),
            events: Vec::new(),
            properties: BTreeMap::new(),
            files: Vec::new(),
        }
    }

    /// The following events are about a different unit.
    pub(super) fn of(mut self, unit: &str) -> Run {
        self.unit = unit.to_owned();
        self
    }

    /// The lines of the unit's file.
    pub(super) fn file(mut self, text: &str) -> Run {
        self.files.push((self.unit.clone(), text.to_owned()));
        self
    }

    /// An effective property of the unit, as on D-Bus.
    pub(super) fn property(mut self, name: &str, value: impl Into<Value>) -> Run {
        let of_unit = self.properties.entry(self.unit.clone()).or_default();
        of_unit.insert(name.to_owned(), value.into());
        self
    }

    /// What happened to the unit.
    pub(super) fn event(mut self, at: u64, kind: EventKind) -> Run {
        self.events.push(Event {
            at_us: at * 1000,
            unit: Some(self.unit.clone()),
            source: Source::Agent,
            kind,
        });
        self
    }

    /// Something that the lab did or saw.
    fn seen(mut self, at: u64, kind: EventKind) -> Run {
        self.events.push(Event {
            at_us: at * 1000,
            unit: None,
            source: Source::Agent,
            kind,
        });
        self
    }

    /// Enters these states, one after the other at the same time.
    pub(super) fn states(mut self, at: u64, states: &[&str]) -> Run {
        for to in states {
            let mut events = self.events.iter().rev();
            let from = events.find_map(|event| match &event.kind {
                EventKind::StateChanged { to, .. } if event.is_about(&self.unit) => {
                    Some(to.clone())
                }
                _ => None,
            });
            let from = from.unwrap_or_else(|| "dead".to_owned());
            let to = (*to).to_owned();
            self = self.event(at, EventKind::StateChanged { from, to });
        }
        self
    }

    pub(super) fn job(self, at: u64, job: &str) -> Run {
        let job = job.to_owned();
        self.event(at, EventKind::JobQueued { job })
    }

    /// A stop, up to SIGTERM.
    pub(super) fn stop(self, at: u64) -> Run {
        self.job(at, "stop").states(at, &["stop-sigterm"])
    }

    pub(super) fn notified(self, at: u64, assignments: &[&str]) -> Run {
        let assignments = assignments.iter().map(|one| one.to_string()).collect();
        let pid = 7;
        self.event(at, EventKind::Notified { pid, assignments })
    }

    /// The main process exits.
    pub(super) fn exited(self, at: u64, status: i32) -> Run {
        self.ended(at, "exited", status)
    }

    /// A signal ends the main process.
    pub(super) fn killed(self, at: u64, signal: i32) -> Run {
        self.ended(at, "killed", signal)
    }

    fn ended(self, at: u64, code: &str, status: i32) -> Run {
        self.event(
            at,
            EventKind::ProcessExited {
                role: MAIN.to_owned(),
                code: code.to_owned(),
                status,
                command: None,
                is_ignored: false,
            },
        )
    }

    /// A different process of the unit ends: its role, and the setting that it ran for.
    pub(super) fn command(self, at: u64, role: &str, command: &str, status: i32) -> Run {
        self.event(
            at,
            EventKind::ProcessExited {
                role: role.to_owned(),
                code: "exited".to_owned(),
                status,
                command: Some(command.to_owned()),
                is_ignored: false,
            },
        )
    }

    pub(super) fn failed(self, at: u64, result: &str) -> Run {
        let result = result.to_owned();
        self.event(at, EventKind::Failed { result })
    }

    /// systemd waits before it restarts the unit: `counter` belongs to the restart that is due after
    /// `delay`.
    pub(super) fn restart(self, at: u64, delay: u64, counter: u32) -> Run {
        self.states(at, &["auto-restart"])
            .event(at + delay, EventKind::RestartScheduled { counter })
    }

    pub(super) fn timeout(self, at: u64, message: &str) -> Run {
        let message = message.to_owned();
        self.event(at, EventKind::Timeout { message })
    }

    pub(super) fn watchdog(self, at: u64, message: &str) -> Run {
        let message = message.to_owned();
        self.event(at, EventKind::WatchdogTimeout { message })
    }

    /// systemd logs this about the unit.
    pub(super) fn manager(self, at: u64, priority: u8, message: &str) -> Run {
        let message = message.to_owned();
        self.event(at, EventKind::Manager { priority, message })
    }

    /// The unit itself logs this.
    pub(super) fn log(self, at: u64, priority: u8, message: &str) -> Run {
        let message = message.to_owned();
        self.event(at, EventKind::Log { priority, message })
    }

    pub(super) fn listens(self, at: u64, address: &str) -> Run {
        let address = address.to_owned();
        self.event(at, EventKind::ListenerOpened { address })
    }

    pub(super) fn closes(self, at: u64, address: &str) -> Run {
        let address = address.to_owned();
        self.event(at, EventKind::ListenerClosed { address })
    }

    pub(super) fn response(self, at: u64, name: &str, outcome: ResponseOutcome) -> Run {
        let name = name.to_owned();
        self.seen(at, EventKind::Response { name, outcome })
    }

    pub(super) fn step(self, at: u64, index: usize) -> Run {
        self.seen(at, EventKind::StepBegan { index, label: None })
    }

    /// systemd refuses the step.
    pub(super) fn refused(self, at: u64, error: &str, message: &str) -> Run {
        let outcome = StepOutcome::Refused {
            error: error.to_owned(),
            message: message.to_owned(),
        };
        self.seen(
            at,
            EventKind::StepEnded {
                index: 0,
                label: None,
                outcome,
            },
        )
    }

    pub(super) fn ends(self, at: u64) -> Run {
        self.seen(at, EventKind::ScenarioEnded)
    }

    /// The result of a rule for this run.
    pub(super) fn told<T>(&self, rule: impl Fn(&Case) -> T) -> T {
        let last = self.events.iter().map(|event| event.at_us).max();
        let properties = self.properties.iter().map(|(unit, values)| Event {
            at_us: last.unwrap_or(0),
            unit: Some(unit.clone()),
            source: Source::Properties,
            kind: EventKind::Properties {
                values: values.clone(),
            },
        });
        let events = self.events.iter().cloned().chain(properties);
        let timeline = Timeline::new(events.collect());
        rule(&Case {
            timeline: &timeline,
            unit: UNIT,
            address: ADDRESS,
            units: &UnitTexts::new(self.files.clone()),
        })
    }

    /// Asserts that a rule says exactly this.
    #[track_caller]
    pub(super) fn is_told(&self, rule: impl Fn(&Case) -> Option<String>, sentence: &str) {
        assert_eq!(self.told(rule).as_deref(), Some(sentence));
    }

    /// Asserts that a rule reports nothing.
    #[track_caller]
    pub(super) fn is_not_told(&self, rule: impl Fn(&Case) -> Option<String>) {
        assert_eq!(self.told(rule), None);
    }
}

/// An answer with this status.
pub(super) fn answered(status: u16) -> ResponseOutcome {
    let body = String::new();
    ResponseOutcome::Answered { status, body }
}

/// A connection that was cut off.
pub(super) fn broken() -> ResponseOutcome {
    let error = "connection reset by peer".to_owned();
    ResponseOutcome::Broken { error }
}

/// A setting such as `SuccessExitStatus=` on D-Bus: exit codes and signals.
pub(super) fn statuses(codes: &[i32], signals: &[i32]) -> Value {
    serde_json::json!([codes, signals])
}
