//! Findings about commands: which of several failed, failures that are ignored, and commands that end the service.

use systemd_lab::experiment::Fault;

use crate::{LOOP, Tried, check, service, tried};

#[test]
fn which_command_failed_and_what_is_ignored() {
    let three = |second: &str| {
        service(&format!(
            "Type=oneshot\nExecStart=/usr/bin/true\nExecStart={second}\nExecStart=/usr/bin/test -e /etc/passwd"
        ))
    };
    check(
        &[
            tried(
                "second.service",
                &three("/usr/bin/false"),
                Some(("one-of-commands-failed", "ExecStart=/usr/bin/false")),
            ),
            tried("all.service", &three("/usr/bin/true"), None),
            tried(
                "known.service",
                &format!("{}SuccessExitStatus=1\n", three("/usr/bin/false")),
                None,
            ),
            // There is only one command: its failure is the unit's.
            tried(
                "one.service",
                &service("Type=oneshot\nExecStart=/usr/bin/false"),
                None,
            ),
            tried(
                "ignored.service",
                &three("-/usr/bin/false"),
                Some(("failure-ignored", "ExecStart=-/usr/bin/false")),
            ),
            tried(
                "absent.service",
                &three("-/opt/absent"),
                Some(("failure-ignored", "ExecStart=-/opt/absent")),
            ),
            tried("well.service", &three("-/usr/bin/true"), None),
            // The first line is right; a later one cannot be run.
            tried(
                "third.service",
                &service("Type=oneshot\nExecStart=/opt/absent\nExecStart=/usr/bin/true"),
                Some(("exec-failed", "ExecStart=/opt/absent")),
            ),
            tried(
                "restarts.service",
                &service("ExecStart=-/usr/bin/bash -c 'sleep 2; exit 3'\nRestart=on-failure"),
                Some((
                    "failure-ignored",
                    "ExecStart=-/usr/bin/bash -c 'sleep 2; exit 3'",
                )),
            ),
            // As sshd does for each connection: a unit with - and without Restart= means it that way.
            tried(
                "each.service",
                &service("ExecStart=-/usr/bin/bash -c 'sleep 2; exit 3'"),
                None,
            ),
            tried(
                "before.service",
                &service(
                    "ExecStartPre=-/usr/bin/false\nExecStart=/usr/bin/sleep infinity\nRestart=on-failure",
                ),
                None,
            ),
            tried(
                "slow.service",
                &service(
                    "Type=oneshot\nTimeoutStartSec=3\nExecStart=/usr/bin/true\nExecStart=/usr/bin/sleep 20",
                ),
                Some(("oneshot-timed-out", "TimeoutStartSec=3")),
            ),
            tried(
                "in-time.service",
                &service("Type=oneshot\nTimeoutStartSec=30\nExecStart=/usr/bin/sleep 20"),
                None,
            ),
            tried(
                "condition.service",
                &service(
                    "ExecCondition=/usr/bin/true\nExecCondition=/usr/bin/false\nExecStart=/usr/bin/sleep infinity",
                ),
                Some(("condition-unmet", "ExecCondition=/usr/bin/false")),
            ),
            tried(
                "unconditional.service",
                &service("ExecCondition=/usr/bin/true\nExecStart=/usr/bin/sleep infinity"),
                None,
            ),
        ],
        40,
    );
}

#[test]
fn statuses_that_forbid_a_restart() {
    let ends = |more: &str, end: &str| {
        service(&format!(
            "ExecStart=/usr/bin/bash -c 'sleep 2; {end}'\nRestartSec=5min\n{more}"
        ))
    };
    let prevents = |value: &str| format!("RestartPreventExitStatus={value}");
    let found = |name, more: &str, end: &str, line| {
        tried(name, &ends(more, end), Some(("restart-prevented", line)))
    };
    check(
        &[
            found(
                "number.service",
                &format!("Restart=always\n{}\n{}", prevents("78"), prevents("99")),
                "exit 78",
                "RestartPreventExitStatus=78",
            ),
            found(
                "name.service",
                &format!(
                    "Restart=on-failure\n{}\n{}",
                    prevents("CONFIG"),
                    prevents("SIGTERM")
                ),
                "exit 78",
                "RestartPreventExitStatus=CONFIG",
            ),
            found(
                "signal.service",
                &format!("Restart=always\n{}", prevents("SIGKILL")),
                "kill -9 $$$$",
                "RestartPreventExitStatus=SIGKILL",
            ),
            tried(
                "other.service",
                &ends(&format!("Restart=always\n{}", prevents("78")), "exit 1"),
                None,
            ),
            // systemd would not restart it anyway.
            tried("never.service", &ends(&prevents("78"), "exit 78"), None),
            tried(
                "clean.service",
                &ends(&format!("Restart=on-failure\n{}", prevents("0")), "exit 0"),
                None,
            ),
        ],
        20,
    );
}

#[test]
fn stops_and_reloads_that_end_the_main_process() {
    let with = |more: &str, body: &str| {
        service(&format!(
            "NotifyAccess=all\n{more}\nExecStart=/usr/bin/bash -c '{body}'"
        ))
    };
    let stop = |tried: Tried| tried.at(10, Fault::Stop);
    let reload = |tried: Tried| tried.at(10, Fault::Reload);
    check(
        &[
            stop(tried(
                "kills.service",
                &with("ExecStop=/usr/bin/kill -9 $MAINPID", LOOP),
                Some(("stop-command-ends", "ExecStop=/usr/bin/kill -9 $MAINPID")),
            )),
            stop(tried(
                "asks.service",
                &with("ExecStop=/usr/bin/kill -TERM $MAINPID", LOOP),
                None,
            )),
            stop(tried(
                "known.service",
                &with(
                    "ExecStop=/usr/bin/kill -9 $MAINPID\nSuccessExitStatus=SIGKILL",
                    LOOP,
                ),
                None,
            )),
            reload(tried(
                "ends.service",
                &with("ExecReload=/usr/bin/kill -HUP $MAINPID", LOOP),
                Some(("reload-ends", "ExecReload=/usr/bin/kill -HUP $MAINPID")),
            )),
            reload(tried(
                "handles.service",
                &with(
                    "ExecReload=/usr/bin/kill -HUP $MAINPID",
                    &format!("trap : HUP; {LOOP}"),
                ),
                None,
            )),
            reload(tried(
                "unhandled.service",
                &with(
                    "Type=notify-reload",
                    &format!("systemd-notify --ready; {LOOP}"),
                ),
                Some(("reload-ends", "Type=notify-reload")),
            )),
            // The plan caused it.
            reload(tried(
                "killed.service",
                &with("ExecReload=/usr/bin/sleep 10", LOOP),
                None,
            ))
            .at(12, Fault::Kill(9)),
        ],
        40,
    );
}

#[test]
fn commands_beside_the_main_process_and_lines_for_a_shell() {
    let sleeps = |more: &str| service(&format!("ExecStart=/usr/bin/sleep infinity\n{more}"));
    let stop = |tried: Tried| tried.at(10, Fault::Stop);
    check(
        &[
            stop(tried(
                "after.service",
                &sleeps("ExecStopPost=/usr/bin/true\nExecStopPost=/usr/bin/false"),
                Some(("command-failed", "ExecStopPost=/usr/bin/false")),
            )),
            stop(tried(
                "well.service",
                &sleeps("ExecStopPost=-/usr/bin/false\nExecStopPost=/usr/bin/true"),
                None,
            )),
            tried(
                "redirects.service",
                &service("ExecStart=/usr/bin/echo hi > /run/out"),
                Some(("no-shell", "ExecStart=/usr/bin/echo hi > /run/out")),
            ),
            tried(
                "quotes.service",
                &service("ExecStart=/usr/bin/bash -c 'echo hi > /run/out && exit'"),
                None,
            ),
        ],
        20,
    );
}
