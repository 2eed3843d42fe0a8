//! Talks to the service manager: sd_notify(3).

use sd_notify::NotifyState;

use crate::log;

/// Sends a notification; does nothing when no service manager listens, as in a terminal.
pub(crate) fn tell_systemd(state: &[NotifyState]) {
    // The service can do its work without being heard: a failure here does not end it.
    if let Err(error) = sd_notify::notify(state) {
        log::warning(format_args!("cannot notify systemd: {error}"));
    }
}
