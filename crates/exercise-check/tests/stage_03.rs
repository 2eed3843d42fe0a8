//! What the rules of stage 03 itself say. Those that know systemd are tested beside it, in `systemd_lab::diagnosis`.

#![allow(
    dead_code,
    reason = "the check itself is built with the exercise and with the solution"
)]

#[path = "../../../exercises/03-restart-sec/tests/requirements.rs"]
mod requirements;
#[path = "../../../exercises/03-restart-sec/tests/scenarios.rs"]
mod scenarios;
#[path = "../../../exercises/03-restart-sec/tests/shown.rs"]
mod shown;
mod support;

use std::sync::LazyLock;

use exercise_check::{ADDRESS, Subject};
use systemd_lab::protocol::EventKind;

use requirements::{
    ended_all_the_same, ended_well, never_ended, never_was_an_outage, not_listening,
};
use support::{enters, exits, run};

static SUBJECT: LazyLock<Subject> = LazyLock::new(|| {
    Subject::new(
        "03-restart-sec",
        "solution-03",
        env!("CARGO_MANIFEST_DIR"),
        None,
    )
});

const SERVICE: &str = "solution-03.service";
const DATABASE: &str = "solution-03-database.service";

fn listens(address: &str) -> EventKind {
    let address = address.to_owned();
    EventKind::ListenerOpened { address }
}

fn job(job: &str) -> EventKind {
    let job = job.to_owned();
    EventKind::JobQueued { job }
}

#[test]
fn a_service_that_does_not_end() {
    let runs = run(&[(0, SERVICE, enters("dead", "start"))]);
    assert_eq!(
        never_ended(&runs).as_deref(),
        Some(
            "the service did not end although its database was down: for systemd there is nothing to restart"
        )
    );
    let ends = run(&[
        (0, SERVICE, enters("dead", "start")),
        (2, SERVICE, exits(1)),
    ]);
    assert_eq!(never_ended(&ends), None);
    assert_eq!(never_ended(&run(&[])), None);
}

#[test]
fn a_service_that_ends_as_if_all_were_well() {
    let ends = run(&[(2, SERVICE, exits(0))]);
    assert_eq!(
        ended_well(&ends).as_deref(),
        Some(
            "the service ended with exit code 0 although its database was down: for systemd that is not a failure"
        )
    );
    let stopped = run(&[(1, SERVICE, job("stop")), (2, SERVICE, exits(0))]);
    assert_eq!(ended_well(&stopped), None);
    assert_eq!(ended_well(&run(&[(2, SERVICE, exits(1))])), None);
}

#[test]
fn a_start_that_fails_although_the_database_is_up() {
    let began = (0, SERVICE, enters("dead", "start"));
    let failed = (2, SERVICE, exits(1));
    let up = (120, DATABASE, listens("127.0.0.1:7879"));
    let again = (140, SERVICE, enters("auto-restart", "start"));
    let all_the_same = [
        began.clone(),
        failed.clone(),
        up.clone(),
        again.clone(),
        (142, SERVICE, exits(1)),
    ];
    assert_eq!(
        ended_all_the_same(&run(&all_the_same)).as_deref(),
        Some(
            "the service was started while its database was up, and ended with exit code 1 all the same"
        )
    );
    let in_vain = run(&[began.clone(), failed.clone(), up.clone(), again.clone()]);
    assert_eq!(ended_all_the_same(&in_vain), None);
    assert_eq!(
        not_listening(&in_vain).as_deref(),
        Some(
            "the service was started while its database was up, and nothing listens on 127.0.0.1:7878: that start must succeed"
        )
    );
    // It waits for its next start.
    let waits = run(&[began.clone(), failed.clone(), up.clone()]);
    assert_eq!(not_listening(&waits), None);
    let elsewhere = [
        began,
        failed,
        up,
        again,
        (142, SERVICE, listens("127.0.0.1:8080")),
    ];
    assert_eq!(
        not_listening(&run(&elsewhere)).as_deref(),
        Some("the service was started and listens on 127.0.0.1:8080, and not on 127.0.0.1:7878")
    );
    let serves = run(&[(142, SERVICE, listens(ADDRESS))]);
    assert_eq!(not_listening(&serves), None);
}

#[test]
fn only_a_setting_is_blamed_for_a_database_that_is_pulled_in() {
    // The solution's unit names its database nowhere.
    let together = run(&[(0, SERVICE, job("start")), (0, DATABASE, job("start"))]);
    assert_eq!(never_was_an_outage(&SUBJECT.case(&together)), None);
}
