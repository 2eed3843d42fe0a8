//! Experiments: faults that wait for events, and requirements for a run.

use std::fs;
use std::time::Duration;

use systemd_lab::experiment::{Detail, Requirement, Verdict, When};
use systemd_lab::protocol::EventKind;
use systemd_lab::{Experiment, Fault, GuestFile, Probe, Timeline};
use tempfile::TempDir;

use crate::support::{PROGRAM, UNIT, lab, program};

const ADDRESS: &str = "127.0.0.1:8080";

/// Serves HTTP at [`ADDRESS`]; systemd restarts it 5 s after a failure.
fn server() -> String {
    format!("[Service]\nExecStart={PROGRAM} serve {ADDRESS}\nRestart=on-failure\nRestartSec=5s\n")
}

/// An experiment with this text as its unit file, and the folder that contains the file.
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
fn requirements_are_compared_with_what_was_measured() {
    let (mut experiment, _folder) = experiment(&server());
    experiment = experiment
        .probe(Probe::get(&format!("http://{ADDRESS}/")))
        .fault(seconds(10), Fault::Kill(9))
        .fault(when("restart 1 + 30s"), Fault::Freeze)
        .fault(when("restart 1 + 32s"), Fault::Thaw)
        .lasting(seconds(100));
    // After the kill at 10 s, systemd restarts it after 5 s and up to 250 ms; while frozen, it does not answer for about
    // two seconds.
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
        ("starts = 2", true),
        ("starts of t.service < 2", false),
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
    // The plan itself ends this freeze, so there is no recovery before the next fault.
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

/// A template stands for all of its instances.
#[test]
fn alerts_are_counted_as_starts() {
    let text = server().replace("Restart=on-failure\n", "");
    let text = format!("[Unit]\nOnFailure=alert@%n.service\n{text}");
    let (experiment, folder) = experiment(&text);
    let alert = folder.path().join("alert@.service");
    let lines = "[Service]\nType=oneshot\nExecStart=/usr/bin/echo %i failed\n";
    fs::write(&alert, lines).expect("it can be written");
    let mut experiment = experiment
        .unit(alert)
        .fault(seconds(5), Fault::Kill(9))
        .fault(seconds(10), Fault::Start)
        .fault(seconds(15), Fault::Kill(9))
        .lasting(seconds(20));
    let required = [
        ("starts of alert@.service = 2", true),
        ("starts of alert@t.service.service = 2", true),
        ("starts of alert@other.service <= 0", true),
        ("starts of t.service = 1", false),
    ];
    for (text, _) in required {
        experiment = experiment.require(text.parse().expect(text));
    }
    let timeline = run(&experiment);
    for ((text, holds), verdict) in required.iter().zip(experiment.verdicts(&timeline)) {
        assert_eq!(verdict.holds, *holds, "{text}: {}", verdict.measured);
    }
    let units = experiment.summary(&timeline).units.into_iter();
    let units = units.map(|it| (it.unit, it.state_at_end));
    assert_eq!(
        units.collect::<Vec<_>>(),
        [("t.service", "failed"), ("alert@t.service.service", "dead")]
            .map(|(unit, state)| (unit.to_owned(), state.to_owned()))
    );
}

/// The unit's own name, a file that is not a unit of the plan, and what that one calls.
#[test]
fn what_a_unit_calls_when_it_ends_is_in_the_summary() {
    let (experiment, _folder) = experiment(
        "[Unit]\nOnSuccess=next.service\n[Service]\nType=oneshot\nExecStart=/usr/bin/true\n",
    );
    let next = "[Unit]\nOnFailure=last@%N.service\n[Service]\nExecStart=/usr/bin/false\n";
    let never = "[Service]\nExecStart=/usr/bin/sleep infinity\n";
    let experiment = experiment
        .file(GuestFile::unit("next.service", next))
        .file(GuestFile::unit("last@.service", never))
        .file(GuestFile::unit("never.service", never))
        .lasting(seconds(10));
    let timeline = run(&experiment);
    let units = experiment.summary(&timeline).units.into_iter();
    let units = units.map(|it| (it.unit, it.restarts, it.state_at_end));
    assert_eq!(
        units.collect::<Vec<_>>(),
        [
            ("t.service", 0, "dead"),
            ("next.service", 0, "failed"),
            ("last@next.service", 0, "running"),
        ]
        .map(|(unit, restarts, state)| (unit.to_owned(), restarts, state.to_owned()))
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
    assert!(refused("recovery <= 5s").contains("the plan has no fault"));
    assert!(refused("restarts of other.service <= 5").contains("t.service"));
    assert!(refused("other.service did not fail").contains("t.service"));
}

/// systemd stops everything in order, and the run ends with the machine: later faults never come.
#[test]
fn a_reboot_ends_the_run() {
    let text = server().replace("[Service]\n", "[Service]\nExecStop=/bin/sleep 2\n");
    let (experiment, _folder) = experiment(&text);
    let experiment = experiment
        .probe(Probe::connect(ADDRESS))
        .fault(seconds(10), Fault::Reboot)
        .fault(seconds(60), Fault::Kill(9));
    let timeline = run(&experiment);
    let text = experiment.text(&timeline);
    let words: Vec<String> = text
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    let text = words.join("\n");
    for line in [
        "fault: reboot",
        "t.service running -> stop",
        "t.service deactivated successfully",
        "the machine reboots",
        "fault: kill=SIGKILL never came: the run had ended",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    // The guest's own units say nothing about the service, and the service is not to blame for the plan.
    assert!(!text.contains(".target"), "{text}");
    let full = experiment.lines(&timeline, Detail::Full);
    assert!(full.iter().any(|line| line.unit == "multi-user.target"));
    assert_eq!(experiment.findings(&timeline), []);
    let end = timeline
        .events()
        .last()
        .map(|event| timeline.time_of(event));
    // Two seconds for ExecStop=, and the time that systemd needs to end everything else.
    assert!(
        end.is_some_and(|end| (12..16).contains(&end.as_secs())),
        "{end:?}"
    );
    // The plan asked for everything to be stopped.
    assert!(!text.contains("stop job queued"), "{text}");
}

/// What a unit has logged, and when.
fn logged(timeline: &Timeline, unit: &str) -> Vec<(u64, String)> {
    let lines = timeline.of(unit).filter_map(|event| match &event.kind {
        EventKind::Log { message, .. } => {
            Some((timeline.time_of(event).as_secs(), message.clone()))
        }
        _ => None,
    });
    lines.collect()
}

#[test]
fn the_guest_is_given_users_directories_and_variables() {
    let text = "\
[Service]
Type=exec
User=my
ExecStart=/bin/bash -c 'id -un; id -gn; stat -c \"%%U %%G %%a\" /var/lib/my /srv/a; printf \"%%s\" \"$X\" | od -An -c; exec sleep infinity'
[Install]
WantedBy=multi-user.target
Unknown=1
";
    let (experiment, _folder) = experiment(text);
    let experiment = experiment
        .user("my")
        .directory("/var/lib/my", "my", 0o750)
        .directory("/srv/a", "root:my", 0o2775)
        .variable(UNIT, "X", "a \"b\" c\\n 5% $d")
        .enabled()
        .lasting(seconds(5));
    let timeline = run(&experiment);
    let lines: Vec<String> = logged(&timeline, UNIT)
        .into_iter()
        .map(|(_, line)| line)
        .collect();
    assert_eq!(lines[..4], ["my", "my", "my my 750", "root my 2775"]);
    let letters: String = lines[4..].concat().split_whitespace().collect();
    assert_eq!(letters, "a\"b\"c\\n5%$d");
    let state = timeline.text_property(UNIT, "UnitFileState");
    assert_eq!(state, Some("enabled"));
    // The timeline contains nothing of it: systemd reads the unit file twice, and complains once about what follows the
    // section.
    let complaints = timeline
        .of(UNIT)
        .filter(|event| matches!(event.kind, EventKind::UnitFile { .. }));
    assert_eq!(complaints.count(), 1);
    let began = timeline.first(UNIT, |kind| matches!(kind, EventKind::StateChanged { .. }));
    let began = timeline.time_of(began.expect("it was started"));
    assert!(began < Duration::from_millis(200), "{began:?}");
}

#[test]
fn what_the_guest_cannot_be_given_is_an_error() {
    let (experiment, _folder) = experiment(&server());
    let experiment = experiment.directory("/var/lib/my", "nobody-of-that-name", 0o755);
    let error = experiment.run(lab()).expect_err("the user does not exist");
    assert_eq!(
        error.to_string(),
        "the guest cannot be given the directory /var/lib/my: the guest has no user nobody-of-that-name"
    );
}

/// Dates before and after the default one. journald and systemd must both accept them.
#[test]
fn the_calendar_begins_where_it_should() {
    let folder = tempfile::tempdir().expect("there is room");
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).expect("there is room");
        path
    };
    let timer = write(
        "t.timer",
        "[Timer]\nOnCalendar=*-*-* 01:00:00\nAccuracySec=1ms\n",
    );
    let service = write(
        "t.service",
        "[Service]\nType=oneshot\nExecStart=/bin/date +%%F_%%T\n",
    );
    for day in ["2026-03-29", "2041-07-01"] {
        let date = format!("{day} 00:59:30");
        let experiment = Experiment::new(&timer)
            .unit(&service)
            .date(date.parse().expect("it is right"))
            .lasting(seconds(60));
        let timeline = run(&experiment);
        // A service takes some milliseconds until it prints.
        assert_eq!(logged(&timeline, UNIT), [(30, format!("{day}_01:00:00"))]);
        let ended = timeline
            .events()
            .last()
            .map(|event| timeline.time_of(event));
        assert_eq!(ended.map(|time| time.as_secs()), Some(60));
    }
}

#[test]
fn an_instance_of_a_template_is_started() {
    let folder = tempfile::tempdir().expect("there is room");
    let file = folder.path().join("w@.service");
    let text = "[Service]\nExecStart=/bin/sh -c 'echo I am %i; exec sleep infinity'\n";
    fs::write(&file, text).expect("there is room");
    let experiment = Experiment::new(file).instance("one").lasting(seconds(5));
    let timeline = run(&experiment);
    assert_eq!(
        logged(&timeline, "w@one.service"),
        [(0, "I am one".to_owned())]
    );
}

/// A service that answers lines, over TCP and over a Unix socket, until it is stopped; and a command that checks it.
#[test]
fn probes_of_every_kind_see_a_service_come_and_go() {
    let folder = tempfile::tempdir().expect("there is room");
    let file = folder.path().join(UNIT);
    let unit = format!(
        "[Service]\nRuntimeDirectory=my\nExecStart={PROGRAM} serve {ADDRESS} /run/my/sock 127.0.0.1:6379\n"
    );
    fs::write(&file, unit).expect("there is room");
    let probes = [
        Probe::get(&format!("http://{ADDRESS}/")).named("page"),
        Probe::get("unix:/run/my/sock:/").named("page over a socket"),
        Probe::get("unix:/run/my/sock:/nothing").named("no page"),
        Probe::connect("/run/my/sock").every(seconds(5)),
        Probe::ask("127.0.0.1:6379", "PING", "+PONG"),
        Probe::ask("127.0.0.1:6379", "ECHO", "+PONG").named("other line"),
        Probe::exec("test -S /run/my/sock").every(seconds(2)),
    ];
    let start = Experiment::new(file).file(program());
    let experiment = probes.into_iter().fold(start, Experiment::probe);
    let experiment = experiment
        .fault(seconds(10), Fault::Stop)
        .lasting(seconds(20));
    let timeline = run(&experiment);
    let summary = experiment.summary(&timeline);
    let seen: Vec<(&str, u64, u64)> = summary
        .probes
        .iter()
        .map(|probe| (probe.name.as_str(), probe.attempts, probe.failed))
        .collect();
    assert_eq!(
        seen,
        [
            ("page", 20, 10),
            ("page over a socket", 20, 10),
            ("no page", 20, 20),
            ("connect /run/my/sock", 4, 2),
            ("ask 127.0.0.1:6379 \"PING\" for \"+PONG\"", 20, 10),
            ("other line", 20, 20),
            ("exec test -S /run/my/sock", 10, 5),
        ]
    );
    let text = experiment.text(&timeline);
    for line in [
        "other line: answered \"-ERR\"",
        "exec test -S /run/my/sock: exit status 1",
        "no page: 404",
    ] {
        assert!(text.contains(line), "{text}");
    }
}

#[test]
fn probes_need_names_of_their_own() {
    let (experiment, _folder) = experiment(&server());
    let experiment = experiment
        .probe(Probe::connect(ADDRESS).named("a"))
        .probe(Probe::exec("true").named("a"));
    let error = experiment.check().expect_err("nothing tells them apart");
    assert!(error.to_string().contains("\"a\""), "{error}");
}
