//! Makes a unit run out of memory, for [`systemd_lab_protocol::Step::OutOfMemory`].
//!
//! Nothing is faked: the agent lowers the limit of the unit's control group (`memory.max`) until the kernel kills a process, and
//! then restores it. So `OOMPolicy=`, `OOMScoreAdjust=` and `memory.oom.group` take effect, as they do for a service that has
//! grown. Kernel documentation, admin-guide/cgroup-v2, "Memory Interface Files".

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

const CGROUPS: &str = "/sys/fs/cgroup";

/// How far the limit goes down at once. The kernel first reclaims what it can. The step is smaller than any process's own memory,
/// so that killing one process is enough.
const STEP: u64 = 64 << 10;

/// Makes the kernel kill in this control group, given as a path below the root group.
///
/// # Errors
///
/// When the control group has no memory controller, or the kernel finds nothing there to kill.
pub fn run_out(control_group: &str) -> io::Result<()> {
    let group = Path::new(CGROUPS).join(control_group.trim_start_matches('/'));
    let limit = group.join("memory.max");
    let usual = fs::read_to_string(&limit)?;
    let outcome = lower_until_killed(&group, &limit);
    fs::write(&limit, usual.trim())?;
    outcome
}

fn lower_until_killed(group: &Path, limit: &PathBuf) -> io::Result<()> {
    let before = kills(group)?;
    let mut left = number(&fs::read_to_string(group.join("memory.current"))?)?;
    while left > 0 {
        left = left.saturating_sub(STEP);
        // The write returns when less memory is used, or when there is nothing left to reclaim or to kill.
        fs::write(limit, left.to_string())?;
        if kills(group)? > before {
            return Ok(());
        }
    }
    Err(io::Error::other(
        "the kernel found no process in the unit that it may kill",
    ))
}

/// How many processes the kernel has killed there.
fn kills(group: &Path) -> io::Result<u64> {
    let events = fs::read_to_string(group.join("memory.events"))?;
    let kills = events
        .lines()
        .find_map(|line| line.strip_prefix("oom_kill "));
    number(kills.unwrap_or_default())
}

fn number(text: &str) -> io::Result<u64> {
    text.trim()
        .parse()
        .map_err(|_| ErrorKind::InvalidData.into())
}
