use super::*;
use crate::diagnosis::diagnose;
use crate::diagnosis::fixture::Run;

fn rules(case: &Case) -> Option<String> {
    diagnose(case, PORT_TAKEN)
}

/// A service that soon ends with exit code 1.
fn fails() -> Run {
    Run::new()
        .states(0, &["start", "running"])
        .exited(20, 1)
        .failed(20, "exit-code")
}

#[test]
fn a_failure_without_a_word() {
    fails().is_told(
        rules,
        "127.0.0.1:7878 is taken, and the service ends with exit code 1 without a line that says why",
    );
}

#[test]
fn a_failure_that_is_said_too_loudly() {
    let said = |priority| fails().log(10, priority, "cannot listen on 127.0.0.1:7878");
    said(2).is_told(
        rules,
        "the line \"cannot listen on 127.0.0.1:7878\" has priority 2 (crit): an error of one service has priority 3 (err)",
    );
    said(3).is_not_told(rules);
}
