//! Probes: they report only changes, count all attempts, and run while other steps go on.

use std::time::Duration;

use systemd_lab::protocol::event::{ProbeOutcome, StepOutcome};
use systemd_lab::protocol::scenario::ProbeTarget;
use systemd_lab::protocol::{EventKind, Scenario, Step};
use systemd_lab::{GuestFile, Timeline};

use crate::outcomes;
use crate::support::{PROGRAM, UNIT, program, run, unit};

const ADDRESS: &str = "127.0.0.1:8080";
const EVERY: Duration = Duration::from_secs(1);

/// A failed attempt is over before the next one is due.
const TIMEOUT: Duration = Duration::from_millis(900);

fn probe(name: &str, target: ProbeTarget) -> Step {
    Step::Probe {
        name: name.into(),
        target,
        every: EVERY,
        deadline: TIMEOUT,
    }
}

fn get(path: &str) -> ProbeTarget {
    ProbeTarget::Get(format!("http://{ADDRESS}{path}"))
}

fn files() -> [GuestFile; 2] {
    [
        unit(&format!("ExecStart={PROGRAM} serve {ADDRESS}")),
        program(),
    ]
}

/// Second at which each change of this probe was seen, how many attempts came before, and what it was.
fn changes<'a>(timeline: &'a Timeline, wanted: &str) -> Vec<(u64, u64, &'a ProbeOutcome)> {
    let change = |event| match event {
        &systemd_lab::protocol::Event {
            kind:
                EventKind::ProbeChanged {
                    ref name,
                    ref outcome,
                    attempts_before,
                },
            ..
        } if name == wanted => Some((timeline.time_of(event).as_secs(), attempts_before, outcome)),
        _ => None,
    };
    timeline.events().iter().filter_map(change).collect()
}

/// The number of attempts, and how many of them failed.
fn sum(timeline: &Timeline, wanted: &str) -> Option<(u64, u64)> {
    timeline
        .events()
        .iter()
        .find_map(|event| match &event.kind {
            EventKind::ProbeEnded {
                name,
                attempts,
                failed,
            } if name == wanted => Some((*attempts, *failed)),
            _ => None,
        })
}

#[test]
fn a_probe_tells_changes_and_counts_the_rest() {
    let seconds = Duration::from_secs;
    let scenario = Scenario::new("probes")
        .step(probe("page", get("/")))
        .step(probe("no page", get("/nothing")))
        .step(probe("port", ProbeTarget::Connect(ADDRESS.into())))
        .sleep_until(seconds(5))
        .start(UNIT)
        .sleep_until(seconds(20))
        .stop(UNIT)
        .sleep_until(seconds(30));
    let timeline = run(&scenario, &files());
    let refused = &ProbeOutcome::Refused;
    let answered = |status| ProbeOutcome::Answered { status };
    assert_eq!(
        changes(&timeline, "page"),
        [(0, 0, refused), (5, 5, &answered(200)), (20, 20, refused)]
    );
    assert_eq!(sum(&timeline, "page"), Some((30, 15)));
    // It answers, but not as expected.
    assert_eq!(changes(&timeline, "no page")[1], (5, 5, &answered(404)));
    assert_eq!(sum(&timeline, "no page"), Some((30, 30)));
    assert_eq!(
        changes(&timeline, "port"),
        [
            (0, 0, refused),
            (5, 5, &ProbeOutcome::Connected),
            (20, 20, refused)
        ]
    );
    let ended = timeline
        .events()
        .last()
        .map(|event| timeline.time_of(event));
    assert_eq!(ended.map(|time| time.as_secs()), Some(30));
}

#[test]
fn a_service_that_hangs_does_not_answer_in_time() {
    let scenario = Scenario::new("a probe of a page that never comes")
        .start(UNIT)
        .step(probe("never", get("/never")))
        .sleep_until(Duration::from_secs(10));
    let timeline = run(&scenario, &files());
    assert_eq!(
        changes(&timeline, "never"),
        [(0, 0, &ProbeOutcome::TimedOut)]
    );
    // The last one, at 9.5 s, has not finished.
    assert_eq!(sum(&timeline, "never"), Some((9, 9)));
}

#[test]
fn what_cannot_be_probed_is_refused() {
    let target = ProbeTarget::Connect("192.0.2.1:80".into());
    let scenario = Scenario::new("elsewhere").step(probe("elsewhere", target));
    let timeline = run(&scenario, &[]);
    assert!(matches!(
        outcomes(&timeline)[..],
        [StepOutcome::Refused { error, .. }] if error == "EINVAL"
    ));
}

#[test]
fn a_plan_may_go_on_when_a_step_is_refused() {
    let scenario = Scenario::new("nothing to hit")
        .signal(UNIT, 9)
        .sleep(EVERY)
        .go_on_when_refused();
    let timeline = run(&scenario, &files());
    assert!(matches!(
        outcomes(&timeline)[..],
        [StepOutcome::Refused { .. }, StepOutcome::Done]
    ));
}

/// The most common use of `cargo workshop run`: an idle service, probed each second for an hour.
#[test]
fn an_hour_of_probes() {
    let scenario = Scenario::new("an hour")
        .start(UNIT)
        .step(probe("page", get("/")))
        .sleep_until(Duration::from_secs(3600));
    let timeline = run(&scenario, &files());
    assert_eq!(sum(&timeline, "page"), Some((3600, 0)));
}
