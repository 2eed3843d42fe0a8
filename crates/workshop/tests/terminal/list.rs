//! `list`: keys choose an exercise.

use exercise_check::Outcome;

use crate::fixture::{Fixture, verdict};
use crate::session::{DOWN, END_OF_FILE, INTERRUPT, SIZES, Session, UP};

const KEYS: &str = "[↑↓] move [Enter] watch [g]uide [h]int [t]imeline [d]iff [x] reset [q]uit";

/// The first exercise has passed, the second has not.
fn fixture() -> Fixture {
    let fixture = Fixture::new();
    fixture.reports(
        "02",
        &[verdict(1, Outcome::Passed), verdict(2, Outcome::NotYet)],
    );
    fixture.run(&["check", "1"]);
    fixture.run(&["check", "2"]);
    fixture
}

#[test]
fn the_first_that_has_not_passed_is_chosen_and_keys_choose_another() {
    let fixture = fixture();
    for (columns, rows) in SIZES {
        let session = Session::sized(&fixture, &["list"], columns, rows);
        session.see("› ▶ 02");
        session.see(KEYS);
        let name = |what: &str| format!("{what}_{columns}x{rows}");
        insta::assert_snapshot!(name("second"), session.contents());
        for up in [UP, "k", "\x1bOA"] {
            session.keys(up);
            session.see("› ✓ 01");
            session.see(KEYS);
            // There is nothing above.
            session.keys(up);
            session.see("› ✓ 01");
            session.keys(DOWN);
            session.see("› ▶ 02");
            session.see(KEYS);
        }
        session.keys("k");
        session.see("› ✓ 01");
        session.see(KEYS);
        insta::assert_snapshot!(name("first"), session.contents());
        session.keys("q");
        assert_eq!(session.end().code(), Some(0));
    }
}

#[test]
fn each_key_is_for_the_chosen_exercise() {
    let fixture = fixture();
    let session = Session::new(&fixture, &["list"]);
    session.see(KEYS);
    session.keys("h");
    session.see("Hint 1 of 3");
    session.see("[any other key] back to the list");
    // At once, without the list in between.
    session.keys("h");
    session.see("Hint 2 of 3");
    session.see("[any other key] back to the list");
    session.keys("t");
    session.see("nothing ran in the last check of exercise 02");
    session.see("[any other key] back to the list");
    session.keys(" ");
    session.see(KEYS);
    session.keys("g");
    session.see("cannot read");
    session.see("[any other key] back to the list");
    session.keys("k");
    session.see("› ✓ 01");
    session.see(KEYS);
    session.keys("x");
    session.see("Make exercise 01 its starter again?");
    // This answers the question.
    session.keys("q");
    session.see("[any other key] back to the list");
    session.keys("q");
    assert_eq!(session.end().code(), Some(0));
}

#[test]
fn an_exercise_is_opened_and_left() {
    let fixture = fixture();
    let session = Session::new(&fixture, &["list"]);
    session.see(KEYS);
    session.keys("\r");
    session.see("Watching exercises/02-beta");
    session.see("[q]uit");
    session.keys("q");
    session.see(KEYS);
    session.keys(INTERRUPT);
    assert_eq!(session.end().code(), Some(0));
}

#[test]
fn it_ends_with_its_terminal() {
    let fixture = fixture();
    let session = Session::new(&fixture, &["list"]);
    session.see(KEYS);
    session.keys(END_OF_FILE);
    assert_eq!(session.end().code(), Some(0));
}

#[test]
fn it_can_be_printed() {
    let fixture = fixture();
    for (columns, rows) in SIZES {
        let session = Session::sized(&fixture, &["list", "--plain"], columns, rows);
        session.see("not yet");
        let screen = session.contents();
        assert_eq!(session.end().code(), Some(0));
        insta::assert_snapshot!(format!("plain_{columns}x{rows}"), screen);
    }
}
