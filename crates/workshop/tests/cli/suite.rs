//! The guest's suite, chosen with `SYSTEMD_LAB_SUITE`.

use insta::assert_snapshot;

use crate::fixture::Fixture;

fn said(suite: &str, arguments: &[&str]) -> String {
    let fixture = Fixture::new();
    let settings = fixture.read("exercises/02-beta/exercise.toml");
    let newer = format!("systemd = 254\n{settings}");
    fixture.write("exercises/02-beta/exercise.toml", &newer);
    let mut command = fixture.command(arguments);
    let output = command.env("SYSTEMD_LAB_SUITE", suite).output();
    fixture.shown(&output.expect("the command runs"))
}

#[test]
fn an_exercise_needs_a_newer_systemd() {
    assert_snapshot!("systemd_too_old", said("oldstable", &["check", "2"]));
    assert_eq!(
        said("bookworm", &["check", "2"]),
        said("oldstable", &["check", "2"])
    );
}

#[test]
fn no_such_suite() {
    let check = said("sid", &["check", "1"]);
    assert_snapshot!("no_such_suite", check);
    for arguments in [&["image", "export", "x"][..], &["doctor", "--fix"]] {
        let said = said("sid", arguments);
        assert!(said.contains("unknown Debian suite sid;"), "{said}");
    }
}
