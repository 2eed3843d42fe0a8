//! Findings about requests to systemd: more time, a stop, a different watchdog limit, a missing unit, and too many requests.

use std::time::Duration;

use systemd_lab::experiment::{Experiment, Fault};

use crate::support::{PROGRAM, lab};
use crate::{LOOP, Tried, check, check_with, service, shell, tried};

/// A unit that does not start by itself.
fn idle(tried: Tried) -> Tried {
    Tried {
        faults: Vec::new(),
        ..tried
    }
}

#[test]
fn the_fate_of_a_needed_unit() {
    let needs = |setting: &str, other: &str| {
        format!(
            "[Unit]\n{setting}={other}\nAfter={other}\n[Service]\nExecStart=/usr/bin/sleep infinity\n"
        )
    };
    let sleeps = service("ExecStart=/usr/bin/sleep infinity");
    let skipped = format!("[Unit]\nConditionPathExists=/absent\n{sleeps}");
    let asserts = format!("[Unit]\nAssertPathExists=/absent\n{sleeps}");
    let unmet = |name, text: &str, line| idle(tried(name, text, Some(("condition-unmet", line))));
    let services = [
        tried(
            "requisite.service",
            &needs("Requisite", "idle.service"),
            Some(("dependency-failed", "Requisite=idle.service")),
        ),
        idle(tried("idle.service", &sleeps, None)),
        tried("up.service", &sleeps, None),
        Tried {
            faults: vec![(5, Fault::Start)],
            ..tried("after-up.service", &needs("Requisite", "up.service"), None)
        },
        tried(
            "bound.service",
            &needs("BindsTo", "skipped.service"),
            Some(("dependency-failed", "BindsTo=skipped.service")),
        ),
        tried(
            "goes-on.service",
            &needs("Requires", "skipped.service"),
            None,
        ),
        unmet("skipped.service", &skipped, "ConditionPathExists=/absent"),
        tried(
            "needs.service",
            &needs("Requires", "asserts.service"),
            Some(("dependency-failed", "Requires=asserts.service")),
        ),
        unmet("asserts.service", &asserts, "AssertPathExists=/absent"),
        tried(
            "last.service",
            &needs("Requires", "needs.service"),
            Some(("dependency-failed", "Requires=needs.service")),
        ),
    ];
    check(&services, 30);
}

#[test]
fn each_reason_of_a_dependency_has_its_sentence() {
    let folder = tempfile::tempdir().expect("there is room");
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("there is room");
        path
    };
    let sleeps = "[Service]\nExecStart=/usr/bin/sleep infinity\n";
    let needs =
        |setting: &str, other: &str| format!("[Unit]\n{setting}={other}\nAfter={other}\n{sleeps}");
    let mut experiment = Experiment::new(write("a.service", &needs("Requisite", "idle.service")))
        .unit(write("idle.service", sleeps))
        .lasting(Duration::from_secs(20));
    let more = [
        ("b.service", needs("BindsTo", "skipped.service")),
        ("c.service", needs("Requires", "asserts.service")),
        ("d.service", needs("Requires", "c.service")),
        ("e.service", needs("Requires", "fails.service")),
    ];
    for (name, text) in &more {
        experiment =
            experiment
                .unit(write(name, text))
                .fault_on(name, Duration::from_secs(1), Fault::Start);
    }
    let experiment = experiment
        .unit(write(
            "skipped.service",
            &format!("[Unit]\nConditionPathExists=/absent\n{sleeps}"),
        ))
        .unit(write(
            "asserts.service",
            &format!("[Unit]\nAssertPathExists=/absent\n{sleeps}"),
        ))
        .unit(write(
            "fails.service",
            "[Service]\nType=oneshot\nExecStart=/usr/bin/false\n",
        ));
    let timeline = experiment.run(lab()).expect("the lab works");
    let findings = experiment.findings(&timeline);
    let said = |unit: &str| {
        let mut of_unit = findings.iter().filter(|it| it.unit == unit);
        of_unit.next().map(|finding| finding.what())
    };
    for (unit, expected) in [
        (
            "a.service",
            "systemd did not start a.service, because idle.service was not active: Requisite= does not start idle.service",
        ),
        (
            "b.service",
            "systemd did not start b.service, because it skipped the start of skipped.service, and b.service needs that unit to be active",
        ),
        (
            "c.service",
            "systemd did not start c.service, because an assertion of asserts.service, which it depends on, failed",
        ),
        (
            "d.service",
            "systemd did not start d.service, because c.service, which it depends on, could not be started either",
        ),
        (
            "e.service",
            "e.service was never started, because fails.service, which it depends on, failed once. A later restart of that unit does not start e.service",
        ),
    ] {
        assert_eq!(said(unit).as_deref(), Some(expected));
    }
}

#[test]
fn jobs_that_take_too_long() {
    let waits = |setting: &str| {
        format!(
            "[Unit]\nWants=slow.service\nAfter=slow.service\n{setting}\n[Service]\nExecStart=/usr/bin/sleep infinity\n"
        )
    };
    let works = |setting: &str, time: &str| {
        format!("[Unit]\n{setting}\n[Service]\nType=oneshot\nExecStart=/usr/bin/sleep {time}\n")
    };
    let found = |name, text: String, line| tried(name, &text, Some(("job-timed-out", line)));
    check(
        &[
            found(
                "waits.service",
                waits("JobTimeoutSec=10s"),
                "JobTimeoutSec=10s",
            ),
            tried("in-time.service", &waits("JobTimeoutSec=1min"), None),
            // The job of this one does not run while it waits.
            tried(
                "waits-to-run.service",
                &waits("JobRunningTimeoutSec=10s"),
                None,
            ),
            tried("slow.service", &works("", "40"), None),
            found(
                "works.service",
                works("JobRunningTimeoutSec=10s", "30"),
                "JobRunningTimeoutSec=10s",
            ),
            found(
                "both.service",
                works("JobRunningTimeoutSec=50s\nJobTimeoutSec=10s", "30"),
                "JobTimeoutSec=10s",
            ),
            tried("quick.service", &works("JobTimeoutSec=10s", "5"), None),
        ],
        60,
    );
}

#[test]
fn what_a_job_waited_for_is_named() {
    let folder = tempfile::tempdir().expect("there is room");
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("there is room");
        path
    };
    let waits = "[Unit]\nWants=slow.service\nAfter=slow.service\nJobTimeoutSec=10s\n[Service]\nExecStart=/usr/bin/sleep infinity\n";
    let slow = "[Unit]\nJobTimeoutSec=20s\n[Service]\nType=oneshot\nExecStart=/usr/bin/sleep 60\n";
    let experiment = Experiment::new(write("a.service", waits))
        .unit(write("slow.service", slow))
        .lasting(Duration::from_secs(70));
    let timeline = experiment.run(lab()).expect("the lab works");
    let findings = experiment.findings(&timeline);
    let said: Vec<String> = findings.iter().map(|finding| finding.what()).collect();
    assert_eq!(
        said,
        [
            "systemd gave up on the start job of a.service after JobTimeoutSec=10s, while it still waited for slow.service: it never began",
            "systemd gave up on the start job of slow.service after JobTimeoutSec=20s, and leaves slow.service as it is: the setting ends the job, not what the job has begun",
        ]
    );
}

#[test]
fn more_time_and_other_watchdogs() {
    let extends = |time: &str, body: &str| {
        shell(
            "notify",
            &format!(
                "systemd-notify EXTEND_TIMEOUT_USEC={time}; {body}; systemd-notify --ready; {LOOP}"
            ),
        )
    };
    let watched = |limit: &str, body: &str| {
        service(&format!(
            "Type=notify\nNotifyAccess=all\n{limit}\nExecStart=/usr/bin/bash -c 'systemd-notify --ready; {body}'"
        ))
    };
    check(
        &[
            tried(
                "short.service",
                &extends("8000000", "sleep 20"),
                Some(("extension-ran-out", "TimeoutStartSec=5s")),
            ),
            // Shorter than the setting, which still applies.
            tried(
                "in-vain.service",
                &extends("1000000", "sleep 20"),
                Some(("extension-ran-out", "TimeoutStartSec=5s")),
            ),
            tried("long.service", &extends("20000000", "sleep 15"), None),
            tried(
                "again.service",
                &extends(
                    "8000000",
                    "sleep 6; systemd-notify EXTEND_TIMEOUT_USEC=8000000; sleep 6",
                ),
                None,
            ),
            tried(
                "drains.service",
                &service(&format!(
                    "Type=notify\nNotifyAccess=all\nTimeoutStopSec=5s\nExecStart=/usr/bin/bash -c 'trap \"systemd-notify EXTEND_TIMEOUT_USEC=8000000; sleep 20; exit 0\" TERM; systemd-notify --ready; {LOOP}'"
                )),
                Some(("extension-ran-out", "TimeoutStopSec=5s")),
            )
            .at(10, Fault::Stop),
            tried(
                "shortens.service",
                &watched(
                    "WatchdogSec=30",
                    "systemd-notify WATCHDOG_USEC=3000000; while :; do systemd-notify WATCHDOG=1; sleep 10; done",
                ),
                Some(("watchdog-shortened", "WatchdogSec=30")),
            ),
            tried(
                "feeds.service",
                &watched(
                    "WatchdogSec=30",
                    "systemd-notify WATCHDOG_USEC=6000000; while :; do systemd-notify WATCHDOG=1; sleep 2; done",
                ),
                None,
            ),
        ],
        60,
    );
}

#[test]
fn stops_that_are_asked_for() {
    let stops = "ExecStart=/usr/bin/bash -c 'sleep 5; systemctl stop itself.service; sleep 100'";
    let sleeps = "ExecStart=/usr/bin/sleep infinity";
    check_with(
        &[
            tried(
                "itself.service",
                &service(&format!("{stops}\nRestart=always")),
                Some(("stopped-on-request", stops)),
            ),
            // Without Restart=, the stop is what the author wants.
            tried(
                "stopped.service",
                &service("ExecStart=/usr/bin/bash -c 'sleep 5; systemctl stop %n; sleep 100'"),
                None,
            ),
            // The plan requests it.
            tried(
                "planned.service",
                &service(&format!("{sleeps}\nRestart=always")),
                None,
            ),
            tried(
                "unneeded.service",
                &format!("[Unit]\nStopWhenUnneeded=yes\n[Service]\n{sleeps}\nRestart=always\n"),
                None,
            ),
            tried(
                "needs.service",
                &format!("[Unit]\nWants=unneeded.service\n[Service]\n{sleeps}\n"),
                None,
            )
            .at(10, Fault::Stop),
        ],
        40,
        |experiment| {
            let stop = "/usr/bin/systemctl stop planned.service";
            experiment.fault(Duration::from_secs(20), Fault::Run(stop.to_owned()))
        },
    );
}

/// systemd restarts a service that ends without taking the connection at once, up to the socket's limit.
#[test]
fn sockets_that_trigger_too_often() {
    let socket =
        |port: u16, limit: &str| format!("[Socket]\nListenStream=127.0.0.1:{port}\n{limit}\n");
    let stays = service("ExecStart=/usr/bin/sleep infinity");
    let connect = |port: u16| {
        Fault::Run(format!(
            "/usr/bin/bash -c \"exec 5<>/dev/tcp/127.0.0.1/{port}; sleep 5\""
        ))
    };
    check_with(
        &[
            tried(
                "often.socket",
                &socket(7001, "TriggerLimitBurst=3"),
                Some(("trigger-limit-hit", "TriggerLimitBurst=3")),
            ),
            idle(tried(
                "often.service",
                &service("ExecStart=/usr/bin/true"),
                None,
            )),
            tried("once.socket", &socket(7002, "TriggerLimitBurst=3"), None),
            idle(tried("once.service", &stays, None)),
        ],
        20,
        |experiment| {
            experiment
                .fault(Duration::from_secs(5), connect(7001))
                .fault(Duration::from_secs(12), connect(7002))
        },
    );
}

#[test]
fn limits_of_a_kind() {
    let forks =
        "ExecStart=/usr/bin/bash -c 'for i in 1 2 3 4 5 6 7 8 9; do sleep 100 & done; wait'";
    let takes = service(&format!(
        "Slice=small-part.slice\nMemorySwapMax=0\nExecStart={PROGRAM} take-memory"
    ));
    check(
        &[
            tried(
                "many.service",
                &service(&format!("TasksMax=5\n{forks}")),
                Some(("too-many-tasks", "TasksMax=5")),
            ),
            tried(
                "enough.service",
                &service(&format!("TasksMax=20\n{forks}")),
                None,
            ),
            tried(
                "takes.service",
                &takes,
                Some(("out-of-memory", "MemoryMax=20M")),
            ),
            idle(tried("small.slice", "[Slice]\nMemoryMax=20M\n", None)),
            tried(
                "misread.service",
                "[Service]\nExecStart=/usr/bin/sleep infinity\nRestart always\n",
                Some(("line-ignored", "Restart always")),
            ),
            tried(
                "steps.service",
                &service("ExecStart=/usr/bin/sleep infinity\nRestartSteps=5"),
                Some(("line-ignored", "RestartSteps=5")),
            ),
            tried(
                "relative.service",
                &service("ExecStart=bin/sleep infinity"),
                Some(("unit-refused", "ExecStart=bin/sleep infinity")),
            ),
            tried(
                "contradicts.service",
                &service("Type=oneshot\nRestart=always\nExecStart=/usr/bin/true"),
                Some(("unit-refused", "Restart=always")),
            ),
        ],
        20,
    );
}

/// A legal line, for which the guest lacks a package.
#[test]
fn a_time_zone_that_the_guest_does_not_have() {
    let folder = tempfile::tempdir().expect("there is room");
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("there is room");
        path
    };
    let run = |calendar: &str| {
        let timer = format!("[Timer]\n{calendar}\n");
        let experiment = Experiment::new(write("a.timer", &timer))
            .unit(write("a.service", "[Service]\nExecStart=/usr/bin/true\n"))
            .lasting(Duration::from_secs(5));
        let timeline = experiment.run(lab()).expect("the lab works");
        let findings = experiment.findings(&timeline);
        let found = findings.iter().map(|it| (it.change(), it.manual()));
        (
            experiment.guest_warnings(lab()),
            found.collect::<Vec<(&str, &str)>>(),
        )
    };
    let lacks = "add the Debian package tzdata (--package tzdata): without it, the guest has no time zones but UTC. If it is there, correct the line";
    let manual = "systemd.time(7), \"Calendar Events\"";
    // Refused, because nothing else makes it fire; and with one line ignored.
    let zone = "OnCalendar=*-*-* 02:30:00 Europe/Berlin";
    for calendar in [zone, &format!("OnCalendar=daily\n{zone}")] {
        let (warnings, found) = run(calendar);
        assert_eq!(found, [(lacks, manual)], "{calendar}");
        let [warning] = &warnings[..] else {
            panic!("{warnings:?}");
        };
        assert!(warning.contains("no time zone Europe/Berlin"), "{warning}");
    }
    assert_eq!(run("OnCalendar=*-*-* 02:30:00 UTC"), Default::default());
    let (warnings, found) = run("OnCalendar=*-*-* 25:30:00");
    assert_eq!(warnings, Vec::<String>::new());
    assert!(found[0].0.starts_with("correct the line"), "{found:?}");
}
