//! Runs the units of tables in the lab, on all processors, and makes tables of what happened.

use std::num::NonZero;
use std::panic;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use systemd_lab::protocol::{EventKind, Scenario};
use systemd_lab::{GuestFile, Lab, LabError, Timeline};

use crate::case::{self, Group};
use crate::error::{MatrixError, not_as_claimed};
use crate::observed::{self, Observed};
use crate::table::{Matrix, TableId};
use crate::tables::{self, Plan};

/// At most so many rows in one run, so that the large tables are shared out to the processors. The number is the same
/// on every machine: what was run is remembered by its bytes.
const GROUPS_OF_A_RUN: usize = 11;

/// Bounds each run in wall time. The longest take about 12 s with a processor of their own; a machine that is busy with
/// something else may take ten times as long, and what was measured is still right.
const DEADLINE: Duration = Duration::from_secs(600);

/// One run: some rows of one table.
struct Part<'a> {
    plan: &'a Plan,
    groups: &'a [Group],
}

/// Has systemd answer these tables. `progress` is called with how many of all runs are done.
///
/// Remembers what was measured, as [`Lab::run_remembered`] does, and looks there first unless it is to be `fresh`.
///
/// # Errors
///
/// What keeps the lab from running, and [`MatrixError::NotAsClaimed`] when a unit did not end as its row claims.
pub fn measure(
    lab: &Lab,
    wanted: &[TableId],
    fresh: bool,
    progress: impl Fn(usize, usize) + Sync,
) -> Result<Matrix, MatrixError> {
    let plans: Vec<Plan> = TableId::ALL
        .into_iter()
        .filter(|id| wanted.contains(id))
        .map(tables::plan)
        .collect();
    let parts: Vec<Part<'_>> = plans
        .iter()
        .flat_map(|plan| {
            let runs = plan.groups.len().div_ceil(GROUPS_OF_A_RUN);
            let size = plan.groups.len().div_ceil(runs);
            let part = move |groups| Part { plan, groups };
            plan.groups.chunks(size).map(part)
        })
        .collect();
    let lab = lab.clone().with_deadline(DEADLINE);
    let run = |scenario: &Scenario, files: &[GuestFile]| match fresh {
        true => lab.run(scenario, files),
        false => lab.run_remembered(scenario, files),
    };
    let timelines = run_all(&parts, run, progress)?;

    let systemd = timelines
        .iter()
        .find_map(systemd_version)
        .ok_or_else(|| not_as_claimed("the guest did not say which systemd it has"))?;
    let mut tables = Vec::new();
    for plan in &plans {
        let mut observed = Vec::new();
        for (part, timeline) in parts.iter().zip(&timelines) {
            if part.plan.id == plan.id {
                observed.extend(read(part, timeline)?);
            }
        }
        tables.push((plan.read)(&observed)?);
    }
    Ok(Matrix { systemd, tables })
}

/// As many at a time as there are processors: each keeps one busy.
fn run_all(
    parts: &[Part<'_>],
    run: impl Fn(&Scenario, &[GuestFile]) -> Result<Timeline, LabError> + Sync,
    progress: impl Fn(usize, usize) + Sync,
) -> Result<Vec<Timeline>, MatrixError> {
    let next = AtomicUsize::new(0);
    let done = AtomicUsize::new(0);
    let results: Vec<Mutex<Option<Result<Timeline, LabError>>>> =
        parts.iter().map(|_| Mutex::new(None)).collect();
    let work = || {
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(part) = parts.get(index) else {
                return;
            };
            let name = format!("the table {}", part.plan.id.name());
            let scenario = case::scenario(&name, part.groups);
            let files: Vec<GuestFile> = part.groups.iter().flat_map(Group::files).collect();
            let result = run(&scenario, &files);
            if result.is_err() {
                // What is still to do would be for nothing.
                next.store(parts.len(), Ordering::Relaxed);
            }
            if let Ok(mut slot) = results[index].lock() {
                *slot = Some(result);
            }
            progress(done.fetch_add(1, Ordering::Relaxed) + 1, parts.len());
        }
    };
    progress(0, parts.len());
    let processors = thread::available_parallelism().map_or(1, NonZero::get);
    thread::scope(|scope| {
        let threads: Vec<_> = (0..processors.min(parts.len()))
            .map(|_| scope.spawn(work))
            .collect();
        for thread in threads {
            if let Err(panicked) = thread.join() {
                panic::resume_unwind(panicked);
            }
        }
    });
    let results: Vec<Result<Timeline, LabError>> = results
        .into_iter()
        .filter_map(|slot| slot.into_inner().ok().flatten())
        .collect();
    // An error comes before those that were not begun, so that nothing is missed.
    Ok(results.into_iter().collect::<Result<Vec<_>, _>>()?)
}

/// What happened to the units of a part, group by group.
fn read(part: &Part<'_>, timeline: &Timeline) -> Result<Vec<Vec<Observed>>, MatrixError> {
    let list = observed::list(timeline)?;
    part.groups
        .iter()
        .map(|group| {
            group
                .units()
                .map(|unit| Observed::of(timeline, unit, &list))
                .collect()
        })
        .collect()
}

fn systemd_version(timeline: &Timeline) -> Option<String> {
    timeline
        .events()
        .iter()
        .find_map(|event| match &event.kind {
            EventKind::Hello { systemd, .. } => Some(systemd.clone()),
            _ => None,
        })
}
