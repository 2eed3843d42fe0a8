//! The tables: which units are tried for each, and how to read the results.

mod delay;
mod dependencies;
mod grid;
mod known;
mod oneshot;
mod oom;
mod prevent_force;
mod restart;
mod restart_mode;
mod start_limit;
mod success;

use crate::cause::Cause;
use crate::error::MatrixError;
use crate::group::Group;
use crate::observed::Observed;
use crate::table::{Table, TableId};

pub(crate) use restart::plan as restart;

/// Turns the results of the units, group by group, into a table.
pub(crate) type Reader = Box<dyn Fn(&[Vec<Observed>]) -> Result<Table, MatrixError> + Send + Sync>;

/// The runs for a table.
pub(crate) struct Plan {
    pub(crate) id: TableId,
    pub(crate) groups: Vec<Group>,
    pub(crate) read: Reader,
}

pub(crate) fn plan(id: TableId) -> Plan {
    match id {
        TableId::Restart => restart(&Cause::ALL),
        TableId::PreventForce => prevent_force::plan(),
        TableId::Success => success::plan(),
        TableId::RestartMode => restart_mode::plan(),
        TableId::Oneshot => oneshot::plan(),
        TableId::StartLimit => start_limit::plan(),
        TableId::Delay => delay::plan(),
        TableId::Dependencies => dependencies::plan(),
        TableId::Oom => oom::plan(),
        TableId::Known => known::plan(),
    }
}
