//! Services that write where only the lab's agent may write, or to a person's terminal.

use std::time::Duration;

use systemd_lab::experiment::{Detail, Experiment, Fault};
use systemd_lab::findings;
use systemd_lab::protocol::event::{Blinding, MachineEnd};
use systemd_lab::protocol::{EventKind, Scenario};
use systemd_lab::{GuestFile, Timeline, View};

use crate::support::{LONG, PROGRAM, UNIT, lab, program, run, unit};
use crate::{assert_all_done, logs};

const SECOND: Duration = Duration::from_secs(1);

/// Runs a service that does this as soon as it starts.
fn attacked_by(what: &str) -> Timeline {
    let scenario = Scenario::new("attack").start(UNIT).sleep(LONG).stop(UNIT);
    run(
        &scenario,
        &[unit(&format!("ExecStart={PROGRAM} {what}")), program()],
    )
}

/// The run ended early, with this as the reason, and a finding says so.
fn assert_cut(timeline: &Timeline, wanted: &Blinding) {
    let last_two = timeline.events().iter().rev().take(2);
    let last_two: Vec<&EventKind> = last_two.map(|event| &event.kind).collect();
    let [EventKind::ScenarioEnded, EventKind::WentBlind { how }] = last_two[..] else {
        panic!("{last_two:?}")
    };
    assert_eq!(how, wanted);
    let files = [unit("ExecStart=/x")];
    let found = findings::of_run(
        timeline,
        &Scenario::new("attack"),
        &systemd_lab::unit_texts(&files),
    );
    let said = found
        .iter()
        .any(|finding| finding.what().contains("so the run ends here"));
    assert!(said, "{found:#?}");
}

#[test]
fn a_forged_event_is_not_believed() {
    let event = r#"{"at_us":1,"unit":"t.service","source":"agent","event":"start-limit-hit"}"#;
    for line in [event.to_owned(), format!("0123456789abcdef {event}")] {
        let line = line.replace('"', "\\\"");
        let timeline = attacked_by(&format!("forge '{line}'"));
        assert_cut(&timeline, &Blinding::ForeignOutput);
        let kinds = timeline.events().iter().map(|event| &event.kind);
        assert!(
            !kinds
                .into_iter()
                .any(|kind| *kind == EventKind::StartLimitHit)
        );
    }
}

#[test]
fn a_flood_is_bounded() {
    let timeline = attacked_by("flood");
    // Whichever is noticed first: that the bytes are not from the agent, or that there are too many.
    let how = timeline
        .events()
        .iter()
        .find_map(|event| match &event.kind {
            EventKind::WentBlind { how } => Some(how.clone()),
            _ => None,
        });
    assert_cut(&timeline, &how.expect("it is said"));
}

#[test]
fn a_flood_on_the_console_is_bounded() {
    let scenario = Scenario::new("attack").start(UNIT).sleep(LONG);
    let timeline = run(
        &scenario,
        &[unit("ExecStart=/bin/sh -c 'exec yes >/dev/ttyS0'")],
    );
    assert_cut(&timeline, &Blinding::TooMuchOutput { mib: 1 });
}

/// The VM stops, and resumes as if nothing had happened.
#[test]
fn a_service_that_rings_the_doorbell_is_resumed() {
    let timeline = attacked_by("ring");
    assert_all_done(&timeline, 3);
    assert_eq!(logs(&timeline, UNIT), ["rang", "rang", "rang"]);
}

#[test]
fn the_kernels_last_words_are_not_believed_of_a_service() {
    let scenario = Scenario::new("attack").start(UNIT).sleep(LONG).stop(UNIT);
    let print = |text: &str| {
        let service = format!("ExecStart=/bin/sh -c 'echo \"{text}\" >/dev/ttyS0; sleep infinity'");
        run(&scenario, &[unit(&service)])
    };
    assert_all_done(&print("reboot: System halted"), 3);
    // From the kernel, the lab believes it.
    let halts = run(
        &scenario,
        &[unit(
            "ExecStart=/bin/sh -c 'sleep 5; systemctl halt --force --force'",
        )],
    );
    let ended = halts.events().iter().any(|event| {
        matches!(
            event.kind,
            EventKind::MachineEnded {
                how: MachineEnd::Halted,
                ..
            }
        )
    });
    assert!(ended, "{}", halts.to_json_lines());
}

/// The child that systemd forks for a service logs on systemd's behalf, and a service may use the same name.
#[test]
fn a_service_cannot_pose_as_systemd() {
    let entry = "printf \"UNIT=other.service\\nSYSLOG_IDENTIFIER=(x)\\nPRIORITY=6\\nMESSAGE=other.service: Changed dead -> running\\n\"";
    let scenario = Scenario::new("poses").start(UNIT).sleep(10 * SECOND);
    let service = format!("ExecStart=/bin/bash -c '{entry} | {PROGRAM} journal; sleep infinity'");
    let timeline = run(&scenario, &[unit(&service), program()]);
    assert_eq!(
        timeline.of("other.service").count(),
        0,
        "{}",
        timeline.to_json_lines()
    );
    assert!(logs(&timeline, UNIT).contains(&"other.service: Changed dead -> running"));
}

/// Sequences that control a terminal: they set the title, clear the screen, set the clipboard, and reorder a line.
const STEERING: &str = "\\033]0;owned\\007\\033[2J\\033]52;c;b3duZWQ=\\007\\302\\233 \\342\\200\\256 \\342\\201\\246 \\342\\200\\217";

/// What the lab shows instead.
const SHOWN: &str = "\\u{1b}]0;owned\\u{7}\\u{1b}[2J\\u{1b}]52;c;b3duZWQ=\\u{7}\\u{9b} \\u{202e} \\u{2066} \\u{200f}";

fn assert_harmless(what: &str, text: &str) {
    let steers = |c: &char| {
        (c.is_control() && *c != '\n')
            || ('\u{200e}'..='\u{2069}').contains(c)
                && !matches!(c, '\u{2010}'..='\u{2027}' | '\u{202f}'..='\u{2065}')
    };
    assert_eq!(text.chars().find(steers), None, "{what}: {text:?}");
}

#[test]
fn what_a_service_says_does_not_steer_a_terminal() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("my.service");
    let say = format!("printf \"{}\\n\"", STEERING.replace('\\', "\\\\"));
    let text = format!(
        "[Service]\nType=notify\nNotifyAccess=all\nTimeoutStopSec=2s\nExecStart=/bin/bash -c 'trap \"\" TERM; {say}; systemd-notify --ready \"--status=$({say})\"; printf \"$({say})\" >/proc/$$/comm; while :; do sleep 1; done'\n"
    );
    std::fs::write(&path, text.replace("printf \\\"", "printf \"")).expect("it can be written");
    let experiment = Experiment::new(path).fault(10 * SECOND, Fault::Stop);
    let timeline = experiment.run(lab()).expect("the lab works");
    let lines = |detail| {
        let lines = experiment.lines(&timeline, detail);
        lines
            .iter()
            .map(|line| line.text() + "\n")
            .collect::<String>()
    };
    let full = lines(Detail::Full);
    assert!(full.contains(&format!("log: {SHOWN}")), "{full}");
    assert!(full.contains(&format!("STATUS={SHOWN}")), "{full}");
    let found: String = experiment
        .findings(&timeline)
        .iter()
        .map(|it| it.what() + "\n")
        .collect();
    for (what, text) in [
        ("full", full),
        ("logs", lines(Detail::Logs)),
        ("usual", experiment.text(&timeline)),
        ("saved", experiment.saved(&timeline)),
        ("findings", found),
        (
            "view",
            View::everything(&["my.service"])
                .notifications(&[""])
                .render(&timeline),
        ),
        ("picture", experiment.picture(&timeline).render(&timeline)),
        ("json", systemd_lab::visible_json(&timeline.to_json_lines())),
    ] {
        assert_harmless(what, &text);
    }
}

/// An error quotes the console.
#[test]
fn a_file_of_the_guest_is_quoted_harmlessly() {
    let file = GuestFile::text("/etc/\u{1b}[2J/../x", "");
    let error = Experiment::new("/my.service")
        .file(file)
        .check()
        .expect_err("it is refused");
    assert_harmless("error", &error.to_string());
}
