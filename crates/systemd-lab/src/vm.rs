//! One QEMU process: the machine's devices, and the operations on it.
//!
//! Every device must be the same when the snapshot is saved and when it is restored; otherwise QEMU refuses.
//! Nothing here waits during the guest's time: the guest is either stopped, or runs without asking the host for
//! anything.
//!
//! A run leaves no file behind: job and output are anonymous memory, which QEMU opens through `/proc`.

#[cfg(target_arch = "x86_64")]
mod fork;
#[cfg(not(target_arch = "x86_64"))]
#[path = "vm/no_fork.rs"]
mod fork;
mod machine;
mod process;

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::fd::{OwnedFd, RawFd};
use std::os::unix::fs::FileExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{ChildStderr, Stdio};
use std::time::{Duration, Instant};

use nix::libc::{O_RDONLY, O_WRONLY};
use rustix::fs::{MemfdFlags, SeekFrom, memfd_create, seek, sendfile};
use rustix::param::clock_ticks_per_second;
use rustix::process::{Pid, Resource, Rlimit};
use rustix::rand::{GetRandomFlags, getrandom};
use serde_json::{Value, json};
use systemd_lab_protocol::job::{GATES, JOB_MEMORY_SIZE, PAGE, gate};
use systemd_lab_protocol::seal::{KEY_PLACE, Key};

use crate::disk;
use crate::error::LabError;
use crate::packages;
use crate::process::dies_with_us;
use crate::qmp::{Qmp, QmpError};
use crate::saved_state;
use fork::Replaced;
use machine::{
    KERNEL_COMMAND_LINE, clock, doorbell, event_port, job_device, machine, monitor, path_of, ram,
    serial_console,
};
use process::Process;
use systemd_timeline::names;

pub(crate) use fork::Processor;
pub(crate) use machine::{machine_identity, ram_for};

/// QEMU stops the guest when the guest writes to its pvpanic device: `GUEST_PANICKED` in QEMU's run-state
/// schema. The lab uses this as a doorbell, because it acts at that very instruction.
const DOORBELL: &str = "GUEST_PANICKED";

/// In bytes per second, for a guest that moves: as fast as possible; QEMU's own limit is 128 MiB.
const UNLIMITED: u64 = 1 << 40;

/// The most that the guest may send. Events about units and systemd take less than 20 MiB, because the agent limits them; the
/// rest leaves room for seven hundred of the agent's own events (answers and what commands print, 64 KiB each). A run that
/// sends more ends there: a service must have written into the agent's port.
const MOST_SENT: u64 = 64 << 20;

/// The most that the guest may print on its console: a service that prints a line each second needs hours for that. Each byte
/// takes QEMU some microseconds, so a higher limit would only run out of time.
const MOST_PRINTED: u64 = 1 << 20;

/// QEMU is killed only after this much more: by then, this process has seen that the limit was exceeded.
const PAST_MOST: u64 = 1 << 20;

/// How much of the console is read: the kernel's last words are at its end, and a panic has about a hundred lines.
const CONSOLE_READ: u64 = 64 << 10;

/// A bit of the flags register: the processor accepts interrupts.
const INTERRUPTS: u64 = 1 << 9;
/// How long QEMU may take to exit after it has closed its monitor, and how often to check.
const LAST_BREATH: Duration = Duration::from_secs(1);
const GLANCE: Duration = Duration::from_millis(5);

/// How much of the guest's console an error shows.
pub(crate) const CONSOLE_LINES: usize = 20;

/// How time passes in the guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    /// An idle guest jumps to its next timer.
    Virtual,
    /// An idle guest waits as long as a real one.
    Real,
}

/// Where the guest comes from.
pub(crate) enum Origin<'a> {
    /// A kernel and an initramfs; RAM goes to the file `ram` in the working directory.
    Boot {
        kernel: &'a Path,
        initrd: &'a Path,
        /// The size of its RAM, in bytes.
        ram: u64,
    },
    /// The files `ram` and `state` in the working directory.
    Snapshot,
    /// The same, for a guest that moves later: RAM is a copy of the file, made by [`copy_of_ram`].
    SnapshotToMove { ram: &'a File },
    /// Another QEMU with the same machine and this RAM: [`Vm::move_to`].
    OtherVm { ram: &'a File },
}

/// Where the guest's serial console goes.
#[derive(Clone, Copy)]
pub(crate) enum Console<'a> {
    /// To memory, so that errors can quote it.
    Recorded,
    /// To a person, at the other end of this pseudo-terminal.
    Interactive(&'a OwnedFd),
}

pub(crate) struct Vm {
    process: Process,
    stderr: Option<ChildStderr>,
    qmp: Option<Qmp>,
    output: File,
    console: File,
    key: Key,
}

impl Vm {
    /// Starts QEMU with the guest stopped. `directory` holds `ram` and `state`; `job` becomes the shared memory.
    pub(crate) fn start(
        qemu: &Path,
        directory: &Path,
        origin: &Origin,
        pace: Pace,
        job: &[u8],
        serial: Console,
    ) -> Result<Vm, LabError> {
        let key = new_key().map_err(LabError::io("asking the kernel for random bytes"))?;
        disk::ensure_file_size(JOB_MEMORY_SIZE as u64)?;
        let job = job_memory(job, &key).map_err(LabError::io("making the job's memory"))?;
        let anonymous =
            |name: &str| memory(name).map_err(LabError::io("making memory for the guest's output"));
        let (output, console) = (anonymous("lab-events")?, anonymous("lab-console")?);
        // What QEMU shares with a file is not part of the saved state, so a guest that is restored from there finds a new job.
        let saves = matches!(origin, Origin::Boot { .. });
        let moves = matches!(origin, Origin::SnapshotToMove { .. });

        let size = match origin {
            Origin::Boot { ram, .. } => Ok(*ram),
            Origin::Snapshot => fs::metadata(directory.join("ram")).map(|meta| meta.len()),
            Origin::SnapshotToMove { ram } | Origin::OtherVm { ram } => {
                ram.metadata().map(|meta| meta.len())
            }
        };
        let size = size.map_err(LabError::io("looking at the snapshot's RAM"))?;
        if let Origin::Boot { .. } = origin {
            disk::ensure_file_size(size)?;
        }
        let mut command = dies_with_us("KILL", qemu);
        command
            .args([
                "-nodefaults",
                "-no-user-config",
                "-display",
                "none",
                "-no-reboot",
                "-S",
            ])
            .args(machine(size))
            .args(ram(origin, size))
            .args(clock(pace, saves || moves))
            .args(job_device(&job, saves))
            .args(event_port(&output))
            .args(serial_console(serial, &console))
            .args(doorbell())
            .args(monitor());
        match origin {
            Origin::Boot { kernel, initrd, .. } => {
                command
                    .arg("-kernel")
                    .arg(kernel)
                    .arg("-initrd")
                    .arg(initrd);
                command.args(["-append", KERNEL_COMMAND_LINE]);
            }
            Origin::Snapshot | Origin::SnapshotToMove { .. } | Origin::OtherVm { .. } => {
                command.args(["-incoming", "defer"]);
            }
        }
        let mut child = command
            .current_dir(directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(LabError::io("starting setpriv (util-linux) and QEMU"))?;
        let pipes = child.stdin.take().zip(child.stdout.take());
        let mut vm = Vm {
            stderr: child.stderr.take(),
            process: Process::Started(child),
            qmp: None,
            output,
            console,
            key,
        };
        if let Origin::Snapshot = origin {
            vm.bound_output()
                .map_err(LabError::io("bounding what QEMU writes"))?;
        }
        let connected = pipes.map_or(Err(QmpError::Gone), |(to, from)| Qmp::connect(to, from));
        vm.qmp = Some(connected.map_err(|error| vm.failed("connecting to its monitor", error))?);
        // `job` may be closed now: QEMU has mapped it.
        Ok(vm)
    }

    /// Lets the machine stand still when the guest comes to a checkpoint. The guest must not run yet.
    ///
    /// # Errors
    ///
    /// When the kernel does not permit it.
    pub(crate) fn stop_at_checkpoint(&mut self) -> Result<Processor, LabError> {
        let what = "following QEMU";
        let processors = self.qmp(what, |qmp| qmp.execute("query-cpus-fast", json!({})))?;
        let thread = processors.pointer("/0/thread-id").and_then(Value::as_i64);
        let thread = thread.and_then(|thread| i32::try_from(thread).ok());
        let followed = || {
            let process = self.number()?;
            let place = fork::place_of(process, "lab-job")?;
            fork::withhold(process, place + gate(0) as u64..place + gate(GATES) as u64)?;
            Processor::follow(process, thread.ok_or(io::ErrorKind::NotFound)?)
        };
        followed().map_err(LabError::io(what))
    }

    fn number(&self) -> io::Result<i32> {
        let process = self.process.id().ok_or(io::ErrorKind::NotFound)?;
        Ok(process.as_raw_nonzero().get())
    }

    /// A copy of this QEMU, whose machine stands still at the checkpoint with this number, with another job. The copy runs, and has sent
    /// nothing yet. If it `stops` at the next checkpoint, its processor is returned as well.
    ///
    /// # Errors
    ///
    /// When QEMU cannot be copied: see [`fork`].
    pub(crate) fn copy(
        &self,
        processor: &Processor,
        checkpoint: usize,
        job: &[u8],
        stops: bool,
    ) -> io::Result<(Vm, Option<Processor>)> {
        let key = new_key()?;
        let (output, console) = (memory("lab-events")?, memory("lab-console")?);
        let (commands, to_qemu) = io::pipe()?;
        let (from_qemu, answers) = io::pipe()?;
        let (errors, stderr) = io::pipe()?;
        let process = self.number()?;
        let opened = |number: RawFd, path: String, flags: i32| Replaced {
            number,
            path,
            flags,
        };
        let number_of = |file: &str| fork::number_of(process, file);
        let replaced = [
            opened(0, path_of(&commands), O_RDONLY),
            opened(1, path_of(&answers), O_WRONLY),
            opened(2, path_of(&stderr), O_WRONLY),
            opened(number_of("lab-events")?, path_of(&output), O_WRONLY),
            opened(number_of("lab-console")?, path_of(&console), O_WRONLY),
        ];
        let place = fork::place_of(process, "lab-job")?;
        let gate = place + gate(checkpoint) as u64;
        let gate = gate..gate + PAGE as u64;
        let (copy, followed) = processor.copy(&replaced, gate, stops, |copy| {
            fork::write(copy, place, job)?;
            fork::write(copy, place + KEY_PLACE.start as u64, key.bytes())
        })?;
        let (to_qemu, from_qemu) = (OwnedFd::from(to_qemu), OwnedFd::from(from_qemu));
        let version = self.qemu_version().map(str::to_owned);
        let copy = Vm {
            process: Process::Copied(Pid::from_raw(copy)),
            stderr: Some(OwnedFd::from(errors).into()),
            qmp: Some(Qmp::of_pipes(to_qemu.into(), from_qemu.into(), version)),
            output,
            console,
            key,
        };
        Ok((copy, followed))
    }

    /// Loads the saved state. The guest stays stopped.
    pub(crate) fn load(&mut self) -> Result<(), LabError> {
        self.qmp("loading the snapshot", |qmp| {
            ignore_shared_memory(qmp)?;
            qmp.execute("migrate-incoming", json!({ "uri": "exec:cat state" }))?;
            qmp.finish_migration()
        })
    }

    /// Saves the state of all devices into the file `state` in the working directory; RAM is in `ram` already.
    pub(crate) fn save(&mut self) -> Result<(), LabError> {
        self.qmp("saving the snapshot", |qmp| {
            ignore_shared_memory(qmp)?;
            qmp.execute("migrate", json!({ "uri": "exec:cat > state" }))?;
            qmp.finish_migration()
        })
    }

    /// Moves the guest in its current state, including RAM, to a machine that was started for it. Both are stopped afterwards.
    pub(crate) fn move_to(&mut self, other: &mut Vm) -> Result<(), LabError> {
        // Not a pipe: if one of the two processes died, the other would wait forever.
        let moving = memory("lab-moving").map_err(LabError::io("making memory for the guest"))?;
        let path = path_of(&moving);
        self.qmp("sending the guest", |qmp| {
            let unlimited = json!({ "max-bandwidth": UNLIMITED });
            qmp.execute("migrate-set-parameters", unlimited)?;
            qmp.execute("migrate", json!({ "uri": format!("exec:cat > {path}") }))?;
            qmp.finish_migration()
        })?;
        saved_state::forget_wall_time(&moving).map_err(LabError::io("moving the guest's clock"))?;
        other.qmp("taking the guest over", |qmp| {
            // Both processes must agree on this.
            ignore_shared_memory(qmp)?;
            qmp.execute(
                "migrate-incoming",
                json!({ "uri": format!("exec:cat {path}") }),
            )?;
            qmp.finish_migration()
        })
    }

    /// Whether the guest has powered itself off, after waiting up to `timeout`. A guest that rings is resumed:
    /// nothing would answer it.
    pub(crate) fn is_over(&mut self, timeout: Duration) -> Result<bool, LabError> {
        let until = Instant::now() + timeout;
        let rung = self
            .qmp
            .as_mut()
            .map_or(Err(QmpError::Gone), |qmp| qmp.wait_for(DOORBELL, until));
        match rung {
            Ok(()) => self.resume().map(|()| false),
            Err(QmpError::TimedOut) => Ok(false),
            Err(QmpError::GuestEnded) => Ok(true),
            Err(error) => Err(self.failed("showing the guest", error)),
        }
    }

    pub(crate) fn resume(&mut self) -> Result<(), LabError> {
        self.qmp("resuming the guest", |qmp| {
            qmp.execute("cont", json!({})).map(drop)
        })
    }

    /// The same for a guest that may come to its checkpoint at once. QEMU answers only after the guest has executed a slice; if it stands
    /// still before the end of that slice, there is no answer until it goes on.
    ///
    /// # Errors
    ///
    /// When QEMU is gone.
    pub(crate) fn resume_without_answer(&mut self) -> io::Result<()> {
        let qmp = self.qmp.as_mut().ok_or(io::ErrorKind::NotConnected)?;
        let sent = qmp.send("cont", json!({}));
        sent.map(drop).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }

    /// Waits, in wall time, until the guest rings and so stops. `false` when the deadline passed.
    pub(crate) fn wait_for_doorbell(&mut self, deadline: Duration) -> Result<bool, LabError> {
        let until = Instant::now() + deadline;
        match self
            .qmp
            .as_mut()
            .map_or(Err(QmpError::Gone), |qmp| qmp.wait_for(DOORBELL, until))
        {
            Ok(()) => Ok(true),
            Err(QmpError::TimedOut) => Ok(false),
            Err(error) => Err(self.failed("running the guest", error)),
        }
    }

    /// Whether QEMU is there, and the guest has neither rung nor ended. Unlike the other operations, this does not wait for the end of a
    /// QEMU that is gone, which does not come before [`Processor`] is dropped.
    pub(crate) fn goes_on(&mut self) -> bool {
        let rung = self.qmp.as_mut().map_or(Err(QmpError::Gone), |qmp| {
            qmp.wait_for(DOORBELL, Instant::now())
        });
        matches!(rung, Err(QmpError::TimedOut))
    }

    /// QEMU's version, e.g. `7.2.22`.
    pub(crate) fn qemu_version(&self) -> Option<&str> {
        self.qmp.as_ref()?.version()
    }

    /// How much processor time QEMU has had, for all its threads together; `None` if /proc cannot be read.
    pub(crate) fn processor_time(&self) -> Option<Duration> {
        let pid = self.process.id()?.as_raw_nonzero();
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let ticks = ticks(&stat)?;
        Some(Duration::from_secs(ticks) / u32::try_from(clock_ticks_per_second()).ok()?)
    }

    /// Limits what the guest can make QEMU write, whatever this process does meanwhile. The guest's RAM is private, not a file.
    fn bound_output(&self) -> io::Result<()> {
        let most = Some(MOST_SENT + PAST_MOST);
        let limit = Rlimit {
            current: most,
            maximum: most,
        };
        rustix::process::prlimit(self.process.id(), Resource::Fsize, limit)?;
        Ok(())
    }

    /// The limit, if the guest has sent or printed more than that.
    pub(crate) fn too_much(&self) -> Option<u64> {
        let bounds = [(&self.output, MOST_SENT), (&self.console, MOST_PRINTED)];
        let mut bounds = bounds.into_iter();
        bounds.find_map(|(file, most)| (file.metadata().ok()?.len() > most).then_some(most))
    }

    /// The key with which the agent seals its events.
    pub(crate) fn key(&self) -> &Key {
        &self.key
    }

    /// Whether the guest's processor has halted for good: nothing will ever wake it.
    pub(crate) fn is_halted(&mut self) -> Result<bool, LabError> {
        let registers = self.qmp("looking at the processor", |qmp| {
            let command = json!({ "command-line": "info registers" });
            qmp.execute("human-monitor-command", command)
        })?;
        Ok(registers.as_str().is_some_and(is_halted_for_good))
    }

    /// What the guest has sent so far.
    pub(crate) fn output(&self) -> Vec<u8> {
        self.output_after(0)
    }

    /// The same without its first `offset` bytes. A reader that polls only needs what is new, and a talkative guest writes
    /// megabytes.
    pub(crate) fn output_after(&self, offset: u64) -> Vec<u8> {
        contents(&self.output, offset)
    }

    /// How much the guest has printed on its console, which is quiet unless something is wrong.
    pub(crate) fn printed(&self) -> u64 {
        self.console.metadata().map_or(0, |meta| meta.len())
    }

    /// What the guest has printed on its console so far, or the end of it.
    pub(crate) fn console(&self) -> String {
        let begin = self.printed().saturating_sub(CONSOLE_READ);
        String::from_utf8_lossy(&contents(&self.console, begin)).into_owned()
    }

    fn qmp<T>(
        &mut self,
        what: &str,
        run: impl FnOnce(&mut Qmp) -> Result<T, QmpError>,
    ) -> Result<T, LabError> {
        let result = self.qmp.as_mut().map_or(Err(QmpError::Gone), run);
        result.map_err(|error| self.failed(what, error))
    }

    fn failed(&mut self, what: &str, error: QmpError) -> LabError {
        let signal = match error {
            QmpError::Gone => self.ended_by(),
            _ => None,
        };
        // QEMU's standard error ends only when QEMU does.
        self.end();
        let mut stderr = String::new();
        if let Some(mut pipe) = self.stderr.take() {
            let _ = pipe.read_to_string(&mut stderr);
        }
        let what = match error {
            QmpError::TimedOut => format!("{what} took too long"),
            QmpError::Gone => match signal {
                Some(signal) => format!(
                    "{} ended it while {what}; is there enough memory, and room on the disk?",
                    names::signal_name(signal)
                ),
                None => format!("it ended while {what}"),
            },
            QmpError::GuestEnded => {
                return LabError::GuestEnded {
                    console: packages::last_lines(&self.console(), CONSOLE_LINES),
                };
            }
            QmpError::Refused(why) => format!("{what}: {why}"),
        };
        LabError::Qemu {
            what,
            stderr: stderr.trim().to_owned(),
        }
    }

    /// The signal that ended QEMU, if one did.
    fn ended_by(&mut self) -> Option<i32> {
        let until = Instant::now() + LAST_BREATH;
        loop {
            match self.process.try_wait() {
                Ok(Some(status)) => return status.signal(),
                Ok(None) if Instant::now() < until => std::thread::sleep(GLANCE),
                _ => return None,
            }
        }
    }

    fn end(&mut self) {
        // QEMU is not needed any more, so it need not end gracefully.
        let _ = self.process.end();
    }
}

impl Drop for Vm {
    fn drop(&mut self) {
        self.end();
    }
}

/// `utime` and `stime` together, in ticks: proc_pid_stat(5). The name before them may contain anything.
fn ticks(stat: &str) -> Option<u64> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut times = fields.split_whitespace().skip(11).map(str::parse::<u64>);
    Some(times.next()?.ok()? + times.next()?.ok()?)
}

/// A copy of a snapshot's RAM, in memory. Holes stay holes: most of RAM is empty.
///
/// # Errors
///
/// When the file cannot be read, or there is no memory left.
pub(crate) fn copy_of_ram(directory: &Path) -> io::Result<File> {
    let from = File::open(directory.join("ram"))?;
    let length = from.metadata()?.len();
    let to = memory("lab-ram")?;
    to.set_len(length)?;
    let mut at = 0;
    // ENXIO: there is no data after this place.
    while let Ok(begin) = seek(&from, SeekFrom::Data(at)) {
        let end = seek(&from, SeekFrom::Hole(begin))?;
        let (mut source, mut target) = (begin, begin);
        while source < end {
            let left = usize::try_from(end - source).unwrap_or(usize::MAX);
            seek(&to, SeekFrom::Start(target))?;
            let copied = sendfile(&to, &from, Some(&mut source), left)?;
            if copied == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            target = source;
        }
        at = end;
    }
    Ok(to)
}

/// RAM and job are files already, so the saved state need not contain them.
fn ignore_shared_memory(qmp: &mut Qmp) -> Result<(), QmpError> {
    let capability = json!({ "capability": "x-ignore-shared", "state": true });
    qmp.execute(
        "migrate-set-capabilities",
        json!({ "capabilities": [capability] }),
    )?;
    Ok(())
}

fn memory(name: &str) -> io::Result<File> {
    Ok(File::from(memfd_create(name, MemfdFlags::CLOEXEC)?))
}

fn job_memory(bytes: &[u8], key: &Key) -> io::Result<File> {
    let file = memory("lab-job")?;
    file.set_len(JOB_MEMORY_SIZE as u64)?;
    file.write_all_at(bytes, 0)?;
    file.write_all_at(key.bytes(), KEY_PLACE.start as u64)?;
    Ok(file)
}

/// A new key for each run: a service cannot know it, whatever it knows about the job.
fn new_key() -> io::Result<Key> {
    let mut bytes = [0; 16];
    let got = getrandom(&mut bytes, GetRandomFlags::empty())?;
    // This few bytes arrive all at once: getrandom(2).
    if got < 16 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(Key::new(bytes))
}

/// Whether QEMU's registers are those of a processor that sleeps and accepts no interrupts, e.g. `RFL=00000046 … HLT=1`.
fn is_halted_for_good(registers: &str) -> bool {
    let value = |name: &str| {
        let (_, rest) = registers.split_once(name)?;
        rest.split_whitespace().next()
    };
    let flags = value("RFL=").or_else(|| value("EFL="));
    let flags = flags.and_then(|flags| u64::from_str_radix(flags, 16).ok());
    value("HLT=") == Some("1") && flags.is_some_and(|flags| flags & INTERRUPTS == 0)
}

fn contents(file: &File, offset: u64) -> Vec<u8> {
    let length = file.metadata().map_or(0, |meta| meta.len());
    let mut bytes = vec![0; length.saturating_sub(offset) as usize];
    match file.read_exact_at(&mut bytes, offset) {
        Ok(()) => bytes,
        // The file only ever grows; bytes that cannot be read were never written.
        Err(_) => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_processor_that_waits_for_an_interrupt_is_not_halted() {
        let registers = |flags: &str, halted: u8| {
            format!(
                "CPU#0\r\nRAX=0000000000000000 RBX=0\r\nRIP=ffffffff81c8d6cb RFL={flags} [---Z-P-] CPL=0 II=0 A20=1 SMM=0 HLT={halted}\r\nES =0000 0\r\n"
            )
        };
        assert!(is_halted_for_good(&registers("00000046", 1)));
        assert!(!is_halted_for_good(&registers("00000246", 1)));
        assert!(!is_halted_for_good(&registers("00000046", 0)));
        assert!(!is_halted_for_good(""));
    }
}
