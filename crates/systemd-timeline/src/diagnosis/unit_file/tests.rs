use super::*;
use crate::diagnosis::fixture::Run;

#[test]
fn an_entry_of_a_list_that_systemd_ignores() {
    Run::new()
        .file("[Service]\nSuccessExitStatus=10 SKIPPED\n")
        .event(
            0,
            EventKind::UnitFile {
                priority: 4,
                file: "/etc/systemd/system/a.service".to_owned(),
                line: 2,
                message: "Failed to parse value, ignoring: SKIPPED".to_owned(),
            },
        )
        .is_told(
            unknown_setting,
            "systemd ignores a part of line 2 of a.service: Failed to parse value, ignoring: SKIPPED",
        );
}

#[test]
fn a_service_that_ends_in_its_start() {
    let starts = Run::new().states(0, &["start"]);
    starts.clone().log(900, 3, "no data").exited(1000, 1).is_told(
        died_at_start,
        "the service ended with exit code 1 before it was ready; the last line it logged: \"no data\"",
    );
    // systemd stopped it first.
    starts.stop(900).exited(1000, 1).is_not_told(died_at_start);
    let runs = Run::new().states(0, &["start", "running"]).exited(1000, 1);
    runs.is_not_told(died_at_start);
}
