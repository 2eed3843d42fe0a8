//! The runs that the guide's page "Your own service" shows: its commands, typed where the reader types them.

use std::path::{Path, PathBuf};
use std::process::Command;

use measured::{Measured, assert_all_kept};
use systemd_lab::{Guest, Lab};

const COMMAND: &str = "cargo book-tests";

const UNIT: &str = "examples/own-service/units/own.service";
const PLAN: &str = "examples/own-service/plan.toml";
const WATCHDOG: &str =
    "examples/own-service/units/watchdog.conf:/etc/systemd/system/own.service.d/watchdog.conf";

/// Lines of the summary that are shown side by side, too.
const BESIDE: [&str; 3] = ["Availability", "Longest outage", "Restarts by systemd"];

/// The workspace, which the guide's commands are typed in.
fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Builds the example, as the guide says, but below the directory that all of this is built in.
fn own_service() -> PathBuf {
    let command = Path::new(assert_cmd::cargo::cargo_bin!("workshop"));
    // TARGET/HOST/debug/workshop
    let target = command.ancestors().nth(3).expect("cargo lays it out so");
    let status = Command::new(env!("CARGO"))
        .args([
            "build",
            "--manifest-path",
            "examples/own-service/Cargo.toml",
        ])
        .arg("--target-dir")
        .arg(target)
        .current_dir(workspace())
        .status();
    assert!(status.is_ok_and(|status| status.success()), "it builds");
    command.with_file_name("own-service")
}

fn shown(program: &Path, more: &[&str]) -> String {
    let program = format!("{}:/usr/local/bin/own-service", program.display());
    let output = assert_cmd::Command::new(assert_cmd::cargo::cargo_bin!("workshop"))
        .args(["run", "--unit", UNIT, "--file", &program])
        .args(more)
        .args(["--get", "http://127.0.0.1:8080/"])
        .args([
            "--at", "10s", "kill", "--at", "60s", "freeze", "--for", "5min",
        ])
        .current_dir(workspace())
        .env_remove("SYSTEMD_LAB_SUITE")
        .assert()
        .success();
    String::from_utf8(output.get_output().stdout.clone()).expect("it is text")
}

/// The plan in a file, one of whose requirements does not hold.
#[test]
fn a_plan_with_requirements() {
    let program = own_service();
    let program = format!("{}:/usr/local/bin/own-service", program.display());
    let output = assert_cmd::Command::new(assert_cmd::cargo::cargo_bin!("workshop"))
        .args(["run", "--plan", PLAN, "--file", &program])
        .current_dir(workspace())
        .env_remove("SYSTEMD_LAB_SUITE")
        .assert()
        .code(1);
    let shown = String::from_utf8(output.get_output().stdout.clone()).expect("it is text");
    let (_, required) = shown.split_once("\nRequirements\n").expect("it has some");
    let summary = shown.split_once("\nSummary\n").expect("it has one").1;
    let text = format!("Summary\n{summary}");
    assert_eq!(required.matches('✗').count(), 1, "{required}");
    let lab = Lab::open_guest(&Guest::default()).expect("the lab opens");
    let lab = lab.measured_with().expect("the lab works");
    assert_all_kept(&[Measured::text("run-plan.txt", &text, &lab)], COMMAND);
}

/// What a line of the summary says, without what follows the figure.
fn figure<'a>(output: &'a str, name: &str) -> &'a str {
    let line = output
        .lines()
        .find_map(|line| line.trim().strip_prefix(name));
    let figure = line.expect("the summary has it").split([',', ';']).next();
    figure.unwrap_or_default().trim()
}

#[test]
fn a_service_that_hangs_without_and_with_a_watchdog() {
    let program = own_service();
    let without = shown(&program, &[]);
    let with = shown(&program, &["--file", WATCHDOG]);
    let rows = BESIDE.map(|name| {
        format!(
            "| {name} | {} | {} |\n",
            figure(&without, name),
            figure(&with, name)
        )
    });
    let table = format!(
        "| | without `WatchdogSec=` | with `WatchdogSec=10s` |\n|---|---|---|\n{}",
        rows.concat()
    );
    let lab = Lab::open_guest(&Guest::default()).expect("the lab opens");
    let lab = lab.measured_with().expect("the lab works");
    let files = [
        Measured::text("run-hangs.txt", &without, &lab),
        Measured::text("run-watchdog.txt", &with, &lab),
        Measured::text("run-beside.md", &table, &lab),
    ];
    assert_all_kept(&files, COMMAND);
}
