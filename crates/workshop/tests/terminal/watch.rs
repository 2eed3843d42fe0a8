//! `watch`: saves and single keys.

use systemd_lab::check::Outcome;

use crate::fixture::{Fixture, verdict};
use crate::session::{END_OF_FILE, INTERRUPT, Session};
use crate::shell;

const KEYS: &str = "[r]un  [h]int  [n]ext  [l]ist  [s]hell  [q]uit";

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
    // A unit is watched as well, and one that was not there before.
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
    session.see("Hint 1 of 3 for exercise 01");
    session.keys("n");
    session.see("Exercise 02: beta (5 minutes)");
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
    // At the same moment: whichever is noticed first, the other counts as well.
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
    session.see("Hint 1 of 3 for exercise 01");
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
