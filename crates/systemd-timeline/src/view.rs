//! A timeline as checks see it: the events that matter, with the time between them.
//!
//! A view shows no PIDs. Its times are exact: a check allows a [`Tolerance`](crate::compare::Tolerance) when it compares
//! them, and shows people whole seconds.

mod words;

use std::fmt::Write;
use std::time::Duration;

use systemd_lab_protocol::{Event, EventKind};

use crate::timeline::Timeline;
use crate::visible::visible;

pub use words::describe;
pub(crate) use words::{DEBUG, blinding_text, machine_end_text};

/// Priorities of syslog(3); a smaller number is worse.
pub const ERROR: u8 = 3;
/// The journal's priority of a warning: syslog(3).
pub const WARNING: u8 = 4;

/// sd_notify(3): the start, or the reload, has ended.
const READY: &str = "READY=1";

/// The role of a service's main process in [`EventKind::ProcessExited`].
pub(crate) const MAIN: &str = "main";

/// A shorter time is not shown: what systemd does about one unit at one instant takes some milliseconds.
const NO_TIME: Duration = Duration::from_millis(50);

/// Width of the column of distances: `+300.250 s`.
pub const TIME_WIDTH: usize = 10;

/// Chooses events and renders them. By default it shows nothing.
#[derive(Debug, Clone, Default)]
pub struct View {
    units: Vec<String>,
    assignments: Vec<String>,
    jobs: bool,
    states: Option<States>,
    exits: Option<Exits>,
    results: bool,
    deadlines: bool,
    listeners: bool,
    responses: bool,
    logs_of: Vec<String>,
    since: Option<String>,
    until: Option<String>,
    distances: Distances,
}

/// Which states a view distinguishes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum States {
    /// All states: `SubState`.
    All,
    /// The states that all types of units have: `ActiveState`.
    Activity,
}

/// Which processes' ends a view shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Exits {
    All,
    MainProcess,
}

/// Whether a view shows how long things took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Distances {
    #[default]
    Shown,
    Hidden,
}

impl View {
    /// A view of these units. Events without a unit (responses, listeners) are shown on request.
    pub fn of(units: &[&str]) -> View {
        View {
            units: units.iter().map(|unit| unit.to_string()).collect(),
            ..View::default()
        }
    }

    /// Shows everything, for people who look for a cause.
    pub fn everything(units: &[&str]) -> View {
        let view = View::of(units)
            .jobs()
            .states()
            .exits()
            .results()
            .deadlines()
            .listeners()
            .responses();
        units
            .iter()
            .fold(view.notifications(&[""]), |view, unit| view.logs_of(unit))
    }

    /// Shows how jobs end.
    #[must_use]
    pub fn jobs(self) -> View {
        View { jobs: true, ..self }
    }

    /// Shows state changes.
    #[must_use]
    pub fn states(self) -> View {
        View {
            states: Some(States::All),
            ..self
        }
    }

    /// Shows only changes of `ActiveState`: the states in between depend on which of `ExecStartPre=`,
    /// `ExecStop=` and so on the unit has. `READY=1` is shown where it changes the state.
    #[must_use]
    pub fn activity(self) -> View {
        View {
            states: Some(States::Activity),
            ..self
        }
    }

    /// Shows the assignments that begin like one of these. One that ends in `=` stands for any value.
    #[must_use]
    pub fn notifications(self, assignments: &[&str]) -> View {
        View {
            assignments: assignments.iter().map(|one| one.to_string()).collect(),
            ..self
        }
    }

    /// Shows how processes end.
    #[must_use]
    pub fn exits(self) -> View {
        View {
            exits: Some(Exits::All),
            ..self
        }
    }

    /// Shows how main processes end, but not those of `ExecStartPre=`, `ExecStop=` and so on.
    #[must_use]
    pub fn main_exits(self) -> View {
        View {
            exits: Some(Exits::MainProcess),
            ..self
        }
    }

    /// Shows units' results, restarts and the start limit.
    #[must_use]
    pub fn results(self) -> View {
        View {
            results: true,
            ..self
        }
    }

    /// Shows deadlines that pass, and the signals that follow.
    #[must_use]
    pub fn deadlines(self) -> View {
        View {
            deadlines: true,
            ..self
        }
    }

    /// Shows when sockets start and stop listening.
    #[must_use]
    pub fn listeners(self) -> View {
        View {
            listeners: true,
            ..self
        }
    }

    /// Shows responses to the scenario's requests, and changes of its probes.
    #[must_use]
    pub fn responses(self) -> View {
        View {
            responses: true,
            ..self
        }
    }

    /// Shows the lines that this unit logged.
    #[must_use]
    pub fn logs_of(mut self, unit: &str) -> View {
        self.logs_of.push(unit.to_owned());
        self
    }

    /// Begins when one of the units first enters this state, or this `ActiveState`.
    #[must_use]
    pub fn since(self, state: &str) -> View {
        View {
            since: Some(state.to_owned()),
            ..self
        }
    }

    /// Ends just before one of the units first enters this state, or this `ActiveState`.
    #[must_use]
    pub fn until(self, state: &str) -> View {
        View {
            until: Some(state.to_owned()),
            ..self
        }
    }

    /// Leaves the times out: for what may take any time up to a deadline.
    #[must_use]
    pub fn without_distances(self) -> View {
        View {
            distances: Distances::Hidden,
            ..self
        }
    }

    /// The timeline as text, a line for each event that this view shows.
    ///
    /// The first column is the time since the previous event, in milliseconds, or empty if it takes no time; the second is
    /// the unit. Repeated lines are shown once.
    pub fn render(&self, timeline: &Timeline) -> String {
        let width = self.units.iter().map(String::len).max().unwrap_or(0);
        let mut text = String::new();
        let mut before: Option<(&Event, String)> = None;
        let entered = |state: &Option<String>| {
            state
                .as_ref()
                .map(|state| self.first_entry(timeline, state))
        };
        // If the state is never entered, nothing comes after it, and everything comes before it.
        let begin = entered(&self.since).map_or(0, |found| found.unwrap_or(usize::MAX));
        let end = entered(&self.until).flatten().unwrap_or(usize::MAX);
        let mut running: Vec<&str> = Vec::new();
        for (index, event) in timeline.events().iter().enumerate().take(end) {
            note_running(&mut running, event);
            if index < begin {
                continue;
            }
            for line in self.lines(event, &running) {
                let unit = event.unit.as_deref().unwrap_or("");
                let line = format!("{unit:width$}  {line}");
                if before.as_ref().is_some_and(|(_, last)| *last == line) {
                    continue;
                }
                let distance = before
                    .as_ref()
                    .map_or(Duration::ZERO, |(last, _)| distance(last, event));
                let _ = match self.distances {
                    Distances::Shown => writeln!(
                        text,
                        "{:>TIME_WIDTH$}  {}",
                        exact(distance),
                        line.trim_end()
                    ),
                    Distances::Hidden => writeln!(text, "{}", line.trim_end()),
                };
                before = Some((event, line));
            }
        }
        text
    }

    /// Where the unit first enters `state`.
    fn first_entry(&self, timeline: &Timeline, state: &str) -> Option<usize> {
        timeline.events().iter().position(|event| {
            event
                .unit
                .as_ref()
                .is_some_and(|unit| self.units.contains(unit))
                && matches!(&event.kind, EventKind::StateChanged { to, .. } if to == state || activity(to) == state)
        })
    }

    /// `running` lists the units that are active now.
    fn lines(&self, event: &Event, running: &[&str]) -> Vec<String> {
        if event
            .unit
            .as_ref()
            .is_some_and(|unit| !self.units.contains(unit))
        {
            return Vec::new();
        }
        match &event.kind {
            EventKind::StateChanged { from, to } if self.states == Some(States::Activity) => {
                match (activity(from), activity(to)) {
                    (from, to) if from == to => Vec::new(),
                    (from, to) => vec![format!("{from} -> {to}")],
                }
            }
            EventKind::Notified { assignments, .. } => assignments
                .iter()
                .filter(|assignment| {
                    // Sent again, READY=1 changes nothing; a service may repeat it, e.g. with a new STATUS=.
                    let is_repeated = *assignment == READY
                        && event
                            .unit
                            .as_deref()
                            .is_some_and(|unit| running.contains(&unit));
                    !(is_repeated && self.states == Some(States::Activity))
                })
                .filter_map(|assignment| self.assignment(assignment))
                .collect(),
            EventKind::LogDropped {
                priority: DEBUG.., ..
            } => Vec::new(),
            EventKind::Log { .. } | EventKind::LogDropped { .. }
                if event
                    .unit
                    .as_ref()
                    .is_some_and(|unit| self.logs_of.contains(unit)) =>
            {
                describe(&event.kind).into_iter().collect()
            }
            kind if self.shows(kind) => describe(kind).into_iter().collect(),
            _ => Vec::new(),
        }
    }

    fn assignment(&self, assignment: &str) -> Option<String> {
        let wanted = self
            .assignments
            .iter()
            .find(|wanted| assignment.starts_with(*wanted))?;
        Some(if wanted.ends_with('=') {
            format!("{wanted}…")
        } else {
            visible(assignment)
        })
    }

    fn shows(&self, kind: &EventKind) -> bool {
        match kind {
            EventKind::JobEnded { .. } => self.jobs,
            EventKind::StateChanged { .. } => self.states.is_some(),
            EventKind::ProcessExited { role, .. } => match self.exits {
                Some(Exits::All) => true,
                Some(Exits::MainProcess) => role == MAIN,
                None => false,
            },
            EventKind::Failed { .. } | EventKind::Deactivated => self.results,
            EventKind::RestartScheduled { .. } | EventKind::StartLimitHit => self.results,
            // Below a warning, systemd logs things that do not matter to the unit, most of them at debug level.
            EventKind::UnitFile { priority, .. } => *priority <= WARNING,
            EventKind::NotificationRefused { .. }
            | EventKind::WentBlind { .. }
            | EventKind::SightRestored => true,
            EventKind::WatchdogTimeout { .. }
            | EventKind::Timeout { .. }
            | EventKind::Killing { .. } => self.deadlines,
            EventKind::ListenerOpened { .. } | EventKind::ListenerClosed { .. } => self.listeners,
            EventKind::Response { .. } | EventKind::ProbeChanged { .. } => self.responses,
            _ => false,
        }
    }
}

/// The `ActiveState` that a service's `SubState` belongs to: `state_translation_table` in systemd's service.c. Other types of
/// units have few states, whose names do not collide with these.
pub(crate) fn activity(state: &str) -> &str {
    match state {
        "dead" | "dead-before-auto-restart" => "inactive",
        "failed" | "failed-before-auto-restart" => "failed",
        "running" | "exited" => "active",
        "condition" | "auto-restart" | "auto-restart-queued" => "activating",
        _ if state.starts_with("start") => "activating",
        _ if state.starts_with("reload") => "reloading",
        _ if state.starts_with("stop") || state.starts_with("final") => "deactivating",
        other => other,
    }
}

/// Updates the list of the units that are active.
fn note_running<'a>(running: &mut Vec<&'a str>, event: &'a Event) {
    if let (EventKind::StateChanged { to, .. }, Some(unit)) = (&event.kind, &event.unit) {
        running.retain(|it| it != unit);
        if activity(to) == "active" {
            running.push(unit);
        }
    }
}

fn distance(from: &Event, to: &Event) -> Duration {
    Duration::from_micros(to.at_us.saturating_sub(from.at_us))
}

/// `+10.250 s`, or nothing for what happens at once.
fn exact(distance: Duration) -> String {
    match distance < NO_TIME {
        true => String::new(),
        false => format!("+{}.{:03} s", distance.as_secs(), distance.subsec_millis()),
    }
}

#[cfg(test)]
mod tests;
