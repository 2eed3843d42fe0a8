//! Runs the units of tables in the lab, and turns the results into tables.

use systemd_lab::Lab;

use crate::cause::{Cause, SETTINGS};
use crate::error::{MatrixError, not_as_claimed};
use crate::group::{self, Group};
use crate::observed::{self, Observed};
use crate::table::{Cell, Matrix, TableId};
use crate::tables::{self, Plan, Recipe, Supervisor};
use crate::trial::{self, Memory, Seen, Series};

/// The limit for the units of one run, so that the large tables are distributed over the processors.
const UNITS_OF_A_RUN: usize = 77;

/// The runs for the causes of a check: a person waits for it, so it should keep two processors busy.
const RUNS_OF_A_CHECK: usize = 2;

/// Measures these tables. Calls `progress` with how many of all runs are done.
///
/// Stores the results as [`RunOptions::remembered`](systemd_lab::RunOptions::remembered) does, and uses stored ones unless it should be `fresh`.
///
/// [`TableId::Runit`] and [`TableId::Sysvinit`] set up a guest and download a package first, which needs a network once.
///
/// # Errors
///
/// When the lab cannot run or be set up; [`MatrixError::NotAsClaimed`] when a unit did not end as its row claims.
pub fn measure(
    lab: &Lab,
    wanted: &[TableId],
    fresh: bool,
    mut progress: impl FnMut(usize, usize),
) -> Result<Matrix, MatrixError> {
    let (mut plans, mut supervisors) = (Vec::new(), Vec::new());
    for id in TableId::ALL.into_iter().filter(|id| wanted.contains(id)) {
        match tables::recipe(id) {
            Recipe::Units(plan) => plans.push(plan),
            Recipe::Services(supervisor) => supervisors.push(supervisor),
        }
    }
    // What may need a network comes first: nobody waits for tables and then for that error.
    let prepared = |supervisor: Supervisor| {
        let lab = supervisor.lab(lab)?;
        let series = supervisor.series(&lab)?;
        Ok((supervisor, lab, series))
    };
    let supervisors = supervisors.into_iter().map(prepared);
    let supervisors: Vec<(Supervisor, Lab, Series)> =
        supervisors.collect::<Result<_, MatrixError>>()?;
    let series: Vec<Series> = plans
        .iter()
        .map(|plan| {
            let units = plan.groups.iter().flat_map(Group::units).count();
            series(plan, units.div_ceil(UNITS_OF_A_RUN))
        })
        .collect();
    let memory = match fresh {
        true => Memory::Ignored,
        false => Memory::Used,
    };
    let (mut done, mut runs) = (0, supervisors.len());
    let mut seen = trial::run(lab, &series, memory, |of_units, all| {
        (done, runs) = (of_units, all + supervisors.len());
        progress(done, runs);
    })?;
    let mut tables = plans
        .iter()
        .zip(&seen)
        .map(|(plan, seen)| (plan.read)(&read(plan, seen)?))
        .collect::<Result<Vec<_>, _>>()?;
    for (supervisor, lab, series) in supervisors {
        let of_it = trial::run(&lab, &[series], memory, |_, _| {})?;
        done += 1;
        progress(done, runs);
        for seen in of_it.iter().flatten() {
            tables.push(supervisor.read(seen)?);
        }
        seen.extend(of_it);
    }
    let systemd = seen
        .iter()
        .flatten()
        .find_map(|seen| Some(seen.run().measured_with()?.systemd))
        .ok_or_else(|| not_as_claimed("the guest did not say which systemd it has"))?;
    Ok(Matrix { systemd, tables })
}

/// Whether each setting of [`SETTINGS`] restarts a service after each of these causes: some rows of the table
/// [`TableId::Restart`]. The results are stored, as in [`measure`].
///
/// # Errors
///
/// As [`measure`].
pub fn restarts<const CAUSES: usize>(
    lab: &Lab,
    causes: [Cause; CAUSES],
) -> Result<[[bool; SETTINGS.len()]; CAUSES], MatrixError> {
    let plan = tables::restart(&causes);
    let series = series(&plan, RUNS_OF_A_CHECK);
    let seen = trial::run(lab, &[series], Memory::Used, |_, _| {})?;
    let mut rows = Vec::new();
    for seen in &seen {
        for row in (plan.read)(&read(&plan, seen)?)?.rows {
            // The first cell is the `Result`.
            let mut cells = row.cells.iter().skip(1);
            rows.push(SETTINGS.map(|_| matches!(cells.next(), Some(Cell::Restarted { .. }))));
        }
    }
    let count = rows.len();
    rows.try_into()
        .map_err(|_| not_as_claimed(format!("there are {count} rows for {CAUSES} causes")))
}

fn series(plan: &Plan, runs: usize) -> Series {
    let trials = plan.groups.iter().map(Group::trial).collect();
    Series::new(format!("the table {}", plan.id.name()), trials)
        .in_runs(runs)
        .with_last(group::list())
}

/// What happened to the units of a table, group by group.
fn read(plan: &Plan, seen: &[Seen]) -> Result<Vec<Vec<Observed>>, MatrixError> {
    let of_group = |(group, seen): (&Group, &Seen)| {
        // Units carry on after their group was watched.
        let run = seen.run();
        let list = observed::list(run)?;
        let units = group.units();
        units.map(|unit| Observed::of(run, unit, &list)).collect()
    };
    plan.groups.iter().zip(seen).map(of_group).collect()
}
