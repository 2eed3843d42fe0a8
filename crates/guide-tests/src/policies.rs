//! What comes of the policies in `book/policies`: each unit, as the guide shows it, meets each fault.
//!
//! The program is a stand-in (`service.sh`): a policy is about what systemd does.

use std::fmt::Write as _;
use std::path::Path;
use std::thread;
use std::time::Duration;
use std::{fs, panic};

use systemd_lab::protocol::event::StepOutcome;
use systemd_lab::protocol::{Condition, EventKind, Scenario, Step};
use systemd_lab::{GuestFile, Lab, LabError, Timeline, nearest_second};

/// Name of the unit file, how the table calls it, and how long its longest wait after a single failure is.
const POLICIES: [(&str, &str, Duration); 5] = [
    ("web", "stateless web", Duration::from_secs(45)),
    ("worker", "worker", Duration::from_secs(180)),
    ("database", "primary database", Duration::from_secs(30)),
    ("gateway", "gateway", Duration::from_secs(20)),
    // A hang is noticed after an hour, and the next try is ten minutes later.
    ("job", "job", Duration::from_secs(75 * 60)),
];

/// Its name for the stand-in, and what the table says.
const FAULTS: [(&str, &str); 6] = [
    ("killed", "SIGKILL"),
    ("hang", "hangs (SIGSTOP)"),
    ("clean", "ends with exit code 0"),
    ("away", "what it needs is away for a minute (75)"),
    ("gone", "what it needs never comes (75)"),
    ("configuration", "wrong configuration (78)"),
];

/// The service works for so long before it is hit; less than the 30 s after which a job is done.
const WORKS: Duration = Duration::from_secs(20);

/// Longer than any of the units takes to give up.
const GIVING_UP: Duration = Duration::from_secs(6 * 3600);

/// Something is away for a minute; then comes the delay that had begun, of a minute and a half at the most.
const AWAY: Duration = Duration::from_secs(150);

/// After it has given up: an alert has time to come, a second one too.
const ALERTS: Duration = Duration::from_secs(5);

/// Bounds the end of a service that is stopped at last.
const STOP_DEADLINE: Duration = Duration::from_secs(600);

/// In minutes from here on: the sum of many delays is not an exact time.
const MINUTES_FROM: u64 = 120;

/// The program of all units.
const STAND_IN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/service.sh");

const SIGKILL: i32 = 9;
const SIGSTOP: i32 = 19;

/// The table, in Markdown.
///
/// # Errors
///
/// What keeps the lab from running, and [`LabError::Host`] when a unit did what the table has no words for.
pub fn measure(lab: &Lab, book: &Path) -> Result<String, LabError> {
    let columns = thread::scope(|scope| {
        let threads: Vec<_> = POLICIES
            .iter()
            .map(|&(policy, _, settles)| scope.spawn(move || column(lab, book, policy, settles)))
            .collect();
        threads
            .into_iter()
            .map(|thread| match thread.join() {
                Ok(column) => column,
                Err(panicked) => panic::resume_unwind(panicked),
            })
            .collect::<Result<Vec<Vec<String>>, LabError>>()
    })?;
    let mut table = String::from("| What happens |");
    for (_, title, _) in POLICIES {
        let _ = write!(table, " {title} |");
    }
    table += "\n|---|";
    table += &"---|".repeat(POLICIES.len());
    for (row, (_, title)) in FAULTS.iter().enumerate() {
        let _ = write!(table, "\n| {title} |");
        for column in &columns {
            let _ = write!(table, " {} |", column[row]);
        }
    }
    Ok(table + "\n")
}

/// Every fault of one policy, one after the other in the same guest.
fn column(
    lab: &Lab,
    book: &Path,
    policy: &str,
    settles: Duration,
) -> Result<Vec<String>, LabError> {
    let read = |name: &str| {
        let path = book.join("policies").join(name);
        fs::read_to_string(&path).map_err(|source| LabError::Unreadable { path, source })
    };
    let unit_text = read(&format!("{policy}.service"))?;
    let mut files = vec![
        GuestFile::text(
            "/etc/systemd/system/alert@.service",
            read("alert@.service")?,
        ),
        GuestFile::program("/usr/local/bin/service", STAND_IN),
    ];
    let mut scenario = Scenario::new(format!("what comes of the policy {policy}"));
    let mut parts = Vec::new();
    for (fault, _) in FAULTS {
        let unit = format!("{policy}-{fault}.service");
        let file = format!("/etc/systemd/system/{unit}");
        let drop_in = format!("[Service]\nEnvironment=FAULT={fault} NAME={policy}-{fault}\n");
        files.push(GuestFile::text(&file, &unit_text));
        files.push(GuestFile::text(format!("{file}.d/fault.conf"), drop_in));
        let from = scenario.steps.len();
        scenario = scenario.start(&unit);
        scenario = match fault {
            "killed" => scenario.sleep(WORKS).signal(&unit, SIGKILL).sleep(settles),
            "hang" => scenario.sleep(WORKS).signal(&unit, SIGSTOP).sleep(settles),
            "clean" => scenario.sleep(WORKS).sleep(settles),
            "away" => scenario.sleep(AWAY.max(settles)),
            _ => scenario
                .step(Step::WaitFor {
                    condition: Condition::NextSubState {
                        unit: unit.clone(),
                        any_of: vec!["failed".to_owned()],
                    },
                    deadline: GIVING_UP,
                })
                .sleep(ALERTS),
        };
        parts.push((unit.clone(), from, scenario.steps.len()));
        scenario = scenario
            .stop(&unit)
            .wait_for_state(&unit, &["dead", "failed"], STOP_DEADLINE);
    }
    scenario.observe.clear();
    let timeline = lab.run_remembered(&scenario, &files)?;
    for event in timeline.events() {
        if let EventKind::StepEnded { index, outcome } = &event.kind
            && *outcome != StepOutcome::Done
        {
            return Err(wrong(policy, &format!("step {index}: {outcome:?}")));
        }
    }
    let cells = FAULTS
        .iter()
        .zip(parts)
        .map(|((fault, _), (unit, from, to))| {
            let part = Part::of(&timeline, &unit, from, to);
            part.cell(fault).map_err(|what| wrong(&unit, &what))
        });
    cells.collect()
}

const NO_ALERT: &str = "no alert";

/// What happened to one unit and its alert while it was watched.
struct Part {
    /// When, whether it is the alert's, what.
    events: Vec<(Duration, bool, EventKind)>,
    /// When the last step before the watching began: a signal, if one was sent.
    hit_at: Duration,
}

impl Part {
    fn of(timeline: &Timeline, unit: &str, from: usize, to: usize) -> Part {
        let began = |step: usize| {
            let mut events = timeline.events().iter();
            let found = events.find(|event| event.kind == EventKind::StepBegan { index: step });
            found.map_or(0, |event| event.at_us)
        };
        let (began_us, ended_us, hit_us) = (began(from), began(to), began(to - 1));
        let alert = format!("alert@{unit}.service");
        let mut kept = Vec::new();
        for event in timeline.events() {
            let is_its = event.is_about(unit) || event.is_about(&alert);
            let is_mark =
                event.at_us == hit_us && matches!(event.kind, EventKind::StepBegan { .. });
            if matches!(event.kind, EventKind::ScenarioBegan { .. }) {
                let mut began = event.clone();
                began.at_us = began_us;
                kept.push(began);
            } else if (is_its || is_mark) && (began_us..ended_us).contains(&event.at_us) {
                kept.push(event.clone());
            }
        }
        let part = Timeline::new(kept);
        let mut hit_at = Duration::ZERO;
        let mut events = Vec::new();
        for event in part.events() {
            let at = part.time_of(event);
            match event.kind {
                EventKind::StepBegan { .. } => hit_at = at,
                _ => events.push((at, event.is_about(&alert), event.kind.clone())),
            }
        }
        Part { events, hit_at }
    }

    /// When the unit did this, each time.
    fn times(&self, wanted: impl Fn(&EventKind) -> bool) -> Vec<Duration> {
        let its = self.events.iter().filter(|(_, is_alert, _)| !is_alert);
        its.filter(|(_, _, kind)| wanted(kind))
            .map(|(at, _, _)| *at)
            .collect()
    }

    fn changes_to(&self, state: &str) -> Vec<Duration> {
        self.times(|kind| matches!(kind, EventKind::StateChanged { to, .. } if to == state))
    }

    fn last_state(&self) -> &str {
        let mut its = self.events.iter().rev();
        let last = its.find_map(|(_, is_alert, kind)| match kind {
            EventKind::StateChanged { to, .. } if !is_alert => Some(to.as_str()),
            _ => None,
        });
        last.unwrap_or_default()
    }

    /// In words, how often somebody was called.
    fn alerts(&self) -> Result<&'static str, String> {
        let started = self.events.iter().filter(|(_, is_alert, kind)| {
            *is_alert && matches!(kind, EventKind::StateChanged { from, .. } if from == "dead")
        });
        match started.count() {
            0 => Ok(NO_ALERT),
            1 => Ok("one alert"),
            many => Err(format!("{many} alerts")),
        }
    }

    fn cell(&self, fault: &str) -> Result<String, String> {
        let exits = self
            .times(|kind| matches!(kind, EventKind::ProcessExited { role, .. } if role == "main"));
        let starts = self.changes_to("start");
        let gave_up = !self
            .times(|kind| *kind == EventKind::StartLimitHit)
            .is_empty();
        let alerts = self.alerts()?;
        let call = match alerts {
            NO_ALERT => String::new(),
            some => format!("; {some}"),
        };
        let Some(&ended) = exits.first() else {
            return Ok("nobody notices".to_owned());
        };
        let noticed = match fault {
            "hang" => format!(
                "noticed after {}; ",
                words(ended.saturating_sub(self.hit_at))
            ),
            _ => String::new(),
        };
        let tries = starts.len();
        let outcome = match (fault, self.last_state()) {
            (_, "failed") if gave_up => {
                let last = exits.last().copied().unwrap_or_default();
                let after = words(self.events.last().map_or(last, |(at, _, _)| *at));
                format!("given up after {tries} starts and {after}; {alerts}")
            }
            (_, "failed") => format!("stays down; {alerts}"),
            ("away", _) => {
                let back = starts.last().copied().unwrap_or_default();
                format!("back after {}, {tries} starts{call}", words(back))
            }
            (_, "dead") if tries == 1 => format!("done; {alerts}"),
            _ => match starts.iter().find(|start| **start >= ended) {
                Some(start) if tries > 1 => {
                    format!("back {} later{call}", words(*start - ended))
                }
                _ => return Err(format!("no words for it: {tries} starts, exits {exits:?}")),
            },
        };
        Ok(noticed + &outcome)
    }
}

fn words(time: Duration) -> String {
    // Not the nearest second: what takes half a second would be one or the other in each guest.
    if time < Duration::from_secs(1) {
        return "less than 1 s".to_owned();
    }
    match nearest_second(time) {
        seconds if seconds < MINUTES_FROM => format!("{seconds} s"),
        seconds => format!("{} min", seconds / 60),
    }
}

fn wrong(what: &str, why: &str) -> LabError {
    LabError::Host {
        message: format!(
            "the policies were not measured: {what}: {why}; correct book/policies, or this measurement"
        ),
    }
}
