use super::*;
use crate::diagnosis::fixture::{ADDRESS, Run, answered, broken};

/// A service that was ready at 1 s, and was told to reload at 2 s.
fn reloading() -> Run {
    Run::new()
        .states(0, &["start"])
        .listens(900, ADDRESS)
        .notified(1000, &["READY=1"])
        .states(1000, &["running"])
        .job(2000, "reload")
        .states(2000, &["reload-signal"])
}

#[test]
fn a_listener_that_stays_closed() {
    reloading().closes(2100, ADDRESS).is_told(
        listener_closed,
        "the listener on 127.0.0.1:7878 was closed during the reload, and not opened again: a client that connects then is refused. Keep it, and change what it answers",
    );
    reloading().is_not_told(listener_closed);
    let stops = reloading().job(3000, "stop").closes(3001, ADDRESS);
    stops.is_not_told(listener_closed);
}

#[test]
fn a_reload_that_is_announced_when_it_is_over() {
    let read = Run::new().notified(3000, &["RELOADING=1", "MONOTONIC_USEC=3000000"]);
    let told = |before: &Run| before.told(|before| read.told(|after| out_of_order(before, after)));
    assert_eq!(
        told(&reloading()).as_deref(),
        Some(
            "RELOADING=1 came only after the configuration had been read: send it first, then read"
        )
    );
    let first = reloading().notified(2001, &["RELOADING=1", "MONOTONIC_USEC=2001000"]);
    assert_eq!(told(&first), None);
}

/// systemd waited ten seconds for `RELOADING=1` with the right stamp.
fn given_up(messages: &[&[&str]]) -> Run {
    let announced = messages.iter().fold(reloading(), |run, assignments| {
        run.notified(2001, assignments)
    });
    announced.timeout(
        12_000,
        "Reload operation timed out. Killing reload process.",
    )
}

#[test]
fn the_second_reload_is_not_heard() {
    let announced = reloading().notified(2001, &["RELOADING=1", "MONOTONIC_USEC=2021000"]);
    let again = announced
        .notified(2002, &["READY=1"])
        .states(2002, &["running"])
        .job(4000, "reload")
        .states(4000, &["reload-signal"]);
    let timed_out = |run: Run| {
        run.timeout(
            14_000,
            "Reload operation timed out. Killing reload process.",
        )
    };
    timed_out(again.clone()).is_told(
        reloading_never_sent,
        "systemctl reload sent SIGHUP again, and this time RELOADING=1 did not arrive: systemd waited 10 s for it (TimeoutStartSec=)",
    );
    let heard = again.notified(4001, &["RELOADING=1", "MONOTONIC_USEC=4021000"]);
    timed_out(heard).is_not_told(reloading_never_sent);
}

#[test]
fn a_stamp_in_a_message_of_its_own() {
    let apart = given_up(&[&["RELOADING=1"], &["MONOTONIC_USEC=2001000"]]);
    apart.is_told(
        stamp_missing,
        "RELOADING=1 arrived without MONOTONIC_USEC= in the same message, so systemd could not tell which reload it belongs to: it waited 10 s",
    );
    apart.is_not_told(stamp_too_early);
    let early = given_up(&[&["RELOADING=1", "MONOTONIC_USEC=2001"]]);
    early.is_not_told(stamp_missing);
    early.is_told(
        stamp_too_early,
        "MONOTONIC_USEC= is from before the reload began: it must be CLOCK_MONOTONIC, in microseconds, read when RELOADING=1 is sent",
    );
    let right = given_up(&[&["RELOADING=1", "MONOTONIC_USEC=2021000"]]);
    right.is_not_told(stamp_too_early);
}

#[test]
fn a_request_during_the_reload() {
    let asked = |outcome| reloading().response(4000, "in flight", outcome);
    asked(broken()).is_told(
        request_cut_off,
        "the request \"in flight\" was cut off by the reload: connections must outlive a reload",
    );
    asked(ResponseOutcome::TimedOut).is_told(
        request_cut_off,
        "the request \"in flight\" was in flight when the reload came and got no answer: connections must outlive a reload",
    );
    for other in [answered(200), ResponseOutcome::Refused] {
        asked(other).is_not_told(request_cut_off);
    }
}

#[test]
fn a_status_that_is_of_the_reload_before() {
    let again = reloading()
        .notified(2001, &["STATUS=the configuration is read"])
        .job(4000, "reload");
    again.is_told(
        status_missing,
        "no new STATUS= came with the last reload: systemctl status still shows the result of the one before",
    );
    let says = again.notified(4001, &["STATUS=the configuration cannot be read"]);
    says.is_not_told(status_missing);
}

#[test]
fn a_reload_may_send_another_signal() {
    let reloaded = Run::new()
        .file("[Service]\nReloadSignal=SIGUSR1\n")
        .property("ReloadSignal", 10)
        .states(0, &["start", "running"])
        .job(1000, "reload")
        .states(1000, &["reload-signal"]);
    reloaded.is_told(
        other_signal,
        "ReloadSignal=SIGUSR1 of a.service makes systemctl reload send that signal instead of SIGHUP; the service reloads at SIGHUP",
    );
    reloaded.killed(1005, 10).is_told(
        other_signal,
        "ReloadSignal=SIGUSR1 of a.service makes systemctl reload send that signal instead of SIGHUP; that ended the process: nothing in the service handles it",
    );
}
