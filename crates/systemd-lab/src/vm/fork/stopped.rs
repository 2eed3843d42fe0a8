//! A thread of another process that does not run: its registers, its memory, and system calls on its behalf. ptrace(2).

use std::ffi::CString;
use std::fs;
use std::io::{self, IoSliceMut};
use std::ops::Range;
use std::os::fd::RawFd;

use nix::libc;
use nix::sys::ptrace::{self, Options, regset};
use nix::sys::signal::Signal;
use nix::sys::uio::{RemoteIoVec, process_vm_readv};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use super::{Replaced, process, unexpected};

type Registers = libc::user_regs_struct;

/// The machine instruction that calls the kernel.
const SYSCALL: [u8; 2] = [0x0f, 0x05];

/// How far below the stack pointer a thread may use memory: System V ABI for x86-64, 3.2.2, "red zone".
const RED_ZONE: u64 = 128;

/// Room on the stack for a path.
const SCRATCH: u64 = 4096;

/// System calls that end with one of these are restarted by the kernel: `include/linux/errno.h`.
const RESTARTED: [i64; 4] = [-512, -513, -514, -516];

/// In place of a system call's number: there is none to restart.
const NO_CALL: u64 = u64::MAX;

/// The largest number of an error that a system call returns, negated.
const LARGEST_ERROR: i64 = 4095;

/// If this process ends, so do those that it has attached to.
pub(super) const FOLLOWED: Options = Options::PTRACE_O_EXITKILL;

/// New processes and threads are attached to as well, and stop before their first instruction.
const WITH_NEW: Options = FOLLOWED
    .union(Options::PTRACE_O_TRACEFORK)
    .union(Options::PTRACE_O_TRACECLONE);

/// A thread that does not run. It goes on, with its own registers, when this is dropped.
pub(super) struct Stopped {
    pub(super) thread: Pid,
    registers: Registers,
    goes_on: bool,
}

impl Drop for Stopped {
    fn drop(&mut self) {
        if !self.goes_on {
            let _ = ptrace::setregs(self.thread, self.registers);
            let _ = ptrace::detach(self.thread, None);
        }
    }
}

impl Stopped {
    /// A thread that has stopped, but not in a system call.
    pub(super) fn outside_calls(thread: Pid) -> io::Result<Stopped> {
        let registers = Registers {
            // After a page fault, the kernel keeps an error code here.
            orig_rax: NO_CALL,
            ..ptrace::getregs(thread)?
        };
        Ok(Stopped::new(thread, registers))
    }

    fn new(thread: Pid, registers: Registers) -> Stopped {
        Stopped {
            thread,
            registers,
            goes_on: false,
        }
    }

    /// Stops a new process or thread of this one before its first instruction.
    pub(super) fn announce_new(&self) -> io::Result<()> {
        Ok(ptrace::setoptions(self.thread, WITH_NEW)?)
    }

    /// Lets it go on, and follows it.
    pub(super) fn go_on(mut self) -> io::Result<()> {
        ptrace::setoptions(self.thread, FOLLOWED)?;
        ptrace::setregs(self.thread, self.registers)?;
        ptrace::cont(self.thread, None)?;
        self.goes_on = true;
        Ok(())
    }

    pub(super) fn stop(thread: Pid) -> io::Result<Stopped> {
        ptrace::seize(thread, FOLLOWED)?;
        ptrace::interrupt(thread)?;
        wait_for_stop(thread)?;
        let registers = ptrace::getregs(thread)?;
        Ok(Stopped::new(thread, registers))
    }

    /// A new thread, which has not run yet, and goes on where the other one does: with the system call that the other one waits in.
    pub(super) fn continuing(thread: Pid, other: &Stopped) -> io::Result<Stopped> {
        wait_for_stop(thread)?;
        let mut registers = other.registers;
        if other.is_in_call() {
            registers.rip -= SYSCALL.len() as u64;
            registers.rax = registers.orig_rax;
        }
        registers.orig_rax = NO_CALL;
        let stopped = Stopped::new(thread, registers);
        let floats = ptrace::getregset::<regset::NT_PRFPREG>(other.thread)?;
        ptrace::setregset::<regset::NT_PRFPREG>(thread, floats)?;
        ptrace::setregs(thread, registers)?;
        Ok(stopped)
    }

    /// Whether it was stopped while it waited in a system call.
    pub(super) fn is_in_call(&self) -> bool {
        let result = self.registers.rax.cast_signed();
        self.registers.orig_rax != NO_CALL && RESTARTED.contains(&result)
    }

    /// The address of the instruction with which it called the kernel, if it waits for that.
    pub(super) fn instruction(&self) -> Option<u64> {
        let address = self.registers.rip.checked_sub(SYSCALL.len() as u64)?;
        let mut found = [0; SYSCALL.len()];
        self.read(address, &mut found).ok()?;
        (self.is_in_call() && found == SYSCALL).then_some(address)
    }

    pub(super) fn protect(
        &self,
        instruction: u64,
        memory: &Range<u64>,
        access: i32,
    ) -> io::Result<()> {
        let length = memory.end - memory.start;
        let arguments = [memory.start, length, access as u64, 0, 0];
        self.call(instruction, libc::SYS_mprotect, arguments)?;
        Ok(())
    }

    /// A place on its stack that is free.
    pub(super) fn stack(&self) -> u64 {
        (self.registers.rsp - RED_ZONE - SCRATCH) & !0xf
    }

    /// Lets the thread make this system call.
    pub(super) fn call(
        &self,
        instruction: u64,
        number: i64,
        arguments: [u64; 5],
    ) -> io::Result<u64> {
        let [rdi, rsi, rdx, r10, r8] = arguments;
        let registers = Registers {
            rip: instruction,
            rax: number.cast_unsigned(),
            orig_rax: NO_CALL,
            rdi,
            rsi,
            rdx,
            r10,
            r8,
            ..self.registers
        };
        ptrace::setregs(self.thread, registers)?;
        loop {
            ptrace::step(self.thread, None)?;
            match waitpid(self.thread, Some(WaitPidFlag::__WALL))? {
                WaitStatus::Stopped(_, Signal::SIGTRAP) => break,
                // It has made a process or a thread.
                WaitStatus::PtraceEvent(..) => {}
                _ => return Err(unexpected()),
            }
        }
        let result = ptrace::getregs(self.thread)?.rax.cast_signed();
        match (-LARGEST_ERROR..0).contains(&result) {
            true => Err(io::Error::from_raw_os_error(-result as i32)),
            false => Ok(result.cast_unsigned()),
        }
    }

    /// clone(2), with the arguments in the kernel's order. The new process or thread is about to stop, before its first instruction.
    pub(super) fn clone(&self, instruction: u64, arguments: [u64; 5]) -> io::Result<Pid> {
        let number = self.call(instruction, libc::SYS_clone, arguments)?;
        Ok(Pid::from_raw(number as i32))
    }

    /// Where the thread keeps its own number, which pthread_kill(3) uses.
    pub(super) fn place_of_number(&self, instruction: u64) -> io::Result<u64> {
        let answer = self.stack();
        let request = [libc::PR_GET_TID_ADDRESS as u64, answer, 0, 0, 0];
        self.call(instruction, libc::SYS_prctl, request)?;
        let mut place = [0; 8];
        self.read(answer, &mut place)?;
        let place = u64::from_ne_bytes(place);
        let mut number = [0; 4];
        self.read(place, &mut number)?;
        match Pid::from_raw(i32::from_ne_bytes(number)) == self.thread {
            true => Ok(place),
            false => Err(unexpected()),
        }
    }

    pub(super) fn replace_files(&self, instruction: u64, replaced: &[Replaced]) -> io::Result<()> {
        for file in replaced {
            let path = CString::new(&*file.path)?;
            self.write(self.stack(), path.as_bytes_with_nul())?;
            let flags = (file.flags | libc::O_CLOEXEC) as u64;
            let here = libc::AT_FDCWD as u64;
            let opened = self.call(
                instruction,
                libc::SYS_openat,
                [here, self.stack(), flags, 0, 0],
            )?;
            self.put(instruction, opened, file.number)?;
        }
        let process = self.thread.as_raw();
        for number in process::entries(process, "fd")? {
            if replaced.iter().any(|file| file.number == number) {
                continue;
            }
            let information = fs::read_to_string(format!("/proc/{process}/fdinfo/{number}"))?;
            match &*process::target(process, number)? {
                "anon_inode:[eventfd]" => {
                    let (count, flags) = process::eventfd(&information).ok_or_else(unexpected)?;
                    let opened =
                        self.call(instruction, libc::SYS_eventfd2, [count, flags, 0, 0, 0])?;
                    self.put(instruction, opened, number)?;
                }
                // A process sees its own signals, even if another one made the file: signalfd(2).
                "anon_inode:[signalfd]" => {}
                // Not used.
                "anon_inode:[eventpoll]" if !information.contains("tfd:") => {}
                path if path.starts_with('/') => {}
                // Left open for QEMU by the process that started it.
                path if path.starts_with("pipe:") && number > libc::STDERR_FILENO => {}
                _ => return Err(unexpected()),
            }
        }
        Ok(())
    }

    /// Gives an open file another number.
    fn put(&self, instruction: u64, opened: u64, number: RawFd) -> io::Result<()> {
        let flags = libc::O_CLOEXEC as u64;
        self.call(
            instruction,
            libc::SYS_dup3,
            [opened, number as u64, flags, 0, 0],
        )?;
        self.call(instruction, libc::SYS_close, [opened, 0, 0, 0, 0])?;
        Ok(())
    }

    fn read(&self, address: u64, bytes: &mut [u8]) -> io::Result<()> {
        let place = RemoteIoVec {
            base: address as usize,
            len: bytes.len(),
        };
        let read = process_vm_readv(self.thread, &mut [IoSliceMut::new(bytes)], &[place])?;
        match read == place.len {
            true => Ok(()),
            false => Err(unexpected()),
        }
    }

    pub(super) fn write(&self, address: u64, bytes: &[u8]) -> io::Result<()> {
        process::write(self.thread.as_raw(), address, bytes)
    }
}

fn wait_for_stop(thread: Pid) -> io::Result<()> {
    match waitpid(thread, Some(WaitPidFlag::__WALL))? {
        WaitStatus::Stopped(..) | WaitStatus::PtraceEvent(..) => Ok(()),
        _ => Err(unexpected()),
    }
}
