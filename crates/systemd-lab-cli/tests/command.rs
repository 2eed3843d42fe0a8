//! `systemd-lab`, as a person uses it in their own folder. The tests of `cargo workshop run`, which is the same code, cover `run` in
//! full.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::Duration;

use insta::assert_snapshot;
use rustix::process::{Pid, Signal, kill_process};

const SLEEPER: &str = "\
[Service]
ExecStart=/usr/bin/sleep infinity
Restart=on-failure
RestartSec=5s
";

/// A folder without anything of the workshop, which contains this unit.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("there is room");
    fs::write(folder.path().join("my.service"), SLEEPER).expect("there is room");
    folder
}

fn systemd_lab(folder: &Path) -> Command {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("systemd-lab"));
    command.current_dir(folder);
    // No variable of cargo's tells it where the clone is.
    command.env_remove("CARGO_MANIFEST_DIR");
    command
}

fn said(output: &Output) -> String {
    let (out, error) = (&output.stdout, &output.stderr);
    String::from_utf8_lossy(out).into_owned() + &String::from_utf8_lossy(error)
}

#[test]
fn help() {
    let folder = folder();
    let output = systemd_lab(folder.path()).arg("--help").output();
    let output = output.expect("the command runs");
    assert_eq!(output.status.code(), Some(0));
    assert_snapshot!(said(&output));
    let output = systemd_lab(folder.path())
        .output()
        .expect("the command runs");
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn a_run_is_a_verdict() {
    let folder = folder();
    let run = |requirement: &str| {
        systemd_lab(folder.path())
            .args(["run", "--unit", "my.service", "--at", "10s", "kill"])
            .args(["--for", "30s", "--require", requirement])
            .output()
            .expect("the command runs")
    };
    let held = run("restarts <= 1");
    assert_eq!(held.status.code(), Some(0), "{}", said(&held));
    assert!(said(&held).contains("restart 1"), "{}", said(&held));
    let broken = run("restarts <= 0");
    assert_eq!(broken.status.code(), Some(1), "{}", said(&broken));
}

#[test]
fn a_shell_has_the_unit_and_has_not_started_it() {
    let folder = folder();
    let mut shell = systemd_lab(folder.path())
        .args(["shell", "--unit", "my.service"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command runs");
    let mut typed = shell.stdin.take().expect("it is a pipe");
    typed
        .write_all(b"echo state: $(systemctl is-active my.service)\nsystemctl start my.service\necho state: $(systemctl is-active my.service)\nexit\n")
        .expect("it reads");
    drop(typed);
    let output = shell.wait_with_output().expect("it ends");
    let said = said(&output).replace('\r', "");
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("my.service is installed,"), "{said}");
    let states = said.lines().filter_map(|line| line.strip_prefix("state: "));
    let states: Vec<&str> = states.collect();
    assert_eq!(states, ["inactive", "active"], "{said}");
}

/// The commands that it tells a person to type are its own.
#[test]
fn it_names_itself() {
    let folder = folder();
    let cache = folder.path().join("cache");
    let run = |arguments: &[&str]| {
        let mut command = systemd_lab(folder.path());
        command.args(arguments).env("SYSTEMD_LAB_CACHE", &cache);
        command.output().expect("the command runs")
    };
    let doctor = run(&["doctor"]);
    assert_eq!(doctor.status.code(), Some(5));
    let text = said(&doctor);
    assert!(text.contains("type: systemd-lab doctor --fix"), "{text}");
    assert!(!text.contains("cargo workshop"), "{text}");
    let import = run(&["image", "import", "none.image"]);
    assert_eq!(import.status.code(), Some(2));
    assert_snapshot!(said(&import), @"there is no file none.image; on a machine with a network, `systemd-lab image export FILE` makes one");
}

/// In no time nothing happens.
#[test]
fn a_sweep_without_a_moment() {
    let folder = folder();
    let output = systemd_lab(folder.path())
        .args([
            "sweep",
            "--unit",
            "my.service",
            "--fault",
            "kill",
            "--for",
            "0s",
        ])
        .output()
        .expect("the command runs");
    assert_eq!(output.status.code(), Some(1));
    let said = said(&output);
    assert!(
        said.starts_with("my.service: 0 runs, at 0 moments of 0s\n"),
        "{said}"
    );
    let advice = "so there is no moment for a fault: choose a longer one with --for";
    assert!(said.contains(advice), "{said}");
    assert!(!said.contains("No fault came"), "{said}");
}

/// The command of each violation is tried before it is printed.
#[test]
fn a_sweep_and_an_exploration_that_find_something() {
    let folder = folder();
    let unit = "[Service]\nExecStart=sleep infinity\nRestart=always\nRestartSec=5s\n";
    fs::write(folder.path().join("slow.service"), unit).expect("it can be written");
    let finds = |arguments: &[&str]| -> serde_json::Value {
        let plan = ["--unit", "slow.service", "--fault", "kill", "--json"];
        let output = systemd_lab(folder.path())
            .args(arguments)
            .args(plan)
            .args(["--require", "recovery <= 4s"])
            // The printed commands name it: the variable may have another value later.
            .env("SYSTEMD_LAB_SUITE", "stable")
            .output()
            .expect("the command runs");
        assert_eq!(output.status.code(), Some(1));
        serde_json::from_slice(&output.stdout).expect("it is JSON")
    };
    let swept = finds(&["sweep", "--for", "10s", "--moments", "12"]);
    let again = swept["violations"].as_array().expect("there are some");
    assert!(!again.is_empty(), "{swept}");
    assert!(again.iter().all(|it| it["shows_again"] == true), "{swept}");
    let command = again[0]["reproduce"].as_str().expect("there is one");
    assert!(command.contains(" --suite stable --for "), "{command}");
    let explored = finds(&["explore", "--runs", "2"]);
    assert_eq!(explored["shows_again"], serde_json::json!([true]));
}

/// JUnit XML has everything that the text has: each broken requirement, also one that is broken without a fault.
#[test]
fn a_sweep_as_junit_has_everything_that_is_broken() {
    let folder = folder();
    let unit = "[Service]\nExecStart=sleep infinity\nRestart=always\nRestartSec=5s\n";
    fs::write(folder.path().join("slow.service"), unit).expect("it can be written");
    let sweep = |fault: &str, required: &[&str]| {
        let plan = "sweep --unit slow.service --for 8s --junit -";
        let required = required.iter().flat_map(|it| ["--require", it]);
        let mut command = systemd_lab(folder.path());
        let command = command.args(plan.split(' ')).args(["--fault", fault]);
        let output = command.args(required).output().expect("the command runs");
        assert_eq!(output.status.code(), Some(1));
        said(&output)
    };
    let both = sweep("kill", &["recovery <= 4s", "restarts <= 0"]);
    let of_one = both.lines().filter(|line| line.contains("<failure"));
    let of_one = of_one.filter(|it| it.contains("recovery") && it.contains("restarts"));
    assert!(of_one.count() > 0, "{both}");
    // After a stop, the only requirement does not count.
    let none = sweep("stop", &["recovery <= 4s"]);
    assert!(none.contains("Nothing was judged: after a stop"), "{none}");
    let broken = sweep("kill", &["starts of slow.service <= 0"]);
    let name = "name=\"starts of slow.service &lt;= 0 without a fault\"";
    assert!(broken.contains(name), "{broken}");
}

/// Nothing is broken so far, and most of the runs are missing.
#[test]
fn an_interrupted_sweep_has_not_passed() {
    /// Its run without a fault has begun, and all others take much longer.
    const A_MOMENT: Duration = Duration::from_secs(3);
    let folder = folder();
    let plan = "sweep --unit my.service --fault kill,freeze,restart,stop --for 2min --connect 127.0.0.1:1 --require";
    let mut command = systemd_lab(folder.path());
    let child = command
        .args(plan.split(' '))
        .arg("restarts <= 9")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command runs");
    thread::sleep(A_MOMENT);
    let pid = Pid::from_raw(child.id().cast_signed()).expect("it has one");
    kill_process(pid, Signal::INT).expect("it is ours");
    let output = child.wait_with_output().expect("it ends");
    let said = said(&output);
    assert_eq!(output.status.code(), Some(4), "{said}");
    assert!(said.contains("Interrupted: "), "{said}");
    assert!(!said.contains('✓'), "{said}");
}

/// What is wrong with the plan comes before what is missing.
#[test]
fn an_exploration_with_a_wrong_fault() {
    let folder = folder();
    let says = |fault: &str| {
        let output = systemd_lab(folder.path())
            .args(["explore", "--unit", "my.service", "--fault", fault])
            .output()
            .expect("the command runs");
        assert_eq!(output.status.code(), Some(2));
        said(&output)
    };
    assert!(says("kill@other.service").contains("other.service"));
    assert!(says("kill").contains("nothing is required"));
    let plan = "unit = \"my.service\"\nrequire = [\"restarts <= 1\"]\n[explore]\nruns = 3\nwall = \"1s\"\n";
    fs::write(folder.path().join("both.toml"), plan).expect("it can be written");
    let output = systemd_lab(folder.path())
        .args(["explore", "--plan", "both.toml"])
        .output()
        .expect("the command runs");
    assert_eq!(output.status.code(), Some(2));
    assert!(said(&output).contains("both runs and wall"));
}

/// Nothing could read two documents in one stream.
#[test]
fn two_documents_on_standard_output_are_refused() {
    let folder = folder();
    let cache = folder.path().join("cache");
    for (command, options, both) in [
        ("run", &["--json", "--svg", "-"][..], "--json and --svg -"),
        ("run", &["--json", "--save", "-"], "--json and --save -"),
        ("run", &["--json", "--junit", "-"], "--json and --junit -"),
        (
            "run",
            &["--svg", "-", "--save", "-"],
            "--svg - and --save -",
        ),
        ("sweep", &["--json", "--svg", "-"], "--json and --svg -"),
        ("sweep", &["--json", "--junit", "-"], "--json and --junit -"),
        (
            "explore",
            &["--json", "--junit", "-"],
            "--json and --junit -",
        ),
    ] {
        let output = systemd_lab(folder.path())
            .args([
                command,
                "--unit",
                "my.service",
                "--require",
                "restarts <= 1",
            ])
            .args(options)
            // Without a guest, anything that ran would fail in a different way.
            .env("SYSTEMD_LAB_CACHE", &cache)
            .output()
            .expect("the command runs");
        let said = said(&output);
        assert_eq!(output.status.code(), Some(2), "{command}: {said}");
        let why = format!("{both} would both write to standard output; name a file: ");
        assert!(said.starts_with(&why), "{command}: {said}");
    }
}
