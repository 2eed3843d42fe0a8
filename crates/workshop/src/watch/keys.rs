//! Single keys from the terminal: termios(3).
//!
//! Keys are read one by one, without an echo, only while something is waited for. In between, while a check runs or a
//! shell is open, the terminal is as it was, so that Ctrl-C ends everything as usual.

use std::io::{Stdin, stdin};
use std::os::fd::AsFd;
use std::time::Duration;

use anyhow::Context;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr,
};

/// What Ctrl-C and Ctrl-D send when the terminal does not act on them itself.
pub(super) const CTRL_C: char = '\u{3}';
pub(super) const CTRL_D: char = '\u{4}';

/// The terminal, while single keys are read from it. As before when it is dropped.
pub(super) struct Keys {
    terminal: Stdin,
    before: Termios,
}

impl Keys {
    /// Begins to read single keys.
    pub(super) fn begin() -> anyhow::Result<Keys> {
        let terminal = stdin();
        let before = tcgetattr(&terminal).context("cannot read the terminal's modes")?;
        let mut modes = before.clone();
        modes.local_modes -= LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG;
        // A read returns as soon as there is a byte.
        modes.special_codes[SpecialCodeIndex::VMIN] = 1;
        modes.special_codes[SpecialCodeIndex::VTIME] = 0;
        tcsetattr(&terminal, OptionalActions::Now, &modes)
            .context("cannot set the terminal's modes")?;
        Ok(Keys { terminal, before })
    }

    /// The key that is pressed within this time, in lower case. The end of the input is Ctrl-D.
    pub(super) fn wait(&self, timeout: Duration) -> anyhow::Result<Option<char>> {
        let timeout = Timespec::try_from(timeout).context("no timeout is that long")?;
        let mut ready = [PollFd::from_borrowed_fd(
            self.terminal.as_fd(),
            PollFlags::IN,
        )];
        match poll(&mut ready, Some(&timeout)) {
            Ok(0) | Err(rustix::io::Errno::INTR) => return Ok(None),
            result => result.context("cannot wait for a key")?,
        };
        // Not through Rust's buffer: what is typed for a shell must be left for it.
        let mut byte = [0];
        let length = rustix::io::read(&self.terminal, &mut byte).context("cannot read a key")?;
        Ok(Some(match length {
            0 => CTRL_D,
            _ => char::from(byte[0]).to_ascii_lowercase(),
        }))
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        // The terminal may be gone; then nobody minds.
        let _ = tcsetattr(&self.terminal, OptionalActions::Now, &self.before);
    }
}
