//! The content of a picture: a row of words for each event that matters, and the states between them.

use std::collections::BTreeMap;
use std::time::Duration;

use systemd_lab_protocol::event::ResponseOutcome;
use systemd_lab_protocol::{Event, EventKind};

use super::answers::{Answers, asked_of};
use crate::clock::nearest_second;
use crate::timeline::Timeline;
use crate::view::{DEBUG, ERROR, WARNING, describe};

/// The name of the lane for events that are not about a unit.
const REQUESTS: &str = "requests";

/// States that systemd only passes through. If they take no time, the rows next to them say everything.
const PASSING: [&str; 5] = [
    "stop-watchdog",
    "dead-before-auto-restart",
    "failed-before-auto-restart",
    "auto-restart-queued",
    "dead-resources-pinned",
];

/// A state that lasts less than this appears to take no time.
const PASSING_TIME: Duration = Duration::from_millis(500);

/// Assignments that differ from run to run, or tell people nothing. A user's systemd sends those with `X_SYSTEMD_` about each of
/// its targets.
const HIDDEN_ASSIGNMENTS: [&str; 3] = ["MONOTONIC_USEC=", "MAINPID=", "X_SYSTEMD_"];

/// The watchdog's ping: a tick, not a row.
pub(super) const PING: &str = "WATCHDOG=1";

/// Everything that is shown, in order.
pub(super) struct Rows {
    pub(super) lanes: Vec<String>,
    pub(super) rows: Vec<Row>,
    pub(super) spans: Vec<Span>,
    pub(super) pings: Vec<Ping>,
}

/// One line of words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    /// Since the scenario began.
    pub(super) at: Duration,
    /// `None` for the scenario itself: its end, and why it ended early.
    pub(super) lane: Option<usize>,
    pub(super) mark: Mark,
    pub(super) text: String,
}

impl Row {
    /// When it happened, rounded as people read it.
    pub(super) fn seconds(&self) -> u64 {
        nearest_second(self.at)
    }
}

/// The kind of a row, which decides its shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    /// A state begins.
    State,
    Good,
    Bad,
    Note,
    Signal,
    Restart,
    Answer,
    /// Of the scenario as a whole.
    End,
}

/// A state, from one row to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) lane: usize,
    pub(super) state: State,
    /// The index of the row at which it begins, and of the row at which it ends.
    pub(super) rows: (usize, usize),
}

/// Kinds of states, each drawn in its own way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Dead,
    Starting,
    Running,
    /// systemd says that it is running, but nothing answers.
    Hanging,
    Reloading,
    Stopping,
    Waiting,
    Failed,
    /// This is not a unit's state: requests get no answer.
    Unanswered,
}

/// A ping of the watchdog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ping {
    pub(super) lane: usize,
    /// Since the scenario began.
    pub(super) at: Duration,
    /// The number of rows before it.
    pub(super) after_rows: usize,
}

impl State {
    /// The kind of a `SubState`.
    fn of(sub_state: &str) -> State {
        let begins = |prefix: &str| sub_state.starts_with(prefix);
        if begins("auto-restart") {
            State::Waiting
        } else if begins("reload") || begins("refresh") {
            State::Reloading
        } else if begins("start") || begins("condition") || begins("activating") {
            State::Starting
        } else if begins("stop") || begins("final") || begins("deactivating") {
            State::Stopping
        } else if begins("failed") {
            State::Failed
        } else if begins("dead") || begins("cleaning") {
            State::Dead
        } else {
            // `running`, `exited`, and the active states of units that are not services.
            State::Running
        }
    }
}

/// Whether a picture shows this kind of event about one of its units at all.
pub(super) fn is_shown(kind: &EventKind) -> bool {
    matches!(kind, EventKind::StateChanged { .. }) || row_of(kind, true).is_some()
}

impl Rows {
    pub(super) fn of(
        timeline: &Timeline,
        units: &[String],
        logs: bool,
        steps: &BTreeMap<String, String>,
    ) -> Rows {
        let mut builder = Builder {
            rows: Rows {
                lanes: units.to_vec(),
                rows: Vec::new(),
                spans: Vec::new(),
                pings: Vec::new(),
            },
            open: vec![None; units.len()],
            said: vec![None; units.len()],
            asked: asked_of(timeline, units),
            answers: Answers::default(),
            logs,
        };
        let events = timeline.events();
        for (index, event) in events.iter().enumerate() {
            let at = timeline.time_of(event);
            match &event.kind {
                EventKind::StateChanged { from, to } => {
                    let after = &events[index + 1..];
                    let next = after.iter().position(|later| {
                        later.unit == event.unit
                            && matches!(later.kind, EventKind::StateChanged { .. })
                    });
                    let is_over_at_once =
                        next.is_some_and(|next| timeline.time_of(&after[next]) - at < PASSING_TIME);
                    let is_passing = is_over_at_once && PASSING.contains(&to.as_str());
                    builder.change(event, at, (from, to), is_passing);
                }
                EventKind::StepBegan { label, .. } => {
                    if let Some(text) = label.as_ref().and_then(|label| steps.get(label)) {
                        builder.push(at, None, Mark::Signal, text.clone());
                    }
                }
                EventKind::Notified { assignments, .. }
                    if assignments.iter().any(|one| one == PING) =>
                {
                    builder.ping(event, at);
                    builder.event(event, at);
                }
                _ => builder.event(event, at),
            }
        }
        builder.finish()
    }

    /// Pings between this row and the next.
    pub(super) fn pings_after(&self, row: usize) -> impl Iterator<Item = &Ping> {
        self.pings
            .iter()
            .filter(move |ping| ping.after_rows == row + 1)
    }
}

struct Builder {
    rows: Rows,
    /// For each lane, its state, and the row at which the state began.
    open: Vec<Option<(State, usize)>>,
    /// For each lane, its last notification, without digits.
    said: Vec<Option<String>>,
    /// The lane of the service that requests and probes ask.
    asked: Option<usize>,
    answers: Answers,
    logs: bool,
}

impl Builder {
    fn change(&mut self, event: &Event, at: Duration, (from, to): (&str, &str), is_passing: bool) {
        let Some(lane) = self.lane(event) else { return };
        if self.open[lane].is_none() {
            self.open[lane] = Some((State::of(from), 0));
        }
        let state = State::of(to);
        if self.asked == Some(lane) && state != State::Running {
            self.answers.begin_again();
        }
        self.begin(lane, self.with_answers(lane, state));
        self.said[lane] = None;
        if !is_passing {
            self.push(at, Some(lane), Mark::State, to.to_owned());
        }
    }

    /// From the next row on, the lane is in this state.
    fn begin(&mut self, lane: usize, state: State) {
        let here = self.rows.rows.len();
        let (before, began) = self.open[lane].unwrap_or((State::Dead, 0));
        if began < here {
            self.rows.spans.push(Span {
                lane,
                state: before,
                rows: (began, here),
            });
        }
        self.open[lane] = Some((state, here));
    }

    /// The same, unless the lane is already in this state.
    fn turn(&mut self, lane: usize, state: State) {
        let before = self.open[lane].map_or(State::Dead, |(state, _)| state);
        if before != state {
            self.begin(lane, state);
        }
    }

    /// A state that systemd calls running may really be a hang.
    fn with_answers(&self, lane: usize, state: State) -> State {
        let is_silent = self.asked == Some(lane) && self.answers.are_missing();
        match state {
            State::Running | State::Hanging if is_silent => State::Hanging,
            State::Hanging => State::Running,
            state => state,
        }
    }

    /// What an outcome says about the service that was asked, for the lane of the requests.
    fn ask(&mut self, event: &Event) {
        let Some(is_answer) = self.answers.take(&event.kind) else {
            return;
        };
        if let Some(lane) = self.lane(event) {
            let state = match is_answer {
                true => State::Dead,
                false => State::Unanswered,
            };
            self.turn(lane, state);
        }
        if let Some(lane) = self.asked
            && let Some((state, _)) = self.open[lane]
        {
            self.turn(lane, self.with_answers(lane, state));
        }
    }

    fn ping(&mut self, event: &Event, at: Duration) {
        if let Some(lane) = self.lane(event) {
            self.rows.pings.push(Ping {
                lane,
                at,
                after_rows: self.rows.rows.len(),
            });
        }
    }

    fn event(&mut self, event: &Event, at: Duration) {
        let Some((mark, text)) = row_of(&event.kind, self.logs) else {
            return;
        };
        let is_the_scenarios_own = matches!(
            event.kind,
            EventKind::StepEnded { .. } | EventKind::ScenarioEnded
        );
        if is_the_scenarios_own {
            self.push(at, None, mark, text);
            return;
        }
        let Some(lane) = self.lane(event) else { return };
        self.ask(event);
        if !self.repeats(lane, &event.kind, &text) {
            self.push(at, Some(lane), mark, text);
        }
    }

    /// Whether this repeats the last notification. A status that only counts on is a repetition, too.
    fn repeats(&mut self, lane: usize, kind: &EventKind, text: &str) -> bool {
        if matches!(kind, EventKind::Notified { .. }) {
            let said = Some(text.replace(|c: char| c.is_ascii_digit(), ""));
            let repeats = self.said[lane] == said;
            self.said[lane] = said;
            return repeats;
        }
        let before = self.rows.rows.last();
        before.is_some_and(|row| row.lane == Some(lane) && row.text == text)
    }

    fn push(&mut self, at: Duration, lane: Option<usize>, mark: Mark, text: String) {
        self.rows.rows.push(Row {
            at,
            lane,
            mark,
            text,
        });
    }

    /// The lane of the event's unit; `None` for a unit that the picture does not show.
    fn lane(&mut self, event: &Event) -> Option<usize> {
        let name = event.unit.as_deref().unwrap_or(REQUESTS);
        let found = self.rows.lanes.iter().position(|lane| lane == name);
        if found.is_none() && event.unit.is_none() {
            self.rows.lanes.push(REQUESTS.to_owned());
            self.open.push(None);
            self.said.push(None);
            return Some(self.rows.lanes.len() - 1);
        }
        found
    }

    fn finish(mut self) -> Rows {
        if self.rows.rows.is_empty() {
            self.push(
                Duration::ZERO,
                None,
                Mark::End,
                "nothing happened".to_owned(),
            );
        }
        let last = self.rows.rows.len() - 1;
        for (lane, open) in self.open.iter().enumerate() {
            let (state, began) = open.unwrap_or((State::Dead, 0));
            if began < last {
                self.rows.spans.push(Span {
                    lane,
                    state,
                    rows: (began, last),
                });
            }
        }
        self.rows
    }
}

/// The row of an event that is not a state change; `None` for what a picture leaves out.
pub(super) fn row_of(kind: &EventKind, logs: bool) -> Option<(Mark, String)> {
    let mark = match kind {
        EventKind::Notified { assignments, .. } => return notification(assignments),
        EventKind::StepEnded { .. } => Mark::Bad,
        EventKind::ScenarioEnded => Mark::End,
        EventKind::Response { name, outcome } => {
            let mark = match outcome {
                ResponseOutcome::Answered { status, .. } if *status < 500 => Mark::Answer,
                _ => Mark::Bad,
            };
            let text = describe(kind)?;
            // The lane already says that it is a request.
            let text = text.strip_prefix("request ").unwrap_or(name);
            return Some((mark, text.to_owned()));
        }
        EventKind::ProbeChanged { outcome, .. } if outcome.is_success() => Mark::Answer,
        EventKind::ProbeChanged { .. } => Mark::Bad,
        // A start shows in the states.
        EventKind::JobQueued { job } if job != "start" => Mark::Note,
        EventKind::JobEnded { result, .. } if result != "done" => Mark::Bad,
        EventKind::ProcessExited { code, status, .. } if code == "exited" && *status == 0 => {
            Mark::Note
        }
        EventKind::ProcessExited { .. }
        | EventKind::NotificationRefused { .. }
        | EventKind::WatchdogTimeout { .. }
        | EventKind::Timeout { .. }
        | EventKind::Failed { .. }
        | EventKind::StartLimitHit
        | EventKind::WentBlind { .. } => Mark::Bad,
        EventKind::SightRestored => Mark::Note,
        EventKind::Killing { .. } => Mark::Signal,
        EventKind::Deactivated => Mark::Good,
        EventKind::RestartScheduled { .. } => Mark::Restart,
        EventKind::UnitFile { priority, .. } if *priority <= ERROR => Mark::Bad,
        EventKind::UnitFile { priority, .. } if *priority <= WARNING => Mark::Note,
        // Only messages that explain something become rows.
        EventKind::Manager { priority, .. } if *priority <= WARNING => Mark::Bad,
        EventKind::Manager { .. } => Mark::Note,
        EventKind::ListenerOpened { .. } | EventKind::ListenerClosed { .. } => Mark::Note,
        EventKind::Log { .. } if logs => Mark::Note,
        EventKind::LogDropped { priority, .. } if *priority < DEBUG => Mark::Note,
        _ => return None,
    };
    Some((mark, describe(kind)?))
}

/// Whether no picture shows this assignment.
pub(super) fn is_hidden(assignment: &str) -> bool {
    HIDDEN_ASSIGNMENTS
        .iter()
        .any(|hidden| assignment.starts_with(hidden))
}

fn notification(assignments: &[String]) -> Option<(Mark, String)> {
    let shown: Vec<&str> = assignments
        .iter()
        .map(String::as_str)
        .filter(|one| *one != PING)
        .filter(|one| !is_hidden(one))
        .collect();
    if shown.is_empty() {
        return None;
    }
    let mark = if shown.contains(&"WATCHDOG=trigger") {
        Mark::Bad
    } else if shown.iter().all(|one| one.starts_with("STATUS=")) {
        Mark::Note
    } else {
        Mark::Good
    };
    Some((mark, shown.join(" ")))
}
