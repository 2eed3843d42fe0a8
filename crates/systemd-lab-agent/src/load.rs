//! Detects whether something in the guest computes without pause, and which unit does.
//!
//! Virtual time is then as slow as emulation. The agent reports it each time it begins, and a run that would take too long ends
//! there: see `runner`.

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

use systemd_lab_protocol::event::Source;
use systemd_lab_protocol::{Event, EventKind};

use crate::cpu_clock::CpuClock;
use crate::pace::now_us;

const CGROUPS: &str = "/sys/fs/cgroup";

/// Where systemd and the processes of services run: systemd.special(7).
const SLICES: [&str; 2] = ["system.slice", MANAGER];

/// The agent and the journal compute on behalf of other units.
const ON_BEHALF: [&str; 2] = ["systemd-lab-agent.service", "systemd-journald.service"];

/// How often to look, in processor time.
const PERIOD: Duration = Duration::from_secs(1);

/// More than half, in percent.
const MOST_PERCENT: u64 = 51;

/// How long the processor has to be busy. MariaDB computes for 20 s when it starts, in a guest whose processor is as slow as
/// this one. That takes a quiet host about 15 s.
const WINDOW: Duration = Duration::from_secs(30);

/// The same, if systemd and journald used most of it. A service that is starting does not keep them busy for so long, but one
/// that notifies, logs or restarts without a pause does. This is longer than journald takes for a burst of megabytes.
const SYSTEMS_WINDOW: Duration = Duration::from_secs(25);

/// The same, if notifications or log lines arrive without a pause meanwhile: a service that is starting sends only a few.
const FLOOD_WINDOW: Duration = Duration::from_secs(10);

/// A service that reports its progress does so up to ten times a second. A shell that runs systemd-notify in a loop sends 30.
const NOTIFICATIONS_PER_SECOND: u64 = 12;

/// journald accepts 10000 lines of a unit in 30 s, and drops the rest: journald.conf(5), "RateLimitIntervalSec=, RateLimitBurst=".
const LINES_PER_SECOND: u64 = 10_000 / 30;

/// Where systemd itself runs: systemd.special(7).
const MANAGER: &str = "init.scope";

/// The processor counts as busy if at least this much of the window was processor time, in percent.
const BUSY_PERCENT: u64 = 95;

/// What services have sent so far.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sent {
    /// Notifications: sd_notify(3).
    pub notifications: u64,
    /// Log lines.
    pub lines: u64,
}

/// How much processor time has been used so far.
#[derive(Debug, Clone)]
struct Used {
    at_us: u64,
    /// By everything.
    all_us: u64,
    /// By each unit.
    units: Vec<(String, u64)>,
    sent: Sent,
}

/// Measures how much processor time is used.
pub struct Load {
    clocks: Vec<CpuClock>,
    counts: Vec<u64>,
    window: VecDeque<Used>,
    /// Whether it has been reported already.
    is_said: bool,
}

impl Load {
    /// Starts to measure.
    ///
    /// # Errors
    ///
    /// When the kernel provides no clock.
    pub fn begin() -> io::Result<Load> {
        let clocks = SLICES.map(|slice| CpuClock::of(&Path::new(CGROUPS).join(slice), PERIOD));
        let clocks = clocks.into_iter().collect::<io::Result<Vec<_>>>()?;
        Ok(Load {
            counts: vec![0; clocks.len()],
            clocks,
            window: VecDeque::new(),
            is_said: false,
        })
    }

    /// Become readable when something has computed for another second.
    pub fn sources(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.clocks.iter().map(CpuClock::as_fd)
    }

    /// Looks, if there is anything to see. If the processor was busy for long, reports which unit has computed most. Reports
    /// only once, until the processor has rested.
    pub fn look(&mut self, sent: Sent) -> Option<Event> {
        let counts: Vec<u64> = self.clocks.iter().map(CpuClock::count).collect();
        if counts == self.counts {
            return None;
        }
        self.counts = counts;
        let used = Used::read(sent).ok()?;
        // Keep the latest one that is older than the window.
        while self
            .window
            .get(1)
            .is_some_and(|it| used.since(it) >= WINDOW)
        {
            self.window.pop_front();
        }
        let before = |window| {
            let mut older = self.window.iter().rev();
            older.find(|it| used.since(it) >= window)
        };
        let busy = before(WINDOW)
            .and_then(|first| busy(first, &used, 0))
            .or_else(|| busy(before(SYSTEMS_WINDOW)?, &used, MOST_PERCENT))
            .or_else(|| {
                let first = before(FLOOD_WINDOW).filter(|first| used.is_flood_since(first));
                busy(first?, &used, 0)
            });
        // A pause longer than a period shows at once, and ends what came before it.
        if self
            .window
            .back()
            .is_some_and(|last| used.share_since(last) < BUSY_PERCENT)
        {
            self.window.clear();
            self.is_said = false;
        }
        self.window.push_back(used);
        let was_said = self.is_said;
        self.is_said |= busy.is_some();
        busy.filter(|_| !was_said)
    }
}

/// The event to report for the time between two looks, if the processor was busy and systemd and journald used at least this much of
/// it, in percent.
fn busy(first: &Used, last: &Used, systems_percent: u64) -> Option<Event> {
    let over = last.since(first);
    if last.share_since(first) < BUSY_PERCENT {
        return None;
    }
    let used = |(unit, now): &(String, u64)| {
        let before = first.units.iter().find(|(it, _)| it == unit);
        (
            unit.clone(),
            now.saturating_sub(before.map_or(0, |(_, before)| *before)),
        )
    };
    let units: Vec<(String, u64)> = last.units.iter().map(used).collect();
    let is_system = |unit: &str| unit == MANAGER || ON_BEHALF.contains(&unit);
    let systems = units.iter().filter(|(unit, _)| is_system(unit));
    let systems_us: u64 = systems.map(|(_, used)| used).sum();
    let percent = |us: u64| 100 * us / over.as_micros().max(1) as u64;
    if percent(systems_us) < systems_percent {
        return None;
    }
    let others = units.iter().filter(|(unit, _)| !is_system(unit));
    let of_others = others.max_by_key(|(_, used)| *used);
    // A unit that keeps systemd busy computes at least a little itself.
    let (unit, used_us) = match of_others.filter(|(_, used)| percent(*used) > 0) {
        Some((unit, used_us)) => (unit.clone(), *used_us),
        None => (MANAGER.to_owned(), systems_us),
    };
    let kind = EventKind::ProcessorBusy {
        used_us,
        system_us: systems_us,
        over_us: over.as_micros() as u64,
    };
    Some(Event {
        at_us: last.at_us,
        unit: Some(unit),
        source: Source::Agent,
        kind,
    })
}

impl Used {
    fn read(sent: Sent) -> io::Result<Used> {
        let root = Path::new(CGROUPS);
        let mut units = Vec::new();
        for slice in SLICES {
            collect(&root.join(slice), &mut units)?;
        }
        Ok(Used {
            at_us: now_us(),
            all_us: usage_us(root)?,
            units,
            sent,
        })
    }

    /// Whether notifications or log lines arrived without a pause.
    fn is_flood_since(&self, before: &Used) -> bool {
        let seconds = self.since(before).as_secs().max(1);
        let notifications = self.sent.notifications - before.sent.notifications;
        let lines = self.sent.lines - before.sent.lines;
        notifications / seconds >= NOTIFICATIONS_PER_SECOND || lines / seconds >= LINES_PER_SECOND
    }

    fn since(&self, before: &Used) -> Duration {
        Duration::from_micros(self.at_us - before.at_us)
    }

    /// How much of the time was processor time, in percent.
    fn share_since(&self, before: &Used) -> u64 {
        100 * (self.all_us - before.all_us) / (self.at_us - before.at_us).max(1)
    }
}

/// The units of a slice and of the slices in it, with the processor time that they have used.
fn collect(slice: &Path, units: &mut Vec<(String, u64)>) -> io::Result<()> {
    let name = |path: &Path| {
        path.file_name()
            .map(|name| name.to_string_lossy().into_owned())
    };
    if slice.extension().is_none_or(|kind| kind != "slice") {
        let unit = name(slice).map(|name| unit_of(&name).to_owned());
        units.extend(unit.map(|unit| (unit, usage_us(slice).unwrap_or_default())));
        return Ok(());
    }
    for entry in fs::read_dir(slice)? {
        let path: PathBuf = entry?.path();
        if path.is_dir() {
            // A unit that goes away meanwhile is not one that computes without pause.
            let _ = collect(&path, units);
        }
    }
    Ok(())
}

/// The unit of a control group. systemd puts `_` before names that mean something to the kernel, such as `memory.service`, and
/// before those that begin with `_` (`cg_escape` in its cgroup-util.c).
pub fn unit_of(group: &str) -> &str {
    group.strip_prefix('_').unwrap_or(group)
}

/// `usage_usec` in `cpu.stat`: the kernel's cgroup-v2 documentation.
fn usage_us(group: &Path) -> io::Result<u64> {
    let text = fs::read_to_string(group.join("cpu.stat"))?;
    let usage = text
        .lines()
        .find_map(|line| line.strip_prefix("usage_usec "));
    let usage = usage.and_then(|number| number.parse().ok());
    usage.ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// Stops all processes except systemd's own and the agent's, for the rest of the guest's life (cgroup.freeze).
pub fn freeze_services() {
    freeze_below(&Path::new(CGROUPS).join(SLICES[0]));
}

fn freeze_below(slice: &Path) {
    for entry in fs::read_dir(slice).into_iter().flatten().flatten() {
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.ends_with(".slice") {
            freeze_below(&path);
        } else if path.is_dir() && !ON_BEHALF.contains(&name.as_str()) {
            // A unit that has just gone away does not need freezing.
            let _ = fs::write(path.join("cgroup.freeze"), "1");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn used(at_s: u64, all_s: u64, units: &[(&str, u64)]) -> Used {
        let micros = |seconds: u64| seconds * 1_000_000;
        Used {
            at_us: micros(at_s),
            all_us: micros(all_s),
            units: units
                .iter()
                .map(|(unit, s)| ((*unit).to_owned(), micros(*s)))
                .collect(),
            sent: Sent::default(),
        }
    }

    #[test]
    fn the_busiest_unit_is_named_and_not_who_serves_it() {
        let named = |last: &Used, percent| {
            let event = busy(&used(100, 10, &[("a.service", 1)]), last, percent)?;
            let EventKind::ProcessorBusy {
                used_us, over_us, ..
            } = event.kind
            else {
                return None;
            };
            Some((event.unit?, used_us / 1_000_000, over_us / 1_000_000))
        };
        let of = |unit: &str, used, over| Some((unit.to_owned(), used, over));
        let serves = &[
            ("a.service", 8),
            ("b.service", 2),
            ("systemd-journald.service", 20),
        ];
        assert_eq!(named(&used(131, 41, serves), 0), of("a.service", 7, 31));
        let loops = &[("a.service", 1), (MANAGER, 30)];
        assert_eq!(named(&used(131, 41, loops), 0), of(MANAGER, 30, 31));
        let notifies = &[("a.service", 2), (MANAGER, 14)];
        assert_eq!(named(&used(125, 35, notifies), 51), of("a.service", 1, 25));
    }

    #[test]
    fn a_flood_is_more_than_a_service_sends() {
        let is_flood = |notifications, lines| {
            let sent = Sent {
                notifications,
                lines,
            };
            let last = Used {
                sent,
                ..used(110, 20, &[])
            };
            last.is_flood_since(&used(100, 10, &[]))
        };
        assert!(is_flood(300, 0) && is_flood(0, 30_000));
        assert!(!is_flood(100, 1_000));
    }

    #[test]
    fn a_unit_that_rests_or_only_starts_is_not_busy() {
        let first = used(100, 10, &[("a.service", 1)]);
        let rests = used(131, 38, &[("a.service", 28)]);
        assert_eq!(busy(&first, &rests, 0), None);
        let starts = used(110, 20, &[("a.service", 9), (MANAGER, 1)]);
        assert_eq!(busy(&first, &starts, MOST_PERCENT), None);
    }
}
