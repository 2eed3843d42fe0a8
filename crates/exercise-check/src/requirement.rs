//! One thing that a stage asks: how it is judged, and how that is put to a person.

use std::panic;
use std::sync::Arc;

use systemd_lab::{visible, visible_lines};

use crate::error::CheckError;
use crate::explanation;
use crate::report::{self, Planned, Record};
use crate::snapshot::Snapshot;
use crate::spinning;
use crate::subject::Subject;
use crate::verdict::{Observed, Outcome, UNEXPLAINED, Verdict, sentence_of, wrapped};

/// What a requirement saw, or why nothing can be said.
pub type Look = Result<Observed, Arc<CheckError>>;

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
    let seen = (requirement.look)().or_else(|error| {
        // A guest that is gone ended as its units asked, and one that did not end had too much to do.
        let ended = match Outcome::of(&error) {
            Outcome::LabBroken => subject.ended_the_machine(),
            Outcome::OutOfTime => spinning::observed(&error),
            _ => None,
        };
        ended.ok_or(error)
    });
    let question = Question {
        number: number_of(test),
        of: of as u32,
        title: requirement.title,
        snapshot: subject.snapshot(requirement.snapshot),
    };
    let of_stage = || subject.ended_the_machine().and_then(|it| it.diagnosis);
    let seen = seen.map(explanation::with_blindness);
    let seen = seen.as_ref().map_err(AsRef::as_ref).cloned();
    if let Ok(seen) = &seen
        && subject.writes_snapshots()
    {
        let written = question.snapshot.write(&seen.shown);
        written.unwrap_or_else(|error| panic!("cannot write {:?}: {error}", requirement.snapshot));
    }
    let verdict = question.verdict(seen, |seen| explanation::of(seen, of_stage));
    report::append(&Record::Verdict(verdict.clone()));
    if verdict.outcome != Outcome::Passed {
        // For a person who runs the test alone; what collects reports knows better.
        let next = match verdict.outcome {
            Outcome::NotYet => format!("\n{}", subject.next(question.number)),
            _ => String::new(),
        };
        println!("\n{}{next}", verdict.report());
        panic::resume_unwind(Box::new("requirement not met"));
    }
}

/// A requirement at its place in a check, put to one service.
struct Question {
    number: u32,
    /// How many requirements there are.
    of: u32,
    title: &'static str,
    snapshot: Snapshot,
}

impl Question {
    /// Compares with the snapshot. Only when they differ, `explain` says why: it may take its time.
    fn verdict(
        &self,
        observed: Result<Observed, &CheckError>,
        explain: impl FnOnce(&Observed) -> Option<String>,
    ) -> Verdict {
        let observed = match observed {
            Ok(observed) => observed,
            Err(error) => return self.no_result(error),
        };
        // Without a snapshot there is nothing to compare with, and that is not the service's doing.
        if let Err(error) = self.snapshot.expected() {
            return self.no_result(&error);
        }
        if self.snapshot.holds(&observed.shown) {
            return Verdict {
                scenario: observed.scenario,
                ..self.verdict_without_text(Outcome::Passed)
            };
        }
        let diagnosis = explain(&observed);
        let difference = format!(
            "Expected (-) and what {} saw (+):\n\n{}",
            observed.witness,
            self.snapshot.difference(&observed.shown)
        );
        let why = match &diagnosis {
            Some(sentence) => wrapped(&sentence_of(sentence)),
            None => wrapped(UNEXPLAINED),
        };
        Verdict {
            diagnosis: diagnosis.as_deref().map(visible),
            scenario: observed.scenario,
            // Rules quote the service, and so does what was seen.
            difference: visible_lines(&difference),
            conclusion: self.conclusion("NOT YET", &format!("{why}\n")),
            ..self.verdict_without_text(Outcome::NotYet)
        }
    }

    fn no_result(&self, error: &CheckError) -> Verdict {
        let outcome = Outcome::of(error);
        let headline = match outcome {
            Outcome::OutOfTime => "OUT OF TIME",
            Outcome::DidNotBuild => "DID NOT BUILD",
            _ => "LAB BROKEN (this is not your service's fault)",
        };
        Verdict {
            conclusion: self.conclusion(headline, &format!("{error}\n")),
            ..self.verdict_without_text(outcome)
        }
    }

    fn conclusion(&self, headline: &str, text: &str) -> String {
        visible_lines(&format!(
            "{headline}: requirement {} of {}: {}\n\n{text}",
            self.number, self.of, self.title
        ))
    }

    fn verdict_without_text(&self, outcome: Outcome) -> Verdict {
        Verdict {
            number: self.number,
            of: self.of,
            title: self.title.to_owned(),
            outcome,
            diagnosis: None,
            scenario: None,
            difference: String::new(),
            conclusion: String::new(),
        }
    }
}

fn number_of(test: &str) -> u32 {
    let digits = test.trim_start_matches('r').split('_').next();
    digits
        .and_then(|digits| digits.parse().ok())
        .expect("tests of a check are named r1_..., r2_...")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(folder: &std::path::Path) -> Question {
        Question {
            number: 1,
            of: 1,
            title: "it runs",
            snapshot: Snapshot {
                folder: folder.to_owned(),
                name: "runs".to_owned(),
                canonical: "exercise-01".to_owned(),
                own: "solution-01".to_owned(),
            },
        }
    }

    fn seen(shown: &str) -> Observed {
        Observed {
            shown: shown.to_owned(),
            diagnosis: None,
            witness: "systemd",
            scenario: None,
        }
    }

    #[test]
    fn what_is_written_is_what_passes_afterwards() {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let question = question(folder.path());
        let outcome = |shown: &str| {
            let verdict = question.verdict(Ok(seen(shown)), |_| None);
            verdict.outcome
        };
        let runs = "solution-01.service  dead -> running\n";
        let written = question.snapshot.write(runs);
        written.expect("it can be written");
        assert_eq!(outcome(runs), Outcome::Passed);
        assert_eq!(outcome(&runs.replace("running", "failed")), Outcome::NotYet);
        let file =
            std::fs::read_to_string(folder.path().join("runs.snap")).expect("it was written");
        insta::assert_snapshot!(file, @r"
        ---
        source: crates/exercise-check/src/snapshot.rs
        ---
        exercise-01.service  dead -> running
        ");
    }

    /// The exercise is not to blame for it, and nothing can be said of the service.
    #[test]
    fn without_a_snapshot_the_lab_is_broken() {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let question = question(folder.path());
        let verdict = || question.verdict(Ok(seen("anything")), |_| None);
        let shown = |verdict: Verdict| {
            let path = folder.path().display().to_string();
            verdict.report().replace(&path, "FOLDER")
        };
        assert_eq!(verdict().outcome, Outcome::LabBroken);
        insta::assert_snapshot!(shown(verdict()), @r"
        LAB BROKEN (this is not your service's fault): requirement 1 of 1: it runs

        cannot read FOLDER/runs.snap, which says what systemd should show: No such file or directory (os error 2); get it back with: git checkout -- FOLDER/runs.snap
        ");
        std::fs::write(folder.path().join("runs.snap"), "anything").expect("it can be written");
        assert_eq!(verdict().outcome, Outcome::LabBroken);
        insta::assert_snapshot!(shown(verdict()), @r"
        LAB BROKEN (this is not your service's fault): requirement 1 of 1: it runs

        cannot read FOLDER/runs.snap, which says what systemd should show: its header is gone; get it back with: git checkout -- FOLDER/runs.snap
        ");
    }
}
