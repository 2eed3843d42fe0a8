//! `doctor --all`: is everything there that an attendee will need? One line, for a loop over many machines.

use std::process::Command;

use systemd_lab::Lab;

use super::fixture::Fixture;

/// What it prints, which must be one line, and its exit status.
fn all(fixture: &Fixture, more: &[&str]) -> (String, Option<i32>) {
    let mut command = fixture.command(&["doctor", "--all"]);
    let output = command.args(more).output().expect("it runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let last = text.lines().last().unwrap_or_default().to_owned();
    if more.is_empty() {
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(text, format!("{last}\n"), "one line; {said}");
    }
    (last, output.status.code())
}

#[test]
fn one_line_says_whether_everything_is_there() {
    Lab::open().expect("the lab opens");
    let fixture = Fixture::new();
    let locked = Command::new(env!("CARGO"))
        .args(["generate-lockfile", "--offline"])
        .current_dir(fixture.root())
        .status();
    assert!(locked.expect("cargo runs").success());

    let (line, status) = all(&fixture, &[]);
    assert_eq!(status, Some(5), "{line}");
    let why = "exercises exercise-01 is not compiled (type: cargo workshop doctor --all --fix); \
               guide not built yet (type: cargo workshop book --build)";
    assert!(line.ends_with(&format!(": NOT READY: {why}")), "{line}");

    // With the guide in place, the rest takes no network.
    fixture.write("target/book/index.html", "the guide");
    let (line, status) = all(&fixture, &["--fix"]);
    assert_eq!(status, Some(0), "{line}");
    assert!(line.contains(": ready: self-test passed in "), "{line}");
    assert!(
        line.ends_with("; exercises 2 compiled; guide built"),
        "{line}"
    );
    let (line, status) = all(&fixture, &[]);
    assert_eq!(status, Some(0), "{line}");

    fixture.write(
        "exercises/02-beta/src/main.rs",
        "fn main() { println!(); }\n",
    );
    let (line, status) = all(&fixture, &[]);
    assert_eq!(status, Some(5), "{line}");
    assert!(line.contains("exercise-02 is not compiled"), "{line}");
    // It looks, and compiles nothing.
    assert_eq!(all(&fixture, &[]), (line, Some(5)));
}
