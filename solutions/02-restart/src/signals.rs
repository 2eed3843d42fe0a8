//! The two signals that ask the service to stop.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Listens for a request to stop, from the moment it is [registered](StopSignals::register).
pub(crate) struct StopSignals {
    /// SIGTERM: what `systemctl stop` sends.
    terminate: Signal,
    /// SIGINT: what Ctrl-C in a terminal sends.
    interrupt: Signal,
}

impl StopSignals {
    /// From here on the signals no longer kill the process.
    ///
    /// One that arrives before anyone waits for it is not lost.
    pub(crate) fn register() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Completes when either signal has arrived.
    pub(crate) async fn received(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
