use super::*;
use crate::diagnosis::fixture::{Run, statuses};

const SECOND: u64 = 1_000_000;

/// Each start takes two seconds and fails; then systemd waits for this many milliseconds.
fn failing(delays: &[u64]) -> Run {
    let mut run = Run::new();
    let mut at = 0;
    for (counter, delay) in (1..).zip(delays) {
        run = run
            .states(at, &["start"])
            .exited(at + 2000, 1)
            .failed(at + 2000, "exit-code")
            .restart(at + 2000, *delay, counter);
        at += 2000 + delay;
    }
    run
}

/// `RestartSec=` in seconds, without the settings that make delays grow.
fn delay(run: Run, seconds: u64) -> Run {
    run.property("RestartUSec", seconds * SECOND)
}

fn limit(run: Run, burst: u64, interval_seconds: u64) -> Run {
    run.property("StartLimitBurst", burst)
        .property("StartLimitIntervalUSec", interval_seconds * SECOND)
}

#[test]
fn an_end_after_which_nothing_is_restarted() {
    let ended = |policy: &str, status| {
        Run::new()
            .property("Restart", policy)
            .states(0, &["start", "running"])
            .exited(5000, status)
    };
    ended("on-failure", 0).states(5000, &["dead"]).is_told(
        not_restarted,
        "a.service ended with exit code 0, which is not a failure, so Restart=on-failure leaves it alone",
    );
    let failed = ended("on-failure", 78).failed(5000, "exit-code");
    let prevented = failed
        .clone()
        .property("RestartPreventExitStatus", statuses(&[78], &[]));
    prevented.clone().is_told(
        not_restarted,
        "a.service ended with exit code 78, and RestartPreventExitStatus=78 forbids a restart after that",
    );
    // The quotation is the unit's own text.
    prevented
        .file("[Service]\nRestartPreventExitStatus=EX_CONFIG 6\n")
        .is_told(
            not_restarted,
            "a.service ended with exit code 78, and RestartPreventExitStatus=EX_CONFIG 6 forbids a restart after that",
        );
    failed.restart(5000, 100, 1).is_not_told(not_restarted);
    ended("no", 0).job(4000, "stop").is_not_told(not_restarted);
}

#[test]
fn a_start_that_gets_no_time() {
    let run = |kind: &str| {
        Run::new()
            .property("Type", kind)
            .property("TimeoutStartUSec", 1000)
            .states(0, &["start"])
    };
    let message = "Start operation timed out. Terminating.";
    let timed_out = run("exec").timeout(1, message);
    timed_out.file("[Service]\nTimeoutStartSec=1ms\n").is_told(
        start_cut_short,
        "TimeoutStartSec=1ms of a.service is shorter than a start takes: the start operation timed out, and systemd ended the service",
    );
    run("exec").is_not_told(start_cut_short);
    // Then the service may have said nothing, or too late.
    run("notify")
        .timeout(1, message)
        .is_not_told(start_cut_short);
}

#[test]
fn a_restart_that_is_still_to_come() {
    let waiting = |seconds| {
        delay(failing(&[]), seconds)
            .states(0, &["start"])
            .exited(2000, 1)
    };
    waiting(200).states(2000, &["auto-restart"]).is_told(
        still_waiting,
        "the next start was still to come: RestartSec=200s without RestartSteps= and RestartMaxDelaySec= makes systemd wait 200 s before restart 1",
    );
    waiting(200)
        .states(2000, &["failed"])
        .is_not_told(still_waiting);
}

#[test]
fn commands_before_a_start_are_not_part_of_the_delay() {
    let wanted = [20, 20].map(Duration::from_secs);
    let rule = |case: &Case| other_delays(case, &wanted);
    let slow = delay(Run::new(), 1)
        .file("[Service]\nExecStartPre=/bin/sleep 19\n")
        .states(0, &["start-pre"])
        .states(19_000, &["start"]);
    slow.is_told(
        rule,
        "RestartSec=1s without RestartSteps= and RestartMaxDelaySec= makes the delays 1 s, 1 s, and not 20 s, 20 s; ExecStartPre=/bin/sleep 19 takes 19 s at each start, which is not a delay between starts",
    );
    delay(Run::new(), 20).is_not_told(rule);
}

#[test]
fn starts_that_are_too_slow_for_the_limit() {
    // 3 × 2 s and 2 × 5 s are more than 15 s; the delays alone are less.
    let slow = limit(delay(failing(&[5000, 5000, 5000]), 5), 3, 15);
    slow.is_not_told(limit_out_of_reach);
    slow.is_told(
        starts_too_slow_for_limit,
        "3 starts and the delays between them take longer than StartLimitIntervalSec=15s: the count starts again before StartLimitBurst=3 is used up, and systemd never gives up",
    );
    let fits = limit(delay(failing(&[5000, 5000, 5000]), 5), 3, 60);
    fits.is_not_told(starts_too_slow_for_limit);
}

#[test]
fn another_burst_than_is_asked_for() {
    let given_up =
        |burst| limit(failing(&[100, 100]), burst, 300).event(5000, EventKind::StartLimitHit);
    given_up(3).is_told(
        |case| other_burst(case, 4),
        "StartLimitBurst=3 decides when systemd gives up, which should be after 4 starts",
    );
    given_up(4).is_not_told(|case| other_burst(case, 4));
    limit(failing(&[100]), 3, 300).is_not_told(|case| other_burst(case, 4));
}
