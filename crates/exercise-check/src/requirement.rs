//! One thing that a stage asks, and how it is put to a person.

use std::sync::Arc;

use systemd_lab::LabError;
use systemd_lab::check::report::{self, Planned, Record};
use systemd_lab::check::{self, Observed, Outcome};

use crate::explanation;
use crate::spinning;
use crate::subject::Subject;

/// What a requirement saw, or why nothing can be said.
pub type Look = Result<Observed, Arc<LabError>>;

/// One thing that a stage asks of a service.
#[derive(Debug, Clone, Copy)]
pub struct Requirement {
    /// In a few words, e.g. `READY=1 means that it answers`.
    pub title: &'static str,
    /// The snapshot's name: what should be seen.
    pub snapshot: &'static str,
    /// Looks at the runs.
    pub look: fn() -> Look,
}

/// Reports what is going to be judged, in this order.
pub fn plan(requirements: &[&Requirement]) {
    let planned = (1..).zip(requirements).map(|(number, one)| Planned {
        number,
        title: one.title.to_owned(),
    });
    report::append(&Record::Plan {
        requirements: planned.collect(),
    });
}

/// Compares what was seen with the snapshot, and fails the test that calls it when they differ.
///
/// `test` is the test's name, e.g. `r3_a_stop_is_bounded`: it begins with `r` and the requirement's number. `of` is how
/// many requirements there are.
///
/// # Panics
///
/// Unwinds, without a message of its own, after printing the report.
pub fn judge(subject: &Subject, test: &str, of: usize, requirement: &Requirement) {
    let number = number_of(test);
    let seen = (requirement.look)().or_else(|error| {
        // A guest that is gone ended as its units asked, and one that did not end had too much to do.
        let ended = match Outcome::of(&error) {
            Outcome::LabBroken => subject.ended_the_machine(),
            Outcome::OutOfTime => spinning::observed(&error),
            _ => None,
        };
        ended.ok_or(error)
    });
    let requirement = check::Requirement {
        number,
        of: of as u32,
        title: requirement.title.to_owned(),
        snapshot: (subject.snapshots(), requirement.snapshot.to_owned()),
        names: vec![(
            subject.canonical_name().to_owned(),
            subject.package().to_owned(),
        )],
        next: subject.next(number),
    };
    let of_stage = || subject.ended_the_machine().and_then(|it| it.diagnosis);
    let seen = seen.map(explanation::with_blindness);
    let seen = seen.as_ref().map_err(AsRef::as_ref).cloned();
    if let Ok(seen) = &seen
        && subject.writes_snapshots()
    {
        requirement
            .write(seen)
            .unwrap_or_else(|error| panic!("cannot write {:?}: {error}", requirement.snapshot));
    }
    requirement.judge(seen, |seen| explanation::of(seen, of_stage));
}

fn number_of(test: &str) -> u32 {
    let digits = test.trim_start_matches('r').split('_').next();
    digits
        .and_then(|digits| digits.parse().ok())
        .expect("tests of a check are named r1_..., r2_...")
}
