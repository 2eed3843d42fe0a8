//! What a scenario can do to the lab: take too long. And what is not an error: anything that systemd says about a unit.

use std::time::Duration;

use systemd_lab::diagnosis::{Case, diagnose, unit_file};
use systemd_lab::protocol::{EventKind, Scenario};
use systemd_lab::{GuestFile, LabError, RunOptions};

use crate::support::{LONG, PROGRAM, UNIT, lab, program, run, unit};
use crate::{assert_text, assert_text_but_for_number};

/// In wall time: by then, the guest has started, even on a busy machine, but has not computed for so long that the lab's agent
/// ends the run by itself.
const DEADLINE: Duration = Duration::from_secs(6);

/// The error of a run that takes too long. The run is ended, and not tried again: a scenario runs at most once.
fn error_of(scenario: &Scenario, files: &[GuestFile]) -> LabError {
    let mut begun = 0;
    let options = RunOptions::default().deadline(DEADLINE).on_event(|event| {
        begun += u32::from(matches!(event.kind, EventKind::ScenarioBegan { .. }));
    });
    let ended = lab().run_with(scenario, files, options);
    assert!(begun <= 1, "it began {begun} times");
    match ended {
        Ok(timeline) => panic!("it ended: {}", timeline.to_json_lines()),
        Err(error) => error,
    }
}

/// Ten hours of idling take no time, but ten hours of computing do.
#[test]
fn a_service_that_computes_for_ever() {
    let scenario = Scenario::new("busy")
        .start(UNIT)
        .sleep(Duration::from_secs(36_000));
    let files = [unit(&format!("ExecStart={PROGRAM} compute")), program()];
    let error = error_of(&scenario, &files);
    assert!(
        matches!(
            error,
            LabError::OutOfTime {
                virtual_ms: 100..,
                ..
            }
        ),
        "it says how far it came: {error}"
    );
    assert_text_but_for_number("out_of_time", &error.to_string(), "was ended after ", &[]);
}

/// The agent sends nothing while a command runs, so it must have reported before that the step began.
#[test]
fn a_command_that_computes_for_ever() {
    let scenario = Scenario::new("busy").run(
        &["/usr/bin/bash", "-c", "while :; do :; done"],
        Duration::from_secs(36_000),
    );
    let error = error_of(&scenario, &[]);
    assert!(matches!(error, LabError::OutOfTime { .. }), "{error}");
}

/// Runs a unit that will not work, and returns what the lab says about it.
fn diagnosis_of(unit_text: &str, more: &[GuestFile]) -> String {
    let mut files = vec![GuestFile::text(
        format!("/etc/systemd/system/{UNIT}"),
        unit_text,
    )];
    files.extend_from_slice(more);
    let scenario = Scenario::new("will not work")
        .start(UNIT)
        .wait_for_job(UNIT, LONG)
        .sleep(Duration::from_secs(1));
    let timeline = run(&scenario, &files);
    let case = Case {
        timeline: &timeline,
        unit: UNIT,
        address: "127.0.0.1:7878",
        units: &systemd_lab::unit_texts(&files),
    };
    diagnose(&case, unit_file::RULES).expect("a rule recognises it")
}

#[test]
fn units_that_systemd_refuses_are_outcomes() {
    for (name, text) in [
        ("refused_no_program", "[Service]\nType=simple\n"),
        (
            "refused_bad_setting",
            "[Service]\nExecStart=sleep infinity\nType=oneshott\n",
        ),
        (
            "ignored_setting",
            "[Service]\nExecStart=/usr/bin/false\nWatchDogSec=10s\n",
        ),
    ] {
        assert_text(name, &diagnosis_of(text, &[]), &[]);
    }
}

#[test]
fn programs_that_do_not_start_are_outcomes() {
    let directory = tempfile::tempdir().expect("it can be made");
    let host = directory.path().join("text");
    let text = "[Service]\nExecStart=/usr/local/bin/program\n";
    for (name, content) in [("no_program_but_text", "hello\n"), ("an_empty_program", "")] {
        std::fs::write(&host, content).expect("it can be written");
        let file = GuestFile::program("/usr/local/bin/program", &host);
        assert_text(name, &diagnosis_of(text, &[file]), &[]);
    }
    let file = GuestFile::text("/usr/local/bin/program", "#!/usr/bin/bash\n");
    assert_text("not_marked_executable", &diagnosis_of(text, &[file]), &[]);
    assert_text("no_such_program", &diagnosis_of(text, &[]), &[]);
}
