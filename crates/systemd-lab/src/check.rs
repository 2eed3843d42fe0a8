//! Compares what happened with what should have happened, and tells a person about it.
//!
//! What should have happened is a snapshot in insta's format. It is compared here, not by insta: insta obeys variables of
//! the environment (`INSTA_FORCE_PASS`, `INSTA_UPDATE`), and a verdict must not depend on those. A failure shows both timelines as
//! a diff, the diagnosis, and what to type next.

pub mod report;
mod seen;

use std::panic;
use std::path::PathBuf;
use std::{fs, io};

use crate::error::LabError;
use report::Record;
use serde::{Deserialize, Serialize};
use systemd_timeline::{visible, visible_lines};

/// What stands above a snapshot's content: insta's header.
const HEADER: &str = "---\nsource: crates/systemd-lab/src/check.rs\n---\n";

/// What is said where no rule explains the difference.
pub const UNEXPLAINED: &str =
    "No rule of the lab recognises this one: the difference above is all there is to go by.";

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The service behaved as it should.
    Passed,
    /// The service behaved otherwise.
    NotYet,
    /// There is no binary that could run in the guest.
    DidNotBuild,
    /// The run took too much wall time.
    OutOfTime,
    /// The lab failed; nothing is known of the service.
    LabBroken,
}

impl Outcome {
    /// The outcome that an error of the lab stands for.
    pub fn of(error: &LabError) -> Outcome {
        match error {
            LabError::OutOfTime { .. } => Outcome::OutOfTime,
            LabError::NoBinary { .. }
            | LabError::NotStatic { .. }
            | LabError::NotExecutable { .. }
            | LabError::Unreadable { .. }
            | LabError::NotRegular { .. }
            | LabError::Job(_) => Outcome::DidNotBuild,
            _ => Outcome::LabBroken,
        }
    }
}

/// One thing that a service must do.
#[derive(Debug, Clone)]
pub struct Requirement {
    /// Its place among the requirements of the same service, from 1.
    pub number: u32,
    /// How many there are.
    pub of: u32,
    /// In a few words, e.g. `READY=1 means that it answers`.
    pub title: String,
    /// Where the snapshot lies, without its `.snap`: a directory and a name.
    pub snapshot: (PathBuf, String),
    /// Names in the snapshot, and what they are called for this service.
    pub names: Vec<(String, String)>,
    /// What to do next when it is not met yet.
    pub next: String,
}

/// What a check saw.
#[derive(Debug, Clone)]
pub struct Observed {
    /// The view that is compared with the snapshot.
    pub shown: String,
    /// Why it may differ.
    pub diagnosis: Option<String>,
    /// Who saw it, e.g. `systemd`.
    pub witness: &'static str,
    /// The name of the scenario whose run was looked at, if it was one in the lab.
    pub scenario: Option<String>,
}

/// The result of a check.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Verdict {
    /// The requirement's number.
    pub number: u32,
    /// How many there are.
    pub of: u32,
    /// The requirement's title.
    pub title: String,
    /// How it ended.
    pub outcome: Outcome,
    /// Why, where a rule recognised it.
    pub diagnosis: Option<String>,
    /// The name of the scenario whose run was looked at, if it was one in the lab.
    pub scenario: Option<String>,
    /// What was expected and what was seen, under a line that says so: lines that begin with `  - ` and `  + `. Empty when it passed,
    /// and when nothing was seen.
    pub difference: String,
    /// What a person reads last: the outcome, and why. Empty when it passed.
    pub conclusion: String,
}

impl Verdict {
    /// All that a person reads, the conclusion last: on a terminal, what is above it may be out of sight.
    pub fn report(&self) -> String {
        match self.difference.is_empty() {
            true => self.conclusion.clone(),
            false => format!("{}\n{}", self.difference, self.conclusion),
        }
    }
}

impl Requirement {
    /// Compares with the snapshot and fails the test that calls it when the requirement is not met. Only then, `explain` says why:
    /// it may take its time.
    ///
    /// # Panics
    ///
    /// Unwinds, without a message of its own, after printing the report.
    pub fn judge(
        &self,
        observed: Result<Observed, &LabError>,
        explain: impl FnOnce(&Observed) -> Option<String>,
    ) {
        let verdict = self.verdict_of(observed, explain);
        report::append(&Record::Verdict(verdict.clone()));
        if verdict.outcome != Outcome::Passed {
            println!("\n{}{}", verdict.report(), self.what_next(verdict.outcome));
            panic::resume_unwind(Box::new("requirement not met"));
        }
    }

    fn verdict_of(
        &self,
        observed: Result<Observed, &LabError>,
        explain: impl FnOnce(&Observed) -> Option<String>,
    ) -> Verdict {
        // Without a snapshot there is nothing to compare with, and that is not the service's doing.
        let unreadable = match (&observed, self.expected()) {
            (Ok(_), Err(error)) => Some(error),
            _ => None,
        };
        let observed = match &unreadable {
            Some(error) => Err(error),
            None => observed,
        };
        let passed = observed
            .as_ref()
            .is_ok_and(|observed| self.is_as_expected(observed));
        let observed = observed.map(|observed| Observed {
            diagnosis: match passed {
                true => None,
                false => explain(&observed),
            },
            ..observed
        });
        self.verdict(observed.as_ref().map_err(|error| *error), passed)
    }

    fn verdict(&self, observed: Result<&Observed, &LabError>, passed: bool) -> Verdict {
        let (outcome, diagnosis) = match observed {
            Ok(_) if passed => (Outcome::Passed, None),
            Ok(observed) => (Outcome::NotYet, observed.diagnosis.as_deref().map(visible)),
            Err(error) => (Outcome::of(error), None),
        };
        let (difference, conclusion) = match observed {
            Ok(_) if passed => (String::new(), String::new()),
            Ok(observed) => (self.difference(observed), self.not_yet(observed)),
            Err(error) => (String::new(), self.no_result(outcome, error)),
        };
        Verdict {
            number: self.number,
            of: self.of,
            title: self.title.clone(),
            outcome,
            diagnosis,
            scenario: observed.ok().and_then(|observed| observed.scenario.clone()),
            // Rules quote the service, and so does what was seen.
            difference: visible_lines(&difference),
            conclusion: visible_lines(&conclusion),
        }
    }

    /// For a person who runs the test alone; what collects reports knows better.
    fn what_next(&self, outcome: Outcome) -> String {
        match outcome {
            Outcome::NotYet => format!("\n{}", self.next),
            _ => String::new(),
        }
    }

    fn difference(&self, observed: &Observed) -> String {
        // It was read before.
        let expected = self.expected().unwrap_or_default();
        let actual = self.canonical(observed);
        let diff = self.own_names(&seen::diff(&expected, &actual));
        format!(
            "Expected (-) and what {} saw (+):\n\n{diff}",
            observed.witness
        )
    }

    fn not_yet(&self, observed: &Observed) -> String {
        let diagnosis = match &observed.diagnosis {
            Some(sentence) => wrapped(&sentence_of(sentence)),
            None => wrapped(UNEXPLAINED),
        };
        format!(
            "NOT YET: requirement {} of {}: {}\n\n{diagnosis}\n",
            self.number, self.of, self.title
        )
    }

    fn no_result(&self, outcome: Outcome, error: &LabError) -> String {
        let headline = match outcome {
            Outcome::OutOfTime => "OUT OF TIME",
            Outcome::DidNotBuild => "DID NOT BUILD",
            _ => "LAB BROKEN (this is not your service's fault)",
        };
        format!(
            "{headline}: requirement {} of {}: {}\n\n{error}\n",
            self.number, self.of, self.title
        )
    }

    /// Writes what was seen as the snapshot, unless the snapshot holds: then the times in it stay as they were.
    ///
    /// # Errors
    ///
    /// When the file cannot be written.
    pub fn write(&self, observed: &Observed) -> io::Result<()> {
        if self.is_as_expected(observed) {
            return Ok(());
        }
        let content = self.canonical(observed);
        let file = self.snapshot_file();
        fs::create_dir_all(&self.snapshot.0)?;
        fs::write(file, format!("{HEADER}{}\n", content.trim_matches('\n')))
    }

    fn is_as_expected(&self, observed: &Observed) -> bool {
        self.expected()
            .is_ok_and(|expected| seen::is_as_expected(&expected, &self.canonical(observed)))
    }

    fn snapshot_file(&self) -> PathBuf {
        let (directory, name) = &self.snapshot;
        directory.join(format!("{name}.snap"))
    }

    /// The snapshot's content, without insta's header.
    fn expected(&self) -> Result<String, LabError> {
        let path = self.snapshot_file();
        let unreadable = |why: String| LabError::NoSnapshot {
            path: path.clone(),
            why,
        };
        let file = fs::read_to_string(&path).map_err(|error| unreadable(error.to_string()))?;
        let content = file
            .strip_prefix("---\n")
            .and_then(|rest| rest.split_once("\n---\n"));
        let (_, content) = content.ok_or_else(|| unreadable("its header is gone".to_owned()))?;
        Ok(content.trim_matches('\n').to_owned())
    }

    fn canonical(&self, observed: &Observed) -> String {
        self.names
            .iter()
            .fold(observed.shown.clone(), |text, (canonical, own)| {
                text.replace(own, canonical)
            })
    }

    fn own_names(&self, text: &str) -> String {
        self.names
            .iter()
            .fold(text.to_owned(), |text, (canonical, own)| {
                text.replace(canonical, own)
            })
    }
}

/// A diagnosis as a sentence: with a capital, unless it begins with a setting or a unit's name, and a full stop.
pub fn sentence_of(diagnosis: &str) -> String {
    let mut letters = diagnosis.chars();
    let is_word = |first: &str| first.chars().all(|c| c.is_ascii_lowercase());
    let first_word = diagnosis.split([' ', '=', '.']).next();
    let text = match first_word {
        Some(first) if is_word(first) && !diagnosis.starts_with("systemd") => {
            letters.next().map_or(String::new(), |first| {
                first.to_uppercase().collect::<String>() + letters.as_str()
            })
        }
        _ => diagnosis.to_owned(),
    };
    text + "."
}

/// Breaks a sentence into lines that fit a terminal.
fn wrapped(text: &str) -> String {
    const WIDTH: usize = 96;
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let line = lines
            .last_mut()
            .filter(|line| line.is_empty() || line.chars().count() + word.chars().count() < WIDTH);
        match line {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) => {
                line.push(' ');
                line.push_str(word);
            }
            None => lines.push(word.to_owned()),
        }
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn requirement(folder: &std::path::Path) -> Requirement {
        Requirement {
            number: 1,
            of: 1,
            title: "it runs".to_owned(),
            snapshot: (folder.to_owned(), "runs".to_owned()),
            names: vec![("exercise-01".to_owned(), "solution-01".to_owned())],
            next: String::new(),
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
        let requirement = requirement(folder.path());
        let outcome = |shown: &str| {
            let verdict = requirement.verdict_of(Ok(seen(shown)), |_| None);
            verdict.outcome
        };
        let runs = "solution-01.service  dead -> running\n";
        requirement.write(&seen(runs)).expect("it can be written");
        assert_eq!(outcome(runs), Outcome::Passed);
        assert_eq!(outcome(&runs.replace("running", "failed")), Outcome::NotYet);
        let file = fs::read_to_string(folder.path().join("runs.snap")).expect("it was written");
        insta::assert_snapshot!(file, @r"
        ---
        source: crates/systemd-lab/src/check.rs
        ---
        exercise-01.service  dead -> running
        ");
    }

    /// The exercise is not to blame for it, and nothing can be said of the service.
    #[test]
    fn without_a_snapshot_the_lab_is_broken() {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let requirement = requirement(folder.path());
        let verdict = || requirement.verdict_of(Ok(seen("anything")), |_| None);
        let shown = |verdict: Verdict| {
            let path = folder.path().display().to_string();
            verdict.report().replace(&path, "FOLDER")
        };
        assert_eq!(verdict().outcome, Outcome::LabBroken);
        insta::assert_snapshot!(shown(verdict()), @r"
        LAB BROKEN (this is not your service's fault): requirement 1 of 1: it runs

        cannot read FOLDER/runs.snap, which says what systemd should show: No such file or directory (os error 2); get it back with: git checkout -- FOLDER/runs.snap
        ");
        fs::write(folder.path().join("runs.snap"), "anything").expect("it can be written");
        assert_eq!(verdict().outcome, Outcome::LabBroken);
        insta::assert_snapshot!(shown(verdict()), @r"
        LAB BROKEN (this is not your service's fault): requirement 1 of 1: it runs

        cannot read FOLDER/runs.snap, which says what systemd should show: its header is gone; get it back with: git checkout -- FOLDER/runs.snap
        ");
    }
}
