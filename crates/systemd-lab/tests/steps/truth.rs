//! What a timeline says about times and units, in cases that are easy to get wrong.

use std::collections::BTreeSet;
use std::time::Duration;

use systemd_lab::experiment::Detail;
use systemd_lab::protocol::{Event, EventKind, Scenario};
use systemd_lab::{Experiment, GuestFile, Timeline};

use crate::support::{LONG, PROGRAM, UNIT, lab, program, run, unit};
use crate::{assert_all_done, commands};

/// systemd's timers fire on multiples of this: see `boot.rs` of the agent.
const GRID_US: u64 = 250_000;

/// The time from a timer's firing to the stamp of systemd's log entry.
const SOON_US: u64 = 5_000;

/// How many short-lived children the service has.
const CHILDREN: usize = 8;

fn stamps(timeline: &Timeline, wanted: impl Fn(&EventKind) -> bool) -> Vec<u64> {
    let stamp = |event: &Event| timeline.time_of(event).as_micros() as u64;
    let events = timeline.of(UNIT).filter(|event| wanted(&event.kind));
    events.map(stamp).collect()
}

#[test]
fn timers_fire_on_multiples_of_a_quarter_of_a_second() {
    let scenario = Scenario::new("timers")
        .start(UNIT)
        .sleep(Duration::from_secs(60));
    let service = "ExecStart=/usr/bin/sleep 0.3\nRestart=always\nRestartSec=5s";
    let timeline = run(&scenario, &[unit(service)]);
    let restarts = stamps(&timeline, |kind| {
        matches!(kind, EventKind::RestartScheduled { .. })
    });
    assert!(restarts.len() > 5, "{restarts:?}");
    for restart in &restarts {
        assert!(restart % GRID_US < SOON_US, "{restarts:?}");
    }
    // 0.3 s and a start, 5 s, and the rest up to the next multiple.
    let period = |two: &[u64]| (two[1] - two[0] + SOON_US) / GRID_US * GRID_US;
    let periods: BTreeSet<u64> = restarts.windows(2).map(period).collect();
    assert_eq!(periods, BTreeSet::from([5_500_000]));
}

#[test]
fn a_scenario_begins_at_midnight() {
    let scenario = Scenario::new("date").run(&["/usr/bin/date", "+%F %T"], LONG);
    let timeline = run(&scenario, &[]);
    assert_all_done(&timeline, 1);
    assert_eq!(commands(&timeline), [(0, "2030-01-01 00:00:00\n")]);
    // Files do not delay it, however large they are.
    let large = GuestFile::text("/srv/large", "x".repeat(20 << 20));
    assert_eq!(commands(&run(&scenario, &[large])), commands(&timeline));
}

/// In a long sleep, the agent looks only every ten seconds.
#[test]
fn what_processes_did_that_are_gone_has_its_unit() {
    let scenario = Scenario::new("vanishing children")
        .start(UNIT)
        .sleep(Duration::from_secs(30));
    let timeline = run(
        &scenario,
        &[unit(&format!("ExecStart={PROGRAM} beget")), program()],
    );
    let units = |wanted: &dyn Fn(&EventKind) -> bool| -> Vec<Option<&str>> {
        let events = timeline.events().iter();
        let events = events.filter(|event| wanted(&event.kind));
        events.map(|event| event.unit.as_deref()).collect()
    };
    let all = vec![Some(UNIT); CHILDREN];
    let opened = |kind: &EventKind| matches!(kind, EventKind::ListenerOpened { .. });
    let closed = |kind: &EventKind| matches!(kind, EventKind::ListenerClosed { .. });
    let said = |kind: &EventKind| matches!(kind, EventKind::Log { message, .. } if message.contains("I was at"));
    assert_eq!(units(&opened), all);
    assert_eq!(units(&closed), all);
    assert_eq!(units(&said), all);
}

#[test]
fn sets_of_units_are_sorted() {
    let scenario = Scenario::new("sets").start(UNIT).wait_for_job(UNIT, LONG);
    let service =
        "ExecStart=/usr/bin/sleep infinity\n[Unit]\nAfter=z.service b.service c.service a.service";
    let timeline = run(&scenario.observe(UNIT), &[unit(service)]);
    let after = timeline
        .property(UNIT, "After")
        .and_then(|it| it.as_array());
    let after: Vec<&str> = after
        .into_iter()
        .flatten()
        .filter_map(|name| name.as_str())
        .collect();
    assert!(after.is_sorted() && after.len() > 4, "{after:?}");
}

#[test]
fn a_timeline_says_what_it_was_measured_with() {
    let timeline = run(&Scenario::new("nothing"), &[]);
    let with = timeline.measured_with().expect("the first event says so");
    assert!(with.systemd.starts_with("257"), "{with}");
    assert!(with.kernel.contains("cloud"), "{with}");
    let qemu = with.qemu.expect("the host adds it");
    assert_eq!(qemu.split('.').count(), 3, "{qemu}");
}

#[test]
fn a_listener_that_systemd_opened_belongs_to_its_socket_unit() {
    const SOCKET: &str = "t.socket";
    let socket = GuestFile::text(
        format!("/etc/systemd/system/{SOCKET}"),
        "[Socket]\nListenStream=127.0.0.1:9001\nListenStream=127.0.0.1:9002\n",
    );
    let scenario = Scenario::new("a socket unit")
        .start(SOCKET)
        .wait_for_job(SOCKET, LONG)
        .stop(SOCKET)
        .wait_for_job(SOCKET, LONG);
    let timeline = run(
        &scenario,
        &[socket, unit("ExecStart=/usr/bin/sleep infinity")],
    );
    let units = timeline
        .events()
        .iter()
        .filter_map(|event| match &event.kind {
            EventKind::ListenerOpened { .. } | EventKind::ListenerClosed { .. } => {
                Some(event.unit.as_deref())
            }
            _ => None,
        });
    assert_eq!(units.collect::<Vec<_>>(), [Some(SOCKET); 4]);
}

#[test]
fn exit_statuses_have_the_names_that_systemd_gives_them() {
    let analyze = ["/usr/bin/systemd-analyze", "exit-status", "--no-pager"];
    let timeline = run(&Scenario::new("exit statuses").run(&analyze, LONG), &[]);
    assert_all_done(&timeline, 1);
    let (_, printed) = commands(&timeline)[0];
    // NAME STATUS CLASS
    let names = printed.lines().skip(1).filter_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [name, status, class] = words[..] else {
            return None;
        };
        let status = status.parse::<i32>().ok()?;
        ["systemd", "BSD"]
            .contains(&class)
            .then_some((status, name))
    });
    let names: BTreeSet<(i32, &str)> = names.collect();
    let known: BTreeSet<(i32, &str)> = systemd_lab::names::named_exit_statuses()
        .into_iter()
        .collect();
    assert_eq!(known, names);
}

/// What journald dropped is said as soon as it says so, and what it keeps to itself is not passed over.
#[test]
fn lines_that_journald_drops_are_said() {
    let folder = tempfile::tempdir().expect("there is room");
    let many = "for i in {1..1000}; do echo $$i; done";
    let limit = "LogRateLimitIntervalSec=10s\nLogRateLimitBurst=20";
    let units = [
        ("t.service", format!("{many}; sleep 30; echo later"), limit),
        ("silent.service", many.to_owned(), limit),
        ("few.service", "echo 1".to_owned(), limit),
        ("free.service", many.to_owned(), "LogRateLimitBurst=20"),
    ];
    let wants = "[Unit]\nWants=silent.service few.service free.service\n";
    let paths = units.map(|(name, body, limit)| {
        let wants = if name == UNIT { wants } else { "" };
        let text = format!(
            "{wants}[Service]\nExecStart=/usr/bin/bash -c '{body}; sleep infinity'\n{limit}\n"
        );
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("there is room");
        path
    });
    let [main, others @ ..] = paths;
    let experiment = Experiment::new(main).lasting(Duration::from_secs(60));
    let experiment = others.into_iter().fold(experiment, Experiment::unit);
    let timeline = experiment.run(lab()).expect("the lab works");

    let logged = |unit: &str| {
        let lines = timeline.of(unit);
        lines
            .filter(|event| matches!(event.kind, EventKind::Log { .. }))
            .count()
    };
    assert_eq!((logged("few.service"), logged("free.service")), (1, 1000));
    let dropped = 1001 - logged(UNIT);
    assert!(dropped > 900, "{dropped}");
    let said = |unit: &str, detail: Detail| {
        let lines = experiment.lines(&timeline, detail).into_iter();
        let lines = lines.filter(|line| line.unit == unit && line.text().contains("LogRateLimit"));
        lines
            .map(|line| (line.seconds(), line.text()))
            .collect::<Vec<_>>()
    };
    let words = format!(
        "journald dropped {dropped} lines of the log: more than LogRateLimitBurst= allows within LogRateLimitIntervalSec="
    );
    let may = format!(
        "journald may have dropped lines of the log after 0:00: it took {}, as many as LogRateLimitBurst=20 allows with the space that it has here, and has reported nothing since",
        logged("silent.service")
    );
    for detail in [Detail::Usual, Detail::Logs, Detail::Full] {
        assert_eq!(said(UNIT, detail), [(30, words.clone())]);
        assert_eq!(said("silent.service", detail), [(60, may.clone())]);
        assert_eq!(said("few.service", detail), []);
        assert_eq!(said("free.service", detail), []);
    }
}
