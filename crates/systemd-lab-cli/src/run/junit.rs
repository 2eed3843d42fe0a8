//! `run --junit FILE`: the requirements and whether the run meets them, as JUnit XML, which CI
//! servers read.

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};
use systemd_lab::experiment::Verdict;
use systemd_lab::visible_lines;

/// The test case that reports that there was no verdict.
const RUN: &str = "run";

/// What a run is compared with.
pub(super) enum Judged<'a> {
    /// A requirement.
    Verdict(&'a Verdict),
    /// A saved timeline: its file, and the difference.
    Saved(String, Option<&'a str>),
}

/// One suite with the unit's name, and a case for each verdict.
pub(super) fn document(
    unit: &str,
    judged: &[Judged<'_>],
) -> Result<String, quick_junit::SerializeError> {
    let case = |judged: &Judged<'_>| match judged {
        Judged::Verdict(verdict) => TestCase::new(
            verdict.requirement.to_string(),
            status(verdict.holds, &verdict.measured),
        ),
        Judged::Saved(file, difference) => TestCase::new(
            format!("as in {file}"),
            status(difference.is_none(), difference.unwrap_or_default()),
        ),
    };
    report(unit, judged.iter().map(case).collect())
}

/// One suite that reports why there is no verdict.
pub(super) fn error(unit: &str, message: &str) -> Result<String, quick_junit::SerializeError> {
    let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
    status.set_message(visible_lines(message));
    report(unit, vec![TestCase::new(RUN, status)])
}

fn report(unit: &str, cases: Vec<TestCase>) -> Result<String, quick_junit::SerializeError> {
    let mut suite = TestSuite::new(unit);
    for mut case in cases {
        case.set_classname(unit);
        suite.add_test_case(case);
    }
    let mut report = Report::new("systemd-lab");
    report.add_test_suite(suite);
    report.to_string()
}

fn status(holds: bool, measured: &str) -> TestCaseStatus {
    if holds {
        return TestCaseStatus::success();
    }
    let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
    let measured = &visible_lines(measured);
    // A difference has several lines.
    match measured.contains('\n') {
        true => status.set_description(measured),
        false => status.set_message(format!("measured: {measured}")),
    };
    status
}
