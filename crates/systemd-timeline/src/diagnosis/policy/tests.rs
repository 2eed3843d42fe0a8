use super::*;
use crate::diagnosis::fixture::{Run, statuses};

const FAILURE: Ending = Ending::Code(1);

/// A service that ends with exit code 1, which is a failure.
fn failed(policy: &str) -> Run {
    Run::new()
        .property("Restart", policy)
        .property("RestartUSec", 60_000_000)
        .states(0, &["start", "running"])
        .exited(1000, 1)
}

fn expected(restarts: bool) -> Expected {
    Expected {
        ending: FAILURE,
        succeeds: false,
        restarts,
    }
}

#[test]
fn an_end_that_takes_time() {
    let rule = |case: &Case| explain(case, &[expected(true)]);
    failed("on-failure").states(1000, &["stop-post"]).is_told(
        rule,
        "a.service ended with exit code 1, and systemd was still stopping it when the run ended: ExecStop=, ExecStopPost= and TimeoutStopSec= decide how long that takes",
    );
}

#[test]
fn a_delay_that_outlasts_the_run() {
    let rule = |case: &Case| explain(case, &[expected(true)]);
    let waits = failed("on-failure")
        .failed(1000, "exit-code")
        .states(1000, &["auto-restart"]);
    waits.clone().is_told(
        rule,
        "a.service ended with exit code 1 and had not come back when the run ended: RestartSec=1min decides how long systemd waits before a restart",
    );
    waits.file("[Service]\nRestartSec=60\n").is_told(
        rule,
        "a.service ended with exit code 1 and had not come back when the run ended: RestartSec=60 decides how long systemd waits before a restart",
    );
    let back = failed("on-failure")
        .failed(1000, "exit-code")
        .restart(1000, 100, 1);
    back.is_not_told(rule);
}

#[test]
fn a_status_that_forces_a_restart() {
    let rule = |case: &Case| explain(case, &[expected(false)]);
    let back = |codes: &[i32]| {
        failed("no")
            .property("RestartForceExitStatus", statuses(codes, &[]))
            .failed(1000, "exit-code")
            .restart(1000, 100, 1)
    };
    back(&[1]).is_told(
        rule,
        "a.service ended with exit code 1 and was started again: RestartForceExitStatus= contains that, whatever Restart=no says",
    );
    let stays_down = failed("no")
        .failed(1000, "exit-code")
        .states(1000, &["failed"]);
    stays_down.is_not_told(rule);
}
