//! Steps that wait, in virtual time, and commands.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use systemd_lab::protocol::event::StepOutcome;
use systemd_lab::protocol::{Condition, EventKind, Scenario};
use systemd_lab::{LabErrorKind, RunOptions, Timeline};

use crate::support::{LONG, PROGRAM, UNIT, lab, program, run, unit};
use crate::{assert_all_done, commands, outcomes};

const NOTIFIES: &str = "Type=notify\nNotifyAccess=all\n\
    ExecStart=/usr/bin/bash -c 'sleep 2; systemd-notify STATUS=nearly; sleep 2; systemd-notify --ready; sleep 2; exit 1'\n\
    Restart=on-failure\nRestartSec=1s";

/// How late a wait may end: starting a process takes about 0.1 s of virtual time, the journal announces its entries at
/// most 250 ms late, and systemd's own timers may be just as late.
const LATE: Duration = Duration::from_secs(1);

/// How long the step took.
fn duration_of(timeline: &Timeline, step: usize) -> Duration {
    let at = |wanted: &dyn Fn(&EventKind) -> bool| {
        let event = timeline.events().iter().find(|event| wanted(&event.kind));
        timeline.time_of(event.expect("the step is in the timeline"))
    };
    let began = at(&|kind| matches!(kind, EventKind::StepBegan { index, .. } if *index == step));
    let ended = at(&|kind| matches!(kind, EventKind::StepEnded { index, .. } if *index == step));
    ended - began
}

fn assert_took(timeline: &Timeline, step: usize, seconds: u64) {
    let (took, expected) = (duration_of(timeline, step), Duration::from_secs(seconds));
    assert!(
        took >= expected && took < expected + LATE,
        "step {step} took {took:?}"
    );
}

#[test]
fn every_condition_comes_true() {
    let unit_name = || UNIT.to_owned();
    let scenario = Scenario::new("conditions")
        .start(UNIT)
        .wait_for(
            Condition::NextNotification {
                unit: unit_name(),
                assignment: "STATUS=".into(),
            },
            LONG,
        )
        .wait_for(
            Condition::NextNotification {
                unit: unit_name(),
                assignment: "READY=1".into(),
            },
            LONG,
        )
        .wait_for(Condition::JobEnded { unit: unit_name() }, LONG)
        .wait_for_state(UNIT, &["running"], LONG)
        .wait_for(
            Condition::NextSubState {
                unit: unit_name(),
                any_of: vec!["auto-restart".into()],
            },
            LONG,
        )
        .wait_for(
            Condition::NextSubState {
                unit: unit_name(),
                any_of: vec!["running".into()],
            },
            LONG,
        )
        .start("s.service")
        .wait_for(
            Condition::Listening {
                address: "127.0.0.1:8080".into(),
            },
            LONG,
        )
        .stop(UNIT)
        .sleep(Duration::from_secs(3_600));
    let server = crate::support::other_unit(
        "s.service",
        &format!("ExecStart={PROGRAM} serve 127.0.0.1:8080"),
    );
    let steps = scenario.steps.len();
    let timeline = run(&scenario, &[unit(NOTIFIES), server, program()]);
    assert_all_done(&timeline, steps);
    assert_took(&timeline, 1, 2);
    assert_took(&timeline, 2, 2);
    assert_took(&timeline, 5, 2);
    assert_took(&timeline, steps - 1, 3_600);
}

/// Each waits for a different event that never comes.
#[test]
fn a_deadline_that_passes_ends_the_scenario() {
    let in_vain = Duration::from_secs(30);
    for condition in [
        Condition::SubState {
            unit: UNIT.into(),
            any_of: vec!["exited".into()],
        },
        Condition::LogContains {
            unit: UNIT.into(),
            text: "nothing of the kind".into(),
        },
        Condition::Listening {
            address: "127.0.0.1:1".into(),
        },
    ] {
        let scenario = Scenario::new("in vain")
            .start(UNIT)
            .wait_for(condition, in_vain)
            .stop(UNIT);
        let timeline = run(&scenario, &[unit("ExecStart=/usr/bin/sleep infinity")]);
        assert_eq!(
            outcomes(&timeline),
            [&StepOutcome::Done, &StepOutcome::DeadlinePassed]
        );
        assert_eq!(timeline.step_that_timed_out(), Some(1));
        assert_took(&timeline, 1, in_vain.as_secs());
    }
}

#[test]
fn commands_have_status_output_and_deadline() {
    let shell = |script| ["/usr/bin/bash", "-c", script];
    let scenario = Scenario::new("commands")
        .run(&shell("echo out; echo err >&2; id -u; exit 3"), LONG)
        .run(&shell("kill -9 $$"), LONG)
        .run(&shell("head -c 1000000 /dev/zero | tr '\\0' x"), LONG)
        .run(&shell("echo begun; sleep 100"), Duration::from_secs(10))
        .run(&shell("echo never"), LONG);
    let timeline = run(&scenario, &[]);
    let commands = commands(&timeline);
    assert_eq!(commands[0], (3, "out\n0\nerr\n"));
    assert_eq!(commands[1], (137, ""));
    assert_eq!((commands[2].0, commands[2].1.len()), (0, 64 << 10));
    assert_eq!(commands[3], (137, "begun\n"));
    assert_eq!(commands.len(), 4, "the scenario ended there");
    assert_eq!(timeline.step_that_timed_out(), Some(3));
    assert_took(&timeline, 3, 10);
}

/// The service computes for ten virtual hours, so nothing but the interruption ends the run within the deadline.
#[test]
fn a_run_ends_when_its_caller_interrupts_it() {
    let scenario = Scenario::new("interrupted")
        .start(UNIT)
        .sleep(Duration::from_secs(36_000));
    let files = [unit(&format!("ExecStart={PROGRAM} compute")), program()];
    let interruption = AtomicBool::new(false);
    let options = RunOptions::default()
        .interrupted_by(&interruption)
        .on_event(|event| {
            let has_begun = matches!(event.kind, EventKind::ScenarioBegan { .. });
            interruption.fetch_or(has_begun, Ordering::Relaxed);
        });
    let error = lab()
        .run_with(&scenario, &files, options)
        .expect_err("it is interrupted");
    assert_eq!(error.kind(), LabErrorKind::Interrupted, "{error}");
}
