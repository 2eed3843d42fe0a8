//! The size of the terminal, and how to clear it.

use std::io::{IsTerminal, stdout};

use crate::output::{self, put};

/// In characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// In columns, each as wide as an `a`.
    pub columns: usize,
    /// Including the last one.
    pub rows: usize,
}

/// The size that is assumed if there is no terminal, or it does not report its size.
const USUAL: Size = Size {
    columns: 80,
    rows: 24,
};

/// Cursor to the upper left corner, then erase the screen, and show the cursor: ECMA-48, CUP and ED; DECTCEM.
const CLEAR: &str = "\x1b[H\x1b[2J\x1b[?25h";

/// The smallest width that text is laid out for: below that, it is unreadable anyway.
const NARROWEST: usize = 20;

/// Text wider than this is hard to read, however wide the terminal is.
const WIDEST_TEXT: usize = 100;

/// Whether standard output is a terminal, and so goes to a person.
pub fn is_one() -> bool {
    stdout().is_terminal()
}

/// The width of text.
pub fn text_width() -> usize {
    size().columns.min(WIDEST_TEXT)
}

/// The size of the terminal on standard output.
pub fn size() -> Size {
    match rustix::termios::tcgetwinsize(stdout()) {
        Ok(size) if size.ws_col > 0 && size.ws_row > 0 => Size {
            columns: usize::from(size.ws_col).max(NARROWEST),
            rows: usize::from(size.ws_row),
        },
        _ => USUAL,
    }
}

/// Clears the screen.
pub fn clear() {
    put!("{CLEAR}");
    output::flush();
}
