//! Lines for the journal, each with a priority: `journalctl -p err` finds the bad ones.
//!
//! What a service writes to its standard error becomes a line of the journal. `<3>` at its beginning sets the priority:
//! sd-daemon(3). In a terminal the prefix would only be noise, so it is left out there.

use std::env;
use std::fmt::Display;

/// Set by systemd when standard error goes to the journal: systemd.exec(5), "Environment Variables Set or Propagated".
const JOURNAL_VARIABLE: &str = "JOURNAL_STREAM";

/// The service cannot do its work.
pub(crate) fn error(message: impl Display) {
    line(3, message);
}

/// Something is not as it should be; the service goes on.
pub(crate) fn warning(message: impl Display) {
    line(4, message);
}

/// Something normal has happened.
pub(crate) fn info(message: impl Display) {
    line(6, message);
}

/// Priorities are those of syslog(3): 3 error, 4 warning, 6 info.
fn line(priority: u8, message: impl Display) {
    if env::var_os(JOURNAL_VARIABLE).is_some() {
        eprintln!("<{priority}>{message}");
    } else {
        eprintln!("{message}");
    }
}
