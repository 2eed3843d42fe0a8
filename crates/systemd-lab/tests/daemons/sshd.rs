//! What becomes of an open session when sshd's listener is killed: the case study of a page of the guide.

use std::time::Duration;

use measured::Measured;
use systemd_lab::protocol::{Condition, Event, EventKind, Scenario};
use systemd_lab::{GuestFile, Picture, Timeline};

use crate::support::LONG;
use crate::{DAEMONS, SIGKILL, assert_snapshot, life};

const SSHD: &str = "ssh.service";
const SESSION: &str = "session.service";

/// A service that is restarted is so after 100 ms.
const A_WHILE: Duration = Duration::from_secs(10);

/// How often the session says that it is still there.
const LINES: u32 = 6;

/// A client that stays: what it prints came through the session. To log in takes nearly a second; with the pause, nothing
/// is near a whole one, where the guide's times would depend on the guest's build.
const CLIENT: &str = "\
[Unit]
Description=An open SSH session

[Service]
ExecStart=/usr/bin/ssh -i %h/.ssh/id_ed25519 -o StrictHostKeyChecking=accept-new root@127.0.0.1 \\
    'sleep 0.6; for i in 1 2 3 4 5 6; do echo \"still here, $$i\"; sleep 2; done'
";

fn run(sshd: &[GuestFile]) -> Timeline {
    let key = "mkdir -p ~root/.ssh && cd ~root/.ssh && ssh-keygen -q -t ed25519 -N '' -f id_ed25519 \
        && cp id_ed25519.pub authorized_keys";
    let logged = |text: &str| Condition::LogContains {
        unit: SESSION.to_owned(),
        text: text.to_owned(),
    };
    let back = Condition::NextSubState {
        unit: SSHD.to_owned(),
        any_of: vec!["running".to_owned()],
    };
    let scenario = Scenario::new("sshd's listener is killed while a session is open")
        .run(&["/bin/bash", "-c", key], LONG)
        .start(SSHD)
        .wait_for_job(SSHD, LONG)
        .start(SESSION)
        .wait_for(logged("still here, 2"), LONG)
        .signal(SSHD, SIGKILL)
        .wait_for(back, LONG)
        .wait_for_state(SESSION, &["dead", "failed"], LONG)
        .observe(SSHD)
        .observe(SESSION);
    let mut files = vec![GuestFile::text(
        format!("/etc/systemd/system/{SESSION}"),
        CLIENT,
    )];
    files.extend_from_slice(sshd);
    let timeline = DAEMONS.run(&scenario, &files).expect("the lab works");
    assert_eq!(timeline.step_that_timed_out(), None, "{}", told(&timeline));
    timeline
}

fn told(timeline: &Timeline) -> String {
    Picture::of(&[SSHD, SESSION])
        .logs()
        .lines(timeline)
        .join("\n")
}

/// When the last line came through the session, by its number.
fn last_line(timeline: &Timeline) -> u32 {
    let number = |event: &Event| match &event.kind {
        EventKind::Log { message, .. } => message.strip_prefix("still here, ")?.parse().ok(),
        _ => None,
    };
    timeline
        .of(SESSION)
        .filter_map(number)
        .max()
        .expect("it was open")
}

/// Without what sshd logs: fingerprints of keys, which every guest makes for itself.
fn for_the_book(name: &str, timeline: &Timeline) -> Measured {
    let is_shown = |event: &&Event| {
        event.unit.as_deref() != Some(SSHD) || !matches!(event.kind, EventKind::Log { .. })
    };
    let events = timeline.events().iter().filter(is_shown).cloned().collect();
    let picture = Picture::of(&[SSHD, SESSION]).logs();
    Measured::timeline(name, picture.essence(&Timeline::new(events)))
}

const COMMAND: &str = "cargo setup-tests sshd";

#[test]
fn an_open_session_survives_its_listener() {
    let timeline = run(&[]);
    assert_eq!(timeline.text_property(SSHD, "KillMode"), Some("process"));
    assert_eq!(timeline.text_property(SESSION, "Result"), Some("success"));
    assert_eq!(last_line(&timeline), LINES, "all came through");
    assert_snapshot("session_survives", &life(SSHD, &timeline));
    for_the_book("sshd-session.json", &timeline).assert_kept(COMMAND);
}

#[test]
fn without_its_kill_mode_the_session_dies_too() {
    let group = GuestFile::text(
        "/etc/systemd/system/ssh.service.d/kill.conf",
        "[Service]\nKillMode=control-group\n",
    );
    let timeline = run(&[group]);
    assert_eq!(timeline.text_property(SESSION, "Result"), Some("exit-code"));
    assert!(last_line(&timeline) < LINES, "the rest did not come");
    assert_snapshot("session_dies", &life(SSHD, &timeline));
    for_the_book("sshd-control-group.json", &timeline).assert_kept(COMMAND);
}

/// `RestartPreventExitStatus=255` is meant to prevent that. But it is `ExecStartPre=` that ends with 255, and the setting
/// is about the main process.
#[test]
fn a_wrong_configuration_is_tried_again_all_the_same() {
    let scenario = Scenario::new("sshd with a wrong configuration")
        .start(SSHD)
        .wait_for_state(SSHD, &["failed"], LONG)
        .sleep(A_WHILE)
        .observe(SSHD);
    let wrong = GuestFile::text("/etc/ssh/sshd_config.d/wrong.conf", "NoSuchOption yes\n");
    let timeline = DAEMONS.run(&scenario, &[wrong]).expect("the lab works");
    assert_eq!(timeline.text_property(SSHD, "Result"), Some("exit-code"));
    let gave_up = |kind: &EventKind| *kind == EventKind::StartLimitHit;
    assert!(
        timeline.first(SSHD, gave_up).is_some(),
        "{}",
        told(&timeline)
    );
    for_the_book("sshd-configuration.json", &timeline).assert_kept(COMMAND);
}

/// sshd ends with 255 for each error that it cannot live with, and so for an address in use as well: no second try.
#[test]
fn an_address_in_use_is_not_tried_again() {
    const OTHER: &str = "other.service";
    let other = GuestFile::text(
        format!("/etc/systemd/system/{OTHER}"),
        "[Service]\nType=notify\nRuntimeDirectory=sshd\nExecStart=/usr/sbin/sshd -D\n",
    );
    let scenario = Scenario::new("sshd, and its address is in use")
        .start(OTHER)
        .wait_for_job(OTHER, LONG)
        .start(SSHD)
        .wait_for_state(SSHD, &["failed"], LONG)
        .sleep(A_WHILE)
        .observe(SSHD);
    let timeline = DAEMONS.run(&scenario, &[other]).expect("the lab works");
    assert_eq!(
        timeline.step_that_timed_out(),
        None,
        "every step comes to its end"
    );
    assert_eq!(
        life(SSHD, &timeline).matches("status 255").count(),
        1,
        "{}",
        told(&timeline)
    );
    let gave_up = |kind: &EventKind| *kind == EventKind::StartLimitHit;
    assert!(
        timeline.first(SSHD, gave_up).is_none(),
        "{}",
        told(&timeline)
    );
}

/// The guide shows the file itself, as Debian ships it.
#[test]
fn the_guide_has_debians_unit() {
    let file = "/usr/lib/systemd/system/ssh.service";
    let scenario = Scenario::new("the unit of sshd").run(&["/usr/bin/cat", file], LONG);
    let timeline = DAEMONS.run(&scenario, &[]).expect("the lab works");
    let text = timeline
        .events()
        .iter()
        .find_map(|event| match &event.kind {
            EventKind::Command {
                status: 0, output, ..
            } => Some(output.as_str()),
            _ => None,
        });
    let text = text.expect("the guest has the file");
    let with = timeline.measured_with().expect("a run says so");
    Measured::text("ssh-service.txt", text, &with).assert_kept(COMMAND);
}
