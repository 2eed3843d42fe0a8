//! What the rules of stage 04 itself say. Those that know systemd are tested beside it, in `systemd_lab::diagnosis`.

#![allow(
    dead_code,
    reason = "the check itself is built with the exercise and with the solution"
)]

#[path = "../../../exercises/04-notify/tests/requirements.rs"]
mod requirements;
#[path = "../../../exercises/04-notify/tests/scenarios.rs"]
mod scenarios;
#[path = "../../../exercises/04-notify/tests/shown.rs"]
mod shown;
mod support;

use std::sync::LazyLock;

use exercise_check::Subject;
use systemd_lab::Timeline;

use requirements::without_socket;
use support::{enters, run};

static SUBJECT: LazyLock<Subject> =
    LazyLock::new(|| Subject::new("04-notify", "solution-04", env!("CARGO_MANIFEST_DIR"), None));

#[test]
fn a_run_that_never_came_to_the_program_by_hand() {
    let unit = scenarios::BY_HAND_UNIT;
    let told = |timeline: &Timeline| without_socket(&SUBJECT.case_of(unit, timeline));
    assert_eq!(
        told(&run(&[])).as_deref(),
        Some(
            "the run ended before the program was started by hand: what comes before that must work first"
        )
    );
    let started = run(&[(0, unit, enters("dead", "running"))]);
    assert_eq!(
        told(&started).as_deref(),
        Some(
            "without NOTIFY_SOCKET the service does not serve: a missing socket is not an error, there is simply nobody to tell"
        )
    );
}
