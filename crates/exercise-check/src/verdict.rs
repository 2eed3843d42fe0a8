//! How a check ended, and what a person is told about it.

use std::fmt;

use serde::{Deserialize, Serialize};
use systemd_lab::LabErrorKind;

use crate::error::CheckError;

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
    pub fn of(error: &CheckError) -> Outcome {
        match error {
            CheckError::NoBinary { .. } => Outcome::DidNotBuild,
            CheckError::NoSnapshot { .. } | CheckError::Host { .. } => Outcome::LabBroken,
            CheckError::Lab(error) => match error.kind() {
                LabErrorKind::OutOfTime => Outcome::OutOfTime,
                LabErrorKind::Program | LabErrorKind::File => Outcome::DidNotBuild,
                _ => Outcome::LabBroken,
            },
        }
    }
}

/// In words, e.g. `not yet`.
impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Outcome::Passed => "passed",
            Outcome::NotYet => "not yet",
            Outcome::DidNotBuild => "did not build",
            Outcome::OutOfTime => "out of time",
            Outcome::LabBroken => "lab broken",
        })
    }
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
pub(crate) fn wrapped(text: &str) -> String {
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
