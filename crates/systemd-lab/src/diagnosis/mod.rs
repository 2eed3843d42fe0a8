//! One sentence that says which setting or line of the attendee's decides what the timeline shows.
//!
//! A rule looks at a [`Case`] and either recognises it or not. Rules know systemd and its timelines; they know nothing
//! of exercises. A check names the rules that may apply to it, the surest first; the first that recognises its case
//! speaks. When none does, there is no diagnosis, and the check says so.

pub mod policy;
pub mod readiness;
pub mod reloading;
pub mod restart;
pub mod serving;
pub mod stopping;
pub mod unit_file;
pub mod watchdog;

use std::time::Duration;

use systemd_lab_protocol::{Event, EventKind};

use crate::clock::nearest_second;
use crate::names::signal_name;
use crate::timeline::Timeline;

/// What a rule looks at.
#[derive(Debug, Clone, Copy)]
pub struct Case<'a> {
    /// What happened.
    pub timeline: &'a Timeline,
    /// The attendee's unit.
    pub unit: &'a str,
    /// Where its service should listen, e.g. `127.0.0.1:7878`.
    pub address: &'a str,
}

/// Recognises one cause. Returns a sentence, without a full stop.
pub type Rule = fn(&Case) -> Option<String>;

/// What the first rule that recognises the case says.
pub fn diagnose(case: &Case, rules: &[Rule]) -> Option<String> {
    rules.iter().find_map(|rule| rule(case))
}

impl<'a> Case<'a> {
    fn first(&self, wanted: impl Fn(&EventKind) -> bool) -> Option<&'a Event> {
        self.timeline.first(self.unit, wanted)
    }

    fn notification(&self, assignment: &str) -> Option<(&'a Event, &'a str)> {
        self.timeline.first_notification(self.unit, assignment)
    }

    /// When the unit entered this sub-state for the first time.
    fn entered(&self, state: &str) -> Option<&'a Event> {
        self.first(|kind| matches!(kind, EventKind::StateChanged { to, .. } if to == state))
    }

    /// The first process of the unit that ended as its main process.
    fn main_exit(&self) -> Option<(&'a Event, &'a str, i32)> {
        let event = self.first(
            |kind| matches!(kind, EventKind::ProcessExited { role, .. } if role == "main"),
        )?;
        match &event.kind {
            EventKind::ProcessExited { code, status, .. } => Some((event, code, *status)),
            _ => None,
        }
    }

    fn failed_with(&self, result: &str) -> bool {
        self.first(|kind| matches!(kind, EventKind::Failed { result: found } if found == result))
            .is_some()
    }

    /// Whether `StartLimitBurst=` was used up.
    fn is_given_up(&self) -> bool {
        self.first(|kind| matches!(kind, EventKind::StartLimitHit))
            .is_some()
    }

    /// Whether systemd was about to start the unit again when the scenario ended.
    fn is_waiting_for_restart(&self) -> bool {
        let mut states = self
            .timeline
            .of(self.unit)
            .filter_map(|event| match &event.kind {
                EventKind::StateChanged { to, .. } => Some(to.as_str()),
                _ => None,
            });
        states.next_back() == Some("auto-restart")
    }

    /// Whether a setting such as `RestartPreventExitStatus=` contains this end. On D-Bus it is a list of exit codes and
    /// a list of signals.
    fn has_exit_status(&self, setting: &str, code: &str, status: i32) -> bool {
        let index = if code == "exited" { 0 } else { 1 };
        let list = self
            .timeline
            .property(self.unit, setting)
            .and_then(|lists| lists.get(index)?.as_array());
        list.is_some_and(|list| {
            list.iter()
                .any(|one| one.as_i64() == Some(i64::from(status)))
        })
    }

    /// The service's own last words: the last line that it logged.
    fn last_log(&self) -> Option<&'a str> {
        self.timeline
            .events()
            .iter()
            .rev()
            .find_map(|event| match &event.kind {
                EventKind::Log { message, .. } if event.is_about(self.unit) => {
                    Some(message.as_str())
                }
                _ => None,
            })
    }

    /// The same, to be added to a sentence; empty when it logged nothing.
    fn last_words(&self) -> String {
        self.last_log().map_or(String::new(), |line| {
            format!("; the last line it logged: {line:?}")
        })
    }
}

/// How a process ended, to follow `ended`: `with exit code 1`, `by SIGKILL`. `code` is that of
/// [`EventKind::ProcessExited`].
fn how_ended(code: &str, status: i32) -> String {
    match code {
        "exited" => format!("with exit code {status}"),
        _ => format!("by {}", signal_name(status)),
    }
}

/// A duration as people say it: `2 s`, `500 ms`, `5 min`.
fn spoken(duration: Duration) -> String {
    /// Below this, thousandths say more. Not a second: stamps are taken a little before or after the fact.
    const NEARLY_A_SECOND: Duration = Duration::from_millis(950);
    let ms = duration.as_millis();
    let seconds = nearest_second(duration);
    match seconds {
        _ if duration < NEARLY_A_SECOND => format!("{ms} ms"),
        _ if seconds.is_multiple_of(60) => format!("{} min", seconds / 60),
        _ => format!("{seconds} s"),
    }
}

fn between(earlier: &Event, later: &Event) -> Duration {
    Duration::from_micros(later.at_us.saturating_sub(earlier.at_us))
}
