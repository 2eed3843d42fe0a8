//! sshd where the guide's case study has no picture of it: `cargo maintain guide` measures the others.

use std::time::Duration;

use systemd_lab::protocol::{EventKind, Scenario};
use systemd_lab::{GuestFile, Picture, Timeline};

use crate::support::LONG;
use crate::{DAEMONS, life};

const SSHD: &str = "ssh.service";

/// systemd restarts a service after 100 ms.
const A_WHILE: Duration = Duration::from_secs(10);

fn told(timeline: &Timeline) -> String {
    Picture::of(&[SSHD]).logs().lines(timeline).join("\n")
}

/// sshd exits with 255 for each fatal error, including an address in use: it gets no second try.
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
