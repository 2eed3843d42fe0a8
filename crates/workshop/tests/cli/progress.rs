//! Where one is: the overview, `list`, `next`, `hint`, and the file behind them.

use std::thread;

use insta::assert_snapshot;
use systemd_lab::check::Outcome;

use crate::fixture::{Fixture, verdict};

#[test]
fn the_overview_changes_with_what_happens() {
    let fixture = Fixture::new();
    assert_snapshot!("overview_at_first", fixture.says(&[]));
    fixture.run(&["check"]);
    fixture.reports(
        "02",
        &[verdict(1, Outcome::Passed), verdict(2, Outcome::NotYet)],
    );
    fixture.run(&["check"]);
    assert_snapshot!("overview_in_between", fixture.says(&[]));
    assert_snapshot!("progress_file", fixture.read("progress.toml"));
    fixture.reports(
        "02",
        &[verdict(1, Outcome::Passed), verdict(2, Outcome::Passed)],
    );
    fixture.run(&["check"]);
    assert_snapshot!("overview_at_the_end", fixture.says(&[]));
}

#[test]
fn what_has_passed_stays_passed() {
    let fixture = Fixture::new();
    fixture.run(&["check"]);
    fixture.reports(
        "01",
        &[verdict(1, Outcome::NotYet), verdict(2, Outcome::Passed)],
    );
    fixture.run(&["check", "01"]);
    assert_snapshot!("list_after_breaking_one", fixture.says(&["list"]));
    assert_snapshot!("next", fixture.says(&["next"]));
}

#[test]
fn each_hint_says_more() {
    let fixture = Fixture::new();
    let said: Vec<String> = (0..4).map(|_| fixture.says(&["hint"])).collect();
    assert_snapshot!("hints", said.join("\n\n"));
    // All at once, for an exercise that is solved.
    fixture.run(&["check", "02"]);
    assert_snapshot!("hints_after_passing", fixture.says(&["hint", "02"]));
}

#[test]
fn a_damaged_file_is_kept_and_made_anew_from_what_passes() {
    let fixture = Fixture::new();
    fixture.reports(
        "02",
        &[verdict(1, Outcome::NotYet), verdict(2, Outcome::Passed)],
    );
    let damaged = "[01]\npassed = perhaps\n";
    fixture.write("progress.toml", damaged);
    assert_snapshot!("damaged_progress", fixture.says(&["list"]));
    assert_eq!(fixture.read("progress.toml.damaged-1"), damaged);
    assert!(!fixture.says(&["list"]).contains("damaged"));
}

#[test]
fn a_file_edited_by_hand_counts() {
    let fixture = Fixture::new();
    fixture.write("progress.toml", "[01]\npassed = true\n");
    assert!(fixture.says(&["next"]).starts_with("Exercise 02: beta"));
}

#[test]
fn two_at_once_lose_nothing() {
    let fixture = Fixture::new();
    // Twenty hints for one exercise, each of which reads, changes and writes the file.
    thread::scope(|scope| {
        for _ in 0..10 {
            for number in ["01", "02"] {
                let fixture = &fixture;
                scope.spawn(move || fixture.run(&["hint", number]));
            }
        }
    });
    let progress = fixture.read("progress.toml");
    assert_eq!(progress.matches("hints = 3").count(), 2, "{progress}");
}
