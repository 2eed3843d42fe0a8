//! `check` in terminals of several sizes: however long the output is, the verdict is on the screen.

use exercise_check::{Outcome, Verdict};

use crate::fixture::{Fixture, verdict};
use crate::session::{self, INTERRUPT, Session};

/// The usual sizes, a small and a wide one: columns and rows.
const SIZES: [(u16, u16); 4] = [(60, 20), (80, 24), (100, 35), (200, 60)];

const DIAGNOSIS: &str = "exercise-01.service has Type=exec: systemd considered it started as soon as its program ran, 2 s before anything listened on 127.0.0.1:7878";

fn long_difference() -> String {
    let context =
        |number| format!("    {number:>5} s  exercise-01.service  log: part {number} of 30\n");
    let before: String = (1..=30).map(context).collect();
    let changes: String = (31..=60)
        .map(|number| {
            format!(
                "  - {number:>5} s  exercise-01.service  STATUS=loading data: part {number} of 60, which takes half a second\n  + {number:>5} s  exercise-01.service  STATUS=loading\n"
            )
        })
        .collect();
    format!("Expected (-) and what systemd saw (+):\n\n{before}{changes}")
}

/// A first check takes a minute, and says why.
#[test]
fn what_is_compiled_is_named() {
    let fixture = Fixture::new();
    let slow = "fn main() {\n    std::thread::sleep(std::time::Duration::from_secs(2));\n}\n";
    fixture.write("exercises/01-alpha/build.rs", slow);
    let session = Session::sized(&fixture, &["check", "1"], 80, 24);
    session.see("building build-script-build");
    session.see("PASSED: exercise 01.");
    assert_eq!(session.end().code(), Some(0));
}

/// While scenarios run, each shows its progress, below everything that will be judged.
#[test]
fn running_scenarios_show_their_progress() {
    let fixture = Fixture::new();
    fixture.takes_long("01");
    for (columns, rows) in session::SIZES {
        let session = Session::sized(&fixture, &["check", "1"], columns, rows);
        session.see("2:05 in the guest, ");
        let screen = timeless(&session.rows());
        insta::assert_snapshot!(format!("running_{columns}x{rows}"), screen);
        session.keys(INTERRUPT);
        session.end_by_signal();
    }
}

/// Without what changes meanwhile: the spinner, and elapsed seconds.
fn timeless(screen: &str) -> String {
    let word = |word: &str| {
        let is_spinner = |c: char| ('\u{2800}'..='\u{28ff}').contains(&c);
        match word.trim_end().strip_suffix('s').map(str::parse::<u32>) {
            Some(Ok(_)) => word.replace(|c: char| c.is_ascii_digit(), "N"),
            _ => word.replace(is_spinner, "*"),
        }
    };
    screen.split_inclusive([' ', '\n']).map(word).collect()
}

#[test]
fn the_verdict_is_on_the_screen_of_any_size() {
    let fixture = Fixture::new();
    let open = Verdict {
        difference: long_difference(),
        diagnosis: Some(DIAGNOSIS.to_owned()),
        ..verdict(2, Outcome::NotYet)
    };
    fixture.reports("01", &[verdict(1, Outcome::Passed), open]);
    // This compiles everything, so that it does not show later.
    fixture.run(&["check", "1"]);
    for (columns, rows) in SIZES {
        let session = Session::sized(&fixture, &["check", "1"], columns, rows);
        session.see("cargo workshop hint 01");
        let screen = session.contents();
        assert_eq!(session.end().code(), Some(1));
        insta::assert_snapshot!(format!("check_{columns}x{rows}"), screen);
    }
}
