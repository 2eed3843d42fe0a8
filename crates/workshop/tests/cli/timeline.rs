//! `cargo workshop timeline` with reports that a check has left behind.

use std::io::Read;
use std::process::Stdio;

use exercise_check::report::{Record, Run};
use exercise_check::{Outcome, Verdict};
use insta::assert_snapshot;
use systemd_lab::protocol::event::{ResponseOutcome, Source};
use systemd_lab::protocol::{Event, EventKind, Scenario};
use systemd_lab::{LabError, Timeline};

use crate::fixture::{Fixture, verdict};

fn event(at_ms: u64, unit: Option<&str>, kind: EventKind) -> Event {
    Event {
        at_us: at_ms * 1000,
        unit: unit.map(str::to_owned),
        source: Source::Agent,
        kind,
    }
}

fn changed(at_ms: u64, unit: &str, from: &str, to: &str) -> Event {
    let (from, to) = (from.to_owned(), to.to_owned());
    event(at_ms, Some(unit), EventKind::StateChanged { from, to })
}

/// A run in which the service starts, logs something, and is killed, followed by these events.
fn run(name: &str, more: Vec<Event>) -> Record {
    const UNIT: &str = "exercise-01.service";
    let log = EventKind::Log {
        priority: 6,
        message: "hello <b>\u{1b}[31mred".to_owned(),
    };
    let killed = EventKind::ProcessExited {
        role: "main".to_owned(),
        code: "killed".to_owned(),
        status: 9,
        command: None,
        is_ignored: false,
    };
    let mut events = vec![
        event(
            7_000,
            None,
            EventKind::ScenarioBegan {
                name: name.to_owned(),
            },
        ),
        changed(7_050, UNIT, "dead", "start"),
        changed(7_100, UNIT, "start", "running"),
        event(7_100, Some(UNIT), log),
        event(17_200, Some(UNIT), killed),
        changed(17_210, UNIT, "running", "failed"),
    ];
    events.extend(more);
    let end = events.last().map_or(0, |event| event.at_us / 1000) + 300_000;
    events.push(event(end, None, EventKind::ScenarioEnded));
    Record::Run(Run::new(
        &Scenario::new(name),
        &[],
        Ok(&Timeline::new(events)),
    ))
}

fn two_runs() -> Vec<Record> {
    let response = EventKind::Response {
        name: "first".to_owned(),
        outcome: ResponseOutcome::Refused,
    };
    let more = vec![
        changed(3_617_300, "exercise-01-database.service", "dead", "start"),
        event(3_617_400, None, response),
    ];
    vec![
        run("killed once", Vec::new()),
        run("killed, then asked", more),
    ]
}

fn looked_at(number: u32, outcome: Outcome, scenario: Option<&str>) -> Record {
    Record::Verdict(Verdict {
        scenario: scenario.map(str::to_owned),
        ..verdict(number, outcome)
    })
}

/// A workshop in which exercise 01 was checked, with this report.
fn checked(records: &[Record]) -> Fixture {
    let fixture = Fixture::new();
    let line = |record: &Record| serde_json::to_string(record).expect("JSON") + "\n";
    let lines: String = records.iter().map(line).collect();
    fixture.write(".workshop/01.report", &lines);
    fixture
}

/// Titles of the pictures that the command writes to standard output.
fn pictured(fixture: &Fixture, arguments: &[&str]) -> Vec<String> {
    let output = fixture.run(&[&["timeline", "01", "--svg", "-"], arguments].concat());
    let svg = String::from_utf8(output.stdout).expect("it is text");
    assert!(
        svg.starts_with("<svg ") && svg.ends_with("</svg>\n"),
        "{svg}"
    );
    let titles = svg.lines().filter_map(|line| {
        let (_, title) = line.strip_prefix("<title ")?.split_once('>')?;
        title.strip_suffix("</title>")
    });
    titles.map(str::to_owned).collect()
}

#[test]
fn all_runs_as_text() {
    let fixture = checked(&two_runs());
    let said = fixture.says(&["timeline", "1"]);
    assert_snapshot!("timeline", said);
    assert_eq!(
        fixture.says(&["timeline"]),
        said,
        "the last one that was checked"
    );
}

#[test]
fn numbers_count_over_all_runs_whichever_are_shown() {
    let fixture = checked(&two_runs());
    assert_snapshot!(
        "timeline_one_run",
        fixture.says(&["timeline", "01", "--scenario", "ASKED then"])
    );
}

#[test]
fn what_repeats_is_folded_and_keeps_its_numbers() {
    const UNIT: &str = "exercise-01.service";
    let crash = |turn: u32| {
        let at_ms = 20_000 + u64::from(turn) * 5_000;
        let restart = EventKind::RestartScheduled { counter: turn };
        [
            event(at_ms, Some(UNIT), restart),
            changed(at_ms + 100, UNIT, "auto-restart", "running"),
            changed(at_ms + 200, UNIT, "running", "auto-restart"),
        ]
    };
    let loops = (1..=20).flat_map(crash).collect();
    let fixture = checked(&[run("killed once", loops), run("killed again", Vec::new())]);
    let said = fixture.says(&["timeline", "01"]);
    assert_snapshot!("timeline_folded", said);
    let full = fixture.says(&["timeline", "01", "--full"]);
    assert!(
        full.contains("restart 7\n") && !full.contains('…'),
        "{full}"
    );
    // Lines have the same numbers in both.
    let shown = said.lines().filter(|line| line.contains("exercise-01"));
    assert!(shown.clone().count() > 10);
    assert!(shown.clone().all(|line| full.contains(line)), "{full}");
}

#[test]
fn a_picture_of_the_run_that_the_first_unmet_requirement_looked_at() {
    let mut records = two_runs();
    records.push(looked_at(1, Outcome::Passed, Some("killed once")));
    records.push(looked_at(2, Outcome::NotYet, Some("killed, then asked")));
    let fixture = checked(&records);
    assert_eq!(pictured(&fixture, &[]), ["Exercise 01: killed, then asked"]);
    assert_eq!(
        pictured(&fixture, &["--scenario", "once"]),
        ["Exercise 01: killed once"]
    );
}

/// The run of the first unmet requirement is shown alone; the others are named.
#[test]
fn the_scenario_that_failed_is_what_is_shown() {
    let mut records = two_runs();
    records.push(looked_at(1, Outcome::Passed, Some("killed once")));
    records.push(looked_at(2, Outcome::NotYet, Some("killed, then asked")));
    let fixture = checked(&records);
    assert_snapshot!("timeline_unmet", fixture.says(&["timeline"]));
    // The option's earlier name.
    let once = fixture.says(&["timeline", "alpha", "--run", "once"]);
    assert!(once.starts_with("killed once\n"), "{once}");
}

#[test]
fn lines_are_chosen_by_unit_and_by_text() {
    let fixture = checked(&two_runs());
    let lines = |arguments: &[&str]| -> Vec<String> {
        let said = fixture.says(&[&["timeline", "01"], arguments].concat());
        let lines = said.lines().filter(|line| line.contains("exercise-01"));
        let lines = lines.filter(|line| !line.contains("cargo workshop"));
        lines.map(|line| line.trim().to_owned()).collect()
    };
    assert_eq!(
        lines(&["--unit", "database"]),
        ["12  1:00:10  exercise-01-database.service  dead -> start"]
    );
    assert_eq!(
        lines(&["--grep", "SIGKILL"]),
        [
            "4  0:10  exercise-01.service  main process killed, by SIGKILL",
            "10  0:10  exercise-01.service  main process killed, by SIGKILL",
        ]
    );
    assert_eq!(
        fixture.says(&["timeline", "01", "--grep", "nothing like it"]),
        "standard error:\nno line is like that; leave out --unit or --grep to see what there is\nexit status 2"
    );
}

#[test]
fn a_picture_of_all_runs() {
    let both = [
        "Exercise 01: killed once",
        "Exercise 01: killed, then asked",
    ];
    let mut records = two_runs();
    assert_eq!(pictured(&checked(&records), &[]), both);
    // On the host, so there is no run in the lab.
    records.push(looked_at(1, Outcome::NotYet, None));
    assert_eq!(pictured(&checked(&records), &[]), both);
}

#[test]
fn a_picture_in_a_file() {
    let fixture = checked(&two_runs());
    let file = fixture.path("picture.svg");
    let file = file.to_str().expect("its name is text");
    assert_snapshot!(
        "timeline_svg",
        fixture.says(&["timeline", "01", "--svg", file])
    );
    assert!(
        fixture
            .read("picture.svg")
            .contains("main process killed, by SIGKILL")
    );
    let nowhere = fixture.path("no/such/folder.svg");
    let nowhere = nowhere.to_str().expect("its name is text");
    assert_snapshot!(
        "timeline_svg_nowhere",
        fixture.says(&["timeline", "01", "--svg", nowhere])
    );
}

#[test]
fn nothing_to_show() {
    let fixture = Fixture::new();
    assert_snapshot!("timeline_not_checked", fixture.says(&["timeline", "1"]));
    assert_snapshot!("timeline_nothing_checked", fixture.says(&["timeline"]));
    assert_snapshot!(
        "timeline_no_such_exercise",
        fixture.says(&["timeline", "9"])
    );
    let fixture = checked(&[looked_at(1, Outcome::NotYet, None)]);
    assert_snapshot!("timeline_no_runs", fixture.says(&["timeline", "1"]));
    let fixture = checked(&two_runs());
    assert_snapshot!(
        "timeline_no_such_run",
        fixture.says(&["timeline", "1", "--scenario", "twice"])
    );
}

#[test]
fn a_run_that_failed() {
    let error = LabError::GuestEnded {
        console: "it panicked".to_owned(),
    };
    let failed = Record::Run(Run::new(&Scenario::new("killed once"), &[], Err(&error)));
    let fixture = checked(&[failed]);
    assert_snapshot!("timeline_failed_run", fixture.says(&["timeline", "1"]));
    assert_snapshot!(
        "timeline_failed_run_svg",
        fixture.says(&["timeline", "1", "--svg", "-"])
    );
}

#[test]
fn a_damaged_report() {
    let fixture = checked(&two_runs());
    fixture.write(".workshop/01.report", "{}\n");
    assert_snapshot!("timeline_damaged", fixture.says(&["timeline", "1"]));
}

#[test]
fn a_reader_may_stop_reading() {
    // More than fits into any pipe.
    let runs: Vec<Record> = (0..500).flat_map(|_| two_runs()).collect();
    let fixture = checked(&runs);
    let mut child = std::process::Command::new(assert_cmd::cargo::cargo_bin!("workshop"))
        .args(["timeline", "01"])
        .env("CARGO_MANIFEST_DIR", fixture.path("crates/workshop"))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command runs");
    let mut stdout = child.stdout.take().expect("it is piped");
    stdout.read_exact(&mut [0; 16]).expect("it prints");
    drop(stdout);
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert_eq!(output.status.code(), Some(0));
}
