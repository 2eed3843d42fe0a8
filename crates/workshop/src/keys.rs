//! Single keys from the terminal: termios(3).
//!
//! Keys are read one by one, without an echo, even while a check runs. While a shell or a pager has the terminal, its
//! previous modes are back, so that Ctrl-C works as usual.

use std::io::{Stdin, stdin};
use std::os::fd::AsFd;
use std::time::Duration;

use anyhow::Context;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr,
};

use systemd_lab_cli::say;
use systemd_lab_cli::style;

/// The keys for Ctrl-C and Ctrl-D when the terminal does not act on them itself.
pub(crate) const CTRL_C: Key = Key::Char('\u{3}');
pub(crate) const CTRL_D: Key = Key::Char('\u{4}');

/// The byte that Esc sends, and the beginnings of arrow keys: ECMA-48, CSI and SS3.
const ESCAPE: u8 = 0x1b;
const SEQUENCES: [u8; 2] = [b'[', b'O'];

/// The byte that ends such a sequence: ECMA-48, final bytes.
const FINAL: std::ops::RangeInclusive<u8> = 0x40..=0x7e;

/// The bytes of one key arrive together. Over a slow line they may take a little longer; a person who presses Esc does not
/// notice.
const SEQUENCE: Duration = Duration::from_millis(50);

/// How often a question checks for its answer.
const LOOK: Duration = Duration::from_millis(100);

/// A key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Key {
    /// In lower case.
    Char(char),
    Up,
    Down,
    /// Any other key that sends a sequence.
    Other,
}

/// The terminal, while single keys are read from it. Dropping this restores the terminal.
pub(crate) struct Keys {
    terminal: Stdin,
    before: Termios,
}

impl Keys {
    /// Starts to read single keys.
    pub(crate) fn begin() -> anyhow::Result<Keys> {
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

    /// Lends the terminal to something else for a while. Input that was typed for that and not read does not count
    /// afterwards.
    pub(crate) fn lent(self, to: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<Keys> {
        drop(self);
        let result = to();
        let keys = Keys::begin()?;
        while keys.wait(Duration::ZERO)?.is_some_and(|key| key != CTRL_D) {}
        result.map(|()| keys)
    }

    /// The key that is pressed within this time. The end of the input counts as Ctrl-D.
    pub(crate) fn wait(&self, timeout: Duration) -> anyhow::Result<Option<Key>> {
        let Some(first) = self.byte(timeout)? else {
            return Ok(None);
        };
        let key = match first {
            None => CTRL_D,
            Some(ESCAPE) => self.sequence()?,
            Some(byte) => Key::Char(char::from(byte).to_ascii_lowercase()),
        };
        Ok(Some(key))
    }

    /// Asks, and waits for the answer: only `y` means yes.
    pub(crate) fn agree(&self, question: &str) -> anyhow::Result<bool> {
        say!(
            "{}\n\n{} yes, any other key: no\n",
            style::wrapped(question).join("\n"),
            style::strong("[y]")
        );
        loop {
            if let Some(key) = self.wait(LOOK)? {
                return Ok(key == Key::Char('y'));
            }
        }
    }

    /// The rest of a sequence after Esc. None of its bytes is a key of its own: the left arrow ends with a D.
    fn sequence(&self) -> anyhow::Result<Key> {
        let next = || Ok::<_, anyhow::Error>(self.byte(SEQUENCE)?.flatten());
        if !next()?.is_some_and(|byte| SEQUENCES.contains(&byte)) {
            return Ok(Key::Other);
        }
        while let Some(byte) = next()? {
            if FINAL.contains(&byte) {
                return Ok(match byte {
                    b'A' => Key::Up,
                    b'B' => Key::Down,
                    _ => Key::Other,
                });
            }
        }
        Ok(Key::Other)
    }

    /// The next byte, if one arrives within this time; `None` at the end of the input.
    fn byte(&self, timeout: Duration) -> anyhow::Result<Option<Option<u8>>> {
        let timeout = Timespec::try_from(timeout).context("no timeout is that long")?;
        let mut ready = [PollFd::from_borrowed_fd(
            self.terminal.as_fd(),
            PollFlags::IN,
        )];
        match poll(&mut ready, Some(&timeout)) {
            Ok(0) | Err(rustix::io::Errno::INTR) => return Ok(None),
            result => result.context("cannot wait for a key")?,
        };
        // Not through Rust's buffer: input that is typed for a shell must be left for it.
        let mut byte = [0];
        let length = rustix::io::read(&self.terminal, &mut byte).context("cannot read a key")?;
        Ok(Some((length > 0).then_some(byte[0])))
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        // The terminal may be gone; then this does not matter.
        let _ = tcsetattr(&self.terminal, OptionalActions::Now, &self.before);
    }
}
