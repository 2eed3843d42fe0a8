//! QEMU's process: started by this one, or copied from another QEMU.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ExitStatus};

use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};

/// A process that this one has to wait for.
pub(super) enum Process {
    /// Started with a command.
    Started(Child),
    /// A copy of one that was. Once it has ended, there is nothing to wait for.
    Copied(Option<Pid>),
}

impl Process {
    /// Its number; none after a copy has ended.
    pub(super) fn id(&self) -> Option<Pid> {
        match self {
            Process::Started(child) => Pid::from_raw(child.id().cast_signed()),
            Process::Copied(pid) => *pid,
        }
    }

    /// How it ended, if it has.
    pub(super) fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        match self {
            Process::Started(child) => child.try_wait(),
            Process::Copied(pid) => wait_for(pid, WaitOptions::NOHANG),
        }
    }

    /// Kills it and waits for its end.
    pub(super) fn end(&mut self) -> io::Result<()> {
        match self {
            Process::Started(child) => {
                child.kill()?;
                child.wait()?;
            }
            Process::Copied(pid) => {
                if let Some(running) = *pid {
                    kill_process(running, Signal::KILL)?;
                }
                wait_for(pid, WaitOptions::empty())?;
            }
        }
        Ok(())
    }
}

fn wait_for(pid: &mut Option<Pid>, options: WaitOptions) -> io::Result<Option<ExitStatus>> {
    let Some(running) = *pid else {
        return Ok(None);
    };
    let ended = waitpid(Some(running), options)?;
    if ended.is_some() {
        *pid = None;
    }
    Ok(ended.map(|(_, status)| ExitStatus::from_raw(status.as_raw())))
}
