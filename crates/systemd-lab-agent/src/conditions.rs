//! Decides from the events so far whether a step's condition is true.
//!
//! This module keeps what the conditions need to know, not the events themselves.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;

use systemd_lab_protocol::{Condition, Event, EventKind, Scenario, Step};

/// The sub-state of a unit without any event: it is not loaded, and so not running.
const NEVER_STARTED: &str = "dead";

/// What was observed since the scenario began.
#[derive(Default)]
pub struct Observed {
    /// The sub-state of each unit that has changed its state.
    sub_states: HashMap<String, String>,
    /// Whether the last job of each unit has ended; units without jobs are absent.
    last_job_ended: HashMap<String, bool>,
    /// Texts that a step waits for in a unit's log, and whether they have appeared.
    texts: Vec<AwaitedText>,
    /// How many sockets listen, by address.
    listeners: HashMap<SocketAddr, u32>,
    /// When the current step began.
    step_began_us: u64,
    /// Unit and sub-state, for each state entered since.
    entered: HashSet<(String, String)>,
    /// Unit and assignment, for each notification since.
    notified: Vec<(String, String)>,
}

struct AwaitedText {
    unit: String,
    text: String,
    seen: bool,
}

impl Observed {
    /// Starts empty. The scenario says which texts to look for, so that no log has to be kept.
    pub fn new(scenario: &Scenario) -> Observed {
        let texts = scenario.steps.iter().filter_map(|step| match step {
            Step::WaitFor {
                condition: Condition::LogContains { unit, text },
                ..
            } => Some(AwaitedText {
                unit: unit.clone(),
                text: text.clone(),
                seen: false,
            }),
            _ => None,
        });
        Observed {
            texts: texts.collect(),
            ..Observed::default()
        }
    }

    /// systemd has taken a job for this unit.
    pub fn begin_job(&mut self, unit: &str) {
        self.last_job_ended.insert(unit.to_owned(), false);
    }

    /// A step begins: the `Next…` conditions look at events from here on.
    pub fn begin_step(&mut self, at_us: u64) {
        self.step_began_us = at_us;
        self.entered.clear();
        self.notified.clear();
    }

    /// Takes an event into account. Events must be passed in the order in which they happened.
    pub fn observe(&mut self, event: &Event) {
        // The agent may read an event from before the step during the step.
        let in_step = event.at_us >= self.step_began_us;
        match (&event.kind, &event.unit) {
            (EventKind::ListenerOpened { address }, _) => {
                if let Ok(address) = address.parse() {
                    *self.listeners.entry(address).or_default() += 1;
                }
            }
            (EventKind::ListenerClosed { address }, _) => {
                if let Some(count) = address
                    .parse()
                    .ok()
                    .and_then(|address: SocketAddr| self.listeners.get_mut(&address))
                {
                    *count = count.saturating_sub(1);
                }
            }
            (EventKind::StateChanged { to, .. }, Some(unit)) => {
                self.sub_states.insert(unit.clone(), to.clone());
                if in_step {
                    self.entered.insert((unit.clone(), to.clone()));
                }
            }
            (EventKind::JobQueued { .. }, Some(unit)) => {
                self.last_job_ended.insert(unit.clone(), false);
            }
            (EventKind::JobEnded { job, result }, Some(unit)) => {
                // A restart job is "finished" once it has stopped the unit, and goes on as a start
                // job.
                let goes_on = job == "restart" && result == "done";
                self.last_job_ended.insert(unit.clone(), !goes_on);
            }
            (EventKind::Notified { assignments, .. }, Some(unit)) if in_step => {
                let own = assignments.iter().map(|text| (unit.clone(), text.clone()));
                self.notified.extend(own);
            }
            (EventKind::Log { message, .. }, Some(unit)) => {
                for awaited in &mut self.texts {
                    awaited.seen |= awaited.unit == *unit && message.contains(&awaited.text);
                }
            }
            _ => {}
        }
    }

    /// Whether the condition is true now.
    pub fn holds(&self, condition: &Condition) -> bool {
        match condition {
            Condition::SubState { unit, any_of } => {
                let now = self.sub_states.get(unit).map_or(NEVER_STARTED, |s| s);
                any_of.iter().any(|state| state == now)
            }
            Condition::NextSubState { unit, any_of } => self
                .entered
                .iter()
                .any(|(entered, state)| entered == unit && any_of.contains(state)),
            Condition::JobEnded { unit } => self.last_job_ended.get(unit) == Some(&true),
            Condition::NextNotification { unit, assignment } => self
                .notified
                .iter()
                .any(|(sender, sent)| sender == unit && sent.starts_with(assignment.as_str())),
            Condition::LogContains { unit, text } => self
                .texts
                .iter()
                .any(|awaited| awaited.seen && awaited.unit == *unit && awaited.text == *text),
            Condition::Listening { address } => address
                .parse()
                .is_ok_and(|address| self.is_listening(address)),
        }
    }

    /// Whether a connection to the address would find a listener, on that address or on all
    /// addresses.
    fn is_listening(&self, wanted: SocketAddr) -> bool {
        self.listeners.iter().any(|(listener, &count)| {
            count > 0
                && listener.port() == wanted.port()
                && (listener.ip() == wanted.ip()
                    || listener.ip().is_unspecified() && (listener.is_ipv6() || wanted.is_ipv4()))
        })
    }
}

#[cfg(test)]
mod tests {
    use systemd_lab_protocol::event::Source;

    use super::*;

    const UNIT: &str = "t.service";

    fn at(at_us: u64, kind: EventKind) -> Event {
        Event {
            at_us,
            unit: Some(UNIT.into()),
            source: Source::Agent,
            kind,
        }
    }

    fn changed(at_us: u64, from: &str, to: &str) -> Event {
        let (from, to) = (from.into(), to.into());
        at(at_us, EventKind::StateChanged { from, to })
    }

    fn observed(events: &[Event]) -> Observed {
        let mut observed = Observed::default();
        for event in events {
            observed.observe(event);
        }
        observed
    }

    fn sub_state(state: &str) -> Condition {
        Condition::SubState {
            unit: UNIT.into(),
            any_of: vec![state.into()],
        }
    }

    #[test]
    fn a_sub_state_is_the_last_one() {
        let events = [changed(1, "dead", "start"), changed(2, "start", "running")];
        let observed = observed(&events);
        assert!(observed.holds(&sub_state("running")));
        assert!(!observed.holds(&sub_state("start")));
    }

    #[test]
    fn a_unit_that_never_started_is_dead() {
        assert!(observed(&[]).holds(&sub_state("dead")));
        assert!(!observed(&[]).holds(&sub_state("running")));
    }

    #[test]
    fn the_next_sub_state_counts_from_the_step_and_stays_true() {
        let next = Condition::NextSubState {
            unit: UNIT.into(),
            any_of: vec!["failed".into(), "auto-restart".into()],
        };
        let mut observed = observed(&[changed(5, "running", "auto-restart")]);
        observed.begin_step(10);
        assert!(!observed.holds(&next));
        // The agent reads it now, but it happened before the step.
        observed.observe(&changed(9, "running", "auto-restart"));
        assert!(!observed.holds(&next));
        observed.observe(&changed(11, "running", "auto-restart"));
        observed.observe(&changed(12, "auto-restart", "start"));
        assert!(observed.holds(&next));
    }

    #[test]
    fn the_last_job_must_have_ended() {
        let ended = Condition::JobEnded { unit: UNIT.into() };
        let job = || String::from("start");
        let result = String::from("done");
        let mut observed = observed(&[]);
        assert!(!observed.holds(&ended));
        observed.observe(&at(1, EventKind::JobQueued { job: job() }));
        assert!(!observed.holds(&ended));
        observed.observe(&at(2, EventKind::JobEnded { job: job(), result }));
        assert!(observed.holds(&ended));
        observed.observe(&at(3, EventKind::JobQueued { job: job() }));
        assert!(!observed.holds(&ended));
    }

    #[test]
    fn a_job_that_the_journal_does_not_tell_of_yet_has_not_ended() {
        let ended = Condition::JobEnded { unit: UNIT.into() };
        let (job, result) = ("start".into(), "done".into());
        let mut observed = observed(&[at(1, EventKind::JobEnded { job, result })]);
        assert!(observed.holds(&ended));
        observed.begin_job(UNIT);
        assert!(!observed.holds(&ended));
    }

    #[test]
    fn a_restart_ends_with_its_start() {
        let ended = Condition::JobEnded { unit: UNIT.into() };
        let done = |at_us, job: &str| {
            let (job, result) = (job.into(), "done".into());
            at(at_us, EventKind::JobEnded { job, result })
        };
        let job = "restart".into();
        let mut observed = observed(&[at(1, EventKind::JobQueued { job }), done(2, "restart")]);
        assert!(!observed.holds(&ended));
        observed.observe(&done(3, "start"));
        assert!(observed.holds(&ended));
    }

    #[test]
    fn a_notification_is_compared_from_its_beginning() {
        let waiting_for = |assignment: &str| Condition::NextNotification {
            unit: UNIT.into(),
            assignment: assignment.into(),
        };
        let observed = observed(&[at(
            1,
            EventKind::Notified {
                pid: 1,
                assignments: vec!["READY=1".into(), "STATUS=all well".into()],
            },
        )]);
        assert!(observed.holds(&waiting_for("READY=1")));
        assert!(observed.holds(&waiting_for("STATUS=all")));
        assert!(!observed.holds(&waiting_for("well")));
    }

    #[test]
    fn a_text_may_have_been_logged_before_its_step() {
        let condition = Condition::LogContains {
            unit: UNIT.into(),
            text: "listening".into(),
        };
        let scenario = Scenario {
            steps: vec![Step::WaitFor {
                condition: condition.clone(),
                deadline: std::time::Duration::from_secs(1),
            }],
            ..Scenario::default()
        };
        let mut observed = Observed::new(&scenario);
        assert!(!observed.holds(&condition));
        let log = |message: &str| EventKind::Log {
            priority: 6,
            message: message.into(),
        };
        observed.observe(&at(1, log("starting")));
        assert!(!observed.holds(&condition));
        observed.observe(&at(2, log("now listening on 7878")));
        observed.begin_step(10);
        assert!(observed.holds(&condition));
    }

    #[test]
    fn listening_counts_sockets_and_wildcards() {
        let listening = |address: &str| Condition::Listening {
            address: address.into(),
        };
        let opened = |address: &str| {
            let address = address.into();
            at(1, EventKind::ListenerOpened { address })
        };
        let closed = |address: &str| {
            let address = address.into();
            at(2, EventKind::ListenerClosed { address })
        };
        let mut observed = observed(&[opened("127.0.0.1:80"), opened("127.0.0.1:80")]);
        observed.observe(&closed("127.0.0.1:80"));
        assert!(observed.holds(&listening("127.0.0.1:80")));
        observed.observe(&closed("127.0.0.1:80"));
        assert!(!observed.holds(&listening("127.0.0.1:80")));
        observed.observe(&opened("0.0.0.0:80"));
        assert!(observed.holds(&listening("127.0.0.1:80")));
        assert!(!observed.holds(&listening("127.0.0.1:81")));
        assert!(!observed.holds(&listening("[::1]:80")));
        observed.observe(&opened("[::]:81"));
        assert!(observed.holds(&listening("127.0.0.1:81")));
    }
}
