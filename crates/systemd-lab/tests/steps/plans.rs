//! Experiments: faults that wait for events, and what is required of a run.

use std::fs;
use std::time::Duration;

use systemd_lab::experiment::{Requirement, Verdict, When};
use systemd_lab::{Experiment, Fault, Probe, Timeline};
use tempfile::TempDir;

use crate::support::{PROGRAM, UNIT, lab, program};

const ADDRESS: &str = "127.0.0.1:8080";

/// Serves HTTP at [`ADDRESS`], and is restarted 5 s after it has failed.
fn server() -> String {
    format!("[Service]\nExecStart={PROGRAM} serve {ADDRESS}\nRestart=on-failure\nRestartSec=5s\n")
}

/// An experiment with this text as unit file, and the folder that it is in.
fn experiment(text: &str) -> (Experiment, TempDir) {
    let folder = tempfile::tempdir().expect("there is room");
    let file = folder.path().join(UNIT);
    fs::write(&file, text).expect("there is room");
    (Experiment::new(file).file(program()), folder)
}

fn seconds(number: u64) -> Duration {
    Duration::from_secs(number)
}

fn when(text: &str) -> When {
    text.parse().expect("it is right")
}

fn run(experiment: &Experiment) -> Timeline {
    experiment.run(lab()).expect("the lab works")
}

#[test]
fn requirements_are_held_against_what_was_measured() {
    let (mut experiment, _folder) = experiment(&server());
    experiment = experiment
        .probe(Probe::get(&format!("http://{ADDRESS}/")))
        .fault(seconds(10), Fault::Kill(9))
        .fault(when("restart 1 + 30s"), Fault::Freeze)
        .fault(when("restart 1 + 32s"), Fault::Thaw)
        .lasting(seconds(100));
    // Killed at 10 s, it is restarted after 5 s and up to 250 ms; frozen, it does not answer for about two.
    let required = [
        ("availability >= 90%", true),
        ("availability >= 99.9%", false),
        ("outage <= 7s", true),
        ("outage < 5s", false),
        ("outages = 2", true),
        ("recovery <= 7s", false),
        ("recovery of t.service <= 6s", true),
        ("recovery of t.service <= 5s", false),
        ("restarts = 1", true),
        ("restarts of t.service < 1", false),
        ("no unit failed", true),
        ("t.service did not fail", true),
    ];
    for (text, _) in required {
        experiment = experiment.require(text.parse().expect(text));
    }
    let timeline = run(&experiment);
    let verdicts = experiment.verdicts(&timeline);
    for ((text, holds), verdict) in required.iter().zip(&verdicts) {
        assert_eq!(verdict.requirement.to_string(), *text);
        assert_eq!(verdict.holds, *holds, "{text}: {}", verdict.measured);
    }
    let measured = |text: &str| {
        let of = |it: &&Verdict| it.requirement.to_string() == text;
        let found = verdicts.iter().find(of).expect("it is required");
        found.measured.clone()
    };
    // A freeze that the plan itself ends: no recovery from it before the next fault.
    assert_eq!(
        measured("recovery <= 7s"),
        "not before the next fault after freeze at restart + 30s"
    );
    let recovery = measured("recovery of t.service <= 5s");
    assert!(
        recovery.starts_with("5.") && recovery.ends_with(" s after kill=SIGKILL at 10s"),
        "{recovery}"
    );
}

#[test]
fn a_unit_that_fails_is_named() {
    let text = server().replace("Restart=on-failure\n", "");
    let (experiment, _folder) = experiment(&text);
    let requirement: Requirement = "no unit failed".parse().expect("it is right");
    let experiment = experiment
        .fault(when("running"), Fault::Kill(9))
        .fault(when("restart"), Fault::Stop)
        .require(requirement)
        .lasting(seconds(20));
    let timeline = run(&experiment);
    let [verdict] = &experiment.verdicts(&timeline)[..] else {
        panic!("there is one requirement");
    };
    assert!(!verdict.holds);
    assert_eq!(verdict.measured, "t.service failed at 0:00");
    // It is never restarted.
    let summary = experiment.summary(&timeline);
    assert!(summary.faults[0].at.is_some());
    assert_eq!(summary.faults[1].at, None);
    let text = experiment.text(&timeline);
    assert!(
        text.contains("fault: stop never came: no restart"),
        "{text}"
    );
}

#[test]
fn what_is_not_measured_cannot_be_required() {
    let (experiment, _folder) = experiment(&server());
    let experiment = experiment.probe(Probe::connect(ADDRESS));
    let refused = |text: &str| {
        let requirement = text.parse().expect(text);
        let error = experiment.clone().require(requirement).check();
        error.expect_err(text).to_string()
    };
    assert!(refused("availability of page >= 99%").contains(&format!("connect {ADDRESS}")));
    assert!(refused("recovery <= 5s").contains("there is no fault"));
    assert!(refused("restarts of other.service <= 5").contains("t.service"));
    assert!(refused("other.service did not fail").contains("t.service"));
}
