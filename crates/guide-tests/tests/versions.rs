//! What the guide says about systemd 252 as well as 257: each claim is measured with both.
//!
//! To write the guide's tables: `BOOK_MEASURED=write cargo setup-tests`, then read what changed.

use std::fmt::Write;
use std::path::Path;
use std::sync::LazyLock;
use std::time::Duration;

use guide_tests::policies;
use measured::Measured;
use serde_json::Value;
use systemd_lab::protocol::{EventKind, Scenario, Step};
use systemd_lab::{Guest, GuestFile, Lab, Picture, Suite, Timeline, nearest_second};

const COMMAND: &str = "cargo setup-tests";

static OLD: LazyLock<Lab> = LazyLock::new(|| lab(Suite::Bookworm));
static NEW: LazyLock<Lab> = LazyLock::new(|| lab(Suite::Trixie));

const UNIT: &str = "versions.service";
const OTHER: &str = "other.service";

/// signal(7)
const SIGKILL: i32 = 9;
const SIGTERM: i32 = 15;

/// Longer than any delay here, and than anything that happens after it.
const SHORT: Duration = Duration::from_secs(5);

/// Longer than any watchdog, drain or deadline here.
const MINUTE: Duration = Duration::from_secs(60);

/// Never ends by itself.
const SLEEPER: &str = "Type=exec\nExecStart=/usr/bin/sleep infinity";

/// syslog(3)
const WARNING: &str = "4";
const DEBUG: &str = "7";

fn lab(suite: Suite) -> Lab {
    Lab::open_guest(&Guest::new(suite)).expect("the lab opens")
}

fn both() -> [&'static Lab; 2] {
    [&OLD, &NEW]
}

fn file(name: &str, text: &str) -> GuestFile {
    GuestFile::text(format!("/etc/systemd/system/{name}"), text)
}

fn run(lab: &Lab, scenario: &Scenario, files: &[GuestFile]) -> Timeline {
    let timeline = lab.run(scenario, files).expect("the lab works");
    assert_eq!(timeline.step_that_timed_out(), None, "every step ends");
    timeline
}

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// When this happened to the unit, in whole seconds.
fn times(timeline: &Timeline, unit: &str, wanted: impl Fn(&EventKind) -> bool) -> Vec<u64> {
    let its = timeline.of(unit).filter(|event| wanted(&event.kind));
    its.map(|event| nearest_second(timeline.time_of(event)))
        .collect()
}

fn happened(timeline: &Timeline, unit: &str, wanted: impl Fn(&EventKind) -> bool) -> bool {
    !times(timeline, unit, wanted).is_empty()
}

fn is_exit(kind: &EventKind) -> bool {
    matches!(kind, EventKind::ProcessExited { role, .. } if role == "main")
}

fn is_restart(kind: &EventKind) -> bool {
    matches!(kind, EventKind::RestartScheduled { .. })
}

fn is_watchdog(kind: &EventKind) -> bool {
    matches!(kind, EventKind::WatchdogTimeout { .. })
}

/// What the commands of the scenario printed.
fn printed(timeline: &Timeline) -> Vec<&str> {
    let outputs = timeline
        .events()
        .iter()
        .filter_map(|event| match &event.kind {
            EventKind::Command { output, .. } => Some(output.trim()),
            _ => None,
        });
    outputs.collect()
}

/// policy.md
#[test]
fn the_policies_behave_like_this_before_delays_could_grow() {
    let book = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../book");
    let table = policies::measure_before_254(&OLD, &book).expect("each policy is measured");
    let with = OLD.measured_with().expect("the lab works");
    Measured::text("policies-before-254.md", &table, &with).assert_kept(COMMAND);
}

/// limits.md: with a window that slides, the start at 12 s would be the third one within ten seconds.
#[test]
fn the_start_limits_window_does_not_slide() {
    let unit = "[Unit]\nStartLimitIntervalSec=10s\nStartLimitBurst=2\n[Service]\nType=oneshot\nExecStart=/usr/bin/false\n";
    let scenario = [9, 11, 12, 13].into_iter().fold(
        Scenario::new("a fixed window").start(UNIT),
        |scenario, at| scenario.sleep_until(seconds(at)).start(UNIT),
    );
    let scenario = scenario.sleep(SHORT);
    for lab in both() {
        let timeline = run(lab, &scenario, &[file(UNIT, unit)]);
        assert_eq!(times(&timeline, UNIT, is_exit), [0, 9, 11, 12]);
        let refused = times(&timeline, UNIT, |kind| *kind == EventKind::StartLimitHit);
        assert_eq!(refused, [13]);
    }
    let timeline = run(&NEW, &scenario, &[file(UNIT, unit)]);
    let essence = Picture::of(&[UNIT]).essence(&timeline);
    Measured::timeline("start-limit-window.json", essence).assert_kept(COMMAND);
}

/// limits.md: what becomes of the start limit's settings in `[Service]`.
#[test]
fn half_of_the_start_limit_works_in_the_service_section() {
    // Setting, its property on D-Bus, and the property's value if the setting works.
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
        let cells = both().map(|lab| {
            let unit = file(UNIT, &format!("[Service]\n{SLEEPER}\n{setting}\n"));
            let scenario = Scenario::new("the start limit in [Service]")
                .start(UNIT)
                .sleep(SHORT)
                .observe(UNIT);
            let timeline = run(lab, &scenario, &[unit]);
            let holds = timeline.property(UNIT, property).expect("it is observed");
            let complaint = timeline.of(UNIT).find_map(|event| match &event.kind {
                EventKind::UnitFile { message, .. } => Some(message.clone()),
                _ => None,
            });
            let wanted: Value = serde_json::from_str(value).expect("it is JSON");
            match (*holds == wanted, complaint) {
                (true, None) => "works".to_owned(),
                (false, Some(complaint)) => format!("ignored: \"{complaint}\""),
                other => panic!("{setting}: {other:?}, {property} is {holds}"),
            }
        });
        let _ = writeln!(table, "| `{setting}` | {} |", cells.join(" | "));
    }
    let with = NEW.measured_with().expect("the lab works");
    Measured::text("start-limit-in-service.md", &table, &with).assert_kept(COMMAND);
}

/// limits.md: a start whose condition is not met does not count.
#[test]
fn starts_that_a_condition_skips_do_not_count() {
    let unit = "[Unit]\nConditionPathExists=/run/wanted\nStartLimitIntervalSec=1min\nStartLimitBurst=2\n\
        [Service]\nType=oneshot\nExecStart=/usr/bin/true\n";
    // Keeps the unit loaded: otherwise systemd would forget it after each start.
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
    for lab in both() {
        let files = [file(UNIT, unit), file(OTHER, &keeper)];
        let timeline = run(lab, &scenario, &files);
        assert_eq!(times(&timeline, UNIT, is_exit).len(), 1);
        assert!(!happened(&timeline, UNIT, |kind| {
            *kind == EventKind::StartLimitHit
        }));
    }
}

/// limits.md: systemd unloads a unit that ended well and that no other unit names, and its count is gone.
#[test]
fn a_unit_that_systemd_unloads_forgets_its_starts() {
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
    for lab in both() {
        let exits = |scenario: &Scenario| times(&run(lab, scenario, &files), UNIT, is_exit).len();
        assert_eq!(exits(&alone), 4);
        assert_eq!(exits(&kept), 2);
    }
}

/// policy.md: what sets NRestarts back to 0.
#[test]
fn restarts_are_counted_until_a_start_or_reset_failed() {
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
    for lab in both() {
        let timeline = run(lab, &scenario, &[file(UNIT, &unit)]);
        assert_eq!(printed(&timeline), ["2", "0", "1", "0"]);
    }
}

/// recovery.md: stop jobs that nobody asked for by name.
#[test]
fn other_units_stop_a_service_and_it_stays_down() {
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
        for lab in both() {
            let timeline = run(lab, &scenario, &files);
            let stop_jobs = times(
                &timeline,
                UNIT,
                |kind| matches!(kind, EventKind::JobQueued { job } if job == "stop"),
            );
            assert_eq!(stop_jobs.len(), 1, "{setting}");
            assert_eq!(times(&timeline, UNIT, is_exit).len(), 1, "{setting}");
            assert!(!happened(&timeline, UNIT, is_restart), "{setting}");
        }
    }
}

/// watchdogs.md: what stops the watchdog's clock.
#[test]
fn a_stop_job_or_stopping_stops_the_watchdog_and_a_signal_does_not() {
    // It drains for 20 s, and does not ping meanwhile.
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
    for lab in both() {
        let says = |scenario: &Scenario, on_term: &str| {
            let timeline = run(lab, scenario, &[unit(on_term)]);
            happened(&timeline, UNIT, is_watchdog)
        };
        assert!(!says(&stopped, ""), "a stop job");
        assert!(says(&signalled, ""), "a signal alone");
        assert!(
            !says(&signalled, "systemd-notify STOPPING=1;"),
            "STOPPING=1"
        );
    }
}

/// readiness.md: the journal's line about a notification that was dropped.
#[test]
fn a_dropped_notification_is_no_longer_a_warning() {
    let unit = file(
        UNIT,
        // systemd-notify speaks for the process that runs it: here for a second bash, which is not the main process.
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
    for (lab, priority) in both().into_iter().zip([WARNING, DEBUG]) {
        let timeline = run(lab, &scenario, std::slice::from_ref(&unit));
        let lines = printed(&timeline);
        let line = lines[0]
            .lines()
            .find(|line| line.contains("reception only permitted"));
        let line: Value =
            serde_json::from_str(line.expect(lines[0])).expect("journalctl writes JSON");
        assert_eq!(line["PRIORITY"], priority, "{line}");
    }
}

/// watchdogs.md: no core dump is kept in the lab, in either guest.
#[test]
fn no_core_dump_is_kept_in_the_lab() {
    let scenario = Scenario::new("core_pattern")
        .run(&["/usr/bin/cat", "/proc/sys/kernel/core_pattern"], MINUTE);
    for lab in both() {
        assert_eq!(printed(&run(lab, &scenario, &[])), ["|/bin/false"]);
    }
}
