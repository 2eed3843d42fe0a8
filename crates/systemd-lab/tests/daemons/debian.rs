//! sshd, redis-server, nginx and systemd-timesyncd, which has a watchdog.

use std::time::Duration;

use systemd_lab::protocol::event::ResponseOutcome;
use systemd_lab::protocol::{Condition, EventKind, Scenario};
use systemd_lab::{GuestFile, Timeline};

use crate::support::LONG;
use crate::{DAEMONS, SIGCONT, SIGKILL, SIGSTOP, assert_snapshot, life};

/// Long enough for anything that watches a daemon to notice that it hangs.
const A_WHILE: Duration = Duration::from_secs(60);

/// How long a client waits for an answer.
const TIMEOUT: Duration = Duration::from_secs(5);

fn running(unit: &str) -> Condition {
    Condition::NextSubState {
        unit: unit.to_owned(),
        any_of: vec!["running".to_owned()],
    }
}

/// Started, frozen and thawed, then killed. `ask` checks whether it serves.
fn tried(name: &str, unit: &str, ask: fn(Scenario, &str) -> Scenario) -> Scenario {
    let started = Scenario::new(name).start(unit).wait_for_job(unit, LONG);
    let frozen = ask(started, "before").signal(unit, SIGSTOP).sleep(A_WHILE);
    let thawed = ask(frozen, "frozen").signal(unit, SIGCONT);
    ask(thawed, "thawed").signal(unit, SIGKILL)
}

fn outcomes(timeline: &Timeline) -> Vec<i32> {
    let command = |kind: &EventKind| match kind {
        EventKind::Command { status, .. } => Some(*status),
        _ => None,
    };
    timeline
        .events()
        .iter()
        .filter_map(|event| command(&event.kind))
        .collect()
}

fn run(scenario: &Scenario, files: &[GuestFile]) -> Timeline {
    DAEMONS.run(scenario, files).expect("the lab works")
}

#[test]
fn sshd_comes_back_at_once() {
    let unit = "ssh.service";
    // It greets anyone who connects.
    let ask = |scenario: Scenario, _: &str| {
        let greet = "exec 3<>/dev/tcp/127.0.0.1/22; read -rt 5 -u 3 line; [[ $line == SSH-2.0-* ]]";
        scenario.run(&["/bin/bash", "-c", greet], LONG)
    };
    let scenario = tried("sshd", unit, ask).wait_for(running(unit), LONG);
    let timeline = run(&ask(scenario, "again"), &[]);
    assert_snapshot("sshd", &life(unit, &timeline));
    assert_eq!(
        outcomes(&timeline),
        [0, 1, 0, 0],
        "frozen, it greets nobody"
    );
}

#[test]
fn redis_comes_back_at_once() {
    let unit = "redis-server.service";
    let ask = |scenario: Scenario, _: &str| {
        let ping = "[ \"$(timeout 5 redis-cli ping)\" = PONG ]";
        scenario.run(&["/bin/bash", "-c", ping], LONG)
    };
    let scenario = tried("redis", unit, ask).wait_for(running(unit), LONG);
    let timeline = run(&ask(scenario, "again"), &[]);
    assert_snapshot("redis", &life(unit, &timeline));
    assert_eq!(outcomes(&timeline), [0, 1, 0, 0]);
}

#[test]
fn nginx_stays_down_without_restart() {
    let unit = "nginx.service";
    // Its workers serve; the frozen main process only manages them.
    let ask = |scenario: Scenario, name: &str| scenario.get(name, "http://127.0.0.1:80/", TIMEOUT);
    let scenario = tried("nginx", unit, ask).wait_for_state(unit, &["failed"], LONG);
    let timeline = run(&ask(scenario.sleep(A_WHILE), "down"), &[]);
    assert_snapshot("nginx", &life(unit, &timeline));
    let serves = |timeline: &Timeline, name: &str| {
        timeline
            .response(name)
            .is_some_and(|outcome| matches!(outcome, ResponseOutcome::Answered { status: 200, .. }))
    };
    for (name, expected) in [
        ("before", true),
        ("frozen", true),
        ("thawed", true),
        ("down", false),
    ] {
        assert_eq!(serves(&timeline, name), expected, "{name}");
    }

    let restart = GuestFile::text(
        "/etc/systemd/system/nginx.service.d/restart.conf",
        "[Service]\nRestart=on-failure\n",
    );
    let scenario = tried("nginx with Restart=", unit, ask).wait_for(running(unit), LONG);
    let timeline = run(&ask(scenario, "again"), &[restart]);
    assert_snapshot("nginx_with_restart", &life(unit, &timeline));
    assert!(serves(&timeline, "again"));
}

#[test]
fn timesyncd_is_missed_by_its_watchdog() {
    /// `WatchdogSec=` of its unit. It pings twice as often.
    const WATCHDOG: Duration = Duration::from_secs(180);
    let unit = "systemd-timesyncd.service";
    let scenario = Scenario::new("timesyncd")
        .start(unit)
        .wait_for_job(unit, LONG)
        .sleep(2 * WATCHDOG)
        .signal(unit, SIGSTOP)
        .wait_for(running(unit), WATCHDOG + LONG)
        .signal(unit, SIGKILL)
        .wait_for(running(unit), LONG)
        .sleep(2 * WATCHDOG);
    let timeline = run(&scenario, &[]);
    assert_snapshot("timesyncd", &life(unit, &timeline));
    let pings = timeline.of(unit).filter(|event| match &event.kind {
        EventKind::Notified { assignments, .. } => assignments
            .iter()
            .any(|assignment| assignment == "WATCHDOG=1"),
        _ => false,
    });
    assert!(pings.count() >= 6, "while it runs, it says so");
}
