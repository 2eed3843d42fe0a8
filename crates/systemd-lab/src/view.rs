//! A timeline as a check looks at it: the events that matter, with the distances between them.
//!
//! A view shows no PIDs. Its distances are exact: a check allows a [`Tolerance`](crate::compare::Tolerance) when it compares
//! them, and shows people whole seconds.

mod words;

use std::fmt::Write;
use std::time::Duration;

use systemd_lab_protocol::{Event, EventKind};

use crate::timeline::Timeline;

pub use words::describe;
pub(crate) use words::machine_end_text;

/// Priorities of syslog(3); the smaller, the worse.
pub const ERROR: u8 = 3;
pub(crate) const WARNING: u8 = 4;

/// A distance that is shorter is not shown: what systemd does about one unit at one instant takes some milliseconds.
const NO_TIME: Duration = Duration::from_millis(50);

/// Width of the column of distances: `+300.250 s`.
pub(crate) const TIME_WIDTH: usize = 10;

/// Chooses events and renders them. Without any of its methods it shows nothing.
#[derive(Debug, Clone, Default)]
pub struct View {
    units: Vec<String>,
    assignments: Vec<String>,
    jobs: bool,
    states: bool,
    exits: bool,
    results: bool,
    deadlines: bool,
    listeners: bool,
    responses: bool,
    logs_of: Vec<String>,
    since: Option<String>,
    until: Option<String>,
    distances: Distances,
}

/// Whether a view tells how long things took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Distances {
    #[default]
    Shown,
    Hidden,
}

impl View {
    /// A view of these units. Events that are about no unit (responses, listeners) are shown where asked for.
    pub fn of(units: &[&str]) -> View {
        View {
            units: units.iter().map(|unit| unit.to_string()).collect(),
            ..View::default()
        }
    }

    /// Everything, for people who look for a cause.
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
            states: true,
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
            exits: true,
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

    /// Shows when sockets begin and cease to listen.
    #[must_use]
    pub fn listeners(self) -> View {
        View {
            listeners: true,
            ..self
        }
    }

    /// Shows responses to the scenario's requests, and when those to its probes change.
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

    /// Begins when one of the units first enters this state.
    #[must_use]
    pub fn since(self, state: &str) -> View {
        View {
            since: Some(state.to_owned()),
            ..self
        }
    }

    /// Ends just before one of the units first enters this state.
    #[must_use]
    pub fn until(self, state: &str) -> View {
        View {
            until: Some(state.to_owned()),
            ..self
        }
    }

    /// Leaves the distances out: for what may take any time up to a deadline.
    #[must_use]
    pub fn without_distances(self) -> View {
        View {
            distances: Distances::Hidden,
            ..self
        }
    }

    /// The timeline as text, a line for each event that this view shows.
    ///
    /// The first column is the distance from the event before, in thousandths of a second, or nothing for what takes no time;
    /// the second the unit. Lines that repeat the one before are shown once.
    pub fn render(&self, timeline: &Timeline) -> String {
        let width = self.units.iter().map(String::len).max().unwrap_or(0);
        let mut text = String::new();
        let mut before: Option<(&Event, String)> = None;
        let entered = |state: &Option<String>| {
            state
                .as_ref()
                .map(|state| self.first_entry(timeline, state))
        };
        // A state that is never entered: nothing is since it, everything until it.
        let begin = entered(&self.since).map_or(0, |found| found.unwrap_or(usize::MAX));
        let end = entered(&self.until).flatten().unwrap_or(usize::MAX);
        for event in timeline.events().iter().take(end).skip(begin) {
            for line in self.lines(event) {
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
                && matches!(&event.kind, EventKind::StateChanged { to, .. } if to == state)
        })
    }

    fn lines(&self, event: &Event) -> Vec<String> {
        if event
            .unit
            .as_ref()
            .is_some_and(|unit| !self.units.contains(unit))
        {
            return Vec::new();
        }
        match &event.kind {
            EventKind::Notified { assignments, .. } => assignments
                .iter()
                .filter_map(|assignment| self.assignment(assignment))
                .collect(),
            EventKind::Log { .. }
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
            assignment.to_owned()
        })
    }

    fn shows(&self, kind: &EventKind) -> bool {
        match kind {
            EventKind::JobEnded { .. } => self.jobs,
            EventKind::StateChanged { .. } => self.states,
            EventKind::ProcessExited { .. } => self.exits,
            EventKind::Failed { .. } | EventKind::Deactivated => self.results,
            EventKind::RestartScheduled { .. } | EventKind::StartLimitHit => self.results,
            // Below a warning, systemd speaks of what does not matter to the unit, at debug level above all.
            EventKind::UnitFile { priority, .. } => *priority <= WARNING,
            EventKind::NotificationRefused { .. } => true,
            EventKind::WatchdogTimeout { .. }
            | EventKind::Timeout { .. }
            | EventKind::Killing { .. } => self.deadlines,
            EventKind::ListenerOpened { .. } | EventKind::ListenerClosed { .. } => self.listeners,
            EventKind::Response { .. } | EventKind::ProbeChanged { .. } => self.responses,
            _ => false,
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
mod tests {
    use super::*;
    use systemd_lab_protocol::event::Source;

    fn event(at_ms: u64, kind: EventKind) -> Event {
        Event {
            at_us: at_ms * 1000,
            unit: Some("t.service".into()),
            source: Source::Agent,
            kind,
        }
    }

    fn changed(from: &str, to: &str) -> EventKind {
        EventKind::StateChanged {
            from: from.into(),
            to: to.into(),
        }
    }

    #[test]
    fn distances_are_exact_but_for_what_happens_at_once() {
        let timeline = |restart_at: u64| {
            Timeline::new(vec![
                event(0, changed("dead", "start")),
                event(110, changed("start", "running")),
                event(restart_at, changed("running", "failed")),
            ])
        };
        let view = View::of(&["t.service"]).states();
        let expected = [
            "            t.service  dead -> start",
            "  +0.110 s  t.service  start -> running",
            " +10.249 s  t.service  running -> failed\n",
        ];
        assert_eq!(view.render(&timeline(110 + 10_249)), expected.join("\n"));
        let at_once = "            t.service  running -> failed\n";
        assert!(view.render(&timeline(110 + 49)).ends_with(at_once));
    }

    #[test]
    fn only_what_is_asked_for_is_shown() {
        let notified = EventKind::Notified {
            pid: 7,
            assignments: vec!["READY=1".into(), "STATUS=hi".into()],
        };
        let timeline = Timeline::new(vec![event(0, notified), event(1, changed("a", "b"))]);
        let view = View::of(&["t.service"]).notifications(&["STATUS="]);
        assert_eq!(view.render(&timeline), "            t.service  STATUS=…\n");
        assert_eq!(View::of(&["other.service"]).states().render(&timeline), "");
    }

    #[test]
    fn repeated_lines_are_shown_once() {
        let status = |text: &str| EventKind::Notified {
            pid: 7,
            assignments: vec![format!("STATUS={text}")],
        };
        let timeline = Timeline::new(vec![
            event(0, status("one")),
            event(500, status("two")),
            event(3000, changed("start", "running")),
        ]);
        let view = View::of(&["t.service"])
            .states()
            .notifications(&["STATUS="]);
        assert_eq!(
            view.render(&timeline),
            "            t.service  STATUS=…\n  +3.000 s  t.service  start -> running\n"
        );
    }
}
