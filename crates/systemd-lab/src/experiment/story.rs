//! A timeline of an experiment, line by line: what happened, with the faults among it.

use std::time::Duration;

use serde::Serialize;
use systemd_lab_protocol::event::StepOutcome;
use systemd_lab_protocol::{Event, EventKind};

use super::saved::END;
use super::{Experiment, PlannedFault, jobs};
use crate::clock::{clock_time, nearest_second};
use crate::compare::Moment;
use crate::picture::settled;
use crate::timeline::Timeline;
use crate::view::{WARNING, describe};

/// Assignments that would differ from run to run, or come for ever.
const HIDDEN_ASSIGNMENTS: [&str; 3] = ["MONOTONIC_USEC=", "MAINPID=", "WATCHDOG=1"];

/// How a line begins that is a fault.
const FAULT: &str = "fault: ";

/// How a line begins that a command of the plan has printed.
const OUTPUT: &str = "output: ";

/// Of the output of a command, so many lines are shown; more only among the logs.
const MOST_OUTPUT: usize = 10;

/// May say anything: a service's own words.
const STATUS: &str = "STATUS=";

/// What happened, as people read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    /// Since time 0.
    #[serde(serialize_with = "super::summary::microseconds", rename = "at_us")]
    pub at: Duration,
    /// The unit that it is about, if it is about one.
    pub unit: String,
    /// What happened, as it was logged.
    text: String,
}

impl Line {
    #[cfg(test)]
    pub(super) fn new(at: Duration, unit: &str, text: &str) -> Line {
        Line {
            at,
            unit: unit.to_owned(),
            text: text.to_owned(),
        }
    }

    /// When it happened, as people read it: the nearest whole second since time 0.
    pub fn seconds(&self) -> u64 {
        nearest_second(self.at)
    }

    /// As it is compared with what happened in another run.
    pub fn moment(&self) -> Moment {
        Moment {
            at: self.at,
            unit: self.unit.clone(),
            what: self.text().trim_end().to_owned(),
        }
    }

    /// What happened, without anything that could steer a terminal: services log what they like.
    pub fn text(&self) -> String {
        let letters = self.text.chars().map(|c| match c {
            c if c.is_control() => c.escape_default().to_string(),
            c => c.to_string(),
        });
        letters.collect()
    }

    /// Whether a command of the plan has printed it, which may say anything.
    pub(super) fn is_output(&self) -> bool {
        self.text.starts_with(OUTPUT)
    }

    /// Whether it is a fault of the experiment's.
    pub fn is_fault(&self) -> bool {
        self.text.starts_with(FAULT)
    }
}

pub(super) fn fault_line(fault: &str) -> String {
    format!("{FAULT}{fault}")
}

/// All that matters, in order. A notification that says what the unit's line before says is told once.
pub(super) fn tell(experiment: &Experiment, timeline: &Timeline, logs: bool) -> Vec<Line> {
    // What two sources see at once has one order, so that the text is the same for each build of a service.
    let timeline = settled(timeline);
    let mut lines: Vec<Line> = Vec::new();
    for (index, event) in timeline.events().iter().enumerate() {
        let unit = event.unit.as_deref().unwrap_or_default();
        if unit.ends_with(".slice") && unit != experiment.main_unit() {
            continue;
        }
        match &event.kind {
            EventKind::Command { status, output, .. } => {
                lines.extend(command_lines(
                    timeline.time_of(event),
                    *status,
                    output,
                    logs,
                ));
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
        let told = match event.kind {
            EventKind::JobQueued { .. } => {
                jobs::unasked(experiment, &timeline, index).map(|text| (unit.to_owned(), text))
            }
            _ => words(experiment, event, unit, logs),
        };
        let Some((unit, text)) = told else {
            continue;
        };
        // Statuses and pings without end say nothing more; everything else that comes again is told again.
        let is_notification = matches!(event.kind, EventKind::Notified { .. });
        let mut before = lines.iter().rev().filter(|last| last.unit == unit);
        let repeats = before.next().is_some_and(|last| last.text == text);
        if !(is_notification && repeats) {
            lines.push(Line {
                at: timeline.time_of(event),
                unit,
                text,
            });
        }
    }
    lines
}

fn never_came(planned: &PlannedFault) -> String {
    let why = match planned.when.time() {
        Some(_) => "the run had ended".to_owned(),
        None => format!("no {}", planned.when),
    };
    format!("{} never came: {why}", planned.fault)
}

/// The unit that a fault hits, if it hits one.
fn hit(planned: &PlannedFault) -> &str {
    match planned.fault.hits_unit() {
        true => &planned.unit,
        false => "",
    }
}

/// How a command of the plan ended, and what it printed.
fn command_lines(at: Duration, status: i32, output: &str, logs: bool) -> Vec<Line> {
    let line = |text: String| Line {
        at,
        unit: String::new(),
        text,
    };
    let mut lines = vec![line(format!("command exited, status {status}"))];
    let most = if logs { usize::MAX } else { MOST_OUTPUT };
    let printed: Vec<&str> = output.lines().collect();
    let shown = printed.iter().take(most);
    lines.extend(shown.map(|text| line(format!("{OUTPUT}{text}"))));
    let left_out = printed.len().saturating_sub(most);
    if left_out > 0 {
        lines.push(line(format!("{OUTPUT}({left_out} lines more)")));
    }
    lines
}

fn words(
    experiment: &Experiment,
    event: &Event,
    unit: &str,
    logs: bool,
) -> Option<(String, String)> {
    let text = match &event.kind {
        EventKind::StepBegan { index } => {
            let planned = experiment.fault_of_step(*index)?;
            let text = fault_line(&planned.fault.to_string());
            return Some((hit(planned).to_owned(), text));
        }
        EventKind::StepEnded {
            index,
            outcome: StepOutcome::Refused { .. },
        } => {
            let planned = experiment.fault_of_step(*index);
            let unit = planned.map_or(experiment.main_unit(), hit);
            return Some((unit.to_owned(), describe(&event.kind)?));
        }
        EventKind::Notified { assignments, .. } => {
            let told = assignments.iter().filter_map(|one| match one {
                hidden if HIDDEN_ASSIGNMENTS.iter().any(|it| hidden.starts_with(it)) => None,
                status if status.starts_with(STATUS) && !logs => Some(format!("{STATUS}…")),
                other => Some(other.clone()),
            });
            let told: Vec<String> = told.collect();
            (!told.is_empty()).then(|| told.join(" "))?
        }
        EventKind::Log { .. } if !logs => return None,
        EventKind::UnitFile { priority, .. } if *priority > WARNING => return None,
        EventKind::JobEnded { result, .. } if result == "done" => return None,
        EventKind::CommandCutOff { .. } => "command did not end before the run did".to_owned(),
        EventKind::ScenarioEnded => END.to_owned(),
        kind => describe(kind)?,
    };
    Some((unit.to_owned(), text))
}

/// Lines as a table: time, unit, what happened.
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
