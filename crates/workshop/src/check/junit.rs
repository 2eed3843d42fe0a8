//! `check --junit FILE`: the verdicts as JUnit XML, which CI servers and classrooms read.

use exercise_check::{Outcome, Verdict};
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};
use systemd_lab::visible_lines;

use super::Checked;
use exercise_check::stage::Stage;

pub(super) fn document(
    checked: &[(&Stage, Checked)],
) -> Result<String, quick_junit::SerializeError> {
    let mut report = Report::new("Service Resilience with systemd");
    for (exercise, checked) in checked {
        report.add_test_suite(suite(exercise, checked));
    }
    report.to_string()
}

fn suite(exercise: &Stage, checked: &Checked) -> TestSuite {
    let mut suite = TestSuite::new(exercise.package());
    for verdict in &checked.report.verdicts {
        let name = format!("{} {}", verdict.number, verdict.title);
        let mut case = TestCase::new(name, status(verdict));
        case.set_classname(exercise.package());
        suite.add_test_case(case);
    }
    // An outcome without a particular requirement: the exercise did not build, or the lab is
    // broken.
    if let Some(message) = &checked.message {
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
        status.set_type(checked.outcome.to_string());
        status.set_description(visible_lines(message));
        let mut case = TestCase::new("check", status);
        case.set_classname(exercise.package());
        suite.add_test_case(case);
    }
    suite
}

/// Only the service's fault is a failure; everything else is an error.
fn status(verdict: &Verdict) -> TestCaseStatus {
    let kind = match verdict.outcome {
        Outcome::Passed => return TestCaseStatus::success(),
        Outcome::NotYet => NonSuccessKind::Failure,
        _ => NonSuccessKind::Error,
    };
    let mut status = TestCaseStatus::non_success(kind);
    status.set_type(verdict.outcome.to_string());
    if let Some(diagnosis) = &verdict.diagnosis {
        status.set_message(visible_lines(diagnosis));
    }
    status.set_description(visible_lines(&verdict.report()));
    status
}
