//! Services that are as malicious as possible. Each run ends with a timeline, and does not affect the next
//! run.

use std::fs;
use std::sync::LazyLock;
use std::time::Duration;

use systemd_lab::protocol::{EventKind, Scenario};
use systemd_lab::{GuestFile, Timeline};

use crate::support::{
    LONG, PROGRAM, UNIT, assert_same_under_load, lab, program, run, short_run, unit,
};
use crate::{commands, logs};

/// How long an attack goes on.
const WHILE: Duration = Duration::from_secs(10);

/// A harmless run, before any attack.
static BEFORE: LazyLock<String> =
    LazyLock::new(|| short_run(lab()).expect("the lab works").to_json_lines());

/// Lets the service attack for a while, stops it, and checks whether guest and lab still work.
fn attack(service: &str, more: &[GuestFile]) -> Timeline {
    let before = BEFORE.as_str();
    let scenario = Scenario::new("attack")
        .start(UNIT)
        .sleep(WHILE)
        .stop(UNIT)
        .wait_for_state(UNIT, &["dead", "failed"], LONG)
        .run(&["/usr/bin/echo", "alive"], LONG)
        .observe(UNIT);
    let mut files = vec![unit(service)];
    files.extend_from_slice(more);
    let timeline = run(&scenario, &files);
    assert_eq!(commands(&timeline), [(0, "alive\n")], "the guest works");
    assert_same_under_load(
        before,
        &short_run(lab()).expect("the lab works").to_json_lines(),
    );
    timeline
}

fn has(timeline: &Timeline, wanted: impl Fn(&EventKind) -> bool) -> bool {
    timeline.events().iter().any(|event| wanted(&event.kind))
}

fn failed_with(timeline: &Timeline, wanted: &str) -> bool {
    has(
        timeline,
        |kind| matches!(kind, EventKind::Failed { result } if result == wanted),
    )
}

#[test]
fn it_prints_megabytes() {
    let timeline = attack(
        "ExecStart=/usr/bin/bash -c 'yes $(printf %%0100d 0) | head -c 3000000; sleep infinity'",
        &[],
    );
    assert_eq!(logs(&timeline, UNIT).len(), 2000);
    assert!(has(
        &timeline,
        |kind| matches!(kind, EventKind::LogTruncated { lines } if *lines > 20_000)
    ));
}

#[test]
fn it_prints_one_long_line_and_no_text() {
    let timeline = attack(
        "ExecStart=/usr/bin/bash -c 'head -c 1000000 /dev/zero | tr \"\\\\0\" x; head -c 100000 /dev/urandom; sleep infinity'",
        &[],
    );
    assert!(!logs(&timeline, UNIT).is_empty());
}

#[test]
fn it_takes_all_memory() {
    let timeline = attack(&format!("ExecStart={PROGRAM} take-memory"), &[program()]);
    assert!(
        failed_with(&timeline, "oom-kill"),
        "{}",
        timeline.to_json_lines()
    );
}

#[test]
fn it_fills_the_file_system() {
    let timeline = attack(
        "ExecStart=/usr/bin/bash -c 'head -c 1G /dev/zero > /fill; echo head: $?; rm /fill; echo survived; sleep infinity'",
        &[],
    );
    // The file system takes at most half of the memory: a service that fills it leaves the rest to the others.
    let said = [
        "head: error writing 'standard output': No space left on device",
        "head: 1",
        "survived",
    ];
    assert_eq!(logs(&timeline, UNIT), said);
    assert!(!failed_with(&timeline, "oom-kill"));
}

#[test]
fn it_forks_a_lot() {
    let timeline = attack(
        "ExecStart=/usr/bin/bash -c 'for i in {1..200}; do sleep infinity & done; wait'\nTasksMax=100",
        &[],
    );
    let timeline = timeline.to_json_lines();
    assert!(
        timeline.contains("Resource temporarily unavailable"),
        "{timeline}"
    );
}

#[test]
fn it_ignores_sigterm() {
    let timeline = attack(
        "ExecStart=/usr/bin/bash -c 'trap \"\" TERM; while :; do sleep 1000; done'\nTimeoutStopSec=20s",
        &[],
    );
    assert!(failed_with(&timeline, "timeout"));
}

#[test]
fn it_ends_at_once_again_and_again() {
    let timeline = attack(
        "ExecStart=/usr/bin/false\nRestart=always\nRestartSec=0\n[Unit]\nStartLimitIntervalSec=0",
        &[],
    );
    assert!(has(
        &timeline,
        |kind| matches!(kind, EventKind::RestartScheduled { counter } if *counter > 20)
    ));
}

#[test]
fn it_binds_another_port_and_then_none() {
    let timeline = attack(
        &format!("ExecStart={PROGRAM} serve 0.0.0.0:9999"),
        &[program()],
    );
    assert_eq!(timeline.any_listener(), Some("0.0.0.0:9999"));
    let timeline = attack(&format!("ExecStart={PROGRAM} serve nonsense"), &[program()]);
    assert!(failed_with(&timeline, "exit-code"));
}

#[test]
fn its_program_is_empty() {
    let directory = tempfile::tempdir().expect("it can be made");
    let host = directory.path().join("empty");
    fs::write(&host, "").expect("it can be written");
    let timeline = attack(
        &format!("ExecStart={PROGRAM}"),
        &[GuestFile::program(PROGRAM, host)],
    );
    assert!(failed_with(&timeline, "exit-code"));
}
