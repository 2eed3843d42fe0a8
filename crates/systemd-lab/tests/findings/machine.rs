//! Findings about the machine: what ends it, and what keeps it busy.

use std::fs;
use std::time::Duration;

use systemd_lab::experiment::Experiment;
use systemd_lab::findings::{Finding, Severity};

use crate::name;
use crate::support::lab;

/// Long enough that a run with a service that computes without pause would take minutes.
const LONG: Duration = Duration::from_secs(1200);

/// Runs a unit with this text, and returns the findings and the length of the run in seconds.
fn found(text: &str, length: Duration) -> (Vec<Finding>, u64) {
    let folder = tempfile::tempdir().expect("there is room");
    let path = folder.path().join("t.service");
    fs::write(&path, text).expect("there is room");
    let experiment = Experiment::new(path).lasting(length);
    let timeline = experiment.run(lab()).expect("the lab works");
    let last = timeline.events().last().expect("there is an end");
    let end = timeline.time_of(last).as_secs();
    (experiment.findings(&timeline), end)
}

#[test]
fn the_setting_that_ends_the_machine_is_named() {
    let fails = "[Service]\nExecStart=/usr/bin/false\n";
    for (text, line, manual) in [
        (
            format!("[Unit]\nFailureAction=reboot\n{fails}"),
            "FailureAction=reboot",
            "\"FailureAction=, SuccessAction=\"",
        ),
        (
            "[Unit]\nJobTimeoutSec=5s\nJobTimeoutAction=reboot\n[Service]\nType=oneshot\nExecStart=/usr/bin/sleep 60\n"
                .to_owned(),
            "JobTimeoutAction=reboot",
            "\"JobTimeoutAction=, JobTimeoutRebootArgument=\"",
        ),
        (
            format!("[Unit]\nFailureAction=poweroff-immediate\n{fails}"),
            "FailureAction=poweroff-immediate",
            "\"FailureAction=, SuccessAction=\"",
        ),
        (
            format!(
                "[Unit]\nFailureAction=none\nStartLimitAction=reboot-force\n{fails}Restart=always\n"
            ),
            "StartLimitAction=reboot-force",
            "\"StartLimitAction=\"",
        ),
        (
            "[Unit]\nSuccessAction=poweroff\n[Service]\nExecStart=/usr/bin/true\n".to_owned(),
            "SuccessAction=poweroff",
            "\"FailureAction=, SuccessAction=\"",
        ),
    ] {
        let (found, _) = found(&text, Duration::from_secs(60));
        let [finding] = &found[..] else {
            panic!("{text}: {found:#?}");
        };
        assert_eq!(name(&finding.rule), "machine-ended");
        let place = finding.place.as_ref().map(|place| place.text.as_str());
        assert_eq!(place, Some(line));
        assert!(finding.what().contains(line), "{}", finding.what());
        assert!(finding.manual().ends_with(manual), "{}", finding.manual());
    }
}

#[test]
fn a_process_that_ends_the_machine_differs_from_a_setting() {
    for (command, why) in [
        ("systemctl poweroff", "a process asked systemd for it"),
        (
            "echo b >/proc/sysrq-trigger",
            "a process called reboot(2) or wrote to /proc/sysrq-trigger",
        ),
    ] {
        let text = format!("[Service]\nExecStart=/bin/sh -c '{command}; sleep 9'\n");
        let (found, _) = found(&text, Duration::from_secs(60));
        assert_eq!(found.len(), 1, "{found:#?}");
        assert!(found[0].place.is_none(), "{found:#?}");
        assert!(found[0].what().ends_with(why), "{}", found[0].what());
    }
}

#[test]
fn an_action_that_is_not_taken_does_not_count() {
    let text = "[Unit]\nFailureAction=reboot\nStartLimitAction=reboot\n[Service]\nExecStart=/usr/bin/sleep infinity\n";
    assert_eq!(found(text, Duration::from_secs(60)).0, []);
}

#[test]
fn what_computes_without_pause_is_named_and_ends_a_long_run() {
    let text = "[Service]\nExecStart=/bin/sh -c 'while :; do :; done'\n";
    let (found, end) = found(text, LONG);
    let [finding] = &found[..] else {
        panic!("{found:#?}");
    };
    assert_eq!(name(&finding.rule), "processor-busy");
    assert_eq!(finding.unit, "t.service");
    assert!((30..35).contains(&end), "{end}");
}

/// If nothing to come could change it, the rest is left out, however short it is.
#[test]
fn a_flood_is_recognised_in_seconds() {
    let minute = Duration::from_secs(60);
    let status = "while :; do systemd-notify --status=x; done";
    for (body, flood) in [
        (status, "notification-flood"),
        ("while :; do echo x; done", "log-flood"),
    ] {
        let text = format!(
            "[Service]\nType=notify\nNotifyAccess=all\nExecStart=/usr/bin/bash -c 'systemd-notify --ready; {body}'\n"
        );
        let (found, end) = found(&text, minute);
        let rules: Vec<String> = found.iter().map(|it| name(&it.rule)).collect();
        assert_eq!(rules, ["processor-busy", flood], "{found:#?}");
        assert!((10..30).contains(&end), "{end}");
    }
}

#[test]
fn a_run_with_a_deadline_to_come_goes_on() {
    let minute = Duration::from_secs(60);
    let text = "[Service]\nRuntimeMaxSec=50\nExecStart=/bin/sh -c 'while :; do :; done'\n";
    let (found, end) = found(text, minute);
    let rules: Vec<String> = found.iter().map(|it| name(&it.rule)).collect();
    assert_eq!(rules, ["processor-busy"], "{found:#?}");
    assert_eq!(end, minute.as_secs());
}

/// The journal is not blamed for what systemd does itself.
#[test]
fn what_happens_to_systemd_itself_is_named() {
    let minute = Duration::from_secs(60);
    let run = |command: &str| {
        let text =
            format!("[Service]\nExecStart=/bin/bash -c 'sleep 5; {command}; sleep infinity'\n");
        let (found, _) = found(&text, minute);
        let [finding] = &found[..] else {
            panic!("{command}: {found:#?}");
        };
        (name(&finding.rule), finding.rule.severity(), finding.what())
    };
    let (rule, severity, what) = run("systemctl daemon-reexec");
    assert_eq!((rule.as_str(), severity), ("went-blind", Severity::Warning));
    assert!(
        what.contains("systemd executes itself again, as systemctl daemon-reexec asks"),
        "{what}"
    );
    let (rule, severity, what) = run("kill -SEGV 1");
    assert_eq!((rule.as_str(), severity), ("went-blind", Severity::Error));
    assert!(
        what.starts_with("systemd itself crashed: Caught <SEGV> from PID ")
            && what.ends_with(
                ", a process of t.service. From then on, nothing starts, stops or restarts t.service"
            ),
        "{what}"
    );
    let (rule, _, what) = run("systemctl soft-reboot");
    assert_eq!(rule, "machine-ended");
    assert!(what.ends_with("a process asked systemd for it"), "{what}");
}

#[test]
fn a_start_that_takes_a_while_and_work_with_pauses_are_right() {
    let computes = "timeout 20 sh -c \"while :; do :; done\"";
    let text = format!("[Service]\nExecStart=/bin/sh -c '{computes}; exec sleep infinity'\n");
    assert_eq!(found(&text, LONG), (Vec::new(), LONG.as_secs()));
    let computes = "timeout 3 sh -c \"while :; do :; done\"; sleep 1";
    let text = format!("[Service]\nExecStart=/bin/sh -c 'while :; do {computes}; done'\n");
    let minute = Duration::from_secs(60);
    assert_eq!(found(&text, minute), (Vec::new(), minute.as_secs()));
}
