//! One sentence that says which setting or line of the attendee's explains what the timeline shows.
//!
//! A rule looks at a [`Case`] and either recognises it or not. Rules know systemd and its timelines; they know nothing
//! of exercises. A check lists the rules that may apply to it, the most certain first; the first rule that recognises
//! its case gives the diagnosis. If none does, there is no diagnosis, and the check says so.

#[cfg(test)]
mod fixture;
pub mod policy;
pub mod readiness;
pub mod reloading;
pub mod restart;
pub mod serving;
pub mod setup;
pub mod stopping;
pub mod unit_file;
pub mod watchdog;

use std::time::Duration;

use systemd_lab_protocol::{Event, EventKind};

use crate::clock::nearest_second;
use crate::names::{exit_status, settings_of_status, signal_name};
use crate::timeline::Timeline;
use crate::unit_texts::UnitTexts;
use crate::view::{MAIN, activity};

/// The beginning of the Rust runtime's advice to set `RUST_BACKTRACE=1`.
const BACKTRACE_NOTE: &str = "note: run with `RUST_BACKTRACE";

/// systemd's names for the priorities of syslog(3), starting at 0: systemd.exec(5), `LogLevelMax=`.
const PRIORITIES: [&str; 8] = [
    "emerg", "alert", "crit", "err", "warning", "notice", "info", "debug",
];

/// The input of a rule.
#[derive(Debug, Clone, Copy)]
pub struct Case<'a> {
    /// What happened.
    pub timeline: &'a Timeline,
    /// The attendee's unit.
    pub unit: &'a str,
    /// Where its service should listen, e.g. `127.0.0.1:7878`.
    pub address: &'a str,
    /// What the unit files say.
    pub units: &'a UnitTexts,
}

/// Recognises one cause. Returns a sentence, without a full stop.
pub type Rule = fn(&Case) -> Option<String>;

/// The sentence of the first rule that recognises the case.
pub fn diagnose(case: &Case, rules: &[Rule]) -> Option<String> {
    rules.iter().find_map(|rule| rule(case))
}

impl<'a> Case<'a> {
    fn first(&self, wanted: impl Fn(&EventKind) -> bool) -> Option<&'a Event> {
        self.timeline.first(self.unit, wanted)
    }

    /// The first address, if any, on which the service listened. Listeners of other units do not count.
    fn listener(&self) -> Option<&'a str> {
        let mut events = self.timeline.events().iter();
        events.find_map(|event| match &event.kind {
            EventKind::ListenerOpened { address }
                if event.unit.as_deref().is_none_or(|unit| unit == self.unit) =>
            {
                Some(address.as_str())
            }
            _ => None,
        })
    }

    /// The first notification with this assignment; if it ends in `=`, with any assignment of this name.
    fn notification(&self, assignment: &str) -> Option<(&'a Event, &'a str)> {
        let is_it = |one: &&str| match assignment.ends_with('=') {
            true => one.starts_with(assignment),
            false => *one == assignment,
        };
        self.timeline
            .of(self.unit)
            .find_map(|event| match &event.kind {
                EventKind::Notified { assignments, .. } => {
                    let found = assignments.iter().map(String::as_str).find(is_it)?;
                    Some((event, found))
                }
                _ => None,
            })
    }

    /// When the unit entered this sub-state for the first time.
    fn entered(&self, state: &str) -> Option<&'a Event> {
        self.first(|kind| matches!(kind, EventKind::StateChanged { to, .. } if to == state))
    }

    /// When systemd began to stop the unit, for whatever reason.
    fn began_to_end(&self) -> Option<&'a Event> {
        self.first(|kind| {
            matches!(kind, EventKind::StateChanged { to, .. } if activity(to) == "deactivating")
        })
    }

    /// The unit's state when the run ended.
    fn last_state(&self) -> Option<&'a str> {
        let mut states = self
            .timeline
            .of(self.unit)
            .filter_map(|event| match &event.kind {
                EventKind::StateChanged { to, .. } => Some(to.as_str()),
                _ => None,
            });
        states.next_back()
    }

    /// The first process of the unit that ended as its main process.
    fn main_exit(&self) -> Option<(&'a Event, &'a str, i32)> {
        self.main_exit_since(0)
    }

    /// The same, from this instant on.
    fn main_exit_since(&self, begin_us: u64) -> Option<(&'a Event, &'a str, i32)> {
        let events = self.timeline.events().iter();
        events
            .filter(|event| event.at_us >= begin_us && event.is_about(self.unit))
            .find_map(|event| match &event.kind {
                EventKind::ProcessExited {
                    role, code, status, ..
                } if role == MAIN => Some((event, code.as_str(), *status)),
                _ => None,
            })
    }

    /// The setting as the unit file has it, or else as systemd reports it: `RestartSec=20s`.
    fn as_written(&self, setting: &str, effective: &str) -> String {
        let value = self.units.value(self.unit, setting);
        format!("{setting}={}", value.as_deref().unwrap_or(effective))
    }

    /// How long the first start took before the service itself was started, and the setting that took the time, if it
    /// is worth mentioning: `ExecStartPre=`.
    fn time_before_start(&self) -> Option<(Duration, String)> {
        /// Starting a program takes tens of milliseconds.
        const WORTH_A_WORD: Duration = Duration::from_secs(1);
        let begin = self.entered("start-pre")?;
        let mut later = self
            .timeline
            .of(self.unit)
            .filter(|event| event.at_us > begin.at_us);
        let end = later.find(|event| matches!(event.kind, EventKind::StateChanged { .. }))?;
        let time = between(begin, end);
        let command = self.units.first_of(self.unit, &["ExecStartPre"])?;
        (time >= WORTH_A_WORD).then_some((time, command))
    }

    /// systemd's words about a deadline that passed while the unit was running, e.g. that of `RuntimeMaxSec=`.
    fn timed_out_while_running(&self) -> Option<&'a str> {
        let mut is_running = false;
        self.timeline
            .of(self.unit)
            .find_map(|event| match &event.kind {
                EventKind::StateChanged { to, .. } => {
                    is_running = to == "running";
                    None
                }
                EventKind::Timeout { message } if is_running => {
                    Some(message.trim_end_matches(['.', '!']))
                }
                _ => None,
            })
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

    /// Whether systemd was about to restart the unit when the scenario ended.
    fn is_waiting_for_restart(&self) -> bool {
        self.last_state() == Some("auto-restart")
    }

    /// Whether a setting such as `RestartPreventExitStatus=` contains this exit status. On D-Bus it is a list of exit
    /// codes and a list of signals.
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

    /// The setting that keeps what the unit writes with this priority out of the journal, as it is written: `LogLevelMax=crit`,
    /// `StandardError=null`. `stream` is the name of the setting for the stream that it writes to.
    fn kept_out_of_journal(&self, priority: u8, stream: &str) -> Option<String> {
        let value = |name: &str| self.units.value(self.unit, name);
        let is_elsewhere = |value: &str| {
            let kind = value.split_once(':').map_or(value, |(kind, _)| kind);
            ["null", "tty", "file", "append", "truncate"].contains(&kind)
        };
        let level = value("LogLevelMax").filter(|level| {
            let names = PRIORITIES.iter().zip(0u8..);
            let mut named = names.filter(|(name, _)| *name == level);
            let number = named.next().map(|(_, number)| number);
            number
                .or_else(|| level.parse().ok())
                .is_some_and(|most| most < priority)
        });
        let written = |name: &str| value(name).filter(|value| is_elsewhere(value));
        let to = written(stream).map(|value| format!("{stream}={value}"));
        let level = level.map(|level| format!("LogLevelMax={level}"));
        level.or(to).or_else(|| {
            // systemd.exec(5): by default, the standard error goes where the standard output goes.
            let inherits =
                stream == "StandardError" && value(stream).is_none_or(|it| it == "inherit");
            let value = written("StandardOutput").filter(|_| inherits)?;
            Some(format!("StandardOutput={value}"))
        })
    }

    /// The service's own last words: the last line that it logged, except for what Rust's runtime adds to a panic.
    fn last_log(&self) -> Option<&'a str> {
        self.timeline
            .events()
            .iter()
            .rev()
            .find_map(|event| match &event.kind {
                EventKind::Log { message, .. }
                    if event.is_about(self.unit) && !message.starts_with(BACKTRACE_NOTE) =>
                {
                    Some(message.as_str())
                }
                _ => None,
            })
    }

    /// The same, as an addition to a sentence; empty if the service logged nothing.
    pub fn last_words(&self) -> String {
        self.last_log().map_or(String::new(), |line| {
            format!("; the last line it logged: {line:?}")
        })
    }
}

/// How a process ended, as the words after `ended`: `with exit code 1`, `by SIGKILL`. `code` is
/// that of [`EventKind::ProcessExited`].
fn how_ended(code: &str, status: i32) -> String {
    match code {
        "exited" if settings_of_status(status).is_some() => {
            format!("with status {}", exit_status(status))
        }
        "exited" => format!("with exit code {status}"),
        _ => format!("by {}", signal_name(status)),
    }
}

/// A duration as people say it: `2 s`, `500 ms`, `5 min`.
fn spoken(duration: Duration) -> String {
    /// Below this, milliseconds are clearer. It is not a full second, because stamps are taken a little before or after
    /// the fact.
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
