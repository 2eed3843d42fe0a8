//! Other ways to write the service pass the check as well: it asks for behaviour, not for code.

#[path = "../../../exercises/04-notify/tests/requirements/finding.rs"]
mod finding;
#[path = "../../../exercises/04-notify/tests/protocol/mod.rs"]
mod protocol;
#[path = "../../../exercises/04-notify/tests/requirements/mod.rs"]
mod requirements;

use std::path::Path;

use requirements::Subject;

/// A variant takes the place of the solution's binary. Cargo builds examples before tests, beside the binaries.
fn variant(name: &str) -> Subject {
    let binaries = Path::new(env!("CARGO_BIN_EXE_solution-04")).parent();
    let binary = binaries
        .expect("a binary lies in a folder")
        .join("examples")
        .join(name);
    let unit = requirements::root().join("units/solution-04.service");
    Subject::new("solution-04", binary, unit)
}

#[test]
fn threads_and_a_plain_socket() {
    assert_eq!(
        finding::first_finding(&variant("solution-04-threads")),
        finding::NOTHING
    );
}

#[test]
fn tasks_on_many_threads() {
    assert_eq!(
        finding::first_finding(&variant("solution-04-tasks")),
        finding::NOTHING
    );
}
