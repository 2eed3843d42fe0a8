//! Debian's oldstable and testing: different kernels, different versions of systemd, and the same lab.

use systemd_lab::protocol::Scenario;
use systemd_lab::{DEFAULT_MIRROR, Guest, GuestFile, Lab, Suite, Timeline};

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

/// Newer versions of systemd load the library for this only if it is there.
#[test]
fn system_call_filters_work_in_testing() {
    let lab = testing();
    let scenario = Scenario::new("filtered")
        .start("t.service")
        .wait_for_job("t.service", LONG);
    let said = |setting: &str| {
        let unit = unit(&format!(
            "Type=oneshot\nExecStart=/usr/bin/uname\n{setting}"
        ));
        life(
            "t.service",
            &lab.run(&scenario, &[unit]).expect("the lab works"),
        )
    };
    let filter = "SystemCallFilter=~uname\nSystemCallErrorNumber=EPERM";
    assert!(said(filter).contains("failed: exit-code"));
    assert!(!said("").contains("failed"));
}

/// However old the mirror is.
fn testing() -> Lab {
    let guest = Guest::new(Suite::Testing).mirror(DEFAULT_MIRROR);
    let guest = guest.expect("it is a mirror");
    assert_eq!(guest.systemd(), None);
    Lab::options().guest(&guest).open().expect("the lab opens")
}

/// The version of the systemd that ran, e.g. 257.
fn systemd(timeline: &Timeline) -> u32 {
    let said = timeline.measured_with().expect("the guest says it").systemd;
    let digits: String = said.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().expect("it begins with a number")
}

#[test]
fn the_systemd_of_oldstable_is_252_and_restarts() {
    let guest = Guest::new(Suite::Bookworm);
    let lab = Lab::options().guest(&guest).open().expect("the lab opens");
    let timeline = run(&lab);
    assert_eq!(guest.systemd(), Some(systemd(&timeline)));
    assert_snapshot("oldstable", &life("t.service", &timeline));
    assert_same(&timeline.to_json_lines(), &run(&lab).to_json_lines());
}

/// Testing changes every day, so this does not know its versions.
#[test]
fn the_systemd_of_testing_is_newer_than_that_of_stable_and_restarts() {
    let lab = testing();
    let timeline = run(&lab);
    assert!(Some(systemd(&timeline)) > Suite::Trixie.systemd());
    let life = life("t.service", &timeline);
    let states = ["by SIGKILL", "auto-restart", "-> running"];
    let found = states.map(|state| life.rfind(state));
    assert!(
        found.iter().all(Option::is_some) && found.is_sorted(),
        "{life}"
    );
    assert_same(&timeline.to_json_lines(), &run(&lab).to_json_lines());
}
