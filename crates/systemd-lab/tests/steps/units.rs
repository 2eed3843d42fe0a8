//! Steps that ask systemd for something.

use std::time::Duration;

use systemd_lab::GuestFile;
use systemd_lab::protocol::event::StepOutcome;
use systemd_lab::protocol::scenario::Whom;
use systemd_lab::protocol::{Condition, EventKind, Scenario, Step};

use crate::support::{LONG, UNIT, other_unit, run, unit};
use crate::{assert_all_done, commands, jobs, logs, outcomes};

/// Logs each signal that it gets and carries on.
const TALKATIVE: &str = r#"ExecStart=/usr/bin/bash -c 'trap "echo got USR1" USR1; trap "echo got HUP" HUP; echo begun; while :; do sleep 1000 & wait $!; done'
ExecReload=/usr/bin/bash -c 'kill -HUP $MAINPID'
KillMode=mixed"#;

const SIGUSR1: i32 = 10;
const SIGKILL: i32 = 9;

fn next_log(text: &str) -> Condition {
    Condition::LogContains {
        unit: UNIT.into(),
        text: text.into(),
    }
}

fn of_unit(make: impl Fn(String) -> Step) -> Step {
    make(UNIT.into())
}

#[test]
fn jobs_and_signals() {
    let scenario = Scenario::new("jobs and signals")
        .start(UNIT)
        .wait_for_job(UNIT, LONG)
        .wait_for(next_log("begun"), LONG)
        .signal(UNIT, SIGUSR1)
        .wait_for(next_log("got USR1"), LONG)
        .reload(UNIT)
        .wait_for_job(UNIT, LONG)
        .wait_for(next_log("got HUP"), LONG)
        .restart(UNIT)
        .wait_for_job(UNIT, LONG)
        .stop(UNIT)
        .wait_for_job(UNIT, LONG)
        .start(UNIT)
        .wait_for_job(UNIT, LONG)
        .step(Step::Signal {
            unit: UNIT.into(),
            signal: SIGKILL,
            whom: Whom::All,
        })
        .wait_for_state(UNIT, &["failed"], LONG)
        .step(of_unit(|unit| Step::ResetFailed { unit }))
        .sleep(Duration::from_secs(1))
        .observe(UNIT);
    let steps = scenario.steps.len();
    let timeline = run(&scenario, &[unit(TALKATIVE)]);
    assert_all_done(&timeline, steps);
    assert_eq!(
        jobs(&timeline, UNIT),
        [
            "start done",
            "reload done",
            // A restart job becomes a start job once the unit has stopped.
            "restart done",
            "start done",
            "stop done",
            "start done"
        ]
    );
    assert_eq!(
        timeline.text_property(UNIT, "ActiveState"),
        Some("inactive"),
        "it was reset"
    );
    let killed = |kind: &EventKind| matches!(kind, EventKind::ProcessExited { code, status: SIGKILL, .. } if code == "killed");
    assert!(timeline.first(UNIT, killed).is_some());
}

#[test]
fn properties_by_name() {
    let scenario = Scenario::new("properties")
        .start(UNIT)
        .wait_for(next_log("begun"), LONG)
        .observe(UNIT)
        .observe_only(&["SubState", "Names"]);
    let timeline = run(&scenario, &[unit(TALKATIVE)]);
    let mut observed = timeline.of(UNIT).filter_map(|event| match &event.kind {
        EventKind::Properties { values } => serde_json::to_value(values).ok(),
        _ => None,
    });
    let expected = serde_json::json!({ "SubState": "running", "Names": [UNIT] });
    assert_eq!(observed.next(), Some(expected));
    assert_eq!(observed.next(), None);
}

/// A frozen service does nothing; what it missed arrives when it is thawed.
#[test]
fn freeze_and_thaw() {
    let scenario = Scenario::new("freeze")
        .start(UNIT)
        .wait_for(next_log("begun"), LONG)
        .freeze(UNIT)
        .signal(UNIT, SIGUSR1)
        .sleep(Duration::from_secs(100))
        .thaw(UNIT)
        .wait_for(next_log("got USR1"), LONG);
    let steps = scenario.steps.len();
    let timeline = run(&scenario, &[unit(TALKATIVE)]);
    assert_all_done(&timeline, steps);
    let said = timeline
        .first(
            UNIT,
            |kind| matches!(kind, EventKind::Log { message, .. } if message == "got USR1"),
        )
        .expect("it was waited for");
    assert!(
        timeline.time_of(said) > Duration::from_secs(100),
        "not while it was frozen"
    );
}

/// Unit files that are written, linked and read again while the guest runs.
#[test]
fn files_links_and_daemon_reload() {
    let list = [
        "/usr/bin/bash",
        "-c",
        "ls /etc/systemd/system/multi-user.target.wants/ 2>&1",
    ];
    let write = |content: &str| Step::WriteFile {
        path: "/etc/systemd/system/t.service.d/more.conf".into(),
        content: content.into(),
        mode: 0o644,
    };
    let installable = GuestFile::text(
        "/etc/systemd/system/t.service",
        "[Service]\nType=oneshot\nExecStart=/usr/bin/bash -c 'echo $WORD'\nEnvironment=WORD=first\n[Install]\nWantedBy=multi-user.target\n",
    );
    let scenario = Scenario::new("files")
        .enable(UNIT)
        .run(&list, LONG)
        .step(of_unit(|unit| Step::Disable { unit }))
        .run(&list, LONG)
        .start(UNIT)
        .wait_for_job(UNIT, LONG)
        .step(write("[Service]\nEnvironment=WORD=second\n"))
        .step(Step::DaemonReload)
        .start(UNIT)
        .wait_for(next_log("second"), LONG)
        .sleep(Duration::from_secs(1));
    let steps = scenario.steps.len();
    let timeline = run(&scenario, &[installable]);
    assert_all_done(&timeline, steps);
    assert_eq!(logs(&timeline, UNIT), ["first", "second"]);
    let listed = commands(&timeline);
    assert_eq!(listed[0], (0, "t.service\n"));
    assert!(!listed[1].1.contains("t.service\n"), "{:?}", listed[1]);
}

#[test]
fn what_systemd_refuses_ends_the_scenario() {
    let refused_by = |scenario: Scenario| {
        let steps = scenario.steps.len();
        let scenario = scenario.run(&["/usr/bin/true"], LONG);
        let timeline = run(
            &scenario,
            &[other_unit(
                "plain.service",
                "ExecStart=/usr/bin/sleep infinity",
            )],
        );
        let outcomes = outcomes(&timeline);
        assert_eq!(outcomes.len(), steps, "no step after it: {outcomes:?}");
        match outcomes.last() {
            Some(StepOutcome::Refused { error, .. }) => error.clone(),
            other => panic!("{other:?}"),
        }
    };
    let plain = "plain.service";
    let started = || {
        Scenario::new("refused")
            .start(plain)
            .wait_for_job(plain, LONG)
    };
    assert_eq!(
        refused_by(Scenario::new("none").start("none.service")),
        "org.freedesktop.systemd1.NoSuchUnit"
    );
    assert_eq!(
        refused_by(started().reload(plain)),
        "org.freedesktop.systemd1.JobTypeNotApplicable"
    );
    assert_eq!(
        refused_by(started().signal("none.service", 9)),
        "org.freedesktop.systemd1.NoSuchUnit"
    );
    assert_eq!(
        refused_by(Scenario::new("none").run(&["/none"], LONG)),
        "ENOENT"
    );
}
