//! Lines for people.
//!
//! What a service writes to its standard error becomes a line of the journal. Who looks there for what went wrong
//! types `journalctl -p err`, and so every line needs a priority.

use std::fmt::Display;

// TODO: an `error` is missing, for when the service cannot do its work.

/// Something is not as it should be; the service goes on.
pub(crate) fn warning(message: impl Display) {
    line(message);
}

/// Something normal has happened.
pub(crate) fn info(message: impl Display) {
    line(message);
}

// TODO: begin each line with its priority: 3 error, 4 warning, 6 info. In a terminal the prefix would disturb: systemd
// sets JOURNAL_STREAM when standard error goes to the journal (systemd.exec(5)).
fn line(message: impl Display) {
    eprintln!("{message}");
}
