use super::*;
use crate::diagnosis::fixture::Run;

const SECOND: u64 = 1_000_000;
const SIGABRT: i32 = 6;
const LIMIT: Duration = Duration::from_secs(10);

/// A service with this `WatchdogSec=`, which is ready at once.
fn watched(limit_seconds: u64) -> Run {
    Run::new()
        .property("WatchdogUSec", limit_seconds * SECOND)
        .property("Restart", "on-failure")
        .states(0, &["start", "running"])
}

/// The watchdog acts at this time, because no ping came.
fn acts(run: Run, at: u64, limit: &str) -> Run {
    run.watchdog(at, &format!("Watchdog timeout (limit {limit})!"))
        .states(at, &["stop-watchdog"])
        .killed(at + 10, SIGABRT)
        .failed(at + 10, "watchdog")
}

/// Pings at these times.
fn pinged(run: Run, times: &[u64]) -> Run {
    times
        .iter()
        .fold(run, |run, at| run.notified(*at, &["WATCHDOG=1"]))
}

#[test]
fn a_limit_that_is_too_short_or_too_long() {
    let rule = |case: &Case| other_limit(case, LIMIT);
    acts(watched(5), 5000, "5s").is_told(
        rule,
        "WatchdogSec=5s of a.service should be 10 s, and systemd acted too soon: Watchdog timeout (limit 5s)",
    );
    acts(watched(60), 60_000, "1min").is_told(
        rule,
        "WatchdogSec=1min of a.service should be 10 s, and systemd acted too late: Watchdog timeout (limit 1min)",
    );
    acts(watched(10), 10_000, "10s").is_not_told(rule);
}

#[test]
fn a_watchdog_that_is_turned_off() {
    let service = |limit: u64| {
        Run::new()
            .property("WatchdogUSec", limit)
            .states(0, &["start", "running"])
    };
    service(0).is_told(
        not_set,
        "WatchdogSec= of a.service is not set: systemd does not notice a service that hangs without ending",
    );
    let later = |line: &str| format!("[Service]\nWatchdogSec=10s\n{line}\n");
    for line in ["WatchdogSec=0", "WatchdogSec=", "WatchdogSec=0s"] {
        let off = format!(
            "{line} in a.service turns the watchdog off: systemd does not notice a service that hangs without ending"
        );
        service(0).file(&later(line)).is_told(not_set, &off);
    }
    service(u64::MAX).file(&later("WatchdogSec=infinity")).is_told(
        not_set,
        "WatchdogSec=infinity in a.service turns the watchdog off: systemd does not notice a service that hangs without ending",
    );
    service(10 * SECOND).file(&later("")).is_not_told(not_set);
}

#[test]
fn pings_that_cease_although_all_is_well() {
    let seldom = acts(pinged(watched(10), &[4000, 12_000]), 22_000, "10s");
    seldom.is_told(
        pinged_too_seldom,
        "WATCHDOG=1 arrived up to 8 s apart, and then the next one did not arrive in time, and systemd ended a service that worked (Watchdog timeout (limit 10s)): ping at half the time of WatchdogSec=",
    );
    pinged(watched(10), &[4000]).is_not_told(pinged_too_seldom);
}

/// What is required after a fault, all of which was seen.
fn promise(fault: &'static str) -> Promise {
    Promise {
        fault,
        limit: LIMIT,
        back: Duration::from_secs(40),
        can_test: true,
        longest_test: Duration::from_secs(4),
        has_reason: true,
        is_logged: true,
    }
}

/// The diagnosis of such a fault at 20 s.
fn after(fault: &'static str) -> impl Fn(&Case) -> Option<String> {
    kept(promise(fault))
}

fn kept(promise: Promise) -> impl Fn(&Case) -> Option<String> {
    move |case| after_fault(case, 20 * SECOND..u64::MAX, promise)
}

/// The self-test fails at 25 s and triggers the watchdog.
fn triggered() -> Run {
    pinged(watched(10), &[5000, 10_000, 15_000])
        .notified(24_000, &["WATCHDOG=trigger"])
        .watchdog(25_001, "Watchdog request (last status: no answer)!")
        .states(25_001, &["stop-watchdog"])
        .killed(25_010, SIGABRT)
        .failed(25_010, "watchdog")
}

#[test]
fn a_service_that_does_not_come_back_after_the_watchdog() {
    let waits = triggered()
        .file("[Service]\nRestartSec=5min\n")
        .states(25_010, &["auto-restart"]);
    waits.is_told(
        after(HUNG),
        "the watchdog ended the service, and it was not running again in time: RestartSec=5min and TimeoutStartSec= decide how long that takes",
    );
    let refused = triggered()
        .property("StartLimitBurst", 1)
        .restart(25_010, 100, 1)
        .event(25_110, EventKind::StartLimitHit)
        .states(25_110, &["failed"]);
    refused.is_told(
        after(HUNG),
        "the watchdog ended the service, and systemd did not start it again: StartLimitBurst=1 was used up, and the first start counts too",
    );
    let back = triggered()
        .restart(25_010, 100, 1)
        .states(26_000, &["running"]);
    back.is_not_told(after(HUNG));
}

#[test]
fn pings_after_a_fault() {
    let late = acts(pinged(watched(10), &[15_000, 25_000]), 35_000, "10s")
        .restart(35_010, 100, 1)
        .states(36_000, &["running"]);
    late.is_told(
        after(HUNG),
        "WATCHDOG=1 arrived 5 s after the fault, when the service no longer answered: send it after a self-test that succeeded, not before or beside it",
    );
    // The service does answer, but with an error.
    late.is_told(
        after("GET / was answered with 503"),
        "WATCHDOG=1 arrived 5 s after the fault, when GET / was answered with 503: send it after a self-test that succeeded, not before or beside it",
    );
}

#[test]
fn a_line_that_does_not_reach_the_journal() {
    let said = pinged(watched(10), &[5000, 10_000, 15_000])
        .notified(24_000, &["STATUS=no answer", "WATCHDOG=trigger"])
        .watchdog(24_001, "Watchdog request (last status: no answer)!")
        .restart(24_010, 100, 1)
        .states(25_000, &["running"]);
    let unlogged = Promise {
        is_logged: false,
        ..promise(HUNG)
    };
    let no_line =
        "STATUS= said \"no answer\", but the journal has no line of priority err that says so";
    said.is_told(kept(unlogged), no_line);
    for written in [
        "LogLevelMax=crit",
        "LogLevelMax=2",
        "StandardError=null",
        "StandardOutput=append:/dev/null",
    ] {
        let file = format!("[Service]\n{written}\n");
        let sentence = format!("{no_line}: {written} of a.service keeps such a line out of it");
        said.clone().file(&file).is_told(kept(unlogged), &sentence);
    }
    for written in [
        "LogLevelMax=err",
        "StandardError=journal",
        "StandardOutput=null\nStandardError=journal",
    ] {
        let file = format!("[Service]\n{written}\n");
        said.clone().file(&file).is_told(kept(unlogged), no_line);
    }
}

#[test]
fn a_service_that_stands_still_cannot_say_why() {
    let noticed = acts(pinged(watched(10), &[15_000, 20_600]), 30_700, "10s")
        .restart(30_710, 100, 1)
        .states(31_000, &["running"]);
    let silent = Promise {
        has_reason: false,
        is_logged: false,
        ..promise(HUNG)
    };
    noticed.is_told(
        kept(silent),
        "the self-test failed silently: WATCHDOG=1 stopped coming, but neither STATUS= nor the journal says why, and WATCHDOG=trigger would have been quicker",
    );
    let still = Promise {
        can_test: false,
        ..silent
    };
    noticed.is_not_told(kept(still));
}

#[test]
fn a_trigger_comes_at_once() {
    let failed = |said| {
        pinged(watched(10), &[5000, 10_000, 15_000])
            .log(said, 3, "self-test failed")
            .notified(24_000, &["STATUS=self-test failed", "WATCHDOG=trigger"])
    };
    let delay = |case: &Case| trigger_delayed(case, 20 * SECOND..u64::MAX);
    assert_eq!(failed(22_000).told(delay), Some(Duration::from_secs(2)));
    assert_eq!(failed(23_990).told(delay), None);
    let late = failed(22_000)
        .watchdog(24_001, "Watchdog request (last status: self-test failed)!")
        .states(24_001, &["stop-watchdog"])
        .killed(24_010, SIGABRT)
        .failed(24_010, "watchdog")
        .restart(24_010, 100, 1)
        .states(25_000, &["running"]);
    late.is_told(
        after(HUNG),
        "WATCHDOG=trigger came 2 s after the line that says why: send it at once, since every second more is one in which clients wait",
    );
}
