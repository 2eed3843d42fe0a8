//! The command over small workshops of its own: every outcome, its words and its exit status.

use std::fs;
use std::path::Path;
use std::process::Output;

use assert_cmd::Command;
use insta::assert_snapshot;
use systemd_lab::check::report::Record;
use systemd_lab::check::{Outcome, Verdict};
use tempfile::TempDir;

const CARGO_TOML: &str = r#"[package]
name = "exercise-01"
version = "0.0.0"
edition = "2024"
"#;

/// A check that reports what its author wrote down.
const CHECK: &str = r#"
#[test]
fn r1() {
    let report = std::env::var("SYSTEMD_LAB_REPORT").expect("the command sets it");
    std::fs::write(report, include_str!("verdicts")).expect("it can be written");
}
"#;

/// A workshop with one exercise, whose check gives these verdicts.
fn workshop(verdicts: &[Verdict]) -> TempDir {
    let root = tempfile::tempdir().expect("a temporary directory");
    let lines: String = verdicts
        .iter()
        .map(|verdict| Record::Verdict(verdict.clone()))
        .map(|record| serde_json::to_string(&record).expect("JSON") + "\n")
        .collect();
    let exercise = root.path().join("exercises/01-alpha");
    write(&exercise.join("src/lib.rs"), "");
    write(&exercise.join("tests/check.rs"), CHECK);
    write(&exercise.join("tests/verdicts"), &lines);
    write(&exercise.join("Cargo.toml"), CARGO_TOML);
    write(
        &root.path().join("Cargo.toml"),
        "[workspace]\nresolver = \"3\"\nmembers = [\"exercises/01-alpha\"]\n",
    );
    // Found by looking two folders up from the command's own package, as cargo tells it.
    fs::create_dir_all(root.path().join("crates/workshop")).expect("a folder");
    root
}

fn write(path: &Path, content: &str) {
    fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    fs::write(path, content).expect("a file");
}

fn run(root: &Path, arguments: &[&str]) -> Output {
    Command::new(assert_cmd::cargo::cargo_bin!("workshop"))
        .args(arguments)
        .env("CARGO_MANIFEST_DIR", root.join("crates/workshop"))
        .env("CARGO_TARGET_DIR", root.join("target"))
        .output()
        .expect("the command runs")
}

fn shown(output: &Output) -> String {
    let stdout = String::from_utf8_lossy(&output.stdout);
    format!(
        "{stdout}exit status {}",
        output.status.code().expect("it ends by itself")
    )
}

fn verdict(number: u32, outcome: Outcome, report: &str) -> Verdict {
    Verdict {
        number,
        of: 2,
        title: format!("the title of {number}"),
        outcome,
        diagnosis: None,
        scenario: None,
        report: report.to_owned(),
    }
}

#[test]
fn passed() {
    let root = workshop(&[
        verdict(2, Outcome::Passed, ""),
        verdict(1, Outcome::Passed, ""),
    ]);
    assert_snapshot!("passed", shown(&run(root.path(), &[])));
}

#[test]
fn not_yet_shows_the_first_only() {
    let root = workshop(&[
        verdict(2, Outcome::NotYet, "the second report"),
        verdict(1, Outcome::NotYet, "the first report"),
    ]);
    assert_snapshot!("not_yet", shown(&run(root.path(), &["check", "1"])));
}

#[test]
fn out_of_time() {
    let root = workshop(&[
        verdict(1, Outcome::Passed, ""),
        verdict(2, Outcome::OutOfTime, "too slow"),
    ]);
    assert_snapshot!("out_of_time", shown(&run(root.path(), &[])));
}

#[test]
fn a_check_that_ends_too_soon_is_the_labs_fault() {
    let root = workshop(&[verdict(1, Outcome::Passed, "")]);
    let shown = shown(&run(root.path(), &[]));
    let end = shown.lines().last();
    assert!(
        shown.contains("LAB BROKEN (this is not your service's fault): 1 of 2 verdicts came."),
        "{shown}"
    );
    assert_eq!(end, Some("exit status 5"));
}

#[test]
fn did_not_build() {
    let root = workshop(&[]);
    write(
        &root.path().join("exercises/01-alpha/src/lib.rs"),
        "fn main() { let x: u8 = \"\"; }",
    );
    let output = run(root.path(), &[]);
    assert_snapshot!("did_not_build", shown(&output));
    assert!(String::from_utf8_lossy(&output.stderr).contains("mismatched types"));
}

#[test]
fn unknown_exercise() {
    let root = workshop(&[]);
    let output = run(root.path(), &["check", "9"]);
    assert_eq!(output.status.code(), Some(2));
    assert_snapshot!("unknown_exercise", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn misspelt_command() {
    let root = workshop(&[]);
    let output = run(root.path(), &["chek"]);
    assert_eq!(output.status.code(), Some(2));
    assert_snapshot!("misspelt_command", String::from_utf8_lossy(&output.stderr));
}
