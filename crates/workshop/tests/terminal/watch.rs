//! `watch`: saves and single keys.

use std::time::{Duration, Instant};

use exercise_check::Outcome;

use crate::fixture::{Fixture, verdict};
use crate::session::{END_OF_FILE, INTERRUPT, LEFT, SIZES, Session};
use crate::shell;

const KEYS: &str = "[r]un [h]int [g]uide [t]imeline [d]iff [s]hell [n]ext [l]ist [x] reset [q]uit";

/// For a person who presses a key, an answer within this time is immediate.
const AT_ONCE: Duration = Duration::from_millis(300);

#[test]
fn a_save_is_checked_at_once() {
    let fixture = Fixture::new();
    fixture.reports(
        "01",
        &[verdict(1, Outcome::Passed), verdict(2, Outcome::NotYet)],
    );
    let session = Session::new(&fixture, &["watch"]);
    session.see("✗ 2  the title of 2");
    session.see(KEYS);
    // What the check looks at, then a file that is watched.
    fixture.reports(
        "01",
        &[verdict(1, Outcome::Passed), verdict(2, Outcome::Passed)],
    );
    fixture.write("exercises/01-alpha/src/main.rs", "fn main() {} // solved\n");
    session.see("PASSED: exercise 01.");
    session.see(KEYS);
    // Units are watched as well, even new ones.
    fixture.reports(
        "01",
        &[verdict(1, Outcome::NotYet), verdict(2, Outcome::Passed)],
    );
    fixture.write("units/exercise-01.service", "[Service]\n");
    session.see("✗ 1  the title of 1");
    session.see(KEYS);
    session.keys("q");
    assert_eq!(session.end().code(), Some(1));
}

#[test]
fn each_key_does_what_it_says() {
    let fixture = Fixture::new();
    let session = Session::new(&fixture, &["watch"]);
    session.see("PASSED: exercise 01.");
    session.see(KEYS);
    session.keys("l");
    session.see("▶ 02 beta     5 min  next");
    session.keys("h");
    session.see("Exercise 01 has passed: no requirement is open.");
    session.see("The solution: d");
    session.keys("t");
    session.see("nothing ran in the last check of exercise 01");
    // The letters in an arrow key's sequence are not keys: this one ends with a D.
    session.keys(LEFT);
    session.keys("l");
    session.see("▶ 02 beta     5 min  next");
    session.keys("n");
    session.see("Exercise 02: beta (5 minutes)");
    session.see("Guide: g");
    session.see("Edit, and save.");
    session.see("Watching exercises/02-beta");
    session.keys("r");
    session.see("PASSED: exercise 02.");
    session.see(KEYS);
    session.keys("q");
    assert_eq!(session.end().code(), Some(0));
}

#[test]
fn a_key_beside_a_save_does_not_hide_it() {
    let fixture = Fixture::new();
    let session = Session::new(&fixture, &["watch"]);
    session.see("PASSED: exercise 01.");
    session.see(KEYS);
    fixture.reports(
        "01",
        &[verdict(1, Outcome::Passed), verdict(2, Outcome::NotYet)],
    );
    // At the same moment: whichever is noticed first, the other one counts as well.
    fixture.write("exercises/01-alpha/src/main.rs", "fn main() {} // saved\n");
    session.keys("l");
    session.see("✗ 2  the title of 2");
    session.see(KEYS);
    session.keys("q");
    assert_eq!(session.end().code(), Some(1));
}

#[test]
fn a_chosen_exercise_is_watched() {
    let fixture = Fixture::new();
    for way_out in [INTERRUPT, END_OF_FILE, "Q"] {
        let session = Session::new(&fixture, &["watch", "2"]);
        session.see("PASSED: exercise 02.");
        session.see(KEYS);
        session.keys(way_out);
        assert_eq!(session.end().code(), Some(0), "{way_out:?}");
    }
}

/// In a terminal of the usual size, `watch` refers to keys, and the terminal wraps no line.
#[test]
fn what_is_not_met_is_told_with_keys() {
    let fixture = Fixture::new();
    fixture.reports(
        "01",
        &[verdict(1, Outcome::NotYet), verdict(2, Outcome::Passed)],
    );
    for (columns, rows) in SIZES {
        let session = Session::sized(&fixture, &["watch"], columns, rows);
        session.see(KEYS);
        insta::assert_snapshot!(format!("not_yet_{columns}x{rows}"), session.contents());
        session.keys("q");
        assert_eq!(session.end().code(), Some(1));
    }
}

/// A check that would take a minute is stopped by the key, with everything that it has started.
#[test]
fn a_key_acts_at_once_while_a_check_runs() {
    let fixture = Fixture::new();
    fixture.takes_long("01");
    let session = Session::new(&fixture, &["watch"]);
    session.see("running your service under systemd");
    session.keys("h");
    session.see_within("Hint 1 of 3", AT_ONCE);
    session.see(KEYS);
    assert_eq!(fixture.processes(), [] as [String; 0]);
    // Nothing of the check is left on the screen.
    insta::assert_snapshot!("hint_during_a_check", session.contents());
    session.keys("r");
    session.see("running your service under systemd");
    session.keys("q");
    let pressed = Instant::now();
    assert_eq!(session.end().code(), Some(1));
    assert!(pressed.elapsed() < AT_ONCE, "{:?}", pressed.elapsed());
    assert_eq!(fixture.processes(), [] as [String; 0]);
}

#[test]
fn a_save_while_a_check_runs_begins_it_again() {
    let fixture = Fixture::new();
    fixture.takes_long("01");
    let session = Session::new(&fixture, &["watch"]);
    session.see("running your service under systemd");
    fixture.takes_no_time("01");
    fixture.write("exercises/01-alpha/src/main.rs", "fn main() {} // saved\n");
    session.see("PASSED: exercise 01.");
    session.see(KEYS);
    insta::assert_snapshot!("saved_during_a_check", session.contents());
    session.keys("q");
    assert_eq!(session.end().code(), Some(0));
}

#[test]
fn a_reset_asks_first() {
    let fixture = Fixture::new();
    let session = Session::new(&fixture, &["watch"]);
    session.see(KEYS);
    session.keys("x");
    session.see("Make exercise 01 its starter again? Your work is kept below saved/.\n\n[y] yes, any other key: no");
    session.keys("n");
    // `n` only answered the question.
    session.see(KEYS);
    session.keys("x");
    session.see("any other key: no");
    session.keys("y");
    session.see("nothing was done: exercise 01");
    session.see(KEYS);
    session.keys("q");
    assert_eq!(session.end().code(), Some(0));
}

#[test]
fn from_a_shell_one_comes_back() {
    let workshop = shell::workshop();
    let session = Session::new(&workshop, &["watch"]);
    session.see(KEYS);
    session.keys("s");
    session.see("root@lab:~#");
    session.keys("exit\n");
    session.see(KEYS);
    // The next key is for `watch` again.
    session.keys("h");
    session.see("Exercise 01 has passed");
    session.keys("q");
    assert_eq!(session.end().code(), Some(0));
}

#[test]
fn without_a_terminal_there_is_nothing_to_watch() {
    let fixture = Fixture::new();
    assert_eq!(
        fixture.says(&["watch"]),
        "standard error:\nwatch needs a terminal to show things and read keys; elsewhere, type: cargo workshop check\nexit status 2"
    );
}
