//! Units and processes that keep systemd from logging what it does: the timeline is correct anyway, or says that the lab went
//! blind, since when and why.

use std::time::Duration;

use systemd_lab::experiment::{Experiment, Fault, Recovery};
use systemd_lab::findings::Rule;
use systemd_lab::protocol::event::Blinding;
use systemd_lab::protocol::{EventKind, Scenario};
use systemd_lab::{Guest, GuestFile, Lab, LabErrorKind, Timeline};

use crate::support::{LONG, UNIT, lab, run, unit};
use crate::{assert_all_done, logs};

const SECOND: Duration = Duration::from_secs(1);

/// Logs at four levels; systemd restarts it a second after it has ended.
const SERVICE: &str = "\
ExecStart=/usr/bin/bash -c 'echo \"<3>an error\"; echo \"<5>a notice\"; echo \"<6>a word\"; echo \"<7>detail\"; sleep infinity'
Restart=always
RestartSec=1s";

fn file(path: &str, text: &str) -> GuestFile {
    GuestFile::text(format!("/etc/systemd/system/{path}"), text)
}

/// An experiment with this unit file, written to a new folder.
fn experiment(name: &str, text: &str) -> (tempfile::TempDir, Experiment) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join(name);
    std::fs::write(&path, text).expect("it can be written");
    let experiment = Experiment::new(path);
    (folder, experiment)
}

/// Its figures are known, and correct: killed once at 10 s, up again soon after.
fn assert_seen(experiment: &Experiment, lab: &Lab) -> Timeline {
    let timeline = experiment.run(lab).expect("the lab works");
    let summary = experiment.summary(&timeline);
    let story = experiment.text(&timeline);
    assert_eq!(summary.went_blind, None, "{story}");
    assert_eq!(summary.restarts, 1, "{story}");
    assert_eq!(summary.state_at_end, "running", "{story}");
    let [fault] = summary.faults.as_slice() else {
        panic!("{story}")
    };
    assert!(
        matches!(fault.running, Recovery::After(time) if time < 2 * SECOND),
        "{story}"
    );
    timeline
}

#[test]
fn a_log_level_of_the_unit_hides_its_own_lines_only() {
    for (level, own, more) in [
        ("LogLevelMax=warning", vec!["an error"], None),
        ("LogLevelMax=notice", vec!["an error", "a notice"], None),
        (
            "",
            vec!["an error"],
            Some(file(
                "service.d/50-quiet.conf",
                "[Service]\nLogLevelMax=err\n",
            )),
        ),
        (
            "",
            vec!["an error", "a notice", "a word"],
            Some(file("my.service.d/zzz.conf", "[Service]\nLogLevelMax=6\n")),
        ),
    ] {
        let (_folder, experiment) =
            experiment("my.service", &format!("[Service]\n{SERVICE}\n{level}\n"));
        let experiment = experiment.fault(10 * SECOND, Fault::Kill(9));
        let experiment = match more {
            Some(more) => experiment.file(more),
            None => experiment,
        };
        let warnings = experiment.warnings(&Guest::default());
        assert!(
            warnings.len() == 1
                && warnings[0].contains("the lab runs the unit without LogLevelMax=: "),
            "{warnings:?}"
        );
        let timeline = assert_seen(&experiment, lab());
        let expected = [own.clone(), own].concat();
        assert_eq!(logs(&timeline, "my.service"), expected, "{level}");
    }
}

#[test]
fn a_unit_in_another_journal_is_seen() {
    let text = format!("[Service]\n{SERVICE}\nLogNamespace=mine\nSyslogIdentifier=(my)\n");
    let (_folder, experiment) = experiment("my.service", &text);
    let experiment = experiment.fault(10 * SECOND, Fault::Kill(9));
    let timeline = assert_seen(&experiment, lab());
    assert_eq!(logs(&timeline, "my.service").len(), 8);
}

/// How the lab went blind in this run, since when, and until when if it saw again, in whole seconds.
fn blind(timeline: &Timeline) -> Vec<(Option<&str>, &Blinding, u64, Option<u64>)> {
    let at = |event| timeline.time_of(event).as_secs();
    let events = timeline.events();
    let blind = events.iter().enumerate().filter_map(|(index, event)| {
        let EventKind::WentBlind { how } = &event.kind else {
            return None;
        };
        let again = events[index..].iter();
        let again = again.filter(|event| event.kind == EventKind::SightRestored);
        Some((event.unit.as_deref(), how, at(event), again.map(at).next()))
    });
    blind.collect()
}

/// A service as root that does this five seconds after its start, and then nothing.
fn doing(command: &str) -> String {
    format!(
        "[Service]\nExecStart=/bin/sh -c 'sleep 5; {command}; exec sleep infinity'\nRestart=always\nRestartSec=1s\n"
    )
}

/// The service does this; it is killed ten seconds after its start, and again after thirty.
fn after(command: &str) -> (Experiment, Timeline) {
    let (_folder, experiment) = experiment("my.service", &doing(command));
    let experiment = experiment
        .fault(10 * SECOND, Fault::Kill(9))
        .require("restarts <= 9".parse().expect("it is one"))
        .require("no unit failed".parse().expect("it is one"));
    let timeline = experiment.run(lab()).expect("the lab works");
    (experiment, timeline)
}

/// The run reports it everywhere, and states no figure that it does not know.
fn assert_said(experiment: &Experiment, timeline: &Timeline, words: &str) {
    let story = experiment.text(timeline);
    assert!(story.contains("from here on the lab is blind: "), "{story}");
    let findings = experiment.findings(timeline);
    let of_blindness = findings
        .iter()
        .find(|it| matches!(it.rule, Rule::WentBlind { .. }));
    let what = of_blindness
        .map(|finding| finding.what())
        .unwrap_or_default();
    assert!(what.contains(words), "{what}");
    let summary = experiment.summary(timeline);
    assert!(summary.went_blind.is_some(), "{story}");
    assert_eq!(summary.faults[0].running, Recovery::Unknown, "{story}");
    for verdict in experiment.verdicts(timeline) {
        assert!(!verdict.holds, "{verdict:?}");
        assert!(verdict.measured.starts_with("unknown: "), "{verdict:?}");
    }
}

#[test]
fn systemd_is_told_to_log_less() {
    for (command, how) in [
        (
            "systemctl log-level info",
            Blinding::LogLevel {
                level: "info".into(),
            },
        ),
        // systemd(1), "Signals": back to the level from its start.
        (
            "/usr/bin/kill -s RTMIN+23 1",
            Blinding::LogLevel {
                level: "info".into(),
            },
        ),
        (
            "systemctl log-target null",
            Blinding::LogTarget {
                target: "null".into(),
            },
        ),
    ] {
        let (experiment, timeline) = after(command);
        let seen = blind(&timeline);
        assert_eq!(
            seen.first(),
            Some(&(None, &how, 5, Some(5))),
            "{command}: {seen:?}"
        );
        assert_said(&experiment, &timeline, "what systemd did from 5s to ");
        // The lab saw the kill.
        assert_eq!(experiment.summary(&timeline).restarts, 1, "{command}");
    }
}

#[test]
fn the_journal_is_stopped_hung_or_masked() {
    // Since systemd last logged something: that it started the service, or that it stops journald.
    for (command, since) in [
        (
            "systemctl mask --now systemd-journald.service systemd-journald.socket systemd-journald-dev-log.socket",
            5,
        ),
        ("pkill -STOP -x systemd-journal", 0),
    ] {
        let (experiment, timeline) = after(command);
        let seen = blind(&timeline);
        let is_right = |it: &(_, &Blinding, u64, Option<u64>)| matches!(it, (None, Blinding::NoJournal { .. }, at, None) if *at == since);
        assert!(seen.iter().any(is_right), "{command}: {seen:?}");
        assert_said(&experiment, &timeline, "what systemd did from ");
    }
}

/// systemd buffers what services send to journald, but not what it logs itself until journald is back, about 0.2 s later.
#[test]
fn the_journal_is_killed_or_restarted() {
    for command in [
        "pkill -KILL -x systemd-journal",
        "systemctl restart systemd-journald.service",
    ] {
        let (experiment, timeline) = after(command);
        let seen = blind(&timeline);
        assert!(
            matches!(seen[0], (None, Blinding::NoJournal { .. }, 5, Some(5))),
            "{command}: {seen:?}"
        );
        assert_said(&experiment, &timeline, "what systemd did from 5s to 5s");
        let story = experiment.text(&timeline);
        assert_eq!(
            experiment.summary(&timeline).restarts,
            1,
            "{command}: {story}"
        );
    }
}

#[test]
fn the_journals_files_are_removed() {
    let (experiment, timeline) = after("rm -rf /run/log/journal/*");
    let seen = blind(&timeline);
    // Since systemd last logged something.
    assert!(
        matches!(seen[..], [(None, Blinding::NoJournal { message }, 0, None)] if message == "its files were removed"),
        "{seen:?}"
    );
    assert_said(&experiment, &timeline, "what systemd did from ");
}

/// At best, systemd's messages from that time are in the kernel's log.
#[test]
fn the_journal_is_away_for_a_while() {
    let (experiment, timeline) = after(
        "systemctl stop systemd-journald.socket systemd-journald-dev-log.socket systemd-journald.service; sleep 4; systemctl start systemd-journald.service",
    );
    let seen = blind(&timeline);
    assert!(
        matches!(
            seen[..],
            [(None, Blinding::NoJournal { .. }, 5, Some(9)), ..]
        ),
        "{seen:?}"
    );
    assert_said(&experiment, &timeline, "what systemd did from 5s to ");
}

#[test]
fn a_unit_is_made_quiet_while_it_runs() {
    let drop_in = "/etc/systemd/system/my.service.d/quiet.conf";
    // In two pieces, because the lab overrides in advance what a scenario names.
    let command = format!(
        "mkdir -p $(dirname {drop_in}); (echo [Service]; echo LogLevel; echo Max=notice) | paste -sd \"\\\\n\\\\0\" >{drop_in}; systemctl daemon-reload"
    );
    let (experiment, timeline) = after(&command);
    let seen = blind(&timeline);
    assert!(
        matches!(
            seen[..],
            [(Some("my.service"), Blinding::LogLevelMax, 5, None)]
        ),
        "{seen:?}\n{}",
        experiment.text(&timeline)
    );
    assert_said(
        &experiment,
        &timeline,
        "what systemd did about my.service from 5s on",
    );
    assert_eq!(experiment.summary(&timeline).state_at_end, "running");
}

#[test]
fn systemd_cannot_be_asked() {
    let scenario = Scenario::new("no socket")
        .go_on_when_refused()
        .start(UNIT)
        .sleep(10 * SECOND)
        .stop(UNIT)
        .observe(UNIT);
    let timeline = run(
        &scenario,
        &[unit(
            "ExecStart=/bin/sh -c 'rm /run/systemd/private; exec sleep infinity'",
        )],
    );
    let ended = timeline.events().last().map(|event| &event.kind);
    assert_eq!(ended, Some(&EventKind::ScenarioEnded));
}

/// Everything that systemd.unit(5) allows, including the lab's own former name.
#[test]
fn units_have_any_name() {
    for name in [
        "lab-agent.service",
        "systemd-journald-exporter.service",
        "memory.service",
        "_under.service",
        "a:b\\x2dc.service",
        "w@x.d.service",
    ] {
        let (_folder, experiment) = experiment(name, &format!("[Service]\n{SERVICE}\n"));
        let experiment = experiment.fault(10 * SECOND, Fault::Kill(9));
        let timeline = assert_seen(&experiment, lab());
        assert_eq!(logs(&timeline, name).len(), 8, "{name}");
    }
    let scenario = Scenario::new("target")
        .start("lab.target")
        .wait_for_job("lab.target", LONG);
    let timeline = run(&scenario, &[file("lab.target", "[Unit]\nDescription=x\n")]);
    assert_all_done(&timeline, 2);
    let reached =
        |kind: &EventKind| matches!(kind, EventKind::StateChanged { to, .. } if to == "active");
    assert!(timeline.of("lab.target").any(|event| reached(&event.kind)));
}

#[test]
fn what_the_lab_needs_is_refused_before_the_run() {
    let (_folder, experiment) = experiment(
        "systemd-journald.service",
        "[Service]\nExecStart=/usr/bin/true\n",
    );
    let error = experiment.check().expect_err("it is refused");
    assert_eq!(
        error.to_string(),
        "/etc/systemd/system/systemd-journald.service cannot be put into the guest: the lab needs its own unit of this name to see what happens; leave it out, or choose another name"
    );
    let quiet = GuestFile::text(
        "/etc/systemd/journald.conf.d/my.conf",
        "[Journal]\nStorage=none\n",
    );
    let error = lab()
        .run(&Scenario::new("no journal"), &[quiet])
        .expect_err("it is refused");
    assert_eq!(error.kind(), LabErrorKind::Usage, "{error}");
    assert!(
        error.to_string().contains("the lab reads the journal"),
        "{error}"
    );
}
