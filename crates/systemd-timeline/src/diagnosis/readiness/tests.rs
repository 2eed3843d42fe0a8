use super::*;
use crate::diagnosis::fixture::{ADDRESS, Run, answered, broken};

const SECOND: u64 = 1_000_000;

/// A start of a service that reports its readiness, and may take 10 s.
fn starting() -> Run {
    Run::new()
        .property("Type", "notify")
        .property("TimeoutStartUSec", 10 * SECOND)
        .states(0, &["start"])
}

/// systemd gave up on the start after 10 s.
fn given_up() -> Run {
    starting()
        .timeout(10_000, "start operation timed out. Terminating.")
        .states(10_000, &["stop-sigterm"])
}

/// The service is ready at 2 s, and listens.
fn ready() -> Run {
    starting()
        .listens(1900, ADDRESS)
        .notified(2000, &["READY=1"])
        .states(2000, &["running"])
}

#[test]
fn a_type_that_waits_for_nothing() {
    let exec = Run::new()
        .property("Type", "exec")
        .states(0, &["start", "running"]);
    exec.is_told(
        type_without_readiness,
        "a.service has Type=exec: systemd considered it started as soon as its program ran, while nothing listened on 127.0.0.1:7878 yet",
    );
    ready().is_not_told(type_without_readiness);
}

#[test]
fn a_start_without_ready() {
    given_up().is_told(
        ready_never_sent,
        "READY=1 never arrived (TimeoutStartSec=10s), and nothing ever listened on 127.0.0.1:7878",
    );
    // READY=1 may still come.
    starting().is_not_told(ready_never_sent);
    ready().is_not_told(ready_never_sent);
}

#[test]
fn ready_before_anything_listens() {
    let early = starting().notified(1000, &["READY=1"]);
    early.clone().listens(3000, ADDRESS).is_told(
        ready_before_listening,
        "READY=1 arrived before anything listened on 127.0.0.1:7878: 2 s too early",
    );
    early.is_told(
        ready_before_listening,
        "READY=1 arrived, and nothing ever listened on 127.0.0.1:7878",
    );
    early.clone().listens(900, "127.0.0.1:8080").is_told(
        ready_before_listening,
        "READY=1 arrived, and nothing ever listened on 127.0.0.1:7878; the service listened on 127.0.0.1:8080",
    );
    // The address of the service's database is not the service's own.
    early
        .of("b.service")
        .listens(100, "127.0.0.1:7879")
        .is_told(
            ready_before_listening,
            "READY=1 arrived, and nothing ever listened on 127.0.0.1:7878",
        );
    ready().is_not_told(ready_before_listening);
}

#[test]
fn ready_before_requests_are_answered() {
    let told = |outcome, sentence| {
        let asked = ready().response(2500, "first", outcome);
        asked.is_told(ready_before_answering, sentence);
    };
    told(
        answered(503),
        "READY=1 had arrived, but the request \"first\" was answered with status 503: the service was not ready",
    );
    told(
        ResponseOutcome::Refused,
        "READY=1 had arrived, but the request \"first\" was refused: the service was not ready",
    );
    told(
        ResponseOutcome::TimedOut,
        "READY=1 had arrived, but the request \"first\" was not answered in time: the service was not ready",
    );
    told(
        broken(),
        "READY=1 had arrived, but the request \"first\" was cut off: the service was not ready",
    );
    let answers = ready().response(2500, "first", answered(200));
    answers.is_not_told(ready_before_answering);
}

#[test]
fn a_service_that_has_ended_is_not_one_that_was_not_ready() {
    let refused = |run: Run| run.response(4000, "later", ResponseOutcome::Refused);
    let crashed = ready().killed(3000, 11).states(3000, &["failed"]);
    refused(crashed).is_not_told(ready_before_answering);
    refused(ready().stop(3000)).is_not_told(ready_before_answering);
}

#[test]
fn a_service_that_cannot_notify() {
    let run = |written: &str, allowed: bool, families: &[&str]| {
        Run::new()
            .property("Type", "notify")
            .property(
                "RestrictAddressFamilies",
                serde_json::json!([allowed, families]),
            )
            .file(&format!("[Service]\nRestrictAddressFamilies={written}\n"))
            .states(0, &["start"])
            .timeout(10_000, "start operation timed out. Terminating.")
    };
    run("AF_INET", true, &["AF_INET"]).is_told(
        ready_never_sent,
        "RestrictAddressFamilies=AF_INET of a.service leaves out AF_UNIX, and notifications go through a Unix socket: READY=1 cannot reach systemd",
    );
    run("~AF_UNIX", false, &["AF_UNIX"]).is_told(
        ready_never_sent,
        "RestrictAddressFamilies=~AF_UNIX of a.service leaves out AF_UNIX, and notifications go through a Unix socket: READY=1 cannot reach systemd",
    );
    for (written, allowed, families) in [
        ("AF_INET AF_UNIX", true, vec!["AF_INET", "AF_UNIX"]),
        ("~AF_PACKET", false, vec!["AF_PACKET"]),
    ] {
        run(written, allowed, &families).is_told(
            ready_never_sent,
            "READY=1 never arrived, and nothing ever listened on 127.0.0.1:7878",
        );
    }
}

#[test]
fn sigterm_in_a_start_that_hangs() {
    given_up().killed(10_001, SIGTERM).is_told(
        deaf_while_loading,
        "systemd gave up on the start and sent SIGTERM, which ended the process on the spot: nothing handles that signal in the warm-up",
    );
    // Whatever the cause is, it is not the signal.
    given_up()
        .killed(10_001, 11)
        .is_not_told(deaf_while_loading);
    given_up().exited(10_001, 0).is_not_told(deaf_while_loading);
}

#[test]
fn ready_although_data_stalls() {
    ready().is_told(
        ready_although_stalled,
        "READY=1 was sent although the data had not arrived: send it when all data is loaded",
    );
    starting().is_not_told(ready_although_stalled);
}

#[test]
fn a_service_without_its_port() {
    starting().is_told(
        ready_without_port,
        "the service had not ended at the end of the run, although 127.0.0.1:7878 is taken",
    );
    starting().exited(2000, 0).is_told(
        ready_without_port,
        "the service ends with exit code 0 although 127.0.0.1:7878 is taken",
    );
    starting().exited(2000, 1).is_not_told(ready_without_port);
    // The run never got that far.
    Run::new().is_not_told(ready_without_port);
}

#[test]
fn another_extension_than_is_asked_for() {
    starting().is_told(
        other_extension,
        "after a part was loaded, no EXTEND_TIMEOUT_USEC= arrived: EXTEND_TIMEOUT_USEC=5000000 asks for 5 s more, in microseconds",
    );
    let extended = |assignment| starting().notified(500, &[assignment]);
    extended("EXTEND_TIMEOUT_USEC=5000").is_told(
        other_extension,
        "EXTEND_TIMEOUT_USEC=5000 arrived after a part; EXTEND_TIMEOUT_USEC=5000000, in microseconds, asks for the 5 s",
    );
    extended("EXTEND_TIMEOUT_USEC=5000000").is_not_told(other_extension);
}

#[test]
fn an_extension_that_moves_the_end_of_the_start() {
    let ended = |assignment, at_ms| {
        let loading = starting().notified(1000, &["STATUS=loading", assignment]);
        loading.timeout(at_ms, "start operation timed out. Terminating.")
    };
    ended("EXTEND_TIMEOUT_USEC=10000000", 11_000).is_told(
        extended_past_the_end,
        "EXTEND_TIMEOUT_USEC=10000000 arrived 1 s after the start began, so that systemd ended the start only after 11 s: EXTEND_TIMEOUT_USEC=5000000, in microseconds, asks for the 5 s",
    );
    ended("EXTEND_TIMEOUT_USEC=9000000", 10_200).is_not_told(extended_past_the_end);
    ended("EXTEND_TIMEOUT_USEC=5000000", 11_000).is_not_told(extended_past_the_end);
}

#[test]
fn a_start_that_only_the_default_bounds() {
    let bound = |seconds: u64| starting().property("TimeoutStartUSec", seconds * SECOND);
    bound(90).is_told(
        start_bound_by_default,
        "a start that hangs is ended only after 90 s: TimeoutStartSec= of a.service decides that",
    );
    bound(10).is_not_told(start_bound_by_default);
}

#[test]
fn status_in_each_phase() {
    let says = |run: Run, at| run.notified(at, &["STATUS=something"]);
    let stops = ready().job(5000, "stop");
    says(says(stops.clone(), 3000), 5001).is_told(
        status_missing,
        "no STATUS= arrived while the service was warming up",
    );
    says(says(stops.clone(), 500), 5001).is_told(
        status_missing,
        "no new STATUS= came with READY=1 or after it: systemctl status still shows the warm-up",
    );
    says(says(stops.clone(), 500), 3000).is_told(
        status_missing,
        "no STATUS= arrived while the service was stopping",
    );
    says(says(says(stops, 500), 3000), 5001).is_not_told(status_missing);
    // Nothing stopped it.
    says(says(ready(), 500), 3000).is_not_told(status_missing);
}
