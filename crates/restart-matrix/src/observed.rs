//! What happened to one unit, read off a timeline.

use std::collections::BTreeMap;
use std::time::Duration;

use systemd_lab::protocol::event::StepOutcome;
use systemd_lab::protocol::{Event, EventKind};
use systemd_lab::Timeline;

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
    /// How it is at last, as `systemctl show` prints it.
    pub(crate) shown: BTreeMap<String, String>,
}

impl Observed {
    /// Reads it. `shown` is what [`shown`] made of the same timeline.
    pub(crate) fn of(
        timeline: &Timeline,
        unit: &str,
        shown: &BTreeMap<String, BTreeMap<String, String>>,
    ) -> Result<Observed, MatrixError> {
        let mut observed = Observed {
            shown: shown
                .get(unit)
                .cloned()
                .ok_or_else(|| not_as_claimed(format!("systemctl does not show {unit}")))?,
            ..Observed::default()
        };
        let mut ended_at = None;
        let mut waited = None;
        for event in timeline.of(unit) {
            observed.add(event, &mut ended_at, &mut waited, timeline);
        }
        // Only the start that follows proves that systemd did what it had announced.
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
            EventKind::ProcessExited { role, code, status } if role == "main" => {
                self.exits.push((code.clone(), *status));
            }
            EventKind::Failed { result } => {
                self.confirm_restart(waited);
                self.results.push(result.clone());
                *ended_at = Some(at);
            }
            EventKind::Deactivated => {
                self.confirm_restart(waited);
                self.results.push("success".to_owned());
                *ended_at = Some(at);
            }
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
            EventKind::UnitFile { message, .. } => self.complaints.push(message.clone()),
            _ => {}
        }
    }

    fn confirm_restart(&mut self, waited: &mut Option<Duration>) {
        self.delays.extend(waited.take());
    }

    /// A property that `systemctl show` printed; empty if it has none.
    pub(crate) fn shown(&self, property: &str) -> &str {
        self.shown.get(property).map_or("", String::as_str)
    }

    /// The `Result` of its first end.
    pub(crate) fn result(&self) -> &str {
        // A unit that was skipped has neither failed nor been deactivated.
        self.results
            .first()
            .map_or_else(|| self.shown("Result"), String::as_str)
    }
}

/// What the last command, `systemctl show`, printed of each unit.
///
/// # Errors
///
/// When a step of the scenario did not end well.
pub(crate) fn shown(
    timeline: &Timeline,
) -> Result<BTreeMap<String, BTreeMap<String, String>>, MatrixError> {
    let mut output = None;
    for event in timeline.events() {
        match &event.kind {
            EventKind::StepEnded { index, outcome } if *outcome != StepOutcome::Done => {
                return Err(not_as_claimed(format!(
                    "step {index} of `{}` did not end well: {outcome:?}",
                    timeline.scenario()
                )));
            }
            EventKind::Command { argv, status: 0, output: printed } => {
                output = Some((argv, printed));
            }
            EventKind::Command { argv, output, .. } => {
                return Err(not_as_claimed(format!("{argv:?} failed: {output}")));
            }
            _ => {}
        }
    }
    let (_, printed) = output.ok_or_else(|| not_as_claimed("systemctl was not run"))?;
    Ok(paragraphs(printed))
}

/// One paragraph for each unit, by its `Id`.
fn paragraphs(printed: &str) -> BTreeMap<String, BTreeMap<String, String>> {
    let properties = |paragraph: &str| -> BTreeMap<String, String> {
        paragraph
            .lines()
            .filter_map(|line| line.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    };
    printed
        .split("\n\n")
        .map(properties)
        .filter_map(|unit| Some((unit.get("Id")?.clone(), unit)))
        .collect()
}
