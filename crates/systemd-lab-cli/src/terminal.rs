//! How large the terminal is, and how it is cleared.

use std::io::{IsTerminal, stdout};

use crate::{output, put};

/// In characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Of the width of an `a`.
    pub columns: usize,
    /// Including the last one.
    pub rows: usize,
}

/// The size that text is written for where a terminal does not say its own, or there is none.
const USUAL: Size = Size {
    columns: 80,
    rows: 24,
};

/// Cursor to the upper left corner, then erase the screen, and show the cursor: ECMA-48, CUP and ED; DECTCEM.
const CLEAR: &str = "\x1b[H\x1b[2J\x1b[?25h";

/// The least width that text is written for: below, nothing can be read anyway.
const NARROWEST: usize = 20;

/// Text wider than this is hard to read, however wide the terminal is.
const WIDEST_TEXT: usize = 100;

/// Whether there is one: standard output goes to a person.
pub fn is_one() -> bool {
    stdout().is_terminal()
}

/// The width of text.
pub fn text_width() -> usize {
    size().columns.min(WIDEST_TEXT)
}

/// The size of the terminal that standard output is.
pub fn size() -> Size {
    match rustix::termios::tcgetwinsize(stdout()) {
        Ok(size) if size.ws_col > 0 && size.ws_row > 0 => Size {
            columns: usize::from(size.ws_col).max(NARROWEST),
            rows: usize::from(size.ws_row),
        },
        _ => USUAL,
    }
}

/// Begins an empty screen.
pub fn clear() {
    put!("{CLEAR}");
    output::flush();
}
