use super::*;
use crate::diagnosis::fixture::{ADDRESS, Run, broken};

const SIGABRT: i32 = 6;

/// A service that runs from the beginning.
fn running() -> Run {
    Run::new().states(0, &["start", "running"])
}

/// The service was stopped at 10 s, and SIGKILL ended it 10 s later.
fn hangs(run: Run) -> Run {
    run.stop(10_000)
        .timeout(20_000, "State 'stop-sigterm' timed out. Killing.")
        .killed(20_010, SIGKILL)
}

#[test]
fn what_a_service_did_about_sigterm_is_what_shows_of_it() {
    hangs(running()).is_told(
        drain_without_deadline,
        "the service still ran 10 s after SIGTERM and was ended by SIGKILL (TimeoutStopSec=): it sent no STOPPING=1 and went on listening, as if SIGTERM had not come",
    );
    hangs(running()).closes(10_005, ADDRESS).is_told(
        drain_without_deadline,
        "the service still ran 10 s after SIGTERM and was ended by SIGKILL (TimeoutStopSec=): it had closed its listener, without STOPPING=1, and then waited for a connection without a deadline",
    );
    // At its end, the kernel closes the listener.
    hangs(running()).closes(20_005, ADDRESS).is_told(
        drain_without_deadline,
        "the service still ran 10 s after SIGTERM and was ended by SIGKILL (TimeoutStopSec=): it sent no STOPPING=1 and went on listening, as if SIGTERM had not come",
    );
    let ends = running().stop(10_000).exited(10_500, 0);
    ends.is_not_told(drain_without_deadline);
}

#[test]
fn a_stop_that_ends_with_an_exit_code() {
    let exits = |status| running().stop(10_000).exited(10_500, status);
    exits(143).is_told(
        ended_with_failure,
        "the service was stopped and ended with exit code 143; a clean stop is exit code 0",
    );
    exits(0).is_not_told(ended_with_failure);
}

#[test]
fn a_service_that_does_not_end_at_ctrl_c() {
    // Part of a run: properties come only at the end of the whole run.
    let part = Run::new().property("Type", "exec");
    part.is_told(
        interrupt_ignored,
        "the run ended before Ctrl-C (SIGINT) could come",
    );
    let sent = part.step(1000, 3);
    sent.clone().ends(21_000).is_told(
        interrupt_ignored,
        "Ctrl-C, which is SIGINT, did not end the service: it still ran 20 s later",
    );
    sent.clone()
        .refused(
            1000,
            "org.freedesktop.systemd1.NoSuchProcess",
            "No main process to kill",
        )
        .is_told(
            interrupt_ignored,
            "the service was no longer running when Ctrl-C (SIGINT) should have come (No main process to kill)",
        );
    sent.exited(1100, 0).is_not_told(interrupt_ignored);
}

#[test]
fn an_end_after_ctrl_c_that_is_not_clean() {
    let sent = Run::new().step(1000, 3);
    sent.clone().exited(1100, 130).is_told(
        interrupt_is_a_failure,
        "after Ctrl-C (SIGINT) the service ended with exit code 130; a clean stop is exit code 0",
    );
    sent.clone().killed(1100, SIGABRT).is_told(
        interrupt_is_a_failure,
        "after Ctrl-C (SIGINT) the service ended by SIGABRT; a clean stop is exit code 0",
    );
    sent.exited(1100, 0).is_not_told(interrupt_is_a_failure);
}

#[test]
fn a_request_that_ctrl_c_cuts_off() {
    let sent = Run::new().step(1000, 3).exited(1100, 0);
    sent.clone().response(5000, "in flight", broken()).is_told(
        request_cut_off_by_interrupt,
        "the request \"in flight\" was in flight when Ctrl-C (SIGINT) came and got no answer: the service did not drain",
    );
    sent.response(5000, "too late", ResponseOutcome::Refused)
        .is_not_told(request_cut_off_by_interrupt);
}

#[test]
fn a_connection_that_is_taken_during_the_stop() {
    let tried = |outcome| running().stop(10_000).response(11_000, "new", outcome);
    tried(ResponseOutcome::TimedOut).is_told(
        |case| new_connection_taken(case, "new"),
        "a new connection that came within 1 s of SIGTERM was accepted, but not answered: close the listener as soon as the stop begins, so that clients go elsewhere",
    );
    for away in [ResponseOutcome::Refused, broken()] {
        tried(away).is_not_told(|case| new_connection_taken(case, "new"));
    }
}

#[test]
fn a_stop_in_the_warm_up() {
    let rule = |case: &Case| in_warm_up(case, "SIGTERM");
    let stopped = Run::new().states(0, &["start"]).stop(1000);
    stopped.is_told(
        rule,
        "SIGTERM came in the middle of the warm-up, and the service went on loading",
    );
    stopped.clone().killed(11_000, SIGKILL).is_told(
        rule,
        "SIGTERM came in the middle of the warm-up, and the service ignored it: systemd ended it with SIGKILL after 10 s",
    );
    stopped.clone().killed(1000, SIGTERM).is_told(
        rule,
        "SIGTERM came in the middle of the warm-up, and the service ended by SIGTERM",
    );
    stopped.clone().exited(2100, 0).is_told(
        rule,
        "SIGTERM came in the middle of the warm-up, and the service ended only 1 s later: it handles the signal only after its data is loaded",
    );
    let said = stopped.notified(1001, &["STOPPING=1"]);
    said.clone().exited(3001, 0).is_told(
        rule,
        "SIGTERM came in the middle of the warm-up, and the service said STOPPING=1 at once and ended only 2 s later, with exit code 0: in the warm-up there is nothing to wait for",
    );
    said.exited(1010, 0).is_not_told(rule);
}

#[test]
fn a_signal_that_comes_after_the_end_is_not_one_in_the_warm_up() {
    let rule = |case: &Case| in_warm_up(case, "SIGTERM");
    let ended = Run::new().states(0, &["start"]).exited(500, 1);
    ended.job(1000, "stop").is_not_told(rule);
    Run::new()
        .step(1000, 3)
        .refused(
            1000,
            "org.freedesktop.systemd1.NoSuchProcess",
            "No main process to kill",
        )
        .is_not_told(rule);
}

#[test]
fn a_stop_may_send_other_signals() {
    let ended = |signal| running().stop(10_000).killed(10_005, signal);
    ended(SIGHUP).property("SendSIGHUP", true).is_told(
        no_signal_handler,
        "SIGHUP ended the process on the spot, and nothing in the service handles that signal: SendSIGHUP=yes of a.service sends it right after SIGTERM",
    );
    ended(SIGINT).property("KillSignal", SIGINT).is_told(
        no_signal_handler,
        "SIGINT ended the process on the spot, and nothing in the service handles that signal: KillSignal=SIGINT of a.service sends it instead of SIGTERM",
    );
    ended(SIGKILL)
        .property("KillSignal", SIGTERM)
        .is_not_told(no_signal_handler);
}
