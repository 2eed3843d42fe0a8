//! How the policies in `book/policies` behave: each unit that the guide shows is tried with each fault.
//!
//! The program is a stand-in (`service.sh`), because a policy is about what systemd does. Before systemd 254, delays do not grow: the
//! drop-ins in `book/policies/before-254` are for those versions, and are measured with 252.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, anyhow, ensure};
use measured::Measured;
use systemd_lab::names::{SIGKILL, SIGSTOP};
use systemd_lab::protocol::{EventKind, Scenario};
use systemd_lab::{GuestFile, Lab, nearest_second};
use systemd_matrix::trial::{self, Memory, Seen, Series, Trial};

use super::bench::Bench;
use super::item::Item;
use super::unit::{self, is_exit};

/// The unit file's name, its name in the table, and the longest wait after a single failure.
const POLICIES: [(&str, &str, Duration); 5] = [
    ("web", "stateless web", Duration::from_secs(45)),
    ("worker", "worker", Duration::from_secs(300)),
    ("database", "primary database", Duration::from_secs(30)),
    ("gateway", "gateway", Duration::from_secs(20)),
    // systemd notices a hang after an hour, and tries again ten minutes later.
    ("job", "job", Duration::from_secs(75 * 60)),
];

/// Each fault: its name for the stand-in, and its name in the table.
const FAULTS: [(&str, &str); 7] = [
    ("killed", "SIGKILL"),
    ("hang", "hangs (SIGSTOP)"),
    ("clean", "ends with exit code 0"),
    ("away", "what it needs is away for a minute (75)"),
    ("gone", "what it needs never comes (75)"),
    ("slow", "the same, and each try takes 20 s (75)"),
    ("configuration", "wrong configuration (78)"),
];

/// The faults whose results differ before systemd 254: how soon a service is back, and when systemd gives up.
const FAULTS_BEFORE_254: [(&str, &str); 4] = [FAULTS[0], FAULTS[3], FAULTS[4], FAULTS[5]];

/// The policies whose delays grow. They have a drop-in for versions in which delays do not grow. The other two behave the same in all versions.
const GROWING: [&str; 3] = ["web", "worker", "gateway"];

/// How long the service works before the fault: less than the 30 s that a job takes.
const WORKS: Duration = Duration::from_secs(20);

/// Longer than systemd takes to give up on any of the units. A condition would not do: before systemd 254, a unit is `failed` after each
/// try.
const GIVING_UP: Duration = Duration::from_secs(3600);

/// Something is away for a minute. The delay that has begun by then lasts a minute and a half at most.
const AWAY: Duration = Duration::from_secs(150);

/// Limits the stop of a service at the end.
const STOP_DEADLINE: Duration = Duration::from_secs(600);

/// Longer times are shown in minutes: a sum of many delays is not exact.
const MINUTES_FROM: u64 = 120;

/// The program of all units.
const STAND_IN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/guide/policies/service.sh");

/// Longer than the timer of the job's policy waits: midnight to midnight.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// When the job's timer is due, counted from midnight, and how late it may be: `OnCalendar=`, and systemd's default for `AccuracySec=`.
const JOB_IS_DUE: Duration = Duration::from_secs(2 * 60 * 60);
const TIMERS_ACCURACY: Duration = Duration::from_secs(60);

const TABLE: &str = "policies.md";
const TABLE_BEFORE_254: &str = "policies-before-254.md";

pub(super) fn items() -> Vec<Item> {
    vec![
        Item::files([TABLE], |bench| {
            let lab = bench.lab()?;
            let table = measure(&lab, &bench.book())?;
            Ok(vec![Measured::text(TABLE, &table, &lab.measured_with()?)])
        }),
        Item::files([TABLE_BEFORE_254], |bench| {
            let lab = bench.old_lab()?;
            let table = measure_before_254(&lab, &bench.book())?;
            let with = lab.measured_with()?;
            Ok(vec![Measured::text(TABLE_BEFORE_254, &table, &with)])
        })
        .with_network(),
        Item::sentence(
            "policy.md: the timer starts the job at two, or within a minute after that",
            the_timer_starts_the_job_at_two,
        ),
    ]
}

/// The table, in Markdown.
fn measure(lab: &Lab, book: &Path) -> anyhow::Result<String> {
    let columns = columns(lab, book, &POLICIES.map(|policy| (policy, false)), &FAULTS)?;
    let rows = FAULTS.iter().enumerate().map(|(row, (_, title))| {
        let cells = columns.iter().map(|column| column[row].as_str());
        format!("{title} | {}", cells.collect::<Vec<_>>().join(" | "))
    });
    Ok(table(&POLICIES.map(|(_, title, _)| title), rows))
}

/// The table for a systemd whose delays do not grow: each unit without and with its drop-in.
fn measure_before_254(lab: &Lab, book: &Path) -> anyhow::Result<String> {
    let tried: Vec<_> = POLICIES
        .into_iter()
        .flat_map(|policy| {
            let drop_in = GROWING.contains(&policy.0).then_some((policy, true));
            [Some((policy, false)), drop_in].into_iter().flatten()
        })
        .collect();
    let columns = columns(lab, book, &tried, &FAULTS_BEFORE_254)?;
    let rows = tried
        .iter()
        .zip(&columns)
        .map(|(((_, title, _), has_drop_in), cells)| {
            let how = match has_drop_in {
                true => "with the drop-in",
                false => "as above",
            };
            format!("{title}, {how} | {}", cells.join(" | "))
        });
    Ok(table(&FAULTS_BEFORE_254.map(|(_, title)| title), rows))
}

fn table(heads: &[&str], rows: impl Iterator<Item = String>) -> String {
    let first = match heads == FAULTS_BEFORE_254.map(|(_, title)| title) {
        true => "Policy",
        false => "What happens",
    };
    let mut table = format!("| {first} | {} |\n|---|", heads.join(" | "));
    table += &"---|".repeat(heads.len());
    for row in rows {
        let _ = write!(table, "\n| {row} |");
    }
    table + "\n"
}

type Policy = (&'static str, &'static str, Duration);

/// One series for each policy, with or without its drop-in.
fn columns(
    lab: &Lab,
    book: &Path,
    tried: &[(Policy, bool)],
    faults: &[(&str, &str)],
) -> anyhow::Result<Vec<Vec<String>>> {
    let series = tried
        .iter()
        .map(|policy| column(book, *policy, faults))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let seen = trial::run(lab, &series, Memory::Used, |_, _| {})?;
    tried
        .iter()
        .zip(seen)
        .map(|(((policy, ..), _), seen)| {
            let cell = |((fault, _), seen): (&(&str, &str), &Seen)| {
                let unit = unit_name(policy, fault);
                let cell = Part::of(seen, &unit).cell(fault);
                cell.map_err(|what| anyhow!("{unit}: {what}"))
            };
            faults.iter().zip(&seen).map(cell).collect()
        })
        .collect()
}

/// All faults for one policy, one after the other in the same guest.
fn column(
    book: &Path,
    ((policy, _, settles), has_drop_in): (Policy, bool),
    faults: &[(&str, &str)],
) -> anyhow::Result<Series> {
    let read = |name: &str| read(book, name);
    let unit_text = read(&format!("{policy}.service"))?;
    let of_policy = match has_drop_in {
        true => Some(read(&format!("before-254/{policy}.conf"))?),
        false => None,
    };
    let shared = vec![
        unit::file("alert@.service", &read("alert@.service")?),
        stand_in(),
    ];
    let trial = |fault: &str| {
        let unit = unit_name(policy, fault);
        let file = format!("/etc/systemd/system/{unit}");
        let of_fault = format!("[Service]\nEnvironment=FAULT={fault} NAME={policy}-{fault}\n");
        let mut files = vec![
            GuestFile::text(&file, &unit_text),
            GuestFile::text(format!("{file}.d/fault.conf"), of_fault),
        ];
        if let Some(text) = &of_policy {
            files.push(GuestFile::text(format!("{file}.d/policy.conf"), text));
        }
        let scenario = Scenario::new(fault).start(&unit);
        let scenario = match fault {
            "killed" => scenario.sleep(WORKS).signal(&unit, SIGKILL).sleep(settles),
            "hang" => scenario.sleep(WORKS).signal(&unit, SIGSTOP).sleep(settles),
            "clean" => scenario.sleep(WORKS).sleep(settles),
            "away" => scenario.sleep(AWAY.max(settles)),
            _ => scenario.sleep(GIVING_UP),
        };
        Trial::new(scenario, files).then_stop(&unit, STOP_DEADLINE)
    };
    let trials = faults.iter().map(|(fault, _)| trial(fault)).collect();
    Ok(Series::new(format!("how the policy {policy} behaves"), trials).with_files(shared))
}

/// A file in `book/policies`.
fn read(book: &Path, name: &str) -> anyhow::Result<String> {
    let path = book.join("policies").join(name);
    fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
}

fn stand_in() -> GuestFile {
    GuestFile::program("/usr/local/bin/service", STAND_IN)
}

/// Time 0 of a scenario is midnight.
fn the_timer_starts_the_job_at_two(bench: &Bench<'_>) -> anyhow::Result<()> {
    let book = bench.book();
    let (job, timer) = ("job.service", "job.timer");
    let files = [
        unit::file(job, &read(&book, job)?),
        unit::file(timer, &read(&book, timer)?),
        stand_in(),
    ];
    let scenario = Scenario::new("a night").start(timer).sleep(DAY);
    let timeline = unit::run(&bench.lab()?, &scenario, &files)?;
    let started =
        |kind: &EventKind| matches!(kind, EventKind::StateChanged { to, .. } if to == "start");
    let starts = timeline.of(job).filter(|event| started(&event.kind));
    let times: Vec<Duration> = starts.map(|event| timeline.time_of(event)).collect();
    let in_time = JOB_IS_DUE..=JOB_IS_DUE + TIMERS_ACCURACY;
    ensure!(
        matches!(&times[..], [time] if in_time.contains(time)),
        "it was started at {times:?}"
    );
    Ok(())
}

fn unit_name(policy: &str, fault: &str) -> String {
    format!("{policy}-{fault}.service")
}

/// The states from which a start begins.
const AT_REST: [&str; 4] = ["dead", "failed", "auto-restart", "auto-restart-queued"];

const NO_ALERT: &str = "no alert";

/// What happened to one unit and its alert while it was watched.
struct Part {
    /// The time, whether the event is about the alert, and the event.
    events: Vec<(Duration, bool, EventKind)>,
    /// When the watching began: right after the signal, if there was one.
    hit_at: Duration,
}

impl Part {
    fn of(seen: &Seen, unit: &str) -> Part {
        let alert = format!("alert@{unit}.service");
        let part = seen.of(&[unit, &alert]);
        let events = part.events().iter();
        let events = events.filter(|event| event.unit.is_some());
        Part {
            events: events
                .map(|event| {
                    let is_alert = event.is_about(&alert);
                    (part.time_of(event), is_alert, event.kind.clone())
                })
                .collect(),
            hit_at: seen.last_step(),
        }
    }

    /// All times at which the unit did this.
    fn times(&self, wanted: impl Fn(&EventKind) -> bool) -> Vec<Duration> {
        let its = self.events.iter().filter(|(_, is_alert, _)| !is_alert);
        its.filter(|(_, _, kind)| wanted(kind))
            .map(|(at, _, _)| *at)
            .collect()
    }

    /// A service with `Type=simple` is running at once. Before systemd 253, `Type=notify-reload` is unknown, and the type is `simple`.
    fn starts(&self) -> Vec<Duration> {
        self.times(|kind| match kind {
            EventKind::StateChanged { from, to } => {
                to == "start" || (to == "running" && AT_REST.contains(&from.as_str()))
            }
            _ => false,
        })
    }

    fn last_state(&self) -> &str {
        let mut its = self.events.iter().rev();
        let last = its.find_map(|(_, is_alert, kind)| match kind {
            EventKind::StateChanged { to, .. } if !is_alert => Some(to.as_str()),
            _ => None,
        });
        last.unwrap_or_default()
    }

    /// How often a person was called, in words.
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
        let exits = self.times(is_exit);
        let starts = self.starts();
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
                format!("gave up after {tries} starts and {after}; {alerts}")
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
    // Not the nearest second: half a second would be rounded up in one guest and down in the next.
    if time < Duration::from_secs(1) {
        return "less than 1 s".to_owned();
    }
    match nearest_second(time) {
        seconds if seconds < MINUTES_FROM => format!("{seconds} s"),
        seconds => format!("{} min", seconds / 60),
    }
}
