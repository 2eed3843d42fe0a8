//! What the guide says about both systemd 252 and 257. Each claim is measured with both.

use std::fmt::Write;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use measured::Measured;
use serde_json::Value;
use systemd_lab::names::{SIGKILL, SIGTERM};
use systemd_lab::protocol::{EventKind, Scenario, Step};
use systemd_lab::{Lab, Picture};

use super::bench::Bench;
use super::item::Item;
use super::unit::{file, first, holds, is_exit, is_restart, is_watchdog, printed, run, times};

const UNIT: &str = "versions.service";
const OTHER: &str = "other.service";

/// Longer than any delay here and everything that happens after it.
const SHORT: Duration = Duration::from_secs(5);

/// Longer than any watchdog, drain or deadline here.
const MINUTE: Duration = Duration::from_secs(60);

/// Never ends by itself.
const SLEEPER: &str = "Type=exec\nExecStart=/usr/bin/sleep infinity";

/// syslog(3)
const WARNING: &str = "4";
const DEBUG: &str = "7";

const WINDOW: &str = "start-limit-window.json";
const IN_SERVICE: &str = "start-limit-in-service.md";

pub(super) fn items() -> Vec<Item> {
    let items = vec![
        Item::files([WINDOW], the_start_limits_window_does_not_slide),
        Item::files(
            [IN_SERVICE],
            half_of_the_start_limit_works_in_the_service_section,
        ),
        Item::sentence(
            "limits.md: a start whose condition is not met does not count",
            starts_that_a_condition_skips_do_not_count,
        ),
        Item::sentence(
            "limits.md: systemd unloads a unit that ended well and that no other unit names, and its count is gone",
            a_unit_that_systemd_unloads_forgets_its_starts,
        ),
        Item::sentence(
            "policy.md: NRestarts is 0 again after reset-failed and after a restart by hand",
            restarts_are_counted_until_a_start_or_reset_failed,
        ),
        Item::sentence(
            "recovery.md: other units stop a service, and it stays down",
            other_units_stop_a_service_and_it_stays_down,
        ),
        Item::sentence(
            "watchdogs.md: a stop job or STOPPING=1 stops the watchdog's clock, and a signal alone does not",
            a_stop_job_or_stopping_stops_the_watchdog_and_a_signal_does_not,
        ),
        Item::sentence(
            "readiness.md: the line about a dropped notification is a warning in 252, and debug in 257",
            a_dropped_notification_is_no_longer_a_warning,
        ),
        Item::sentence(
            "watchdogs.md: no core dump is kept in the lab",
            no_core_dump_is_kept_in_the_lab,
        ),
    ];
    items.into_iter().map(Item::with_network).collect()
}

/// The guests with systemd 252 and with 257.
fn both(bench: &Bench<'_>) -> anyhow::Result<[Lab; 2]> {
    Ok([bench.old_lab()?, bench.lab()?])
}

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// If the window were sliding, the start at 12 s would be the third within ten seconds.
fn the_start_limits_window_does_not_slide(bench: &Bench<'_>) -> anyhow::Result<Vec<Measured>> {
    let unit = "[Unit]\nStartLimitIntervalSec=10s\nStartLimitBurst=2\n[Service]\nType=oneshot\nExecStart=/usr/bin/false\n";
    let scenario = [9, 11, 12, 13].into_iter().fold(
        Scenario::new("a fixed window").start(UNIT),
        |scenario, at| scenario.sleep_until(seconds(at)).start(UNIT),
    );
    let scenario = scenario.sleep(SHORT);
    for lab in both(bench)? {
        let timeline = run(&lab, &scenario, &[file(UNIT, unit)])?;
        let starts = times(&timeline, UNIT, is_exit);
        holds("seconds of starts", starts, [0, 9, 11, 12])?;
        let refused = times(&timeline, UNIT, is_start_limit);
        holds("seconds of refused starts", refused, [13])?;
    }
    let timeline = run(&bench.lab()?, &scenario, &[file(UNIT, unit)])?;
    let essence = Picture::of(&[UNIT]).essence(&timeline);
    Ok(vec![Measured::timeline(WINDOW, essence)])
}

/// What systemd does with the start limit's settings in `[Service]`.
fn half_of_the_start_limit_works_in_the_service_section(
    bench: &Bench<'_>,
) -> anyhow::Result<Vec<Measured>> {
    // The setting, its property on D-Bus, and the property's value if the setting works.
    let settings = [
        ("StartLimitBurst=3", "StartLimitBurst", "3"),
        (
            "StartLimitInterval=60s",
            "StartLimitIntervalUSec",
            "60000000",
        ),
        (
            "StartLimitIntervalSec=60s",
            "StartLimitIntervalUSec",
            "60000000",
        ),
        ("StartLimitAction=exit", "StartLimitAction", "\"exit\""),
    ];
    let mut table = String::from("| In `[Service]` | systemd 252 | systemd 257 |\n|---|---|---|\n");
    for (setting, property, value) in settings {
        let unit = file(UNIT, &format!("[Service]\n{SLEEPER}\n{setting}\n"));
        let scenario = Scenario::new("the start limit in [Service]")
            .start(UNIT)
            .sleep(SHORT)
            .observe(UNIT);
        let wanted: Value = serde_json::from_str(value)?;
        let mut cells = Vec::new();
        for lab in both(bench)? {
            let timeline = run(&lab, &scenario, std::slice::from_ref(&unit))?;
            let in_effect = timeline.property(UNIT, property);
            let in_effect = in_effect.with_context(|| format!("there is no {property}"))?;
            let complaint = timeline.of(UNIT).find_map(|event| match &event.kind {
                EventKind::UnitFile { message, .. } => Some(message.clone()),
                _ => None,
            });
            cells.push(match (*in_effect == wanted, complaint) {
                (true, None) => "works".to_owned(),
                (false, Some(complaint)) => format!("ignored: \"{complaint}\""),
                other => bail!("{setting}: {other:?}, {property} is {in_effect}"),
            });
        }
        let _ = writeln!(table, "| `{setting}` | {} |", cells.join(" | "));
    }
    let with = bench.measured_with()?;
    Ok(vec![Measured::text(IN_SERVICE, &table, &with)])
}

fn starts_that_a_condition_skips_do_not_count(bench: &Bench<'_>) -> anyhow::Result<()> {
    let unit = "[Unit]\nConditionPathExists=/run/wanted\nStartLimitIntervalSec=1min\nStartLimitBurst=2\n\
        [Service]\nType=oneshot\nExecStart=/usr/bin/true\n";
    // This keeps the unit loaded: otherwise, systemd would forget it after each start.
    let keeper = format!("[Unit]\nBefore={UNIT}\n[Service]\n{SLEEPER}\n");
    let scenario = (0..4).fold(Scenario::new("skipped").start(OTHER), |scenario, _| {
        scenario.start(UNIT).sleep(seconds(1))
    });
    let scenario = scenario
        .step(Step::WriteFile {
            path: "/run/wanted".to_owned(),
            content: String::new(),
            mode: 0o644,
        })
        .start(UNIT)
        .sleep(SHORT);
    for lab in both(bench)? {
        let files = [file(UNIT, unit), file(OTHER, &keeper)];
        let timeline = run(&lab, &scenario, &files)?;
        holds("starts", times(&timeline, UNIT, is_exit).len(), 1)?;
        let refused = times(&timeline, UNIT, is_start_limit);
        ensure!(refused.is_empty(), "a start was refused at {refused:?} s");
    }
    Ok(())
}

fn a_unit_that_systemd_unloads_forgets_its_starts(bench: &Bench<'_>) -> anyhow::Result<()> {
    let unit = "[Unit]\nStartLimitIntervalSec=1min\nStartLimitBurst=2\n[Service]\nType=oneshot\nExecStart=/usr/bin/true\n";
    let keeper = format!("[Unit]\nBefore={UNIT}\n[Service]\n{SLEEPER}\n");
    let started = |scenario: Scenario| {
        (0..4).fold(scenario, |scenario, _| {
            scenario.start(UNIT).sleep(seconds(1))
        })
    };
    let alone = started(Scenario::new("unloaded"));
    let kept = started(Scenario::new("kept loaded").start(OTHER));
    let files = [file(UNIT, unit), file(OTHER, &keeper)];
    for lab in both(bench)? {
        for (scenario, starts) in [(&alone, 4), (&kept, 2)] {
            let timeline = run(&lab, scenario, &files)?;
            let exits = times(&timeline, UNIT, is_exit).len();
            holds(&format!("starts, {}", scenario.name), exits, starts)?;
        }
    }
    Ok(())
}

fn restarts_are_counted_until_a_start_or_reset_failed(bench: &Bench<'_>) -> anyhow::Result<()> {
    let show = [
        "/usr/bin/systemctl",
        "show",
        "-p",
        "NRestarts",
        "--value",
        UNIT,
    ];
    let killed = |scenario: Scenario| scenario.signal(UNIT, SIGKILL).sleep(SHORT);
    let scenario = Scenario::new("NRestarts")
        .start(UNIT)
        .wait_for_job(UNIT, MINUTE);
    let scenario = killed(killed(scenario))
        .run(&show, MINUTE)
        .step(Step::ResetFailed {
            unit: UNIT.to_owned(),
        })
        .run(&show, MINUTE);
    let scenario = killed(scenario)
        .run(&show, MINUTE)
        .restart(UNIT)
        .sleep(SHORT)
        .run(&show, MINUTE);
    let unit = format!(
        "[Unit]\nStartLimitIntervalSec=0\n[Service]\n{SLEEPER}\nRestart=always\nRestartSec=1s\n"
    );
    for lab in both(bench)? {
        let timeline = run(&lab, &scenario, &[file(UNIT, &unit)])?;
        holds("NRestarts", printed(&timeline), ["2", "0", "1", "0"])?;
    }
    Ok(())
}

fn other_units_stop_a_service_and_it_stays_down(bench: &Bench<'_>) -> anyhow::Result<()> {
    for setting in ["Requires", "BindsTo", "PartOf", "Conflicts"] {
        let unit = format!(
            "[Unit]\n{setting}={OTHER}\n[Service]\n{SLEEPER}\nRestart=always\nRestartSec=1s\n"
        );
        let files = [
            file(UNIT, &unit),
            file(OTHER, &format!("[Service]\n{SLEEPER}\n")),
        ];
        let scenario = Scenario::new("a stop job from another unit");
        let scenario = match setting {
            "Conflicts" => scenario.start(UNIT).sleep(SHORT).start(OTHER),
            _ => scenario
                .start(OTHER)
                .sleep(SHORT)
                .start(UNIT)
                .sleep(SHORT)
                .stop(OTHER),
        };
        let scenario = scenario.sleep(MINUTE);
        for lab in both(bench)? {
            let timeline = run(&lab, &scenario, &files)?;
            let stop_jobs = times(
                &timeline,
                UNIT,
                |kind| matches!(kind, EventKind::JobQueued { job } if job == "stop"),
            );
            let ends = times(&timeline, UNIT, is_exit);
            let restarts = times(&timeline, UNIT, is_restart);
            let counts = [stop_jobs.len(), ends.len(), restarts.len()];
            holds(
                &format!("stop jobs, ends and restarts with {setting}="),
                counts,
                [1, 1, 0],
            )?;
        }
    }
    Ok(())
}

fn a_stop_job_or_stopping_stops_the_watchdog_and_a_signal_does_not(
    bench: &Bench<'_>,
) -> anyhow::Result<()> {
    // It drains for 20 s, and does not ping during that time.
    let unit = |on_term: &str| {
        file(
            UNIT,
            &format!(
                "[Service]\nType=notify\nNotifyAccess=all\nWatchdogSec=5s\nTimeoutStopSec=40s\nExecStart=/usr/bin/bash -c '\
                 trap \"{on_term} sleep 20; exit 0\" TERM; systemd-notify --ready; \
                 while :; do sleep 1; systemd-notify WATCHDOG=1; done'\n"
            ),
        )
    };
    let started = || Scenario::new("a drain").start(UNIT).sleep(SHORT);
    let stopped = started().stop(UNIT).sleep(MINUTE);
    let signalled = started().signal(UNIT, SIGTERM).sleep(MINUTE);
    for lab in both(bench)? {
        for (what, scenario, on_term, acts) in [
            ("a stop job", &stopped, "", false),
            ("a signal alone", &signalled, "", true),
            (
                "STOPPING=1",
                &signalled,
                "systemd-notify STOPPING=1;",
                false,
            ),
        ] {
            let timeline = run(&lab, scenario, &[unit(on_term)])?;
            let watchdog = first(&timeline, UNIT, is_watchdog);
            holds(
                &format!("after {what}, whether the watchdog acts"),
                watchdog.is_some(),
                acts,
            )?;
        }
    }
    Ok(())
}

fn a_dropped_notification_is_no_longer_a_warning(bench: &Bench<'_>) -> anyhow::Result<()> {
    let unit = file(
        UNIT,
        // systemd-notify sends for the process that runs it: here a second bash, which is not the main process.
        "[Service]\nType=notify\nTimeoutStartSec=10s\nExecStart=/usr/bin/bash -c 'bash -c \"systemd-notify --ready; true\"; sleep infinity'\n",
    );
    let journal = [
        "/usr/bin/journalctl",
        "--quiet",
        "--output=json",
        "--output-fields=PRIORITY,MESSAGE",
        "--unit",
        UNIT,
    ];
    let scenario = Scenario::new("dropped")
        .start(UNIT)
        .sleep(MINUTE)
        .run(&journal, MINUTE);
    for (lab, priority) in both(bench)?.into_iter().zip([WARNING, DEBUG]) {
        let timeline = run(&lab, &scenario, std::slice::from_ref(&unit))?;
        let printed = printed(&timeline);
        let mut lines = printed.iter().flat_map(|text| text.lines());
        let line = lines.find(|line| line.contains("reception only permitted"));
        let line = line.with_context(|| format!("no such line: {printed:?}"))?;
        let line: Value = serde_json::from_str(line)?;
        let measured = line["PRIORITY"].as_str();
        holds("priority", measured, Some(priority))?;
    }
    Ok(())
}

fn no_core_dump_is_kept_in_the_lab(bench: &Bench<'_>) -> anyhow::Result<()> {
    let scenario = Scenario::new("core_pattern")
        .run(&["/usr/bin/cat", "/proc/sys/kernel/core_pattern"], MINUTE);
    for lab in both(bench)? {
        let timeline = run(&lab, &scenario, &[])?;
        holds("core_pattern", printed(&timeline), ["|/bin/false"])?;
    }
    Ok(())
}

fn is_start_limit(kind: &EventKind) -> bool {
    *kind == EventKind::StartLimitHit
}
