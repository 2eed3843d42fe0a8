//! The end of the machine, as a process sees it: SIGTERM from systemd-shutdown(8), which waits for the process to end.
//!
//! What has happened until then is written out before the agent goes, or it would be lost with the machine.

use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::Duration;

use signal_hook::consts::SIGTERM;

/// systemd-journald gets SIGTERM at the same instant, and writes out all that it has received before it ends. It takes some
/// milliseconds.
const JOURNALD_ENDS: Duration = Duration::from_millis(200);

/// Can be read once SIGTERM has come.
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
    /// When the kernel gives no socket.
    pub fn handle() -> io::Result<Termination> {
        let (arrived, arrives) = UnixStream::pair()?;
        arrived.set_nonblocking(true)?;
        signal_hook::low_level::pipe::register(SIGTERM, arrives)?;
        Ok(Termination { arrived })
    }

    /// Whether SIGTERM has come.
    pub fn has_come(&self) -> bool {
        rustix::io::ioctl_fionread(&self.arrived).is_ok_and(|bytes| bytes > 0)
    }

    /// Waits until journald has written its last.
    pub fn let_journald_end() {
        thread::sleep(JOURNALD_ENDS);
    }
}

impl AsFd for Termination {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.arrived.as_fd()
    }
}
