//! The person's own terminal: what it is, and its modes.

use std::io::{self, IsTerminal, Stdin};

use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};
use systemd_lab::protocol::Terminal;

/// What the guest has to know of it. Where input or output is a pipe: the plainest there is.
pub fn this() -> Terminal {
    let plain = Terminal::default();
    let (true, true) = (io::stdin().is_terminal(), io::stdout().is_terminal()) else {
        return plain;
    };
    let size = tcgetwinsize(io::stdout()).ok();
    let size = size.filter(|size| size.ws_row > 0 && size.ws_col > 0);
    Terminal {
        name: std::env::var("TERM").unwrap_or(plain.name),
        rows: size.map_or(plain.rows, |size| size.ws_row),
        columns: size.map_or(plain.columns, |size| size.ws_col),
    }
}

/// While it lives, every key goes to the guest as it is typed, Ctrl-C too: termios(3), "raw mode".
pub(super) struct RawMode {
    stdin: Stdin,
    before: Termios,
}

impl RawMode {
    /// `None` when standard input is not a terminal.
    pub(super) fn enter() -> io::Result<Option<RawMode>> {
        let stdin = io::stdin();
        if !stdin.is_terminal() {
            return Ok(None);
        }
        let before = tcgetattr(&stdin)?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(&stdin, OptionalActions::Now, &raw)?;
        Ok(Some(RawMode { stdin, before }))
    }
}

impl Drop for RawMode {
    fn drop(&mut self) {
        // If it fails, the terminal has gone.
        let _ = tcsetattr(&self.stdin, OptionalActions::Now, &self.before);
    }
}
