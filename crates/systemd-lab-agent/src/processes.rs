//! Finds the unit that a process belongs to, even if the process is gone when the agent looks.
//!
//! While a process lives, its control group names the unit. Afterwards there are two records: systemd logs which process it
//! forked for which unit, and the kernel's trace of forks (`sched:sched_process_fork`) says whose child every other process
//! and thread was. The trace has a buffer of its own, and the agent reads it only when it needs it: a fork does not wake
//! the agent.

use std::collections::{HashMap, VecDeque};
use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::path::Path;

use crate::trace;

/// The trace's own buffer, below tracefs: kernel documentation, trace/ftrace, "Instances".
const INSTANCE: &str = "instances/lab-forks";

/// Kilobytes for the trace: about ten thousand forks. If there are more between two reads, the oldest are lost.
const BUFFER_KB: &str = "1024";

/// Bytes per read; a line takes about 150.
const READ_SIZE: usize = 32 << 10;

/// How many generations to follow from a process to its ancestors: no process tree is deeper. This ends the loop when reused
/// numbers form a circle.
const MOST_GENERATIONS: usize = 64;

/// How many children to remember in order: more than a service has at a time, unless it has gone wild.
const MOST_LATEST: usize = 256;

/// The beginning of systemd's record of a process, without the unit: `Forked /usr/bin/x as 123`, followed by more
/// since version 254.
const FORKED: &str = "Forked ";
const AS: &str = " as ";

/// Knows the processes of units.
pub struct Processes {
    trace: Option<File>,
    /// The last line of the trace, while it is incomplete.
    rest: Vec<u8>,
    /// The parent of each process or thread.
    parents: HashMap<u32, u32>,
    /// The processes that systemd forked, and their units.
    units: HashMap<u32, String>,
    /// The children in the trace, the most recent last.
    latest: VecDeque<u32>,
}

impl Processes {
    /// Turns the trace on; `tracefs` is its mount point.
    ///
    /// # Errors
    ///
    /// When the kernel has no such trace point.
    pub fn trace(tracefs: &Path) -> anyhow::Result<Processes> {
        let settings = [
            ("buffer_size_kb", BUFFER_KB),
            ("events/sched/sched_process_fork/enable", "1"),
        ];
        let trace = trace::open(&tracefs.join(INSTANCE), "forks", &settings)?;
        Ok(Processes {
            trace: Some(trace),
            ..Processes::untraced()
        })
    }

    /// Knows only what systemd has logged.
    pub fn untraced() -> Processes {
        Processes {
            trace: None,
            rest: Vec::new(),
            parents: HashMap::new(),
            units: HashMap::new(),
            latest: VecDeque::new(),
        }
    }

    /// Records the process that systemd forked, if this message about `unit` reports one.
    pub fn note(&mut self, unit: &str, message: &str) {
        if let Some(pid) = forked(message) {
            // The number may have belonged to a child before.
            self.parents.remove(&pid);
            self.units.insert(pid, unit.to_owned());
        }
    }

    /// The unit of a process or thread that lives or once lived.
    pub fn unit_of(&mut self, id: u32) -> Option<String> {
        unit_by_control_group(id).or_else(|| {
            self.read_trace();
            self.unit_by_records(id)
        })
    }

    /// The unit of the process that ended last, as far as the trace shows: of the processes that are gone, the one that was
    /// forked last.
    pub fn unit_of_last_gone(&mut self) -> Option<String> {
        self.read_trace();
        let is_gone = |id: &&u32| !Path::new(&format!("/proc/{id}")).exists();
        let gone = self.latest.iter().rev().find(is_gone)?;
        self.unit_by_records(*gone)
    }

    fn unit_by_records(&self, id: u32) -> Option<String> {
        let family = std::iter::successors(Some(id), |id| self.parents.get(id).copied());
        family
            .take(MOST_GENERATIONS)
            .find_map(|id| self.units.get(&id).cloned())
    }

    /// Best effort: without the trace, only the control group is known.
    fn read_trace(&mut self) {
        let Some(trace) = &mut self.trace else { return };
        loop {
            let filled = self.rest.len();
            self.rest.resize(filled + READ_SIZE, 0);
            let read = match trace.read(&mut self.rest[filled..]) {
                Ok(read) => read,
                Err(error) if error.kind() == ErrorKind::Interrupted => 0,
                Err(_) => {
                    self.rest.truncate(filled);
                    return;
                }
            };
            self.rest.truncate(filled + read);
            let complete = match self.rest.iter().rposition(|&byte| byte == b'\n') {
                Some(at) => at + 1,
                None => 0,
            };
            let lines: Vec<u8> = self.rest.drain(..complete).collect();
            for (parent, child) in String::from_utf8_lossy(&lines).lines().filter_map(parse) {
                // systemd logs the processes that it forks, perhaps before this is read.
                if parent != 1 {
                    self.parents.insert(child, parent);
                    self.latest.push_back(child);
                }
            }
            while self.latest.len() > MOST_LATEST {
                self.latest.pop_front();
            }
        }
    }
}

/// The process in a record like `Forked /usr/bin/x as 123 (via CLONE_INTO_CGROUP)`.
fn forked(message: &str) -> Option<u32> {
    let (_, after) = message.strip_prefix(FORKED)?.rsplit_once(AS)?;
    after.split(' ').next()?.parse().ok()
}

/// Parent and child in a line of the trace: `bash-130 [000] ..... 12.345678: sched_process_fork: comm=bash pid=130
/// child_comm=bash child_pid=131`. Names may contain anything; numbers are at the end.
fn parse(line: &str) -> Option<(u32, u32)> {
    let (before, child) = line
        .split_once(": sched_process_fork: ")?
        .1
        .rsplit_once(" child_pid=")?;
    let (before, _) = before.rsplit_once(" child_comm=")?;
    let (_, parent) = before.rsplit_once(" pid=")?;
    Some((parent.parse().ok()?, child.trim().parse().ok()?))
}

fn unit_by_control_group(id: u32) -> Option<String> {
    let groups = fs::read_to_string(format!("/proc/{id}/cgroup")).ok()?;
    unit_in(&groups)
}

/// The unit in a line like `0::/system.slice/hello.service`. A service may have groups of its own below. If units are
/// nested (a user's manager), the outer one is the system's.
fn unit_in(groups: &str) -> Option<String> {
    const KINDS: [&str; 5] = [".service", ".socket", ".mount", ".swap", ".scope"];
    let path = groups.lines().find_map(|line| line.strip_prefix("0::"))?;
    path.split('/')
        .find(|name| KINDS.iter().any(|kind| name.ends_with(kind)))
        .filter(|name| *name != "init.scope")
        .map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_of_both_spellings() {
        assert_eq!(forked("Forked /usr/bin/x as 132"), Some(132));
        let new = "Forked /usr/bin/x as y as 132 (via CLONE_INTO_CGROUP)";
        assert_eq!(forked(new), Some(132));
        assert_eq!(forked("Forked"), None);
        assert_eq!(forked("About to execute: /bin/x as 1"), None);
    }

    #[test]
    fn a_line_of_the_trace() {
        let line = "  a pid=7-130   [000] d....    12.345678: sched_process_fork: comm=a pid=7 pid=130 child_comm=b child_pid=9 child_pid=131";
        assert_eq!(parse(line), Some((130, 131)));
        assert_eq!(parse("CPU:0 [LOST 3 EVENTS]"), None);
    }

    #[test]
    fn a_grandchild_that_is_gone_has_its_ancestors_unit() {
        let mut processes = Processes::untraced();
        processes.note("a.service", "Forked /usr/bin/a as 4000130");
        processes.parents = [(4_000_131, 4_000_130), (4_000_132, 4_000_131)].into();
        for id in [4_000_130, 4_000_131, 4_000_132] {
            assert_eq!(processes.unit_of(id).as_deref(), Some("a.service"));
        }
        assert_eq!(processes.unit_of(4_000_133), None);
        // The number is reused.
        processes.note("b.service", "Forked /usr/bin/b as 4000132");
        assert_eq!(processes.unit_of(4_000_132).as_deref(), Some("b.service"));
    }

    #[test]
    fn of_those_that_are_gone_the_last_one_counts() {
        let mut processes = Processes::untraced();
        processes.note("a.service", "Forked /usr/bin/a as 4000130");
        processes.note("b.service", "Forked /usr/bin/b as 4000140");
        processes.parents = [(4_000_131, 4_000_130), (4_000_141, 4_000_140)].into();
        processes.parents.insert(std::process::id(), 4_000_130);
        processes.latest = [4_000_131, 4_000_141, std::process::id()].into();
        assert_eq!(processes.unit_of_last_gone().as_deref(), Some("b.service"));
    }

    #[test]
    fn reused_numbers_in_a_circle_have_no_unit() {
        let mut processes = Processes::untraced();
        processes.parents = [(4_000_001, 4_000_002), (4_000_002, 4_000_001)].into();
        assert_eq!(processes.unit_of(4_000_001), None);
    }

    #[test]
    fn the_unit_is_in_the_path() {
        let unit = |line| unit_in(line);
        assert_eq!(
            unit("0::/system.slice/hello.service\n").as_deref(),
            Some("hello.service")
        );
        assert_eq!(
            unit("0::/system.slice/system-x.slice/x@1.service/sub\n").as_deref(),
            Some("x@1.service")
        );
        assert_eq!(unit("0::/init.scope\n"), None);
    }
}
