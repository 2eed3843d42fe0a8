//! Hands the guest over to a person: at a chosen instant the scenario stops, and a shell opens on the console.
//!
//! A thread that was started before the snapshot blocks on a timer. Every run sets that timer, most of them to a time
//! that never comes. So up to that instant, a run that is handed over does the same as the run before that was not,
//! within some milliseconds (ARCHITECTURE.md, "How a shell works").

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use anyhow::Context;
use rustix::process::setpriority_process;
use rustix::thread::gettid;
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};
use systemd_lab_protocol::{self as protocol, Terminal};

use crate::files::write_file;
use crate::guest::{Doorbell, JobMemory};
use crate::systemd::{self, JobType};

/// systemd's own log level by default: a scenario's debug log would bury what a person looks for.
const USUAL_LOG_LEVEL: &str = "info";

const SHELL: &str = "systemd-lab-shell.service";
const SHELL_FILE: &str = "/run/systemd/system/systemd-lab-shell.service";

/// A hundred years after boot.
const NEVER_S: i64 = 100 * 366 * 86_400;

/// systemd.exec(5), `Nice=`: everything else that is ready to run at that instant has to wait.
const MOST_URGENT: i32 = -20;

/// The instant at which a person takes over, if there is one.
pub struct Handover {
    memory: Arc<JobMemory>,
    doorbell: Arc<Doorbell>,
    timer: OwnedFd,
    /// From now on, the guest belongs to the person.
    taken: AtomicBool,
}

impl Handover {
    /// Creates the timer and the thread that waits for it.
    ///
    /// # Errors
    ///
    /// When the kernel provides no timer.
    pub fn prepare(
        memory: &Arc<JobMemory>,
        doorbell: &Arc<Doorbell>,
    ) -> anyhow::Result<Arc<Handover>> {
        let timer = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::CLOEXEC)
            .context("cannot make the timer of the handover")?;
        let handover = Arc::new(Handover {
            memory: memory.clone(),
            doorbell: doorbell.clone(),
            timer,
            taken: AtomicBool::new(false),
        });
        let waiting = handover.clone();
        thread::Builder::new()
            .name("handover".into())
            .spawn(move || waiting.wait())
            .context("cannot start the thread of the handover")?;
        Ok(handover)
    }

    /// Sets the timer as the job says. A restored guest does this first.
    ///
    /// # Errors
    ///
    /// When the kernel rejects it.
    pub fn arm(&self) -> io::Result<()> {
        let (tv_sec, tv_nsec) = match self.when() {
            protocol::Handover::At { us } => {
                ((us / 1_000_000) as i64, (us % 1_000_000) as i64 * 1_000)
            }
            protocol::Handover::Never | protocol::Handover::AtOnce => (NEVER_S, 0),
        };
        let once = Itimerspec {
            it_interval: Timespec::default(),
            it_value: Timespec { tv_sec, tv_nsec },
        };
        timerfd_settime(&self.timer, TimerfdTimerFlags::ABSTIME, &once)?;
        Ok(())
    }

    /// The thread that carries out steps calls this before each step and after each wait. It does not return once a
    /// person has taken over. What that thread holds, e.g. half-open connections, stays as it is.
    pub fn leave_to_person(&self) {
        while self.taken.load(Ordering::SeqCst) {
            thread::park();
        }
    }

    /// If the job is only a shell, opens the shell and does not return.
    pub fn at_once(&self) {
        if self.when() == protocol::Handover::AtOnce {
            self.open();
            self.leave_to_person();
        }
    }

    /// Opens the shell if a person asked for one at an instant that the scenario did not reach.
    pub fn after_the_end(&self) {
        if self.when() != protocol::Handover::Never {
            self.open();
        }
    }

    fn when(&self) -> protocol::Handover {
        protocol::Handover::read(self.memory.bytes())
    }

    fn wait(&self) {
        // Without this, the handover may be a millisecond late.
        let _ = setpriority_process(Some(gettid()), MOST_URGENT);
        let mut expirations = [0; 8];
        while rustix::io::read(&self.timer, &mut expirations).is_err() {
            // Only a signal interrupts a timer.
        }
        if !self.taken.swap(true, Ordering::SeqCst) {
            self.doorbell.ring();
            // By now the host has moved the guest to a QEMU that runs in real time.
            self.open_or_end();
        }
    }

    fn open(&self) {
        if !self.taken.swap(true, Ordering::SeqCst) {
            self.open_or_end();
        }
    }

    /// Opens the shell. Without one, the guest is useless to the person who waits for it, so it ends.
    fn open_or_end(&self) {
        if let Err(error) = open_shell(&Terminal::read(self.memory.bytes())) {
            eprintln!("no shell: {error:#}");
            std::process::exit(1);
        }
    }
}

/// Starts a shell as a unit of its own; the guest ends when the shell does.
fn open_shell(terminal: &Terminal) -> anyhow::Result<()> {
    systemd::set_log_level(USUAL_LOG_LEVEL)?;
    write_file(SHELL_FILE, shell_unit(terminal).as_bytes(), 0o644)
        .with_context(|| format!("cannot write {SHELL_FILE}"))?;
    // The kernel's own messages would appear in the middle of what the person types.
    fs::write("/proc/sys/kernel/printk", "0").context("cannot silence the kernel")?;
    systemd::queue_job(JobType::Start, SHELL)?;
    Ok(())
}

fn shell_unit(terminal: &Terminal) -> String {
    let Terminal {
        name,
        rows,
        columns,
    } = terminal;
    format!(
        "\
[Unit]
Description=The person's shell
DefaultDependencies=no
SuccessAction=poweroff-immediate
FailureAction=poweroff-immediate

[Service]
Type=exec
ExecStart=/bin/bash --login
WorkingDirectory=/root
Environment=HOME=/root USER=root LOGNAME=root SHELL=/bin/bash TERM={name}
StandardInput=tty-force
StandardOutput=tty
StandardError=tty
TTYPath=/dev/ttyS0
TTYReset=yes
TTYRows={rows}
TTYColumns={columns}
OOMScoreAdjust=-1000
IgnoreSIGPIPE=no
"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unit_knows_the_terminal() {
        let unit = shell_unit(&Terminal {
            name: "xterm".into(),
            rows: 50,
            columns: 132,
        });
        for line in ["TTYRows=50\n", "TTYColumns=132\n", " TERM=xterm\n"] {
            assert!(unit.contains(line), "{unit}");
        }
    }
}
