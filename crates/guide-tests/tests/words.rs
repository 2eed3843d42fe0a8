//! What the guide says in words alone, with no table or picture beside it that would be measured.

use std::sync::LazyLock;
use std::time::Duration;

use guide_tests::slack;
use measured::Measured;
use systemd_lab::protocol::{Event, EventKind, Scenario, Step};
use systemd_lab::{GuestFile, Lab, Timeline, nearest_second};

static LAB: LazyLock<Lab> = LazyLock::new(|| Lab::open().expect("the lab opens"));

const UNIT: &str = "words.service";

/// signal(7)
const SIGKILL: i32 = 9;

/// Longer than any delay, watchdog or deadline here.
const MINUTE: Duration = Duration::from_secs(60);

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Bounds the steps that take a moment.
const LONG: Duration = Duration::from_secs(120);

fn run(unit: &str, scenario: &Scenario) -> Timeline {
    let file = GuestFile::text(format!("/etc/systemd/system/{UNIT}"), unit);
    let timeline = LAB.run(scenario, &[file]).expect("the lab works");
    assert_eq!(timeline.step_that_timed_out(), None, "every step ends");
    timeline
}

/// The unit is started and left alone.
fn watched(service: &str) -> Timeline {
    let scenario = Scenario::new("a unit, left alone")
        .start(UNIT)
        .sleep(MINUTE);
    run(&format!("[Service]\n{service}\n"), &scenario)
}

/// The first such event, and how many whole seconds it came after another one.
fn seconds_after(
    timeline: &Timeline,
    before: impl Fn(&EventKind) -> bool,
    wanted: impl Fn(&EventKind) -> bool,
) -> u64 {
    let at = |event: Option<&Event>| timeline.time_of(event.expect("it happened"));
    nearest_second(at(timeline.first(UNIT, wanted)) - at(timeline.first(UNIT, before)))
}

fn result(timeline: &Timeline) -> Option<&str> {
    timeline.of(UNIT).find_map(|event| match &event.kind {
        EventKind::Failed { result } => Some(result.as_str()),
        _ => None,
    })
}

fn is_signal(kind: &EventKind, name: &str) -> bool {
    matches!(kind, EventKind::Killing { signal, .. } if signal == name)
}

fn acted(kind: &EventKind) -> bool {
    matches!(kind, EventKind::WatchdogTimeout { .. })
}

/// limits.md: the steps start again after reset-failed and after a stop, but not after a good day.
#[test]
fn a_good_day_does_not_reset_the_steps() {
    let killed = |scenario: Scenario| scenario.signal(UNIT, SIGKILL).sleep(MINUTE);
    // A signal that comes before there is a process is refused.
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
    let timeline = run(unit, &killed(scenario));

    let mut delays = Vec::new();
    let mut ended = Duration::ZERO;
    for event in timeline.of(UNIT) {
        match &event.kind {
            EventKind::ProcessExited { .. } => ended = timeline.time_of(event),
            EventKind::RestartScheduled { .. } => {
                delays.push(nearest_second(timeline.time_of(event) - ended));
            }
            _ => {}
        }
    }
    assert_eq!(delays, [10, 20, 40, 10, 10]);
}

/// readiness.md: EXTEND_TIMEOUT_USEC= puts off the watchdog, too.
#[test]
fn a_longer_timeout_puts_off_the_watchdog() {
    let timeline = watched(
        "Type=notify\nNotifyAccess=all\nWatchdogSec=5s\nExecStart=/usr/bin/bash -c 'systemd-notify --ready; \
         systemd-notify EXTEND_TIMEOUT_USEC=20000000; exec sleep infinity'",
    );
    let is_asked = |kind: &EventKind| matches!(kind, EventKind::Notified { assignments, .. } if assignments.iter().any(|one| one.starts_with("EXTEND_")));
    assert_eq!(seconds_after(&timeline, is_asked, acted), 20);
}

/// watchdogs.md: it works without WatchdogSec=.
#[test]
fn the_watchdog_can_be_triggered_without_an_interval() {
    let timeline = watched(
        "Type=notify\nNotifyAccess=all\nExecStart=/usr/bin/bash -c 'systemd-notify --ready; \
         systemd-notify WATCHDOG=trigger; exec sleep infinity'",
    );
    assert_eq!(result(&timeline), Some("watchdog"));
}

/// watchdogs.md: after SIGABRT come TimeoutAbortSec=, which is TimeoutStopSec= when it is not set, and SIGKILL.
#[test]
fn a_watchdog_that_is_ignored_kills() {
    let timeline = watched(
        "Type=notify\nNotifyAccess=all\nWatchdogSec=10s\nTimeoutStopSec=3s\nExecStart=/usr/bin/bash -c 'trap \"\" ABRT; \
         systemd-notify --ready; while :; do sleep 100; done'",
    );
    let delay = seconds_after(
        &timeline,
        |kind| is_signal(kind, "SIGABRT"),
        |kind| is_signal(kind, "SIGKILL"),
    );
    assert_eq!(delay, 3);
    assert_eq!(
        result(&timeline),
        Some("watchdog"),
        "the first failure counts"
    );
}

/// recovery.md: without READY=1, exit code 0 is a broken promise, and any other one is an exit code.
#[test]
fn an_end_before_it_is_ready_is_a_failure_either_way() {
    let ended = |code: u8| {
        watched(&format!(
            "Type=notify\nExecStart=/usr/bin/bash -c 'exit {code}'"
        ))
    };
    assert_eq!(result(&ended(0)), Some("protocol"));
    assert_eq!(result(&ended(1)), Some("exit-code"));
}

/// policy.md: a worker that pings after each job, and has no job.
#[test]
fn a_worker_that_pings_only_after_a_job_is_killed_while_it_waits() {
    let timeline = watched(
        "Type=notify\nNotifyAccess=all\nWatchdogSec=20s\nExecStart=/usr/bin/bash -c 'systemd-notify --ready; sleep 5; \
         systemd-notify WATCHDOG=1; exec sleep infinity'",
    );
    let is_ping = |kind: &EventKind| matches!(kind, EventKind::Notified { assignments, .. } if assignments.iter().any(|one| one == "WATCHDOG=1"));
    assert_eq!(seconds_after(&timeline, is_ping, acted), 20);
    assert_eq!(result(&timeline), Some("watchdog"));
}

/// policy.md: the timer starts the job at two, or within a minute after that.
#[test]
fn the_timer_starts_the_job_at_two() {
    let policies = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../book/policies");
    let file = |name: &str| {
        let text = std::fs::read_to_string(policies.join(name)).expect("the policy is there");
        GuestFile::text(format!("/etc/systemd/system/{name}"), text)
    };
    let program = concat!(env!("CARGO_MANIFEST_DIR"), "/src/service.sh");
    let files = [
        file("job.service"),
        file("job.timer"),
        GuestFile::program("/usr/local/bin/service", program),
    ];
    // Time 0 is midnight.
    let scenario = Scenario::new("a night").start("job.timer").sleep(DAY);
    let timeline = LAB.run(&scenario, &files).expect("the lab works");
    let started =
        |kind: &EventKind| matches!(kind, EventKind::StateChanged { to, .. } if to == "start");
    let times: Vec<Duration> = timeline
        .of("job.service")
        .filter(|event| started(&event.kind))
        .map(|event| timeline.time_of(event))
        .collect();
    let two = Duration::from_secs(2 * 60 * 60);
    assert_eq!(times.len(), 1);
    assert!((two..=two + MINUTE).contains(&times[0]), "{times:?}");
}

/// limits.md: systemd's timers fire on multiples of 250 ms, of the lab's clock.
#[test]
fn a_restart_is_up_to_a_quarter_of_a_second_late() {
    let table = slack::measure(&LAB).expect("each delay is measured");
    let with = LAB.measured_with().expect("the lab works");
    Measured::text("slack.md", &table, &with).assert_kept("cargo book-tests");
}
