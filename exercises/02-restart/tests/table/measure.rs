//! Asks systemd for the table: one unit for each cell, which ends as its row says, and is or is not started again.
//!
//! The crate `systemd-matrix` runs the units; its `cause.rs` says what they are made of. A unit must have ended by the cause that
//! its row claims, and with the `Result` that goes with it. One that ended in another way makes the whole measurement fail:
//! no cell is ever the answer to another question.

use systemd_lab::{Lab, LabError};
use systemd_matrix::MatrixError;

use super::{CAUSES, Cause, Table};

/// Has systemd answer every cell. The same table comes every time, so that it is measured once and remembered.
///
/// # Errors
///
/// What keeps the lab from running, and [`LabError::Host`] when a unit did not end as its row claims.
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
