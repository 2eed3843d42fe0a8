//! What the rules of stage 05 itself say. Those that know systemd are tested beside it, in `systemd_lab::diagnosis`.

#![allow(
    dead_code,
    reason = "the check itself is built with the exercise and with the solution"
)]

#[path = "../../../exercises/05-watchdog/tests/recovery.rs"]
mod recovery;
#[path = "../../../exercises/05-watchdog/tests/requirements.rs"]
mod requirements;
#[path = "../../../exercises/05-watchdog/tests/scenarios.rs"]
mod scenarios;
mod support;

use std::sync::LazyLock;

use exercise_check::Subject;
use systemd_lab::protocol::EventKind;
use systemd_lab::protocol::event::ResponseOutcome;

use requirements::{answered_all_the_same, not_reached};
use support::run;

static SUBJECT: LazyLock<Subject> = LazyLock::new(|| {
    Subject::new(
        "05-watchdog",
        "solution-05",
        env!("CARGO_MANIFEST_DIR"),
        None,
    )
});

#[test]
fn an_answer_while_a_handler_blocks_its_thread() {
    let asked = |outcome| {
        let name = scenarios::DURING_FAULT.to_owned();
        run(&[(20, "", EventKind::Response { name, outcome })])
    };
    let answered = ResponseOutcome::Answered {
        status: 200,
        body: "Hello World!".to_owned(),
    };
    assert_eq!(
        answered_all_the_same(&asked(answered)).as_deref(),
        Some(
            "a handler blocked its thread, and GET / was answered with status 200 all the same: the runtime has other threads, so that this is not a hang"
        )
    );
    assert_eq!(
        answered_all_the_same(&asked(ResponseOutcome::TimedOut)),
        None
    );
}

#[test]
fn a_run_that_did_not_get_as_far_as_a_fault() {
    assert_eq!(
        not_reached(&SUBJECT.case(&run(&[]))).as_deref(),
        Some("the run ended before it came to this: what comes before it must work first")
    );
    let message = "Watchdog request!".to_owned();
    let noticed = run(&[(
        20,
        SUBJECT.service(),
        EventKind::WatchdogTimeout { message },
    )]);
    assert_eq!(
        not_reached(&SUBJECT.case(&noticed)).as_deref(),
        Some(
            "the run ended before it came to this: the service did not recover from the fault before"
        )
    );
}
