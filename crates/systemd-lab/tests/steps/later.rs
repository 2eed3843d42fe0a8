//! Steps that run while others go on: at a time, after an event, or never; and effects that no other step has.

use std::time::Duration;

use systemd_lab::protocol::event::StepOutcome;
use systemd_lab::protocol::scenario::{Happening, Trigger, When, Whom};
use systemd_lab::protocol::{Condition, EventKind, Scenario, Step};
use systemd_lab::{GuestFile, Timeline};

use crate::support::{LONG, PROGRAM, UNIT, program, run, unit};
use crate::{commands, jobs};

/// From an event until the step that waits for it: journald writes, the agent reads. It takes less than a
/// millisecond.
const SOON: Duration = Duration::from_millis(20);

const SIGKILL: i32 = 9;

fn at(seconds: u64) -> When {
    When::At(Duration::from_secs(seconds))
}

fn on(happening: Happening, count: u32, delay: Duration) -> When {
    When::On(Trigger {
        unit: UNIT.into(),
        happening,
        count,
        delay,
    })
}

fn kill(whom: Whom) -> Step {
    Step::Signal {
        unit: UNIT.into(),
        signal: SIGKILL,
        whom,
    }
}

fn shell(script: &str) -> Step {
    Step::RunInBackground {
        argv: ["/bin/sh", "-c", script].map(str::to_owned).to_vec(),
        deadline: LONG,
    }
}

/// When the step with this index began, if it did.
fn began(timeline: &Timeline, wanted: usize) -> Option<Duration> {
    let events = timeline.events().iter();
    let mut times = events.filter_map(|event| match event.kind {
        EventKind::StepBegan { index, .. } if index == wanted => Some(timeline.time_of(event)),
        _ => None,
    });
    times.next()
}

/// When this happened to the unit, each time.
fn times(timeline: &Timeline, wanted: &Happening) -> Vec<Duration> {
    let events = timeline.of(UNIT).filter(|event| wanted.is(&event.kind));
    events.map(|event| timeline.time_of(event)).collect()
}

/// Pings every two seconds, three times, then hangs.
fn pinger() -> [GuestFile; 2] {
    let service = format!("Type=notify\nRestart=always\nRestartSec=1s\nExecStart={PROGRAM} hang");
    [unit(&service), program()]
}

#[test]
fn each_comes_in_time_whatever_the_order_of_the_plan() {
    let ping = Happening::Notifies("WATCHDOG=1".into());
    let delay = Duration::from_millis(200);
    let scenario = Scenario::new("later")
        .later(at(20), Step::DaemonReload)
        .later(on(ping.clone(), 2, delay), kill(Whom::Main))
        .later(on(Happening::Restarts, 1, Duration::ZERO), shell("true"))
        .later(
            on(Happening::Logs("hangs after".into()), 1, Duration::ZERO),
            Step::DaemonReload,
        )
        .later(at(1), Step::DaemonReload)
        .later(
            on(Happening::Restarts, 2, Duration::ZERO),
            Step::DaemonReload,
        )
        .start(UNIT)
        .sleep_until(Duration::from_secs(30));
    let timeline = run(&scenario, &pinger());
    let came = |index| began(&timeline, index).expect("it came");
    assert_eq!([came(0), came(4)].map(|time| time.as_secs()), [20, 1]);
    let soon_after = |then: Duration, index| {
        let late = came(index).checked_sub(then).expect("not before");
        assert!(late < SOON, "{index}: {late:?}");
    };
    soon_after(times(&timeline, &ping)[1] + delay, 1);
    soon_after(times(&timeline, &Happening::Restarts)[0], 2);
    soon_after(
        times(&timeline, &Happening::Logs("hangs after".into()))[0],
        3,
    );
    // There was only one restart.
    assert_eq!(began(&timeline, 5), None);
    assert_eq!(commands(&timeline), [(0, "")]);
}

/// This also works while a step waits for something, and does not change what that step waits for.
#[test]
fn a_wait_lets_it_come() {
    let scenario = Scenario::new("later, while waiting")
        .later(at(2), kill(Whom::Main))
        .later(
            on(Happening::Restarts, 1, Duration::from_secs(3)),
            Step::Stop { unit: UNIT.into() },
        )
        .start(UNIT)
        .wait_for(
            Condition::NextSubState {
                unit: UNIT.into(),
                any_of: vec!["dead".into()],
            },
            LONG,
        );
    let files = [unit(
        "Restart=always\nRestartSec=1s\nExecStart=/usr/bin/sleep infinity",
    )];
    let timeline = run(&scenario, &files);
    let stopped = began(&timeline, 1).expect("it came");
    let restarted = times(&timeline, &Happening::Restarts)[0];
    assert!(stopped - restarted - Duration::from_secs(3) < SOON);
    assert_eq!(
        jobs(&timeline, UNIT).last().map(String::as_str),
        Some("stop done")
    );
}

#[test]
fn a_command_beside_others_keeps_nothing_waiting() {
    let scenario = Scenario::new("commands")
        .later(at(1), shell("sleep 5; echo late; exit 3"))
        .later(at(2), shell("echo early"))
        .later(at(3), shell("sleep 100"))
        .sleep_until(Duration::from_secs(10));
    let timeline = run(&scenario, &[]);
    assert_eq!(began(&timeline, 1).map(|time| time.as_secs()), Some(2));
    assert_eq!(commands(&timeline), [(0, "early\n"), (3, "late\n")]);
    let cut_off = timeline.events().iter().any(
        |event| matches!(&event.kind, EventKind::CommandCutOff { argv } if argv[2] == "sleep 100"),
    );
    assert!(cut_off);
}

/// The kernel kills the largest process, which is not the main one, and `OOMPolicy=` decides what happens next.
#[test]
fn memory_that_runs_out_is_the_kernels_doing() {
    let large =
        "/bin/bash -c 'x=$(head -c 20000000 /dev/zero | tr \"\\\\0\" x); sleep infinity; :'";
    let result = |policy: &str| {
        let service = format!(
            "OOMPolicy={policy}\nExecStart=/bin/bash -c \"{} & exec sleep infinity\"",
            large.replace('"', "\\\"")
        );
        let scenario = Scenario::new("out of memory")
            .later(at(10), Step::OutOfMemory { unit: UNIT.into() })
            .later(
                at(12),
                shell("cat /sys/fs/cgroup/system.slice/t.service/memory.max"),
            )
            .observe(UNIT)
            .start(UNIT)
            .sleep_until(Duration::from_secs(15));
        let timeline = run(&scenario, &[unit(&service)]);
        let result = timeline.text_property(UNIT, "Result");
        let state = timeline.text_property(UNIT, "SubState");
        let limit = commands(&timeline)
            .first()
            .map(|(_, limit)| limit.trim().to_owned());
        (
            result.unwrap_or_default().to_owned(),
            state.unwrap_or_default().to_owned(),
            limit,
        )
    };
    let stopped = result("stop");
    assert_eq!(
        (stopped.0.as_str(), stopped.1.as_str()),
        ("oom-kill", "failed")
    );
    let max = Some("max".to_owned());
    assert_eq!(
        result("continue"),
        ("success".into(), "running".into(), max)
    );
}

#[test]
fn a_unit_without_processes_has_no_memory_to_run_out_of() {
    let scenario = Scenario::new("nothing there")
        .later(at(1), Step::OutOfMemory { unit: UNIT.into() })
        .sleep_until(Duration::from_secs(2));
    let timeline = run(&scenario, &[]);
    let outcomes = crate::outcomes(&timeline);
    assert!(
        matches!(outcomes[..], [StepOutcome::Refused { error, .. }, StepOutcome::Done] if error == "ESRCH"),
        "{outcomes:?}"
    );
}
