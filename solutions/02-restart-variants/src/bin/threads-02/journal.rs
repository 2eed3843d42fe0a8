//! Lines with a priority in front, for sd-daemon(3). A person at a terminal gets them without.

use std::fmt::Display;
use std::io::{IsTerminal, Write, stderr};

/// The service cannot do its work.
pub(crate) fn error(text: impl Display) {
    write(3, text);
}

/// The service goes on, but a person may want to know.
pub(crate) fn warning(text: impl Display) {
    write(4, text);
}

/// All is well.
pub(crate) fn info(text: impl Display) {
    write(6, text);
}

fn write(priority: u8, text: impl Display) {
    let mut to = stderr().lock();
    // Whether anybody reads them does not decide what the service does.
    let _ = if to.is_terminal() {
        writeln!(to, "{text}")
    } else {
        writeln!(to, "<{priority}>{text}")
    };
}
