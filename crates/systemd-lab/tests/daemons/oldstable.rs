//! Debian's oldstable: a different kernel, a different systemd, and the same lab.

use systemd_lab::protocol::{EventKind, Scenario};
use systemd_lab::{Guest, GuestFile, Lab, Suite, Timeline};

use crate::support::{LONG, assert_same, unit};
use crate::{SIGKILL, assert_snapshot, life};

fn run(lab: &Lab) -> Timeline {
    let scenario = Scenario::new("killed once")
        .start("t.service")
        .wait_for_job("t.service", LONG)
        .signal("t.service", SIGKILL)
        .wait_for_state("t.service", &["auto-restart"], LONG)
        .wait_for_state("t.service", &["running"], LONG);
    let files: [GuestFile; 1] = [unit(
        "ExecStart=/usr/bin/sleep infinity\nRestart=on-failure\nRestartSec=30s",
    )];
    lab.run(&scenario, &files).expect("the lab works")
}

#[test]
fn its_systemd_is_252_and_restarts() {
    let guest = Guest::new(Suite::Bookworm);
    let lab = Lab::options().guest(&guest).open().expect("the lab opens");
    let timeline = run(&lab);
    let systemd = timeline
        .events()
        .iter()
        .find_map(|event| match &event.kind {
            EventKind::Hello { systemd, .. } => Some(systemd.as_str()),
            _ => None,
        });
    let version = guest.systemd().to_string();
    assert!(
        systemd.is_some_and(|systemd| systemd.starts_with(&version)),
        "{systemd:?}"
    );
    assert_snapshot("oldstable", &life("t.service", &timeline));
    assert_same(&timeline.to_json_lines(), &run(&lab).to_json_lines());
}
