//! The timeline of an experiment, line by line: what happened, including the faults.

use std::time::Duration;

use serde::Serialize;
use systemd_lab_protocol::EventKind;
use systemd_lab_protocol::event::StepOutcome;

use super::{Experiment, PlannedFault, files};
use crate::image;
use systemd_timeline::Timeline;
use systemd_timeline::clock::{clock_time, nearest_second};
use systemd_timeline::compare::Moment;
use systemd_timeline::fold::Foldable;
use systemd_timeline::full_log::FullLog;
use systemd_timeline::jobs;
use systemd_timeline::picture::settled;
use systemd_timeline::view::{WARNING, describe};
use systemd_timeline::visible;

/// The last event of each run.
pub(super) const END: &str = "end";

/// Comes again and again, and says nothing new.
const PING: &str = "WATCHDOG=1";

/// Assignments whose values differ from run to run: a clock stamp and a PID. Their presence matters, so they are shown.
const VARYING: [&str; 2] = ["MONOTONIC_USEC=", "MAINPID="];

/// systemd logs its actions at debug level, hundreds of lines for each start: `--json` has them.
const DEBUG: u8 = 7;

/// The beginning of a line about a fault.
const FAULT: &str = "fault: ";

/// The beginning of a line that a command of the plan has printed.
const OUTPUT: &str = "output: ";

/// How many lines of a command's output are shown; only the logs have more.
const MOST_OUTPUT: usize = 10;

/// Its text is the service's own words, and may be anything.
const STATUS: &str = "STATUS=";

/// Units that group others: systemd.target(5). The guest has some of its own.
const TARGET: &str = ".target";

/// How much a timeline shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// What explains the events. Values that differ from run to run are `…`.
    Usual,
    /// Also what services log and write into `STATUS=`.
    Logs,
    /// Everything except systemd's own debug log: each notification with its values and its sender, each job, each process that
    /// is sent a signal, each slice, what services log, and what systemd logs at `info` or worse.
    Full,
}

/// What happened, as people read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    /// Since time 0.
    #[serde(serialize_with = "super::outages::microseconds", rename = "at_us")]
    pub at: Duration,
    /// The unit that it is about, if any.
    pub unit: String,
    /// What happened, in the original words.
    text: String,
}

impl Line {
    /// When it happened, as people read it: the nearest whole second since time 0.
    pub fn seconds(&self) -> u64 {
        nearest_second(self.at)
    }

    /// In the form that is compared with other runs.
    pub fn moment(&self) -> Moment {
        Moment {
            at: self.at,
            unit: self.unit.clone(),
            what: self.text().trim_end().to_owned(),
        }
    }

    /// What happened, without anything that could control a terminal: services may log anything.
    pub fn text(&self) -> String {
        visible(&self.text)
    }

    /// Whether a command of the plan has printed it: it may be any text.
    pub(super) fn is_output(&self) -> bool {
        self.text.starts_with(OUTPUT)
    }

    /// Whether it is a fault of the experiment's.
    pub fn is_fault(&self) -> bool {
        self.text.starts_with(FAULT)
    }
}

impl Foldable for Line {
    fn at(&self) -> Duration {
        self.at
    }

    fn unit(&self) -> &str {
        &self.unit
    }

    fn text(&self) -> String {
        Line::text(self)
    }
}

pub(super) fn fault_line(fault: &str) -> String {
    format!("{FAULT}{fault}")
}

/// Everything that matters, in order. A notification that repeats the unit's previous line is shown once.
pub(super) fn tell(experiment: &Experiment, timeline: &Timeline, detail: Detail) -> Vec<Line> {
    // Events that two sources see at once get a fixed order, so that the text is the same for each build of a service.
    let timeline = settled(timeline);
    let is_full = detail == Detail::Full;
    let own = files::units(&experiment.files);
    let is_guests = |unit: &str| {
        (unit.ends_with(TARGET) || image::is_systemds_own(unit))
            && unit != experiment.main_unit()
            && !own.iter().any(|it| it == unit)
    };
    let going_down = goes_down(&timeline, is_guests).filter(|_| !is_full);
    let mut lines: Vec<Line> = Vec::new();
    for (index, event) in timeline.events().iter().enumerate() {
        let unit = event.unit.as_deref().unwrap_or_default();
        if unit.ends_with(".slice") && unit != experiment.main_unit() && !is_full {
            continue;
        }
        if going_down.is_some_and(|since| index >= since) && is_guests(unit) {
            continue;
        }
        match &event.kind {
            EventKind::Command { status, output, .. } => {
                let at = timeline.time_of(event);
                let is_whole = detail != Detail::Usual;
                lines.extend(command_lines(at, *status, output, is_whole));
                continue;
            }
            EventKind::ScenarioEnded => {
                let never = experiment.faults_that_never_came(&timeline).into_iter();
                lines.extend(never.map(|planned| Line {
                    at: timeline.time_of(event),
                    unit: hit(planned).to_owned(),
                    text: fault_line(&never_came(planned)),
                }));
            }
            _ => {}
        }
        let told = match &event.kind {
            EventKind::StepBegan { .. } | EventKind::StepEnded { .. } => {
                of_step(experiment, &event.kind)
            }
            EventKind::JobQueued { job } => jobs::unasked(&timeline, index, |event, unit| {
                experiment.asks_for(&timeline, event, unit)
            })
            .or_else(|| is_full.then(|| format!("{job} job queued")))
            .map(|text| (unit.to_owned(), text)),
            kind if is_full => full_words(kind).map(|text| (unit.to_owned(), text)),
            kind => words(kind, detail).map(|text| (unit.to_owned(), text)),
        };
        let Some((unit, text)) = told else {
            continue;
        };
        // Repeated statuses and pings say nothing new; all other repetitions are shown.
        let is_notification = matches!(event.kind, EventKind::Notified { .. });
        let mut before = lines.iter().rev().filter(|last| last.unit == unit);
        let repeats = before.next().is_some_and(|last| last.text == text);
        if is_full || !is_notification || !repeats {
            lines.push(Line {
                at: timeline.time_of(event),
                unit,
                text,
            });
        }
    }
    add_full_logs(&mut lines, experiment, &timeline);
    lines
}

/// Adds what is not known about the logs of units with a limit of their own, each at its time.
fn add_full_logs(lines: &mut Vec<Line>, experiment: &Experiment, timeline: &Timeline) {
    for unit in experiment.observed() {
        for full in FullLog::all(timeline, &unit) {
            // What is known only at the end comes before the line that says so.
            let is_later = |line: &Line| line.at > full.known || line.text == END;
            let place = lines.iter().position(is_later).unwrap_or(lines.len());
            let end = lines.get(place).map_or(full.known, |line| line.at);
            let line = Line {
                at: full.known.min(end),
                unit: unit.clone(),
                text: full.to_string(),
            };
            lines.insert(place, line);
        }
    }
}

/// The event from which the machine shuts down, if the run ends like that. systemd then also stops all of the guest's own units,
/// which says nothing about the service.
fn goes_down(timeline: &Timeline, is_guests: impl Fn(&str) -> bool) -> Option<usize> {
    let is_end = |kind: &EventKind| matches!(kind, EventKind::MachineEnded { .. });
    let mut events = timeline.events().iter();
    events.clone().find(|event| is_end(&event.kind))?;
    events.position(|event| {
        let is_stopped = match &event.kind {
            EventKind::JobQueued { job } => job == "stop",
            EventKind::StateChanged { from, .. } => from == "active",
            _ => false,
        };
        is_stopped && event.unit.as_deref().is_some_and(&is_guests)
    })
}

fn never_came(planned: &PlannedFault) -> String {
    let why = match planned.when.time() {
        Some(_) => "the run had ended".to_owned(),
        None => format!("no {}", planned.when),
    };
    format!("{} never came: {why}", planned.fault)
}

/// The unit that a fault affects, if there is one.
fn hit(planned: &PlannedFault) -> &str {
    match planned.fault.hits_unit() {
        true => &planned.unit,
        false => "",
    }
}

/// How a command of the plan ended, and what it printed.
fn command_lines(at: Duration, status: i32, output: &str, is_whole: bool) -> Vec<Line> {
    let line = |text: String| Line {
        at,
        unit: String::new(),
        text,
    };
    let mut lines = vec![line(format!("command exited, status {status}"))];
    let most = if is_whole { usize::MAX } else { MOST_OUTPUT };
    let printed: Vec<&str> = output.lines().collect();
    let shown = printed.iter().take(most);
    lines.extend(shown.map(|text| line(format!("{OUTPUT}{text}"))));
    let left_out = printed.len().saturating_sub(most);
    if left_out > 0 {
        lines.push(line(format!("{OUTPUT}({left_out} lines more)")));
    }
    lines
}

/// A fault, or its refusal, with its unit.
fn of_step(experiment: &Experiment, kind: &EventKind) -> Option<(String, String)> {
    match kind {
        EventKind::StepBegan { label, .. } => {
            let planned = experiment.fault_labelled(label.as_deref()?)?;
            let text = fault_line(&planned.fault.to_string());
            Some((hit(planned).to_owned(), text))
        }
        EventKind::StepEnded {
            label,
            outcome: StepOutcome::Refused { .. },
            ..
        } => {
            let label = label.as_deref();
            let planned = label.and_then(|label| experiment.fault_labelled(label));
            let unit = planned.map_or(experiment.main_unit(), hit);
            Some((unit.to_owned(), describe(kind)?))
        }
        other => Some((String::new(), describe(other)?)),
    }
}

fn words(kind: &EventKind, detail: Detail) -> Option<String> {
    let logs = detail == Detail::Logs;
    Some(match kind {
        EventKind::Notified { assignments, .. } => {
            let told = assignments.iter().filter_map(|one| {
                let varies = VARYING.iter().find(|it| one.starts_with(**it));
                match one {
                    ping if ping.starts_with(PING) => None,
                    status if status.starts_with(STATUS) && !logs => Some(format!("{STATUS}…")),
                    other => Some(varies.map_or_else(|| other.clone(), |name| format!("{name}…"))),
                }
            });
            let told: Vec<String> = told.collect();
            (!told.is_empty()).then(|| told.join(" "))?
        }
        EventKind::Log { .. } if !logs => return None,
        // In the lab systemd logs at debug level, and these lines may be its own.
        EventKind::LogDropped {
            priority: DEBUG.., ..
        } => return None,
        EventKind::UnitFile { priority, .. } if *priority > WARNING => return None,
        EventKind::JobEnded { result, .. } if result == "done" => return None,
        EventKind::CommandCutOff { .. } => "command did not end before the run did".to_owned(),
        EventKind::ScenarioEnded => END.to_owned(),
        kind => describe(kind)?,
    })
}

/// With all known details.
fn full_words(kind: &EventKind) -> Option<String> {
    Some(match kind {
        EventKind::Notified { pid, assignments } => {
            format!("{} (from PID {pid})", assignments.join(" "))
        }
        EventKind::NotificationRefused { message } => {
            format!("a notification was dropped: {message}")
        }
        EventKind::Killing { signal, process } => format!("{signal} sent to {process}"),
        EventKind::Manager { priority, message } if *priority < DEBUG => {
            format!("systemd: {}", message.trim_start())
        }
        EventKind::UnitFile { priority, .. } if *priority >= DEBUG => return None,
        EventKind::ScenarioEnded => END.to_owned(),
        kind => describe(kind)?,
    })
}

/// The lines as a table: time, unit, what happened.
pub(super) fn render(lines: &[Line]) -> String {
    let widest = |of: &dyn Fn(&Line) -> usize| lines.iter().map(of).max().unwrap_or(0);
    let times = widest(&|line| clock_time(line.seconds()).len());
    let units = widest(&|line| line.unit.len());
    let rows = lines.iter().map(|line| {
        let (time, unit, text) = (clock_time(line.seconds()), &line.unit, line.text());
        let row = format!("{time:>times$}  {unit:units$}  {text}");
        row.trim_end().to_owned() + "\n"
    });
    rows.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use systemd_lab_protocol::Event;
    use systemd_lab_protocol::event::Source;

    fn told(kinds: &[EventKind], detail: Detail) -> Vec<String> {
        let events = kinds.iter().zip(1..).map(|(kind, at_us)| Event {
            at_us,
            unit: Some("a.service".to_owned()),
            source: Source::Agent,
            kind: kind.clone(),
        });
        let experiment = Experiment::new("a.service");
        let lines = tell(&experiment, &Timeline::new(events.collect()), detail);
        lines.iter().map(Line::text).collect()
    }

    fn notified(assignments: &[&str]) -> EventKind {
        EventKind::Notified {
            pid: 7,
            assignments: assignments.iter().map(|one| (*one).to_owned()).collect(),
        }
    }

    #[test]
    fn a_stamp_is_seen_to_be_there_and_its_value_changes_nothing() {
        let reloads = |stamp: &str| told(&[notified(&["RELOADING=1", stamp])], Detail::Usual);
        assert_eq!(
            reloads("MONOTONIC_USEC=123"),
            ["RELOADING=1 MONOTONIC_USEC=…"]
        );
        assert_eq!(reloads("MONOTONIC_USEC=123"), reloads("MONOTONIC_USEC=4"));
        assert_eq!(
            told(&[notified(&["RELOADING=1"])], Detail::Usual),
            ["RELOADING=1"]
        );
    }

    #[test]
    fn in_full_nothing_is_left_out() {
        let kinds = [
            EventKind::JobQueued {
                job: "start".to_owned(),
            },
            notified(&["STATUS=one"]),
            notified(&["STATUS=one"]),
            notified(&["WATCHDOG=1"]),
            notified(&["RELOADING=1", "MONOTONIC_USEC=5"]),
            EventKind::Log {
                priority: 6,
                message: "words".to_owned(),
            },
            EventKind::Killing {
                signal: "SIGTERM".to_owned(),
                process: "bash".to_owned(),
            },
            EventKind::JobEnded {
                job: "start".to_owned(),
                result: "done".to_owned(),
            },
        ];
        assert_eq!(
            told(&kinds, Detail::Full),
            [
                "start job queued",
                "STATUS=one (from PID 7)",
                "STATUS=one (from PID 7)",
                "WATCHDOG=1 (from PID 7)",
                "RELOADING=1 MONOTONIC_USEC=5 (from PID 7)",
                "log: words",
                "SIGTERM sent to bash",
                "start job: done",
            ]
        );
        assert_eq!(
            told(&kinds, Detail::Usual),
            ["STATUS=…", "RELOADING=1 MONOTONIC_USEC=…", "SIGTERM sent"]
        );
    }
}
