//! What happens to an open session when sshd's listener is killed: a case study on a page of the guide.

use std::time::Duration;

use anyhow::{Context, ensure};
use measured::Measured;
use systemd_lab::names::SIGKILL;
use systemd_lab::protocol::{Condition, Event, EventKind, Scenario};
use systemd_lab::{Guest, GuestFile, Lab, Picture, Timeline};

use super::bench::Bench;
use super::item::Item;

const SSHD: &str = "ssh.service";
const SESSION: &str = "session.service";

/// In virtual time: longer than any wait here takes.
const LONG: Duration = Duration::from_secs(60);

/// Long enough for a restart, which comes after 100 ms.
const A_WHILE: Duration = Duration::from_secs(10);

/// How often the session says that it is still there.
const LINES: u32 = 6;

/// A client that stays. What it prints came through the session. The login takes nearly a second; with the pause, no time is near a
/// whole second, where the guide's times would depend on the guest's build.
const CLIENT: &str = "\
[Unit]
Description=An open SSH session

[Service]
ExecStart=/usr/bin/ssh -i %h/.ssh/id_ed25519 -o StrictHostKeyChecking=accept-new root@127.0.0.1 \\
    'sleep 0.6; for i in 1 2 3 4 5 6; do echo \"still here, $$i\"; sleep 2; done'
";

pub(super) fn items() -> Vec<Item> {
    let items = [
        Item::files(["sshd-session.json"], survives),
        Item::files(["sshd-control-group.json"], dies),
        Item::files(["sshd-configuration.json"], wrong_configuration),
        Item::files(["ssh-service.txt"], debians_unit),
    ];
    items.into_iter().map(Item::with_network).collect()
}

/// An open session survives its listener.
fn survives(_: &Bench<'_>) -> anyhow::Result<Vec<Measured>> {
    let timeline = run(&session(), &[client()])?;
    expect(&timeline, SSHD, "KillMode", "process")?;
    expect(&timeline, SESSION, "Result", "success")?;
    ensure!(
        last_line(&timeline) == Some(LINES),
        "not all lines came through"
    );
    Ok(vec![file("sshd-session.json", &timeline)])
}

/// Without the `KillMode=` of sshd's unit, the session dies, too.
fn dies(_: &Bench<'_>) -> anyhow::Result<Vec<Measured>> {
    let group = GuestFile::text(
        "/etc/systemd/system/ssh.service.d/kill.conf",
        "[Service]\nKillMode=control-group\n",
    );
    let timeline = run(&session(), &[client(), group])?;
    expect(&timeline, SESSION, "Result", "exit-code")?;
    let last = last_line(&timeline).context("the session was never open")?;
    ensure!(last < LINES, "all lines came through");
    Ok(vec![file("sshd-control-group.json", &timeline)])
}

/// `RestartPreventExitStatus=255` is meant to keep systemd from trying a wrong configuration again. But `ExecStartPre=` is what ends
/// with 255, and the setting is about the main process.
fn wrong_configuration(_: &Bench<'_>) -> anyhow::Result<Vec<Measured>> {
    let scenario = Scenario::new("sshd with a wrong configuration")
        .start(SSHD)
        .wait_for_state(SSHD, &["failed"], LONG)
        .sleep(A_WHILE)
        .observe(SSHD);
    let wrong = GuestFile::text("/etc/ssh/sshd_config.d/wrong.conf", "NoSuchOption yes\n");
    let timeline = lab()?.run(&scenario, &[wrong])?;
    expect(&timeline, SSHD, "Result", "exit-code")?;
    let gave_up = |kind: &EventKind| *kind == EventKind::StartLimitHit;
    ensure!(
        timeline.first(SSHD, gave_up).is_some(),
        "systemd did not give up: {}",
        told(&timeline)
    );
    Ok(vec![file("sshd-configuration.json", &timeline)])
}

/// The unit file as Debian ships it.
fn debians_unit(_: &Bench<'_>) -> anyhow::Result<Vec<Measured>> {
    let file = "/usr/lib/systemd/system/ssh.service";
    let scenario = Scenario::new("the unit of sshd").run(&["/usr/bin/cat", file], LONG);
    let timeline = lab()?.run(&scenario, &[])?;
    let mut events = timeline.events().iter();
    let text = events.find_map(|event| match &event.kind {
        EventKind::Command {
            status: 0, output, ..
        } => Some(output.as_str()),
        _ => None,
    });
    let text = text.with_context(|| format!("the guest has no {file}"))?;
    let with = timeline.measured_with();
    let with = with.context("the run does not say what it was measured with")?;
    Ok(vec![Measured::text("ssh-service.txt", text, &with)])
}

fn lab() -> anyhow::Result<Lab> {
    let guest = Guest::default().package("openssh-client")?;
    Ok(Lab::options()
        .guest(&guest.package("openssh-server")?)
        .open()?)
}

fn session() -> Scenario {
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
    Scenario::new("sshd's listener is killed while a session is open")
        .run(&["/bin/bash", "-c", key], LONG)
        .start(SSHD)
        .wait_for_job(SSHD, LONG)
        .start(SESSION)
        .wait_for(logged("still here, 2"), LONG)
        .signal(SSHD, SIGKILL)
        .wait_for(back, LONG)
        .wait_for_state(SESSION, &["dead", "failed"], LONG)
        .observe(SSHD)
        .observe(SESSION)
}

fn client() -> GuestFile {
    GuestFile::unit(SESSION, CLIENT)
}

fn run(scenario: &Scenario, files: &[GuestFile]) -> anyhow::Result<Timeline> {
    let timeline = lab()?.run(scenario, files)?;
    ensure!(
        timeline.step_that_timed_out().is_none(),
        "a step did not end: {}",
        told(&timeline)
    );
    Ok(timeline)
}

fn expect(timeline: &Timeline, unit: &str, property: &str, value: &str) -> anyhow::Result<()> {
    let actual = timeline.text_property(unit, property);
    ensure!(
        actual == Some(value),
        "{property} of {unit} is {actual:?}, and not {value:?}: {}",
        told(timeline)
    );
    Ok(())
}

fn told(timeline: &Timeline) -> String {
    let picture = Picture::of(&[SSHD, SESSION]).logs();
    picture.lines(timeline).join("\n")
}

/// The number of the last line that came through the session.
fn last_line(timeline: &Timeline) -> Option<u32> {
    let number = |event: &Event| match &event.kind {
        EventKind::Log { message, .. } => message.strip_prefix("still here, ")?.parse().ok(),
        _ => None,
    };
    timeline.of(SESSION).filter_map(number).max()
}

/// Leaves out what sshd logs: fingerprints of keys, which differ in every guest.
fn file(name: &str, timeline: &Timeline) -> Measured {
    let is_shown = |event: &&Event| {
        event.unit.as_deref() != Some(SSHD) || !matches!(event.kind, EventKind::Log { .. })
    };
    let events = timeline.events().iter().filter(is_shown).cloned().collect();
    let picture = Picture::of(&[SSHD, SESSION]).logs();
    Measured::timeline(name, picture.essence(&Timeline::new(events)))
}
