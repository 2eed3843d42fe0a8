//! The table of stage 02: which setting of `Restart=` restarts a service after which end.
//!
//! [`measure`] asks systemd, [`prediction`] reads what the attendee thinks, [`reasons`] says why it is as it is.

pub(crate) mod measure;

/// The settings of `Restart=`, one column each.
pub(crate) const SETTINGS: [&str; 7] = [
    "no",
    "always",
    "on-success",
    "on-failure",
    "on-abnormal",
    "on-abort",
    "on-watchdog",
];

/// How a service may end, one row each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    /// The main process exits with 0.
    ExitZero,
    /// The main process ends by one of the four signals that systemd takes for a clean end.
    Sighup,
    Sigint,
    Sigterm,
    Sigpipe,
    /// The main process exits with 1.
    ExitOne,
    /// The main process ends by a signal that is not clean.
    Sigkill,
    /// The main process ends by a signal and the kernel writes its core.
    CoreDump,
    /// `READY=1` does not come within `TimeoutStartSec=`.
    StartTimeout,
    /// `WATCHDOG=1` does not come within `WatchdogSec=`.
    Watchdog,
    /// The kernel kills it for want of memory.
    OutOfMemory,
}

/// All causes, in the table's order: `CAUSES[i] as usize == i`.
pub(crate) const CAUSES: [Cause; 11] = [
    Cause::ExitZero,
    Cause::Sighup,
    Cause::Sigint,
    Cause::Sigterm,
    Cause::Sigpipe,
    Cause::ExitOne,
    Cause::Sigkill,
    Cause::CoreDump,
    Cause::StartTimeout,
    Cause::Watchdog,
    Cause::OutOfMemory,
];

impl Cause {
    /// The name of the row.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Cause::ExitZero => "exit code 0",
            Cause::Sighup => "SIGHUP",
            Cause::Sigint => "SIGINT",
            Cause::Sigterm => "SIGTERM",
            Cause::Sigpipe => "SIGPIPE",
            Cause::ExitOne => "exit code 1",
            Cause::Sigkill => "SIGKILL",
            Cause::CoreDump => "core dump",
            Cause::StartTimeout => "start timeout",
            Cause::Watchdog => "watchdog",
            Cause::OutOfMemory => "out of memory",
        }
    }
}

/// One value for each cell: row by row, as [`CAUSES`] and [`SETTINGS`] order them.
pub(crate) type Cells<T> = [[T; SETTINGS.len()]; CAUSES.len()];

/// Whether systemd restarts the service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Table(pub(crate) Cells<bool>);
