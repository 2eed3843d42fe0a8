//! Loops: crash loops that no limit ends, and notifications and log lines without a pause.

use systemd_lab::experiment::Fault;

use crate::support::PROGRAM;
use crate::{check, service, tried};

/// A service that fails at once, with these lines in [Unit] and [Service].
fn failing(unit: &str, lines: &str) -> String {
    format!("[Unit]\n{unit}\n[Service]\nExecStart=/usr/bin/false\nRestart=always\n{lines}\n")
}

#[test]
fn limits_that_are_never_reached() {
    // Fails until the third start, like a service whose database starts late.
    let late = "ExecStart=/usr/bin/bash -c 'echo x >>/run/late; test $(wc -l </run/late) -gt 3 && exec sleep infinity'";
    let killed = (1..=6).fold(
        tried(
            "killed.service",
            &service("ExecStart=/usr/bin/sleep infinity\nRestart=always\nRestartSec=5s"),
            None,
        ),
        |tried, turn| tried.at(turn * 10, Fault::Kill(9)),
    );
    check(
        &[
            tried(
                "default.service",
                &failing("", "RestartSec=5s"),
                Some(("limit-never-reached", "RestartSec=5s")),
            ),
            tried(
                "written.service",
                &failing(
                    "StartLimitBurst=10\nStartLimitIntervalSec=1min",
                    "RestartSec=10s",
                ),
                Some(("limit-never-reached", "StartLimitIntervalSec=1min")),
            ),
            // The restarts are quick, but the service takes a while to fail.
            tried(
                "slow.service",
                &service("ExecStart=/usr/bin/bash -c 'sleep 4; exit 1'\nRestart=on-failure"),
                Some(("limit-never-reached", "Restart=on-failure")),
            ),
            tried(
                "forever.service",
                &failing("StartLimitIntervalSec=0", "RestartSec=5s"),
                None,
            ),
            tried(
                "reached.service",
                &failing(
                    "StartLimitBurst=4\nStartLimitIntervalSec=1min",
                    "RestartSec=5s",
                ),
                None,
            ),
            tried(
                "repeats.service",
                &service("ExecStart=/usr/bin/sleep 1\nRestart=always\nRestartSec=5s"),
                None,
            ),
            tried(
                "late.service",
                &service(&format!("{late}\nRestart=on-failure\nRestartSec=5s")),
                None,
            ),
            killed,
        ],
        100,
    );
}

#[test]
fn settings_in_a_section_that_does_not_know_them() {
    check(
        &[
            tried(
                "interval.service",
                &failing(
                    "",
                    "RestartSec=1s\nStartLimitIntervalSec=1min\nStartLimitBurst=3",
                ),
                Some(("setting-in-wrong-section", "StartLimitIntervalSec=1min")),
            ),
            tried(
                "order.service",
                &service("ExecStart=/usr/bin/sleep infinity\nAfter=network.target"),
                Some(("setting-in-wrong-section", "After=network.target")),
            ),
            // systemd still accepts the names from its version 229 in [Service].
            tried(
                "legacy.service",
                &failing(
                    "",
                    "RestartSec=1s\nStartLimitInterval=1min\nStartLimitBurst=3",
                ),
                None,
            ),
            tried(
                "own.service",
                &service("ExecStart=/usr/bin/sleep infinity\nX-StartLimitBurst=3"),
                None,
            ),
        ],
        40,
    );
}

#[test]
fn notifications_and_log_lines_without_a_pause() {
    let notify = |kind: &str, assignment: &str, times: u32, pause: u32| {
        service(&format!(
            "Type=notify\n{kind}ExecStart={PROGRAM} notify {assignment} {times} {pause}"
        ))
    };
    let log = |times: u32, pause: u32| service(&format!("ExecStart={PROGRAM} log {times} {pause}"));
    check(
        &[
            tried(
                "shouts.service",
                &notify("", "STATUS=busy", 1_000, 10),
                Some(("notification-flood", "Type=notify")),
            ),
            // As often as a progress bar changes.
            tried("moves.service", &notify("", "STATUS=busy", 300, 100), None),
            // A burst.
            tried("burst.service", &notify("", "STATUS=busy", 100, 0), None),
            // Twice within each WatchdogSec=.
            tried(
                "pings.service",
                &notify("WatchdogSec=80ms\n", "WATCHDOG=1", 1_000, 30),
                None,
            ),
            tried(
                "floods.service",
                &log(12_000, 0),
                Some((
                    "log-flood",
                    "ExecStart=/usr/local/bin/test-service log 12000 0",
                )),
            ),
            // More lines than a timeline keeps, but fewer than journald accepts.
            tried("talks.service", &log(3_000, 10), None),
        ],
        25,
    );
}
