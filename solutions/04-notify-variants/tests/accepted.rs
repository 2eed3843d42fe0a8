//! Other ways to write the service pass the check as well: it asks for behaviour, not for code.

#[path = "../../../exercises/04-notify/tests/requirements/finding.rs"]
mod finding;
#[path = "../../../exercises/04-notify/tests/protocol/mod.rs"]
mod protocol;
#[path = "../../../exercises/04-notify/tests/requirements/mod.rs"]
mod requirements;

use std::path::PathBuf;

use requirements::Subject;

/// A variant takes the place of the solution's binary.
fn variant(binary: &str) -> Subject {
    let unit = requirements::root().join("units/solution-04.service");
    Subject::new("solution-04", PathBuf::from(binary), unit)
}

#[test]
fn threads_and_a_plain_socket() {
    assert_eq!(
        finding::first_finding(&variant(env!("CARGO_BIN_EXE_threads-04"))),
        finding::NOTHING
    );
}

#[test]
fn tasks_on_many_threads() {
    assert_eq!(
        finding::first_finding(&variant(env!("CARGO_BIN_EXE_tasks-04"))),
        finding::NOTHING
    );
}
