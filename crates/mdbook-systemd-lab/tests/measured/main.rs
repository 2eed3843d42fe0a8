//! What the guide shows was measured, and is measured again here: each file in `book/measured` must hold.
//!
//! `BOOK_MEASURED=write cargo book-tests` writes those that do not; read each before you commit it.
//! Timelines are reduced to what their pictures show ([`Picture::essence`]).
//!
//! Solution and starter are called by the exercise's name: what attendees meet is `exercise-05.service`.

mod builds;
mod items;
mod starters;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use exercise_check::Outcome;
use exercise_check::report::{self, Report};
use exercise_check::{BINARY_VARIABLE, FILES_VARIABLE, SOAK_VARIABLE, WRITE_VARIABLE};
use measured::{Measured, assert_all_kept, folder};
use systemd_lab::{Picture, Timeline};

use builds::Builds;
use items::{ITEMS, Item, MAIN_UNIT, Shown, Whose};

const COMMAND: &str = "cargo book-tests";

/// How the names of what is measured here begin: with a stage. The rest of the folder is measured by others.
const STAGE: fn(char) -> bool = |c| c.is_ascii_digit();

/// A check of a stage that several items are taken from.
type Source = (&'static str, Whose);

#[test]
fn the_book_shows_what_the_lab_measures() {
    let measured = measured();
    assert_all_kept(&measured.values().cloned().collect::<Vec<_>>(), COMMAND);
    for name in files(&folder()) {
        assert!(
            measured.contains_key(&name) || !name.starts_with(STAGE),
            "book/measured/{name} is measured by nothing; remove it"
        );
    }
}

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .expect("the crate lies two folders below the workspace")
}

/// All files, by name.
fn measured() -> BTreeMap<String, Measured> {
    let builds = Builds::make(repository());
    let mut sources: Vec<Source> = ITEMS.iter().map(|item| (item.stage, item.whose)).collect();
    sources.sort();
    sources.dedup();
    // All at once: the checks themselves take turns.
    let reports: BTreeMap<Source, Report> = thread::scope(|scope| {
        let builds = &builds;
        let running: Vec<_> = sources
            .iter()
            .map(|&source| (source, scope.spawn(move || check(builds, source))))
            .collect();
        let ended = running.into_iter().map(|(source, check)| {
            let report = check.join().expect("its panic is on the screen already");
            (source, report)
        });
        ended.collect()
    });
    let items = ITEMS.iter().map(|item| {
        let measured = measured_item(item, &reports[&(item.stage, item.whose)]);
        (item.file_name(), measured)
    });
    items.collect()
}

/// Runs the requirements of a stage's check that items are taken from.
fn check(builds: &Builds, source: Source) -> Report {
    let (stage, whose) = source;
    let collected = tempfile::NamedTempFile::new().expect("a temporary file");
    let folder = repository().join("solutions").join(stage);
    let mut command = Command::new(builds.check(stage));
    command
        .current_dir(&folder)
        .env("CARGO_MANIFEST_DIR", &folder)
        .env_remove(BINARY_VARIABLE)
        .env_remove(FILES_VARIABLE)
        .env_remove(SOAK_VARIABLE)
        .env_remove(WRITE_VARIABLE)
        .env(report::VARIABLE, collected.path());
    if whose == Whose::Starter {
        command.env(BINARY_VARIABLE, builds.starter(stage));
        command.env(FILES_VARIABLE, builds.starter_files(stage));
    }
    let items = ITEMS.iter();
    let of_source = items.filter(|item| (item.stage, item.whose) == source);
    command.args(of_source.map(|item| item.requirement));
    let output = command.output().expect("the check was built");
    let report = fs::read_to_string(collected.path()).expect("the check wrote it");
    let report = Report::parse(&report).expect("it is of the same version");
    let words = String::from_utf8_lossy(&output.stdout);
    assert!(!report.verdicts.is_empty(), "{source:?}: {words}");
    for verdict in &report.verdicts {
        let expected: &[Outcome] = match whose {
            Whose::Solution => &[Outcome::Passed],
            Whose::Starter => &[Outcome::Passed, Outcome::NotYet],
        };
        assert!(expected.contains(&verdict.outcome), "{source:?}: {words}");
    }
    report
}

fn measured_item(item: &Item, report: &Report) -> Measured {
    let called = |text: &str| text.replace(&solution(item.stage), &exercise(item.stage));
    match item.shown {
        Shown::Timeline { scenario, units } => {
            let run = report.run(scenario);
            let timeline = run.and_then(|run| run.timeline.as_ref());
            let Some(timeline) = timeline else {
                let names: Vec<&str> = report
                    .runs
                    .iter()
                    .map(|run| run.scenario.name.as_str())
                    .collect();
                panic!(
                    "{}: no run `{scenario}` among {names:?}; correct items.rs",
                    item.name
                );
            };
            let own = solution(item.stage);
            let units: Vec<String> = units
                .iter()
                .map(|unit| format!("{own}{unit}").replace(MAIN_UNIT, &format!("{own}.service")))
                .collect();
            let units: Vec<&str> = units.iter().map(String::as_str).collect();
            let essence = Picture::of(&units).essence(timeline);
            assert!(
                essence.events().iter().any(|event| event.unit.is_some()),
                "{}: nothing happens to {units:?}; correct items.rs",
                item.name
            );
            let essence = called(&essence.to_json_lines());
            let essence = measured::parse(&essence).expect("the lab wrote it");
            Measured::timeline(&item.file_name(), essence)
        }
        Shown::Finding => {
            let mut verdicts = report.verdicts.iter();
            let open = verdicts.find(|verdict| verdict.outcome == Outcome::NotYet);
            let Some(open) = open else {
                panic!("{}: the starter passes; correct items.rs", item.name);
            };
            let text = called(open.report().trim()) + "\n";
            let timelines = report.runs.iter().filter_map(|run| run.timeline.as_ref());
            let with = timelines.filter_map(Timeline::measured_with).next();
            let with = with.expect("a starter runs in the lab");
            Measured::text(&item.file_name(), &text, &with)
        }
    }
}

fn files(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect()
}

/// `solution-05` of `05-watchdog`.
fn solution(stage: &str) -> String {
    format!("solution-{}", number(stage))
}

fn exercise(stage: &str) -> String {
    format!("exercise-{}", number(stage))
}

fn number(stage: &str) -> &str {
    stage.split_once('-').map_or(stage, |(number, _)| number)
}

/// What all of this makes on the way.
fn private(target: &Path) -> PathBuf {
    target.join("book-measured")
}
