//! What happened to one unit, read off a timeline.

use std::collections::BTreeMap;
use std::time::Duration;

use systemd_lab::Timeline;
use systemd_lab::protocol::event::StepOutcome;
use systemd_lab::protocol::{Event, EventKind};

use crate::error::{MatrixError, not_as_claimed};

/// Sub-states in which a service is started, or runs.
const UP: [&str; 6] = [
    "condition",
    "start-pre",
    "start",
    "start-post",
    "running",
    "exited",
];

/// What happened to one unit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Observed {
    /// How its main process ended, each time: `exited`, `killed` or `dumped`, and exit code or signal.
    pub(crate) exits: Vec<(String, i32)>,
    /// The unit's `Result`, each time that it ended.
    pub(crate) results: Vec<String>,
    /// How long each automatic restart was waited for.
    pub(crate) delays: Vec<Duration>,
    /// The states that it went through after its first end, up to the next end or the last start.
    pub(crate) between: Vec<String>,
    /// What systemd said about its unit file.
    pub(crate) complaints: Vec<String>,
    /// Whether a start was refused because of the start limit.
    pub(crate) limit_hit: bool,
    /// Whether and how systemd has loaded it, and its sub-state, at last.
    pub(crate) listed: Listed,
}

/// A line of `systemctl list-units`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Listed {
    /// e.g. `loaded`, `bad-setting`.
    pub(crate) load: String,
    /// e.g. `running`, `failed`.
    pub(crate) sub: String,
}

/// Units by name.
pub(crate) type List = BTreeMap<String, Listed>;

/// What systemd says of a unit whose `ExecCondition=` was not met, up to the result: it has neither failed nor been
/// deactivated.
const SKIPPED: &str = "Skipped due to '";

impl Observed {
    /// Reads it. `list` is what [`list`] made of the same timeline.
    pub(crate) fn of(
        timeline: &Timeline,
        unit: &str,
        list: &List,
    ) -> Result<Observed, MatrixError> {
        let mut observed = Observed {
            listed: list
                .get(unit)
                .cloned()
                .ok_or_else(|| not_as_claimed(format!("systemctl does not list {unit}")))?,
            ..Observed::default()
        };
        let mut ended_at = None;
        let mut waited = None;
        for event in timeline.of(unit) {
            observed.add(event, &mut ended_at, &mut waited, timeline);
        }
        Ok(observed)
    }

    fn add(
        &mut self,
        event: &Event,
        ended_at: &mut Option<Duration>,
        waited: &mut Option<Duration>,
        timeline: &Timeline,
    ) {
        let at = timeline.time_of(event);
        match &event.kind {
            EventKind::ProcessExited {
                role, code, status, ..
            } if role == "main" => {
                self.exits.push((code.clone(), *status));
            }
            EventKind::UnitFile { message, .. } => self.complaints.push(message.clone()),
            EventKind::RestartScheduled { .. } => {
                *waited = ended_at.map(|ended| at.saturating_sub(ended));
            }
            EventKind::StartLimitHit => {
                self.limit_hit = true;
                // The start that was announced never came.
                *waited = None;
            }
            EventKind::StateChanged { to, .. } => {
                if !self.results.is_empty() && self.delays.is_empty() {
                    self.between.push(to.clone());
                }
                if UP.contains(&to.as_str()) {
                    self.confirm_restart(waited);
                }
            }
            _ => {
                if let Some(result) = result_in(&event.kind) {
                    self.confirm_restart(waited);
                    self.results.push(result.to_owned());
                    *ended_at = Some(at);
                }
            }
        }
    }

    /// Only a start, or another end, proves that systemd did what it had announced.
    fn confirm_restart(&mut self, waited: &mut Option<Duration>) {
        self.delays.extend(waited.take());
    }

    /// The `Result` of its first end; empty if it has not ended.
    pub(crate) fn first_result(&self) -> &str {
        self.results.first().map_or("", String::as_str)
    }

    /// The `Result` of its last end; empty if it has not ended.
    pub(crate) fn last_result(&self) -> &str {
        self.results.last().map_or("", String::as_str)
    }
}

/// The `Result` with which the unit ends here, if it does.
fn result_in(kind: &EventKind) -> Option<&str> {
    match kind {
        EventKind::Failed { result } => Some(result),
        EventKind::Deactivated => Some("success"),
        EventKind::Manager { message, .. } => {
            let (result, _) = message.strip_prefix(SKIPPED)?.split_once('\'')?;
            Some(result)
        }
        _ => None,
    }
}

/// What the last command, `systemctl list-units`, printed.
///
/// # Errors
///
/// When a step of the scenario did not end well.
pub(crate) fn list(timeline: &Timeline) -> Result<List, MatrixError> {
    let mut printed = None;
    for event in timeline.events() {
        match &event.kind {
            EventKind::StepEnded { index, outcome } if *outcome != StepOutcome::Done => {
                return Err(not_as_claimed(format!(
                    "step {index} of `{}` did not end well: {outcome:?}",
                    timeline.scenario()
                )));
            }
            EventKind::Command {
                status: 0, output, ..
            } => printed = Some(output),
            EventKind::Command { argv, output, .. } => {
                return Err(not_as_claimed(format!("{argv:?} failed: {output}")));
            }
            _ => {}
        }
    }
    let printed = printed.ok_or_else(|| not_as_claimed("systemctl was not run"))?;
    Ok(printed.lines().filter_map(listed).collect())
}

/// Unit, load state, active state, sub-state, description.
fn listed(line: &str) -> Option<(String, Listed)> {
    let mut words = line.split_whitespace();
    let (unit, load, _active, sub) = (words.next()?, words.next()?, words.next()?, words.next()?);
    let listed = Listed {
        load: load.to_owned(),
        sub: sub.to_owned(),
    };
    Some((unit.to_owned(), listed))
}
