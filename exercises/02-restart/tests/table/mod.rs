//! The table of stage 02: which setting of `Restart=` makes systemd restart a service, and after which end.
//!
//! [`measure`] asks systemd, [`prediction`] reads what the attendee expects and compares, [`reasons`] says why
//! systemd does what it does.

pub(crate) mod measure;
pub(crate) mod prediction;
mod reasons;

pub(crate) use measure::measure;
pub(crate) use prediction::{compare, parse};
/// The settings of `Restart=`, one column each.
pub(crate) use systemd_matrix::SETTINGS;

/// How a service ends, one row each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    /// The main process exits with 0.
    ExitZero,
    /// SIGHUP ends the main process.
    Sighup,
    /// SIGINT ends the main process.
    Sigint,
    /// SIGTERM ends the main process.
    Sigterm,
    /// SIGPIPE ends the main process.
    Sigpipe,
    /// The main process exits with 1.
    ExitOne,
    /// SIGKILL ends the main process.
    Sigkill,
    /// SIGSEGV ends the main process, and the kernel dumps its core.
    CoreDump,
    /// `READY=1` does not come within `TimeoutStartSec=`.
    StartTimeout,
    /// `WATCHDOG=1` does not come within `WatchdogSec=`.
    Watchdog,
    /// The kernel kills the main process because it uses more memory than `MemoryMax=`.
    OutOfMemory,
}

/// All causes, in the order of their declaration: `CAUSES[cause as usize]` is `cause`.
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

/// How many cells the table has.
pub(crate) const CELLS: usize = CAUSES.len() * SETTINGS.len();

impl Cause {
    /// The row's name, as in the first column of `prediction.md`.
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

/// One value for each cell: rows as in [`CAUSES`], columns as in [`SETTINGS`].
pub(crate) type Cells<T> = [[T; SETTINGS.len()]; CAUSES.len()];

/// Whether systemd restarts the service, cell by cell, as it was measured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Table(pub(crate) Cells<bool>);

/// Each cell's row and column, row by row.
fn cells() -> impl Iterator<Item = (Cause, usize)> {
    let row = |cause| (0..SETTINGS.len()).map(move |column| (cause, column));
    CAUSES.into_iter().flat_map(row)
}

/// The mark in a cell: `X` if systemd restarts the service, `-` if it does not.
fn mark(restarts: bool) -> char {
    if restarts { 'X' } else { '-' }
}
