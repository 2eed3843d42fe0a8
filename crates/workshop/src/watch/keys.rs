//! Single keys from the terminal: termios(3).
//!
//! Keys are read one by one, without an echo, also while a check runs. While a shell or a pager has the terminal, it is as it
//! was, so that Ctrl-C does as usual.

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
        // A check in the background writes to the terminal.
        modes.local_modes -= LocalModes::TOSTOP;
        // A read returns as soon as there is a byte.
        modes.special_codes[SpecialCodeIndex::VMIN] = 1;
        modes.special_codes[SpecialCodeIndex::VTIME] = 0;
        tcsetattr(&terminal, OptionalActions::Now, &modes)
            .context("cannot set the terminal's modes")?;
        Ok(Keys { terminal, before })
    }

    /// Leaves the terminal to something else for a while. What was typed for that, and not read, does not count afterwards.
    pub(super) fn lent(self, to: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<Keys> {
        drop(self);
        let result = to();
        let keys = Keys::begin()?;
        while keys.wait(Duration::ZERO)?.is_some_and(|key| key != CTRL_D) {}
        result.map(|()| keys)
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
