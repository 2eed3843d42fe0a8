//! The end of the machine, as a process sees it: SIGTERM from systemd-shutdown(8), which then waits for the process to
//! exit.
//!
//! The agent writes out what has happened so far before it exits; otherwise that would be lost with the machine.

use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::Duration;

use signal_hook::consts::SIGTERM;

/// systemd-journald gets SIGTERM at the same instant, and writes out what it has received before it exits. That takes some
/// milliseconds.
const JOURNALD_ENDS: Duration = Duration::from_millis(200);

/// Becomes readable once SIGTERM has arrived.
pub struct Termination {
    arrived: UnixStream,
}

/// The agent was asked to end.
#[derive(Debug)]
pub struct Terminated;

impl fmt::Display for Terminated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the agent was asked to end")
    }
}

impl std::error::Error for Terminated {}

impl Termination {
    /// Handles SIGTERM from now on.
    ///
    /// # Errors
    ///
    /// When the kernel provides no socket.
    pub fn handle() -> io::Result<Termination> {
        let (arrived, arrives) = UnixStream::pair()?;
        arrived.set_nonblocking(true)?;
        signal_hook::low_level::pipe::register(SIGTERM, arrives)?;
        Ok(Termination { arrived })
    }

    /// Whether SIGTERM has arrived.
    pub fn has_come(&self) -> bool {
        rustix::io::ioctl_fionread(&self.arrived).is_ok_and(|bytes| bytes > 0)
    }

    /// Waits until journald has written its last entries.
    pub fn let_journald_end() {
        thread::sleep(JOURNALD_ENDS);
    }
}

impl AsFd for Termination {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.arrived.as_fd()
    }
}
