//! Compares what happened with what should have happened, and tells a person about it.
//!
//! What should have happened is an insta snapshot, so that a maintainer works on it with insta's own tools. A person
//! who is being checked never hears of those: a failure shows both timelines as a diff, the diagnosis, and what to
//! type next.

pub mod report;
mod seen;

use std::cell::Cell;
use std::fs;
use std::panic::{self, AssertUnwindSafe};
use std::path::PathBuf;
use std::sync::Once;

use crate::error::LabError;
use report::Record;
use serde::{Deserialize, Serialize};

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
            | LabError::Unreadable { .. } => Outcome::DidNotBuild,
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
    /// What a person reads: empty when it passed. Lines of the difference begin with `  - ` and `  + `.
    pub report: String,
}

impl Requirement {
    /// Compares, without insta and without panicking.
    pub fn compare(&self, observed: Result<&Observed, &LabError>) -> Verdict {
        let passed = observed.is_ok_and(|observed| self.is_as_expected(observed));
        self.verdict(observed, passed)
    }

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
        // A snapshot that holds is not written again, whatever insta was asked to do: the times in it stay as they were.
        let passed = observed.as_ref().is_ok_and(|observed| {
            self.is_as_expected(observed) || self.matches_snapshot(&self.canonical(observed))
        });
        let observed = observed.map(|observed| Observed {
            diagnosis: match passed {
                true => None,
                false => explain(&observed),
            },
            ..observed
        });
        let verdict = self.verdict(observed.as_ref().map_err(|error| *error), passed);
        report::append(&Record::Verdict(verdict.clone()));
        if !passed {
            println!("\n{}{}", verdict.report, self.what_next(verdict.outcome));
            panic::resume_unwind(Box::new("requirement not met"));
        }
    }

    fn verdict(&self, observed: Result<&Observed, &LabError>, passed: bool) -> Verdict {
        let (outcome, diagnosis) = match observed {
            Ok(_) if passed => (Outcome::Passed, None),
            Ok(observed) => (Outcome::NotYet, observed.diagnosis.clone()),
            Err(error) => (Outcome::of(error), None),
        };
        let report = match observed {
            Ok(_) if passed => String::new(),
            Ok(observed) => self.not_yet(observed),
            Err(error) => self.no_result(outcome, error),
        };
        Verdict {
            number: self.number,
            of: self.of,
            title: self.title.clone(),
            outcome,
            diagnosis,
            scenario: observed.ok().and_then(|observed| observed.scenario.clone()),
            report,
        }
    }

    /// For who runs the test by itself; whoever collects reports knows better.
    fn what_next(&self, outcome: Outcome) -> String {
        match outcome {
            Outcome::NotYet => format!("\n{}", self.next),
            _ => String::new(),
        }
    }

    fn not_yet(&self, observed: &Observed) -> String {
        let expected = self.expected().unwrap_or_default();
        let actual = self.canonical(observed);
        let diff = self.own_names(&seen::diff(&expected, &actual));
        let diagnosis = match &observed.diagnosis {
            Some(sentence) => format!("{}.", wrapped(sentence)),
            None => "No rule of the lab recognises this one: the difference below is all there is to go by.".to_owned(),
        };
        format!(
            "NOT YET: requirement {} of {}: {}\n\n{diagnosis}\n\nExpected (-) and what {} saw (+):\n\n{diff}",
            self.number, self.of, self.title, observed.witness
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

    fn is_as_expected(&self, observed: &Observed) -> bool {
        self.expected()
            .is_some_and(|expected| seen::is_as_expected(&expected, &self.canonical(observed)))
    }

    fn matches_snapshot(&self, text: &str) -> bool {
        let (directory, name) = &self.snapshot;
        let mut settings = insta::Settings::clone_current();
        settings.set_snapshot_path(directory);
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        quietly(|| settings.bind(|| insta::assert_snapshot!(name.as_str(), text)))
    }

    /// The snapshot's content, without insta's header.
    fn expected(&self) -> Option<String> {
        let (directory, name) = &self.snapshot;
        let file = fs::read_to_string(directory.join(format!("{name}.snap"))).ok()?;
        let (_, content) = file.strip_prefix("---\n")?.split_once("\n---\n")?;
        Some(content.trim_matches('\n').to_owned())
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
    let text = lines.join("\n");
    let mut letters = text.chars();
    // A sentence begins with a capital, a setting or a unit's name stays as it is spelt.
    match text.split([' ', '=', '.']).next() {
        Some(first)
            if first.chars().all(|c| c.is_ascii_lowercase()) && !text.starts_with("systemd") =>
        {
            letters.next().map_or(String::new(), |first| {
                first.to_uppercase().collect::<String>() + letters.as_str()
            })
        }
        _ => text,
    }
}

thread_local! {
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

/// Whether `run` did not panic. A panic's message is not printed.
fn quietly(run: impl FnOnce()) -> bool {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !QUIET.get() {
                usual(info);
            }
        }));
    });
    QUIET.set(true);
    let result = panic::catch_unwind(AssertUnwindSafe(run));
    QUIET.set(false);
    result.is_ok()
}
