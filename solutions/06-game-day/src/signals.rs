//! The signals that ask the service to stop, and the one that asks it to read its configuration again.

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

/// Listens for SIGHUP: a request to reload, from the moment it is [registered](ReloadSignal::register).
pub(crate) struct ReloadSignal(Signal);

impl ReloadSignal {
    /// From here on the signal no longer kills the process.
    pub(crate) fn register() -> io::Result<Self> {
        Ok(Self(signal(SignalKind::hangup())?))
    }

    /// Completes when the signal has arrived.
    pub(crate) async fn received(&mut self) {
        self.0.recv().await;
    }
}
