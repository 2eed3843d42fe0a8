//! `check`, with every outcome.

use exercise_check::Outcome;
use insta::assert_snapshot;
use serde_json::Value;

use crate::fixture::{Fixture, verdict};

#[test]
fn passed() {
    let fixture = Fixture::new();
    assert_snapshot!("passed", fixture.says(&["check"]));
    assert_snapshot!("all_passed", fixture.says(&["check"]));
}

#[test]
fn not_yet_shows_all_about_the_first_only() {
    let fixture = Fixture::new();
    fixture.reports(
        "01",
        &[verdict(2, Outcome::NotYet), verdict(1, Outcome::NotYet)],
    );
    assert_snapshot!("not_yet", fixture.says(&["check", "1"]));
}

/// The check writes the report and quotes the service in it; so do a diagnosis and the check's last words.
#[test]
fn a_report_does_not_steer_the_terminal() {
    let fixture = Fixture::new();
    let steering = "\u{1b}[2J\u{9b}0m\u{202e}";
    let open = exercise_check::Verdict {
        difference: format!("Expected (-) and what systemd saw (+):\n\n  + seen {steering}\n"),
        conclusion: format!("the report {steering}\n"),
        diagnosis: Some(format!("because {steering}")),
        ..verdict(1, Outcome::NotYet)
    };
    fixture.reports("01", &[open, verdict(2, Outcome::Passed)]);
    let junit = fixture.path("junit.xml");
    let junit = junit.display().to_string();
    let said = fixture.says(&["check", "1", "--junit", &junit]);
    assert!(said.contains("seen \\u{1b}[2J\\u{9b}0m\\u{202e}"), "{said}");
    let json = fixture.says(&["check", "1", "--json"]);
    assert!(
        json.contains("because \\u001b[2J\\u009b0m\\u202e"),
        "{json}"
    );
    let junit = fixture.read("junit.xml");
    assert!(
        junit.contains("because \\u{1b}[2J\\u{9b}0m\\u{202e}"),
        "{junit}"
    );
    for text in [said, json, junit] {
        let steers = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
        assert_eq!(text.find(steers), None, "{text:?}");
    }
}

#[test]
fn out_of_time() {
    let fixture = Fixture::new();
    fixture.reports(
        "01",
        &[verdict(1, Outcome::Passed), verdict(2, Outcome::OutOfTime)],
    );
    assert_snapshot!("out_of_time", fixture.says(&["check", "01"]));
}

#[test]
fn lab_broken() {
    let fixture = Fixture::new();
    fixture.reports(
        "01",
        &[
            verdict(1, Outcome::LabBroken),
            verdict(2, Outcome::LabBroken),
        ],
    );
    assert_snapshot!("lab_broken", fixture.says(&["check"]));
}

#[test]
fn a_check_that_ends_too_soon_is_the_labs_fault() {
    let fixture = Fixture::new();
    fixture.reports("01", &[verdict(1, Outcome::Passed)]);
    let said = fixture.says(&["check"]);
    assert!(
        said.contains(
            "LAB BROKEN (this is not your service's fault)\n\nonly 1 of 2 verdicts arrived;"
        ),
        "{said}"
    );
    assert!(said.ends_with("exit status 5"), "{said}");
}

#[test]
fn did_not_build() {
    let fixture = Fixture::new();
    fixture.write(
        "exercises/01-alpha/src/main.rs",
        "fn main() { let x: u8 = \"\"; }\n",
    );
    assert_snapshot!("did_not_build", fixture.says(&["check"]));
}

#[test]
fn warnings_may_be_the_answer() {
    let fixture = Fixture::new();
    fixture.reports(
        "01",
        &[verdict(1, Outcome::Passed), verdict(2, Outcome::NotYet)],
    );
    fixture.write(
        "exercises/01-alpha/src/main.rs",
        "async fn drain() {}\nfn main() { drain(); }\n",
    );
    assert_snapshot!("warnings", fixture.says(&["check"]));
}

#[test]
fn cargo_cannot_read_its_manifest() {
    let fixture = Fixture::new();
    fixture.write("exercises/01-alpha/Cargo.toml", "[package\n");
    let said = fixture.says(&["check"]);
    assert!(said.contains("DID NOT BUILD"), "{said}");
    assert!(said.contains("exercises/01-alpha/Cargo.toml"), "{said}");
    assert!(said.ends_with("exit status 3"), "{said}");
}

#[test]
fn all_of_them_go_on_after_one_that_is_not_solved() {
    let fixture = Fixture::new();
    fixture.reports(
        "01",
        &[verdict(1, Outcome::NotYet), verdict(2, Outcome::Passed)],
    );
    let said = fixture.says(&["check", "--all"]);
    assert!(said.contains("PASSED: exercise 02."), "{said}");
    assert!(said.ends_with("exit status 1"), "{said}");
}

#[test]
fn as_json() {
    let fixture = Fixture::new();
    fixture.reports(
        "02",
        &[verdict(1, Outcome::Passed), verdict(2, Outcome::NotYet)],
    );
    let output = fixture.run(&["check", "--all", "--json"]);
    assert_eq!(output.status.code(), Some(1));
    let document: Value = serde_json::from_slice(&output.stdout).expect("it is JSON alone");
    assert_snapshot!(
        "json",
        serde_json::to_string_pretty(&document).expect("it was JSON")
    );
}

#[test]
fn as_json_when_it_does_not_build() {
    let fixture = Fixture::new();
    fixture.write(
        "exercises/01-alpha/src/main.rs",
        "fn main() { missing() }\n",
    );
    let output = fixture.run(&["check", "--json"]);
    assert_eq!(output.status.code(), Some(3));
    let document: Value = serde_json::from_slice(&output.stdout).expect("it is JSON alone");
    let exercise = &document["exercises"][0];
    assert_eq!(exercise["outcome"], "did-not-build");
    let message = exercise["message"].as_str().expect("the compiler's words");
    assert!(
        message.contains("cannot find function `missing`"),
        "{message}"
    );
}

#[test]
fn as_junit() {
    let fixture = Fixture::new();
    fixture.reports(
        "01",
        &[verdict(1, Outcome::NotYet), verdict(2, Outcome::OutOfTime)],
    );
    let file = fixture.path("result.xml").display().to_string();
    let output = fixture.run(&["check", "01", "--junit", &file]);
    assert_eq!(output.status.code(), Some(1));
    assert_snapshot!("junit", fixture.read("result.xml"));
}

/// Nothing could read two documents in one stream, and the check does not even begin.
#[test]
fn two_documents_on_standard_output() {
    let fixture = Fixture::new();
    assert_eq!(
        fixture.says(&["check", "01", "--json", "--junit", "-"]),
        "standard error:\n--json and --junit - would both write to standard output; name a file: --junit FILE\n\
         exit status 2"
    );
}

#[test]
fn a_result_that_can_only_fail_to_be_written() {
    let fixture = Fixture::new();
    let file = fixture.path("missing/result.xml").display().to_string();
    let said = fixture.says(&["check", "01", "--junit", &file]);
    assert_eq!(
        said,
        "standard error:\ncannot write CLONE/missing/result.xml: there is no directory CLONE/missing; name another file\n\
         exit status 2"
    );
}

#[test]
fn colours_are_for_terminals_only() {
    let fixture = Fixture::new();
    let output = fixture
        .command(&["check"])
        .env("CLICOLOR_FORCE", "1")
        .output()
        .expect("it runs");
    assert!(String::from_utf8_lossy(&output.stdout).contains("\u{1b}["));
    let output = fixture
        .command(&["check"])
        .env("CLICOLOR_FORCE", "1")
        .env("NO_COLOR", "1")
        .output()
        .expect("it runs");
    assert!(!String::from_utf8_lossy(&output.stdout).contains('\u{1b}'));
}
