//! What the guide says in words only, without a measured table or picture.

use std::time::Duration;

use anyhow::Context;
use systemd_lab::names::SIGKILL;
use systemd_lab::protocol::{EventKind, Scenario, Step};
use systemd_lab::{Timeline, nearest_second};

use super::bench::Bench;
use super::item::Item;
use super::unit::{self, holds, is_watchdog, result};

const UNIT: &str = "words.service";

/// Longer than any delay, watchdog or deadline here.
const MINUTE: Duration = Duration::from_secs(60);

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Limits the steps that take a moment.
const LONG: Duration = Duration::from_secs(120);

pub(super) fn items() -> Vec<Item> {
    vec![
        Item::sentence(
            "limits.md: the steps start again after reset-failed and after a stop, but not after a good day",
            a_good_day_does_not_reset_the_steps,
        ),
        Item::sentence(
            "readiness.md: EXTEND_TIMEOUT_USEC= puts off the watchdog, too",
            a_longer_timeout_puts_off_the_watchdog,
        ),
        Item::sentence(
            "watchdogs.md: WATCHDOG=trigger works without WatchdogSec=",
            the_watchdog_can_be_triggered_without_an_interval,
        ),
        Item::sentence(
            "watchdogs.md: after SIGABRT come TimeoutAbortSec=, which is TimeoutStopSec= when it is not set, and SIGKILL",
            a_watchdog_that_is_ignored_kills,
        ),
        Item::sentence(
            "recovery.md: without READY=1, exit code 0 is a protocol error, and any other one is an exit code",
            an_end_before_it_is_ready_is_a_failure_either_way,
        ),
        Item::sentence(
            "policy.md: a worker that pings only after a job is killed while it waits for one",
            a_worker_that_pings_only_after_a_job_is_killed_while_it_waits,
        ),
    ]
}

fn run(bench: &Bench<'_>, text: &str, scenario: &Scenario) -> anyhow::Result<Timeline> {
    unit::run(&bench.lab()?, scenario, &[unit::file(UNIT, text)])
}

/// Starts the unit and leaves it alone.
fn watched(bench: &Bench<'_>, service: &str) -> anyhow::Result<Timeline> {
    let scenario = Scenario::new("a unit, left alone")
        .start(UNIT)
        .sleep(MINUTE);
    run(bench, &format!("[Service]\n{service}\n"), &scenario)
}

/// The number of whole seconds from the first event of one kind to the first of another.
fn seconds_after(
    timeline: &Timeline,
    before: impl Fn(&EventKind) -> bool,
    wanted: impl Fn(&EventKind) -> bool,
) -> anyhow::Result<u64> {
    let before = unit::first(timeline, UNIT, before).context("the first event is missing")?;
    let wanted = unit::first(timeline, UNIT, wanted).context("the second event is missing")?;
    Ok(nearest_second(wanted.saturating_sub(before)))
}

fn is_signal(kind: &EventKind, name: &str) -> bool {
    matches!(kind, EventKind::Killing { signal, .. } if signal == name)
}

fn a_good_day_does_not_reset_the_steps(bench: &Bench<'_>) -> anyhow::Result<()> {
    let killed = |scenario: Scenario| scenario.signal(UNIT, SIGKILL).sleep(MINUTE);
    // A signal is refused if there is no process yet.
    let scenario = Scenario::new("five kills")
        .start(UNIT)
        .wait_for_job(UNIT, LONG);
    let scenario = killed(killed(scenario)).sleep(DAY);
    let scenario = killed(scenario).step(Step::ResetFailed {
        unit: UNIT.to_owned(),
    });
    let scenario = killed(scenario)
        .stop(UNIT)
        .wait_for_state(UNIT, &["dead"], LONG)
        .start(UNIT)
        .wait_for_job(UNIT, LONG);
    let unit = "[Unit]\nStartLimitIntervalSec=0\n[Service]\nType=exec\nExecStart=/usr/bin/sleep infinity\n\
        Restart=always\nRestartSec=10s\nRestartSteps=2\nRestartMaxDelaySec=40s\n";
    let timeline = run(bench, unit, &killed(scenario))?;

    let delays = unit::delays(&timeline, UNIT);
    holds("delays in seconds", delays, [10, 20, 40, 10, 10])
}

fn a_longer_timeout_puts_off_the_watchdog(bench: &Bench<'_>) -> anyhow::Result<()> {
    let timeline = watched(
        bench,
        "Type=notify\nNotifyAccess=all\nWatchdogSec=5s\nExecStart=/usr/bin/bash -c 'systemd-notify --ready; \
         systemd-notify EXTEND_TIMEOUT_USEC=20000000; exec sleep infinity'",
    )?;
    let is_asked = |kind: &EventKind| matches!(kind, EventKind::Notified { assignments, .. } if assignments.iter().any(|one| one.starts_with("EXTEND_")));
    let seconds = seconds_after(&timeline, is_asked, is_watchdog)?;
    holds("seconds until the watchdog acts", seconds, 20)
}

fn the_watchdog_can_be_triggered_without_an_interval(bench: &Bench<'_>) -> anyhow::Result<()> {
    let timeline = watched(
        bench,
        "Type=notify\nNotifyAccess=all\nExecStart=/usr/bin/bash -c 'systemd-notify --ready; \
         systemd-notify WATCHDOG=trigger; exec sleep infinity'",
    )?;
    holds("Result", result(&timeline, UNIT), Some("watchdog"))
}

fn a_watchdog_that_is_ignored_kills(bench: &Bench<'_>) -> anyhow::Result<()> {
    let timeline = watched(
        bench,
        "Type=notify\nNotifyAccess=all\nWatchdogSec=10s\nTimeoutStopSec=3s\nExecStart=/usr/bin/bash -c 'trap \"\" ABRT; \
         systemd-notify --ready; while :; do sleep 100; done'",
    )?;
    let delay = seconds_after(
        &timeline,
        |kind| is_signal(kind, "SIGABRT"),
        |kind| is_signal(kind, "SIGKILL"),
    )?;
    holds("seconds from SIGABRT to SIGKILL", delay, 3)?;
    // Only the first failure counts.
    holds("Result", result(&timeline, UNIT), Some("watchdog"))
}

fn an_end_before_it_is_ready_is_a_failure_either_way(bench: &Bench<'_>) -> anyhow::Result<()> {
    for (code, expected) in [(0, "protocol"), (1, "exit-code")] {
        let timeline = watched(
            bench,
            &format!("Type=notify\nExecStart=/usr/bin/bash -c 'exit {code}'"),
        )?;
        let result = result(&timeline, UNIT);
        holds(
            &format!("Result of exit code {code}"),
            result,
            Some(expected),
        )?;
    }
    Ok(())
}

fn a_worker_that_pings_only_after_a_job_is_killed_while_it_waits(
    bench: &Bench<'_>,
) -> anyhow::Result<()> {
    let timeline = watched(
        bench,
        "Type=notify\nNotifyAccess=all\nWatchdogSec=20s\nExecStart=/usr/bin/bash -c 'systemd-notify --ready; sleep 5; \
         systemd-notify WATCHDOG=1; exec sleep infinity'",
    )?;
    let is_ping = |kind: &EventKind| matches!(kind, EventKind::Notified { assignments, .. } if assignments.iter().any(|one| one == "WATCHDOG=1"));
    let seconds = seconds_after(&timeline, is_ping, is_watchdog)?;
    holds("seconds from the last ping", seconds, 20)?;
    holds("Result", result(&timeline, UNIT), Some("watchdog"))
}
