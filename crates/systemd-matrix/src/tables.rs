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
mod supervisors;

use crate::cause::Cause;
use crate::error::MatrixError;
use crate::group::Group;
use crate::observed::Observed;
use crate::table::{Table, TableId};

pub(crate) use restart::plan as restart;
pub(crate) use supervisors::Supervisor;

/// Turns the results of the units, group by group, into a table.
pub(crate) type Reader = Box<dyn Fn(&[Vec<Observed>]) -> Result<Table, MatrixError> + Send + Sync>;

/// The runs for a table.
pub(crate) struct Plan {
    pub(crate) id: TableId,
    pub(crate) groups: Vec<Group>,
    pub(crate) read: Reader,
}

/// What a table is measured with.
pub(crate) enum Recipe {
    /// Units, under systemd.
    Units(Plan),
    /// Services under another supervisor.
    Services(Supervisor),
}

pub(crate) fn recipe(id: TableId) -> Recipe {
    Recipe::Units(match id {
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
        TableId::Runit => return Recipe::Services(Supervisor::Runit),
        TableId::Sysvinit => return Recipe::Services(Supervisor::Sysvinit),
    })
}
