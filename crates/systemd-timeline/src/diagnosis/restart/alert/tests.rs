use serde_json::json;

use super::*;
use crate::diagnosis::diagnose;
use crate::diagnosis::fixture::Run;

const TEMPLATE: &str = "alert@.service";

/// systemd has given up, and `OnFailure=` names these units.
fn given_up(called: &[&str]) -> Run {
    Run::new()
        .property("OnFailure", json!(called))
        .property("RestartMode", "direct")
        .failed(9000, "exit-code")
        .event(9000, EventKind::StartLimitHit)
        .states(9000, &["failed"])
}

/// The alert ends with this status, and then the run does.
fn alerted(unit: &str, status: i32) -> Run {
    let run = given_up(&[unit]).of(unit);
    run.states(9100, &["start"]).exited(9200, status)
}

fn rules(case: &Case) -> Option<String> {
    diagnose(case, ALERT)
}

#[test]
fn a_unit_without_an_alert() {
    given_up(&[]).is_told(
        rules,
        "a.service has no OnFailure= in [Unit]: systemd gives up and tells no one",
    );
    alerted("alert@a.service", 0).is_not_told(rules);
}

#[test]
fn an_alert_that_does_not_reach_the_journal() {
    let rule = |case: &Case| name_not_passed_on(case, TEMPLATE, "a.service");
    let alert = |line: &str| {
        let file = format!("[Service]\n{line}\n");
        let run = alerted("alert@a.service.service", 0).of(TEMPLATE);
        run.file(&file)
    };
    alert("StandardOutput=null").is_told(
        rule,
        "StandardOutput=null of alert@.service keeps what alert@a.service.service says out of the journal, and so nothing there says what has failed",
    );
    let other = alert("StandardError=null").told(rule).unwrap_or_default();
    assert!(other.contains("logs nothing"), "{other}");
}

#[test]
fn an_alert_after_a_stop() {
    let stopped = Run::new()
        .property("OnSuccess", json!(["alert@a.service"]))
        .file("[Unit]\nOnSuccess=alert@%p.service\n")
        .job(1000, "stop")
        .states(1000, &["dead"]);
    stopped.is_not_told(called_after_success);
    let called = stopped.of("alert@a.service").states(1100, &["start"]);
    called.is_told(
        called_after_success,
        "OnSuccess=alert@%p.service of a.service starts alert@a.service when the service ends without a failure, and a stop is such an end",
    );
}

#[test]
fn an_alert_that_fails() {
    alerted("alert@a.service", 1).is_told(
        rules,
        "alert@a.service, which OnFailure= names, was started and ended with exit code 1",
    );
}

#[test]
fn a_unit_that_is_not_of_the_template() {
    let rule = |case: &Case| other_unit_called(case, TEMPLATE);
    given_up(&["b.service"]).is_told(
        rule,
        "OnFailure= of a.service names b.service, which is not an instance of alert@.service",
    );
    given_up(&["alert@a.service"]).is_not_told(rule);
}

#[test]
fn an_alert_without_a_name() {
    let rule = |case: &Case| name_not_passed_on(case, TEMPLATE, "a.service");
    alerted("alert@a.service.service", 0).is_told(
        rule,
        "alert@a.service.service logs nothing and so does not say what has failed: %i in alert@.service stands for a.service",
    );
    let logs = |run: Run| run.log(9150, 3, "x has failed");
    logs(alerted("alert@x.service", 0)).is_told(
        rule,
        "alert@x.service logs \"x has failed\" and so does not say what has failed: its instance is \"x\"; %n after the @ in OnFailure= would make it the failed unit's name",
    );
    let says = alerted("alert@a.service.service", 0).log(9150, 3, "a.service has failed");
    says.is_not_told(rule);
}
