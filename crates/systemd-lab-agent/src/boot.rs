//! The agent's work as the guest's first process, before it becomes systemd: it fixes the boot ID.
//!
//! systemd lets a timer fire up to 250 ms late, so that several can share one wake-up. It rounds the time up to the next
//! multiple of 250 ms, plus an offset derived from the boot ID (`initialize_perturb` and `sleep_between` in sd-event.c: the
//! exclusive or of the ID's halves, modulo a minute). The kernel generates a new ID for each boot, so a rebuilt guest would
//! fire every timer at other times. With an ID whose halves are equal the offset is zero, and timers fire on multiples of
//! 250 ms of the guest's clock, in every guest.

use std::convert::Infallible;
use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use std::{env, fs, io, thread};

use anyhow::Context;
use rustix::mount::{MountFlags, mount, mount_bind};

/// The file that is mounted over the kernel's boot ID. The host writes it.
const BOOT_ID: &str = "/usr/lib/systemd-lab/boot-id";

/// Where all programs find the boot ID: proc_sys_kernel(5).
const KERNEL_BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// Present in a guest that should differ from others: see [`Perturbation`].
const PERTURBATION: &str = "/usr/lib/systemd-lab/perturbation";

const SYSTEMD: &str = "/usr/lib/systemd/systemd";

/// Whether this process is the guest's first process.
pub fn is_first_process() -> bool {
    std::process::id() == 1
}

/// Prepares the boot and becomes systemd. Returns only if that fails.
///
/// # Errors
///
/// When a mount or the execution of systemd fails. The kernel panics when its first process ends, and the host shows
/// the console.
pub fn become_systemd() -> anyhow::Result<Infallible> {
    mount("proc", "/proc", "proc", proc_flags(), None)
        .map_err(io::Error::from)
        .context("cannot mount /proc")?;
    mount_bind(BOOT_ID, KERNEL_BOOT_ID)
        .map_err(io::Error::from)
        .with_context(|| format!("cannot mount {BOOT_ID} over {KERNEL_BOOT_ID}"))?;
    if Path::new(PERTURBATION).exists() {
        let text = fs::read_to_string(PERTURBATION).context("cannot read the perturbation")?;
        Perturbation::parse(&text)?.apply()?;
    }
    // The kernel passes words of its command line that it did not understand to its first process; they are meant for
    // systemd.
    let arguments: Vec<OsString> = env::args_os().skip(1).collect();
    let error = Command::new(SYSTEMD).arg0("/init").args(arguments).exec();
    Err(error).with_context(|| format!("cannot execute {SYSTEMD}"))
}

/// As systemd mounts it (`mount_table` in its mount-setup.c).
fn proc_flags() -> MountFlags {
    MountFlags::NOSUID | MountFlags::NOEXEC | MountFlags::NODEV
}

/// How a boot differs from the usual one. This proves that no measurement depends on the boot.
///
/// A new version of any package changes how long the boot takes and how many processes it starts.
#[derive(Debug, Default, PartialEq, Eq)]
struct Perturbation {
    /// How much longer the boot takes.
    delay: Duration,
    /// How many processes run before systemd starts.
    processes: u32,
}

impl Perturbation {
    /// Reads e.g. `delay_ms=37 processes=40`.
    fn parse(text: &str) -> anyhow::Result<Perturbation> {
        let mut perturbation = Perturbation::default();
        for word in text.split_whitespace() {
            let unknown = || format!("unknown perturbation {word:?}");
            let (name, value) = word.split_once('=').with_context(unknown)?;
            let value: u32 = value.parse().with_context(unknown)?;
            match name {
                "delay_ms" => perturbation.delay = Duration::from_millis(value.into()),
                "processes" => perturbation.processes = value,
                _ => anyhow::bail!(unknown()),
            }
        }
        Ok(perturbation)
    }

    fn apply(&self) -> anyhow::Result<()> {
        for _ in 0..self.processes {
            let status = Command::new("/proc/self/exe").arg(crate::REHEARSE).status();
            status.context("cannot run a process to use up its PID")?;
        }
        thread::sleep(self.delay);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_perturbation_is_read_whole_or_not_at_all() {
        let read = Perturbation::parse("delay_ms=37 processes=40\n").expect("it is right");
        let expected = Perturbation {
            delay: Duration::from_millis(37),
            processes: 40,
        };
        assert_eq!(read, expected);
        for wrong in ["delay_ms", "delay_ms=x", "other=1"] {
            assert!(Perturbation::parse(wrong).is_err(), "{wrong}");
        }
    }
}
