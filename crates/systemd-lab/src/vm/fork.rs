//! Copies a QEMU in the middle of a run: fork(2) for a process with several threads.
//!
//! A restored QEMU has to translate the guest's code again. A copy has all that its original has translated, so it goes on at full
//! speed. QEMU cannot fork by itself, so this process does it from outside, as a debugger would (ptrace(2)).
//!
//! 1. [`withhold`] makes pages of the guest's memory unreadable for QEMU. The guest does not run yet.
//! 2. [`Processor::follow`] attaches to the thread that executes the guest. When the guest reads such a page, the kernel stops this
//!    thread with SIGSEGV, and it never goes on. Neither the guest nor QEMU notices: the guest's clock counts instructions.
//! 3. [`Processor::copy`] stops the other threads for a moment, and lets this one call clone(2). It gives the copy, which has only that
//!    thread, the others again: with the same registers and stacks, in the same system calls. All that QEMU knows is in its memory and
//!    its files. The copy's memory is its own (the kernel copies a page when one of the two writes to it), and a file that only one of
//!    the two may read or write is opened again. Then the page is readable, and the copy goes on.
//!
//! Nothing here depends on QEMU's version. If something is not as expected, e.g. because ptrace(2) is not permitted, there is no copy.
//! All of this must happen in the thread that started QEMU: only the thread that attached to another one may ask for anything, and the
//! kernel kills the copies, like QEMU itself, when the thread that started it ends.

mod process;
mod stopped;

use std::io;
use std::ops::Range;
use std::os::fd::RawFd;
use std::thread;
use std::time::Duration;

use nix::libc;
use nix::sys::ptrace;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid, waitpid};
use nix::unistd::Pid;

use stopped::{FOLLOWED, Stopped};

pub(super) use process::{number_of, place_of, write};

/// How often to try to find all threads waiting, and how long to wait in between. They hardly do anything else.
const ATTEMPTS: usize = 200;
const GLANCE: Duration = Duration::from_millis(1);

const DO_FORK: u64 = libc::MADV_DOFORK as u64;
const KILL_WHEN_ORPHAN: u64 = libc::PR_SET_PDEATHSIG as u64;
const KILL: u64 = libc::SIGKILL as u64;

/// What makes a thread, as pthread_create(3) does it.
const THREAD: i32 = libc::CLONE_VM
    | libc::CLONE_FS
    | libc::CLONE_FILES
    | libc::CLONE_SIGHAND
    | libc::CLONE_THREAD
    | libc::CLONE_SYSVSEM
    | libc::CLONE_PARENT_SETTID
    | libc::CLONE_CHILD_CLEARTID;

/// A file of the copy that is another one than the original's.
pub(super) struct Replaced {
    /// Its number in QEMU.
    pub(super) number: RawFd,
    /// The path of the new one.
    pub(super) path: String,
    /// open(2)'s flags.
    pub(super) flags: i32,
}

/// Makes this memory unreadable for the process. All of its memory will be in its copies.
///
/// # Errors
///
/// When the kernel does not permit it.
pub(super) fn withhold(process: i32, memory: Range<u64>) -> io::Result<()> {
    let threads = stop_all(process, None)?;
    let main = threads.first().ok_or_else(unexpected)?;
    let instruction = instruction(&threads)?;
    for range in process::left_out_of_forks(process)? {
        let arguments = [range.start, range.end - range.start, DO_FORK, 0, 0];
        main.call(instruction, libc::SYS_madvise, arguments)?;
    }
    main.protect(instruction, &memory, libc::PROT_NONE)
}

/// The thread of QEMU that executes the guest, followed until the guest reads withheld memory.
pub(crate) struct Processor {
    process: i32,
    thread: Pid,
    stopped: Option<Stopped>,
}

impl Processor {
    /// Follows this thread of a process.
    ///
    /// # Errors
    ///
    /// When the kernel does not permit it.
    pub(super) fn follow(process: i32, thread: i32) -> io::Result<Processor> {
        let thread = Pid::from_raw(thread);
        ptrace::seize(thread, FOLLOWED)?;
        Ok(Processor {
            process,
            thread,
            stopped: None,
        })
    }

    /// Whether the guest has read withheld memory: then it has stopped.
    ///
    /// # Errors
    ///
    /// When the thread has ended.
    pub(crate) fn has_stopped(&mut self) -> io::Result<bool> {
        let any = WaitPidFlag::WEXITED | WaitPidFlag::WSTOPPED | WaitPidFlag::__WALL;
        // Its parent wants to know how it ended.
        let look = any | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
        match waitid(Id::Pid(self.thread), look)? {
            WaitStatus::StillAlive => return Ok(self.stopped.is_some()),
            status if is_end(status) => return Err(unexpected()),
            _ => {}
        }
        match waitpid(self.thread, Some(WaitPidFlag::__WALL))? {
            WaitStatus::Stopped(_, Signal::SIGSEGV) => {
                self.stopped = Some(Stopped::outside_calls(self.thread)?);
            }
            // Not ours: QEMU gets it.
            WaitStatus::Stopped(_, signal) => ptrace::cont(self.thread, signal)?,
            _ => ptrace::cont(self.thread, None)?,
        }
        Ok(self.stopped.is_some())
    }

    /// Copies the process, once it has stopped. The copy is a child of the process that the original is a child of. It can read
    /// `memory`. `change` is called with the copy's number before the copy goes on. Returns this number, and the copy's processor if
    /// it is to be followed.
    ///
    /// # Errors
    ///
    /// When the kernel does not permit it, or the process is not as expected.
    pub(super) fn copy(
        &self,
        replaced: &[Replaced],
        memory: Range<u64>,
        follows: bool,
        change: impl FnOnce(i32) -> io::Result<()>,
    ) -> io::Result<(i32, Option<Processor>)> {
        let processor = self.stopped.as_ref().ok_or_else(unexpected)?;
        let others = stop_others(self.process, self.thread)?;
        let instruction = instruction(&others)?;
        let place = processor.place_of_number(instruction)?;
        processor.announce_new()?;
        let places: io::Result<Vec<u64>> = others
            .iter()
            .map(|it| it.place_of_number(instruction))
            .collect();
        let flags = (libc::CLONE_PARENT | libc::SIGCHLD) as u64;
        let mut copy = Copy {
            process: processor.clone(instruction, [flags, 0, 0, 0, 0])?,
            threads: Vec::new(),
            is_released: false,
        };
        let own = copy.add(copy.process, processor)?;
        own.write(place, &own.thread.as_raw().to_ne_bytes())?;
        // clone(2) does this for the other threads.
        own.call(instruction, libc::SYS_set_tid_address, [place, 0, 0, 0, 0])?;
        own.call(
            instruction,
            libc::SYS_prctl,
            [KILL_WHEN_ORPHAN, KILL, 0, 0, 0],
        )?;
        own.protect(instruction, &memory, libc::PROT_READ | libc::PROT_WRITE)?;
        own.replace_files(instruction, replaced)?;
        for (other, place) in others.iter().zip(places?) {
            let arguments = [THREAD as u64, other.stack(), place, place, 0];
            let thread = copy.threads[0].clone(instruction, arguments)?;
            copy.add(thread, other)?;
        }
        change(copy.process.as_raw())?;
        copy.release(follows)
    }
}

impl Drop for Processor {
    /// A process that is followed cannot go on without its follower.
    fn drop(&mut self) {
        let process = Pid::from_raw(self.process);
        let _ = kill(process, Signal::SIGKILL);
        // The end of the process is reported only once the ends of the threads that somebody follows have been taken note of.
        if self.thread != process {
            while let Ok(status) = waitpid(self.thread, Some(WaitPidFlag::__WALL)) {
                if is_end(status) {
                    break;
                }
            }
        }
    }
}

/// A copy that does not run yet. It is killed unless it is released.
struct Copy {
    process: Pid,
    /// The first one is the one that executes the guest.
    threads: Vec<Stopped>,
    is_released: bool,
}

impl Copy {
    fn add(&mut self, thread: Pid, like: &Stopped) -> io::Result<&Stopped> {
        self.threads.push(Stopped::continuing(thread, like)?);
        self.threads.last().ok_or_else(unexpected)
    }

    /// Lets it go on.
    fn release(mut self, follows: bool) -> io::Result<(i32, Option<Processor>)> {
        self.is_released = true;
        let process = self.process.as_raw();
        if !follows {
            return Ok((process, None));
        }
        let thread = self.threads[0].thread;
        let processor = Processor {
            process,
            thread,
            stopped: None,
        };
        self.threads.swap_remove(0).go_on()?;
        Ok((process, Some(processor)))
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        if self.is_released {
            return;
        }
        let _ = kill(self.process, Signal::SIGKILL);
        // As above.
        for thread in self.threads.iter().skip(1) {
            let _ = waitpid(thread.thread, Some(WaitPidFlag::__WALL));
        }
        while let Ok(status) = waitpid(self.process, Some(WaitPidFlag::__WALL)) {
            if is_end(status) {
                break;
            }
        }
    }
}

fn is_end(status: WaitStatus) -> bool {
    matches!(status, WaitStatus::Exited(..) | WaitStatus::Signaled(..))
}

/// Stops all threads of a process but this one, each while it waits in a system call: then the registers that a copy does not get (the
/// upper halves of vectors) hold nothing.
fn stop_others(process: i32, processor: Pid) -> io::Result<Vec<Stopped>> {
    for _ in 0..ATTEMPTS {
        let others = stop_all(process, Some(processor))?;
        if others.iter().all(Stopped::is_in_call) {
            return Ok(others);
        }
        drop(others);
        thread::sleep(GLANCE);
    }
    Err(unexpected())
}

/// Stops all threads of a process but one, the main thread first.
fn stop_all(process: i32, but: Option<Pid>) -> io::Result<Vec<Stopped>> {
    let mut numbers = process::entries(process, "task")?;
    numbers.sort_unstable_by_key(|number| *number != process);
    let threads = numbers.into_iter().map(Pid::from_raw);
    threads
        .filter(|it| Some(*it) != but)
        .map(Stopped::stop)
        .collect()
}

/// The address of an instruction that calls the kernel: every thread of the process may use it.
fn instruction(threads: &[Stopped]) -> io::Result<u64> {
    let mut threads = threads.iter();
    threads
        .find_map(Stopped::instruction)
        .ok_or_else(unexpected)
}

/// The process is in a state that this module does not know.
fn unexpected() -> io::Error {
    io::Error::other("QEMU is in a state in which it cannot be copied")
}
