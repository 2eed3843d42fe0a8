//! What stage 04 asks of a service, checked under real systemd. Nothing here needs to be edited.
//!
//! Each requirement is one test. `requirements` says what is tried and what is looked at; `snapshots` holds what
//! should be seen.

mod protocol;
mod requirements;

use std::path::PathBuf;
use std::sync::LazyLock;
use std::thread;

use requirements::{Stage04, Subject};

/// The package whose tests these are: the exercise, or the solution, which is held to the very same.
static SUBJECT: LazyLock<Subject> = LazyLock::new(|| {
    let binary =
        option_env!("CARGO_BIN_EXE_exercise-04").or(option_env!("CARGO_BIN_EXE_solution-04"));
    let binary = binary.expect("cargo builds the package's binary before its tests");
    let package = env!("CARGO_PKG_NAME");
    let unit = requirements::root().join(format!("units/{package}.service"));
    Subject::new(package, PathBuf::from(binary), unit)
});

/// What the requirements look at, as work that can be done at once.
const RUNS: [fn(&Subject); 4] = [
    |subject| drop(subject.start_and_stop()),
    |subject| drop(subject.hanging_start()),
    |subject| drop(subject.long_warm_up()),
    // One after the other: both need the service's port on this machine.
    |subject| drop((subject.protocol(), subject.by_hand())),
];

/// When all requirements are checked, all runs begin at once: most of their time is spent waiting.
static HEAD_START: LazyLock<()> = LazyLock::new(|| {
    let is_filtered = std::env::args()
        .skip(1)
        .any(|argument| !argument.starts_with("--"));
    if !is_filtered {
        for run in RUNS {
            thread::spawn(move || run(&SUBJECT));
        }
    }
});

fn judge(stage: &Stage04) {
    LazyLock::force(&HEAD_START);
    let (requirement, observed) = stage.observe(&SUBJECT);
    requirement.judge(observed.as_ref().map_err(|error| error.as_ref()));
}

#[test]
fn r1_ready_means_it_answers() {
    judge(&requirements::READY);
}

#[test]
fn r2_status_says_what_it_does() {
    judge(&requirements::STATUS);
}

#[test]
fn r3_stop_is_announced_and_bounded() {
    judge(&requirements::STOP);
}

#[test]
fn r4_a_hanging_start_is_ended() {
    judge(&requirements::HANGING_START);
}

#[test]
fn r5_a_long_warm_up_is_kept_alive() {
    judge(&requirements::LONG_WARM_UP);
}

#[test]
fn r6_it_speaks_the_protocol_in_order() {
    judge(&requirements::PROTOCOL);
}

#[test]
fn r7_it_runs_by_hand() {
    judge(&requirements::BY_HAND);
}
