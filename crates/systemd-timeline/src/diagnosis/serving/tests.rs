use super::*;
use crate::diagnosis::fixture::{ADDRESS, Run, answered, broken};

/// A service that runs and listens.
fn serving() -> Run {
    Run::new()
        .states(0, &["start", "running"])
        .listens(10, ADDRESS)
}

#[test]
fn what_systemd_analyze_says() {
    let verified = |output: &str| {
        let argv = [
            "/usr/bin/systemd-analyze",
            "verify",
            "/etc/systemd/system/a.service",
        ];
        Run::new().event(
            10,
            EventKind::Command {
                argv: argv.map(str::to_owned).to_vec(),
                status: 1,
                output: output.to_owned(),
            },
        )
    };
    verified("a.service: Command /opt/a is not executable: No such file or directory\n").is_told(
        verify_complaint,
        "systemd-analyze verify says: a.service: Command /opt/a is not executable: No such file or directory",
    );
    verified("").is_not_told(verify_complaint);
}

#[test]
fn a_service_whose_time_is_up() {
    let ended = serving()
        .timeout(60_000, "Service reached runtime time limit. Stopping.")
        .states(60_000, &["stop-sigterm"])
        .exited(60_010, 0);
    ended.file("[Service]\nRuntimeMaxSec=1min\n").is_told(
        ended_by_itself,
        "RuntimeMaxSec=1min of a.service ended the service before anybody stopped it: systemd says \"Service reached runtime time limit. Stopping\"",
    );
    serving()
        .stop(60_000)
        .exited(60_010, 0)
        .is_not_told(ended_by_itself);
}

#[test]
fn a_service_that_listens_nowhere() {
    let runs = Run::new().states(0, &["start", "running"]);
    runs.clone().is_told(
        listens_nowhere,
        "the service runs, but nothing ever listened on 127.0.0.1:7878",
    );
    serving().is_not_told(listens_nowhere);
    // The other unit's address is not the service's.
    let database = runs.of("b.service").listens(10, "127.0.0.1:7879");
    database.is_not_told(listens_elsewhere);
}

#[test]
fn an_answer_that_does_not_come() {
    let rule = |case: &Case| other_answer(case, "first", "Hello World!");
    let told = |outcome, sentence| {
        serving()
            .response(100, "first", outcome)
            .is_told(rule, sentence)
    };
    told(
        ResponseOutcome::TimedOut,
        "the request \"first\" was not answered in time",
    );
    told(broken(), "the request \"first\" was cut off");
    told(
        ResponseOutcome::Refused,
        "the request \"first\" was refused",
    );
    told(
        answered(404),
        "the request \"first\" was answered with status 404 and \"\"",
    );
    let greeting = ResponseOutcome::Answered {
        status: 200,
        body: "Hello World!\n".to_owned(),
    };
    serving().response(100, "first", greeting).is_not_told(rule);
}

#[test]
fn what_another_type_means() {
    let rule = |case: &Case| other_type(case, "exec");
    let kind = |kind: &str| Run::new().property("Type", kind);
    kind("oneshot").is_told(
        rule,
        "a.service has Type=oneshot, not Type=exec: systemd considers it started only when its program has ended",
    );
    kind("forking").is_told(
        rule,
        "a.service has Type=forking, not Type=exec: systemd considers it started only when its first process has ended and left another one behind",
    );
    kind("dbus").is_told(
        rule,
        "a.service has Type=dbus, not Type=exec: systemd considers it started only when it has its name on D-Bus",
    );
    for notify in ["notify", "notify-reload"] {
        kind(notify).is_told(
            rule,
            &format!(
                "a.service has Type={notify}, not Type=exec: systemd considers it started only when it has sent READY=1"
            ),
        );
    }
    kind("exec").is_not_told(rule);
}

#[test]
fn a_drain_that_is_cut_short() {
    let stopped = serving()
        .stop(10_000)
        .closes(10_001, ADDRESS)
        .timeout(20_000, "State 'stop-sigterm' timed out. Killing.")
        .killed(20_010, 9);
    // The run that should measure the drain never got that far.
    let nothing = Run::new();
    let longest = Duration::from_secs(5);
    let said =
        stopped.told(|case| nothing.told(|patient| killed_before_it_ended(case, patient, longest)));
    assert_eq!(
        said.as_deref(),
        Some(
            "the service still ran 10 s after SIGTERM and was ended by SIGKILL (TimeoutStopSec=): it had closed its listener, and whatever it still waited for needs a deadline"
        )
    );
}

#[test]
fn a_service_that_no_unit_needs() {
    let stopped = Run::new()
        .states(0, &["start", "running"])
        .property("StopWhenUnneeded", true)
        .stop(5);
    stopped.is_told(
        stopped_as_unneeded,
        "systemd stopped the service as soon as it had started: StopWhenUnneeded=yes of a.service does that when no other unit needs it",
    );
    let listened = Run::new()
        .listens(2, ADDRESS)
        .property("StopWhenUnneeded", true)
        .stop(5000);
    listened.is_not_told(stopped_as_unneeded);
}
