//! Measures the table: one unit for each cell, which ends as its row says, and which systemd restarts or not.
//!
//! The crate `systemd-matrix` runs the units; its `cause.rs` says what they consist of. A unit must have ended by the cause in
//! its row, and with the matching `Result`. If one ended in a different way, the whole measurement fails: a cell never answers a
//! different question.

use systemd_lab::{Lab, LabError};
use systemd_matrix::MatrixError;

use super::{CAUSES, Cause, Table};

/// Measures every cell. The table is the same every time, so it is measured once and stored.
///
/// # Errors
///
/// When the lab cannot run; [`LabError::Host`] when a unit did not end as its row claims.
pub(crate) fn measure(lab: &Lab) -> Result<Table, LabError> {
    let cells = systemd_matrix::restarts(lab, CAUSES.map(caused));
    cells.map(Table).map_err(|error| match error {
        MatrixError::Lab(error) => error,
        other => LabError::Host {
            message: other.to_string(),
        },
    })
}

/// The same cause among all those that `systemd-matrix` knows.
fn caused(cause: Cause) -> systemd_matrix::Cause {
    match cause {
        Cause::ExitZero => systemd_matrix::Cause::ExitZero,
        Cause::Sighup => systemd_matrix::Cause::Sighup,
        Cause::Sigint => systemd_matrix::Cause::Sigint,
        Cause::Sigterm => systemd_matrix::Cause::Sigterm,
        Cause::Sigpipe => systemd_matrix::Cause::Sigpipe,
        Cause::ExitOne => systemd_matrix::Cause::ExitOne,
        Cause::Sigkill => systemd_matrix::Cause::Sigkill,
        Cause::CoreDump => systemd_matrix::Cause::CoreDump,
        Cause::StartTimeout => systemd_matrix::Cause::StartTimeout,
        Cause::Watchdog => systemd_matrix::Cause::Watchdog,
        Cause::OutOfMemory => systemd_matrix::Cause::OutOfMemory,
    }
}
