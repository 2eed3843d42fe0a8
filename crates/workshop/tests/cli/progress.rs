//! The attendee's progress: the overview, `list`, `next`, `hint`, and the file behind them.

use std::thread;

use exercise_check::Outcome;
use insta::assert_snapshot;

use crate::fixture::{Fixture, verdict};
use crate::starters;

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
    // Now there is nothing to give a hint for.
    fixture.run(&["check", "02"]);
    assert_snapshot!("hints_after_passing", fixture.says(&["hint", "02"]));
}

/// The ladder belongs to the first open requirement, and starts again with the next one.
#[test]
fn a_hint_is_for_what_the_last_check_found_open() {
    let fixture = Fixture::new();
    fixture.reports(
        "01",
        &[verdict(1, Outcome::Passed), verdict(2, Outcome::NotYet)],
    );
    fixture.run(&["check", "01"]);
    let second = "Exercise 01, requirement 2: the title of 2\n\nHint 1 of 3\nThink 2.\n";
    assert!(fixture.says(&["hint"]).starts_with(second));
    assert!(fixture.says(&["hint"]).contains("Hint 2 of 3\nRead 2.\n"));
    fixture.reports(
        "01",
        &[verdict(1, Outcome::NotYet), verdict(2, Outcome::NotYet)],
    );
    fixture.run(&["check", "01"]);
    let said = fixture.says(&["hint", "alpha"]);
    assert!(said.contains("Hint 1 of 3\nThink 1.\n"), "{said}");
    let said = fixture.says(&["hint", "01", "--requirement", "2"]);
    assert!(said.contains("Hint 1 of 3\nThink 2.\n"), "{said}");
    assert_eq!(
        fixture.says(&["hint", "01", "--requirement", "3"]),
        "standard error:\nexercise 01 has no hints for a requirement 3; it has for 1, 2\nexit status 2"
    );
}

#[test]
fn a_damaged_file_is_kept_and_rebuilt_from_what_passes() {
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
    // The next damaged file gets a new name.
    fixture.write("progress.toml", "[02\n");
    let said = fixture.says(&["list"]);
    assert!(said.contains("as progress.toml.damaged-2;"), "{said}");
    assert_eq!(fixture.read("progress.toml.damaged-1"), damaged);
    assert_eq!(fixture.read("progress.toml.damaged-2"), "[02\n");
}

#[test]
fn a_file_that_is_not_text_is_damaged() {
    let fixture = Fixture::new();
    std::fs::write(fixture.path("progress.toml"), b"\xff\xfe").expect("a file");
    let said = fixture.says(&["list"]);
    assert!(
        said.contains("progress.toml is damaged: it is not text\n"),
        "{said}"
    );
}

/// `hint` reads the progress before it changes anything; a command that only changes something also keeps the file.
#[test]
fn a_command_that_writes_keeps_a_damaged_file() {
    let workshop = resettable();
    let damaged = "[01]\nhints = many\n";
    workshop.write("progress.toml", damaged);
    assert_snapshot!(
        "reset_with_damaged_progress",
        without_dates(&workshop.says(&["reset", "1"]))
    );
    assert_eq!(workshop.read("progress.toml.damaged-1"), damaged);
    assert!(
        workshop
            .read("progress.toml")
            .ends_with("[01]\npassed = false\nhints = 0\n")
    );
}

/// An unreadable file may be fine: no command treats it as missing, or replaces it.
#[test]
fn a_file_that_cannot_be_read_is_not_taken_for_absent() {
    let workshop = resettable();
    // Not even root can read a folder as a file.
    workshop.write("progress.toml/kept", "");
    let mut words = String::new();
    for arguments in [&["list"][..], &["hint", "1"], &["reset", "1"]] {
        let said = without_dates(&workshop.says(arguments));
        words.push_str(&format!("{}:\n{said}\n\n", arguments.join(" ")));
    }
    assert_snapshot!("unreadable_progress", words);
    assert_eq!(workshop.read("progress.toml/kept"), "");
    assert!(!workshop.path("progress.toml.damaged-1").exists());
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
    // Twenty hints for one exercise; each one reads, changes and writes the file.
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

/// A workshop whose first exercise is edited and can be reset.
fn resettable() -> Fixture {
    let fixture = Fixture::new();
    for (number, topic) in [("01", "alpha"), ("02", "beta")] {
        let manifest = format!("[package]\nname = \"solution-{number}\"\n");
        fixture.write(&format!("solutions/{number}-{topic}/Cargo.toml"), &manifest);
        fixture.write(
            &format!("solutions/{number}-{topic}/src/main.rs"),
            "fn main() {}\n",
        );
    }
    std::fs::create_dir(fixture.path("units")).expect("a folder");
    starters::write_all(fixture.root());
    fixture.write("exercises/01-alpha/src/main.rs", "fn main() { mine() }\n");
    fixture
}

/// The names of saved folders contain the time.
fn without_dates(said: &str) -> String {
    let mut parts = said.split("01-alpha-2");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let rest = part.trim_start_matches(|c: char| c.is_ascii_digit() || "T-".contains(c));
        text += &format!("01-alpha-DATE{rest}");
    }
    text
}
