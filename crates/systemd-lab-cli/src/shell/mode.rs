//! The person's own terminal: its kind, and its modes.

use std::io::{self, IsTerminal, Stdin};

use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};
use systemd_lab::protocol::Terminal;

/// What the guest needs to know about it. If input or output is a pipe, the simplest terminal.
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

/// While this value exists, every key goes to the guest as it is typed, including Ctrl-C:
/// termios(3), "raw mode".
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
        // If this fails, the terminal is gone.
        let _ = tcsetattr(&self.stdin, OptionalActions::Now, &self.before);
    }
}
