//! A shell in the guest, for a person: in real time, from the start or from a chosen instant of a scenario.
//!
//! From the start it is the snapshot, restored in a QEMU that lets time pass. At an instant it takes two: the scenario
//! runs in virtual time as in [`Lab::run`] until the guest stops itself; then the guest moves, in its current state, to
//! a second QEMU in which time is real.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags, open};
use rustix::io::Errno;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};
use systemd_lab_protocol::shell::SHELL_IS_READY;
use systemd_lab_protocol::{Handover, Scenario, Terminal};

use super::options::DEADLINE;
use super::{
    EventReader, GuestFile, LIVE_INTERVAL, Lab, SILENCE_DEADLINE, job, job_of_person, restore,
    virtual_ms,
};
use crate::error::LabError;
use crate::packages;
use crate::snapshot::Snapshot;
use crate::vm::{CONSOLE_LINES, Console, Origin, Pace, Vm, copy_of_ram};

/// How long after an event's stamp the scenario is stopped: shorter than what services wait for (`RestartSec=` is 100 ms
/// unless set). Long enough to cover the shift against the earlier run: the timer changes what the idle kernel does, by
/// some milliseconds (seen: 5 ms).
const AFTER_STAMP_US: u64 = 20_000;

/// A shell that waits for input. When it is dropped, its guest ends.
pub struct Shell {
    vm: Vm,
    console: File,
}

impl Lab {
    /// Opens a root shell in a guest that has these files: in real time, with nothing started yet.
    ///
    /// # Errors
    ///
    /// [`LabError::NoShell`] when no shell opens; otherwise as [`Lab::run`].
    pub fn shell(&self, files: &[GuestFile], terminal: &Terminal) -> Result<Shell, LabError> {
        let mut job = job_of_person(files)?;
        terminal.write(Handover::AtOnce, &mut job);
        self.with_snapshot(|snapshot| {
            let wire = Wire::new()?;
            let mut vm = wire.start(snapshot, &Origin::Snapshot, &job)?;
            vm.load()?;
            wire.open(vm)
        })
    }

    /// Runs the scenario until `at_us`, which is the stamp of an event in the timeline of an earlier run with the same
    /// files ([`Event::at_us`](crate::protocol::Event::at_us)), and opens a shell there: the guest is as it was at that
    /// event, and time is real from then on. If the scenario ends before, the shell opens at its end.
    ///
    /// # Errors
    ///
    /// As [`Lab::shell`], and [`LabError::OutOfTime`].
    pub fn shell_at(
        &self,
        at_us: u64,
        scenario: &Scenario,
        files: &[GuestFile],
        terminal: &Terminal,
    ) -> Result<Shell, LabError> {
        let mut job = job(scenario, files)?;
        let us = at_us.saturating_add(AFTER_STAMP_US);
        terminal.write(Handover::At { us }, &mut job);
        self.with_snapshot(|snapshot| {
            let ram =
                copy_of_ram(&snapshot.dir).map_err(LabError::io("copying the snapshot's RAM"))?;
            let turn = self.turn();
            let mut scenario = restore(snapshot, &Origin::SnapshotToMove { ram: &ram }, &job)?;
            let rang = scenario.wait_for_doorbell(DEADLINE)?;
            let mut reader = EventReader::of(&scenario);
            reader.read(&scenario, &snapshot.dir, &mut |_| {})?;
            reader.complaint()?;
            if !rang {
                return Err(LabError::OutOfTime {
                    deadline: DEADLINE,
                    used: scenario.processor_time().unwrap_or_default(),
                    virtual_ms: virtual_ms(&reader.events),
                });
            }
            // A shell does not take a turn: a person may use it for hours.
            drop(turn);
            let wire = Wire::new()?;
            let mut vm = wire.start(snapshot, &Origin::OtherVm { ram: &ram }, &[])?;
            scenario.move_to(&mut vm)?;
            drop(scenario);
            wire.open(vm)
        })
    }
}

impl Shell {
    /// The guest's console: bytes written to it are typed, bytes read from it were printed. When the guest has
    /// ended, reading fails (`EIO`, as with every pseudo-terminal whose other end is closed).
    ///
    /// # Errors
    ///
    /// When the process has too many open files.
    pub fn console(&self) -> Result<File, LabError> {
        let cannot = LabError::io("opening the guest's console once more");
        self.console.try_clone().map_err(cannot)
    }

    /// Whether the shell has ended, or the guest was powered off or rebooted; waits up to `timeout` for that.
    ///
    /// # Errors
    ///
    /// [`LabError::Qemu`] when QEMU fails.
    pub fn is_over(&mut self, timeout: Duration) -> Result<bool, LabError> {
        self.vm.is_over(timeout)
    }
}

/// The pseudo-terminal between a person and the guest's console: pty(7).
struct Wire {
    ours: File,
    for_qemu: OwnedFd,
}

impl Wire {
    fn new() -> Result<Wire, LabError> {
        let make = || -> io::Result<Wire> {
            let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
            grantpt(&ours)?;
            unlockpt(&ours)?;
            let name = ptsname(&ours, Vec::new())?;
            let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
            let for_qemu = open(name.as_c_str(), flags, Mode::empty())?;
            // The guest's console is a terminal already: this one only passes bytes on.
            let mut modes = tcgetattr(&for_qemu)?;
            modes.make_raw();
            tcsetattr(&for_qemu, OptionalActions::Now, &modes)?;
            let ours = File::from(ours);
            Ok(Wire { ours, for_qemu })
        };
        make().map_err(LabError::io(
            "making a pseudo-terminal (/dev/ptmx) for the guest's console",
        ))
    }

    fn start(&self, snapshot: &Snapshot, origin: &Origin, job: &[u8]) -> Result<Vm, LabError> {
        Vm::start(
            &snapshot.qemu,
            &snapshot.dir,
            origin,
            Pace::Real,
            job,
            Console::Interactive(&self.for_qemu),
        )
    }

    /// Resumes the guest and waits until its shell accepts input.
    fn open(self, mut vm: Vm) -> Result<Shell, LabError> {
        // QEMU has opened its end, so the output ends when QEMU does.
        let console = self.ours;
        drop(self.for_qemu);
        vm.resume()?;
        let began = Instant::now();
        let mut before = Vec::new();
        loop {
            let no_shell = |deadline| LabError::NoShell {
                deadline,
                console: packages::last_lines(&String::from_utf8_lossy(&before), CONSOLE_LINES),
            };
            // This also resumes a guest that rings again.
            if vm.is_over(Duration::ZERO)? {
                return Err(no_shell(None));
            }
            if began.elapsed() > SILENCE_DEADLINE {
                return Err(no_shell(Some(SILENCE_DEADLINE)));
            }
            match next_byte(&console).map_err(LabError::io("reading the guest's console"))? {
                Some(SHELL_IS_READY) => return Ok(Shell { vm, console }),
                Some(byte) => before.push(byte),
                None => {}
            }
        }
    }
}

/// `None` when nothing comes for a moment. It reads one byte at a time, so that it takes nothing that is meant for the
/// person.
fn next_byte(mut console: &File) -> io::Result<Option<u8>> {
    let moment = Timespec::try_from(LIVE_INTERVAL).map_err(|_| io::ErrorKind::InvalidInput)?;
    let ready = poll(&mut [PollFd::new(console, PollFlags::IN)], Some(&moment))?;
    let mut byte = [0];
    if ready == 0 {
        return Ok(None);
    }
    // If the other end is not open yet, or no longer, `Vm::is_over` finds out.
    let is_gone = |error: &io::Error| error.raw_os_error() == Some(Errno::IO.raw_os_error());
    match console.read(&mut byte) {
        Ok(0) => return Ok(None),
        Err(error) if is_gone(&error) => return Ok(None),
        read => read?,
    };
    Ok(Some(byte[0]))
}
