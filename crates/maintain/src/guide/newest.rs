//! What the guide says about the newest systemd, that of Debian testing.
//!
//! Testing moves on, so nothing here names a version. What was measured says which one it was, in the file's first line; it holds as
//! long as that systemd's successors do the same. When one does not, the check says which two versions differ, and how.

use std::fmt::Write;
use std::time::Duration;

use anyhow::ensure;
use measured::Measured;
use systemd_lab::names::SIGKILL;
use systemd_lab::protocol::{EventKind, Scenario};
use systemd_lab::{Lab, Timeline};

use super::bench::{Bench, NEWEST};
use super::item::Item;
use super::unit::{self, file, holds, is_exit, run, times};

const UNIT: &str = "newest.service";

/// Longer than any delay of [`STEPS`], with a start.
const MINUTE: Duration = Duration::from_secs(60);

/// Longer than the units here take to consider themselves healthy.
const FIVE_MINUTES: Duration = Duration::from_secs(300);

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Limits the steps that take a moment.
const LONG: Duration = Duration::from_secs(120);

/// Two minutes after its start, the service considers itself healthy. The kills come sooner, until it is left alone.
const STEPS: &str = "[Unit]
StartLimitIntervalSec=0
[Service]
Type=notify
NotifyAccess=all
ExecStart=/usr/bin/bash -c 'systemd-notify --ready; sleep 120; systemd-notify RESTART_RESET=1; exec sleep infinity'
Restart=always
RestartSec=10s
RestartSteps=2
RestartMaxDelaySec=40s
";

/// The unit of systemd's issue 42912, with a program that fails every other time: two starts a day.
const TWO_STARTS: &str = "[Unit]
StartLimitIntervalSec=26h
StartLimitBurst=7
[Service]
Type=oneshot
ExecStart=/usr/bin/sh -c 'if [ -e /run/tried ]; then rm /run/tried; else touch /run/tried; exit 1; fi'
Restart=on-failure
RestartMode=direct
RestartSec=1min
RestartSteps=3
RestartMaxDelaySec=6h
";

/// Keeps the unit loaded, as its timer does in the issue: systemd forgets the starts of a unit that it unloads.
const KEEPER: &str = "keeper.service";
const KEEPS: &str = "[Unit]\nBefore=newest.service\n[Service]\nExecStart=/usr/bin/sleep infinity\n";

/// Enough for a limit of seven starts to be exceeded if the interval never ended.
const DAYS: usize = 4;

/// It fails at once, and is started five times.
const FAILS: &str = "[Service]\nExecStart=/usr/bin/false\nRestart=on-failure\n";

const RESET: &str = "restart-reset.md";

pub(super) fn items() -> Vec<Item> {
    let items = vec![
        Item::files([RESET], restart_reset),
        Item::sentence(
            "limits.md: after failures, the Result at the limit is start-limit-hit in the newest systemd only",
            the_result_at_the_limit,
        ),
        Item::sentence(
            "limits.md: with RestartMode=direct, two starts in 26 hours are not refused",
            two_starts_a_day_are_not_refused,
        ),
    ];
    items.into_iter().map(Item::with_network).collect()
}

/// What a good day does not do, `RESTART_RESET=1` does: the steps start again.
fn restart_reset(bench: &Bench<'_>) -> anyhow::Result<Vec<Measured>> {
    let killed = |scenario: Scenario| scenario.signal(UNIT, SIGKILL).sleep(MINUTE);
    let scenario = Scenario::new("three kills, a good time, and another one")
        .start(UNIT)
        .wait_for_job(UNIT, LONG);
    let scenario = killed(killed(killed(scenario))).sleep(FIVE_MINUTES);
    let scenario = killed(scenario);
    let newest = bench.newest_lab()?;
    let (stable, new) = (
        delays(&bench.lab()?, &scenario)?,
        delays(&newest, &scenario)?,
    );
    let mut table = format!("| delay before restart | systemd 257 | {NEWEST} |\n|---|---|---|\n");
    let names = ["1", "2", "3", "4, after `RESTART_RESET=1`"];
    for ((name, stable), new) in names.iter().zip(&stable).zip(&new) {
        let _ = writeln!(table, "| {name} | {stable} s | {new} s |");
    }
    Ok(vec![Measured::text(
        RESET,
        &table,
        &newest.measured_with()?,
    )])
}

/// The delay before each of the four restarts, in whole seconds.
fn delays(lab: &Lab, scenario: &Scenario) -> anyhow::Result<Vec<u64>> {
    let timeline = run(lab, scenario, &[file(UNIT, STEPS)])?;
    let delays = unit::delays(&timeline, UNIT);
    holds("restarts", delays.len(), 4)?;
    let is_reset = |kind: &EventKind| matches!(kind, EventKind::Notified { assignments, .. } if assignments.iter().any(|it| it == "RESTART_RESET=1"));
    holds(
        "times of RESTART_RESET=1",
        times(&timeline, UNIT, is_reset).len(),
        1,
    )?;
    Ok(delays)
}

/// The journal's line is the same in all of them: the lab reads [`EventKind::StartLimitHit`] from it.
fn the_result_at_the_limit(bench: &Bench<'_>) -> anyhow::Result<()> {
    let scenario = Scenario::new("the start limit").start(UNIT).sleep(MINUTE);
    let labs = [bench.old_lab()?, bench.lab()?, bench.newest_lab()?];
    for (lab, result) in labs
        .iter()
        .zip(["exit-code", "exit-code", "start-limit-hit"])
    {
        let timeline = run(lab, &scenario, &[file(UNIT, FAILS)])?;
        let with = lab.measured_with()?.systemd;
        holds(&format!("starts with systemd {with}"), starts(&timeline), 5)?;
        holds("refused starts", refused(&timeline), 1)?;
        let mut results = timeline.of(UNIT).filter_map(|event| match &event.kind {
            EventKind::Failed { result } => Some(result.as_str()),
            _ => None,
        });
        holds(
            &format!("the last Result with systemd {with}"),
            results.next_back(),
            Some(result),
        )?;
    }
    Ok(())
}

fn two_starts_a_day_are_not_refused(bench: &Bench<'_>) -> anyhow::Result<()> {
    let kept = Scenario::new("two starts a day").start(KEEPER);
    let scenario = (0..DAYS).fold(kept, |scenario, _| scenario.start(UNIT).sleep(DAY));
    for lab in [bench.lab()?, bench.newest_lab()?] {
        let timeline = run(
            &lab,
            &scenario,
            &[file(UNIT, TWO_STARTS), file(KEEPER, KEEPS)],
        )?;
        holds("starts", starts(&timeline), 2 * DAYS)?;
        let refused = refused(&timeline);
        ensure!(
            refused == 0,
            "systemd {} refused {refused} starts",
            lab.measured_with()?.systemd
        );
    }
    Ok(())
}

/// How often the main process ran.
fn starts(timeline: &Timeline) -> usize {
    times(timeline, UNIT, is_exit).len()
}

fn refused(timeline: &Timeline) -> usize {
    times(timeline, UNIT, |kind| *kind == EventKind::StartLimitHit).len()
}
