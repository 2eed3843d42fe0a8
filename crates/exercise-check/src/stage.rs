//! What a stage is on the disk: the names of its folders, packages and units, and the files that say more about it.
//!
//! This is the only place that knows. The check, `cargo workshop` and `cargo maintain` ask a [`Stage`].

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::Deserialize;
use serde::de::DeserializeOwned;

/// The folder of all unit files, in the workshop.
pub const UNITS: &str = "units";

const SETTINGS: &str = "exercise.toml";
const HINTS: &str = "hints.toml";

/// Directly below an exercise's folder, and not the attendee's to edit.
const NOT_THEIRS: [&str; 5] = ["tests", SETTINGS, HINTS, "target", "Cargo.lock"];

/// Lies in a solution's folder and is not part of the solution: what makes the exercise's starter of it.
pub const STARTER_PATCH: &str = "starter.patch";

/// One stage: an exercise, its solution, variants of it, and known mistakes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stage {
    /// e.g. `04`
    pub number: String,
    /// e.g. `notify`
    pub topic: String,
}

/// `exercise.toml`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// How long the exercise takes.
    pub minutes: u32,
    /// What is to do, in two lines.
    pub task: String,
    /// What the check finds first in the starter: `requirement 1: ...`.
    pub starter: String,
    /// The oldest systemd that has what the exercise is about, if it matters.
    pub systemd: Option<u32>,
    /// The page of the guide to read once it has passed.
    pub read: Option<String>,
    /// The test that `verify --soak` runs.
    pub soak: Option<String>,
    /// The files of `src` that differ from those of the solution before, each with the reason.
    #[serde(default)]
    pub since: BTreeMap<String, String>,
}

/// `hints.toml`: a ladder for each requirement, in which each hint says more than the one before.
#[derive(Debug, Clone, Deserialize)]
#[serde(transparent)]
pub struct Hints(BTreeMap<String, Vec<String>>);

impl Hints {
    /// The ladder of a requirement.
    pub fn of(&self, requirement: u32) -> Option<&Vec<String>> {
        let ladder = self.0.get(&requirement.to_string())?;
        (!ladder.is_empty()).then_some(ladder)
    }

    /// The numbers of the requirements that have one, for a person: `1, 2, 3`.
    pub fn requirements(&self) -> String {
        let mut numbers: Vec<&str> = self.0.keys().map(String::as_str).collect();
        numbers.sort_by_key(|number| number.parse::<u32>().unwrap_or(u32::MAX));
        numbers.join(", ")
    }

    /// All ladders, by what stands for their requirements.
    pub fn ladders(&self) -> impl Iterator<Item = (&str, &[String])> {
        let ladders = self.0.iter();
        ladders.map(|(requirement, ladder)| (requirement.as_str(), ladder.as_slice()))
    }
}

/// A file of a stage that cannot be read. Each text says what it must contain.
#[derive(Debug, thiserror::Error)]
pub enum StageError {
    /// `exercise.toml`.
    #[error(
        "{file} cannot be read; it has `minutes`, `task` and `starter` (if you edited it: git checkout {file})"
    )]
    Settings {
        /// Relative to the workshop.
        file: String,
        /// Why.
        source: Unreadable,
    },
    /// `hints.toml`.
    #[error(
        "{file} cannot be read; it has a list of hints for each requirement (if you edited it: git checkout {file})"
    )]
    Hints {
        /// Relative to the workshop.
        file: String,
        /// Why.
        source: Unreadable,
    },
}

/// Why a file cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// It is not there, or not text.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// It is not what it should be.
    #[error(transparent)]
    Toml(#[from] toml::de::Error),
}

fn read<T: DeserializeOwned>(root: &Path, file: &str) -> Result<T, Unreadable> {
    let text = fs::read_to_string(root.join(file))?;
    Ok(toml::from_str(&text)?)
}

/// Whether a unit's file, or its folder of drop-ins, is one of a package: `exercise-04.service`,
/// `exercise-04-client.service`, `exercise-04-alert@.service`.
pub fn is_unit_of(name: &str, package: &str) -> bool {
    name.strip_prefix(package)
        .is_some_and(|rest| rest.starts_with(['.', '-', '@']))
}

/// Whether what has this name, directly below an exercise's folder, is the attendee's to edit.
pub fn is_work(name: &str) -> bool {
    !NOT_THEIRS.contains(&name)
}

impl Stage {
    /// The stage whose folders are called so: `04-notify`.
    pub fn of_folder(name: &str) -> Option<Stage> {
        let (number, topic) = name.split_once('-')?;
        let is_number = !number.is_empty() && number.chars().all(|c| c.is_ascii_digit());
        is_number.then(|| Stage {
            number: number.to_owned(),
            topic: topic.to_owned(),
        })
    }

    /// `exercises/04-notify`, relative to the workshop.
    pub fn exercise_folder(&self) -> String {
        format!("exercises/{}", self.folder())
    }

    /// `solutions/04-notify`, relative to the workshop.
    pub fn solution_folder(&self) -> String {
        format!("solutions/{}", self.folder())
    }

    /// `solutions/04-notify-variants`, relative to the workshop.
    pub fn variants_folder(&self) -> String {
        format!("solutions/{}-variants", self.folder())
    }

    /// `mistakes/04-notify`, relative to the workshop.
    pub fn mistakes_folder(&self) -> String {
        format!("mistakes/{}", self.folder())
    }

    /// The name of the solution's package.
    pub fn solution(&self) -> String {
        format!("solution-{}", self.number)
    }

    /// The name of the package of its variants.
    pub fn variants(&self) -> String {
        format!("variants-{}", self.number)
    }

    /// The name of the exercise's package.
    pub fn package(&self) -> String {
        format!("exercise-{}", self.number)
    }

    /// How its folders are called: `04-notify`.
    pub fn folder(&self) -> String {
        format!("{}-{}", self.number, self.topic)
    }

    /// Where it is edited, for a person.
    pub fn places(&self) -> String {
        format!(
            "exercises/{} or units/exercise-{}*.service",
            self.folder(),
            self.number
        )
    }

    /// `exercise.toml`, relative to the workshop.
    pub fn settings_file(&self) -> String {
        format!("{}/{SETTINGS}", self.exercise_folder())
    }

    /// `hints.toml`, relative to the workshop.
    pub fn hints_file(&self) -> String {
        format!("{}/{HINTS}", self.exercise_folder())
    }

    /// Reads its `exercise.toml`.
    ///
    /// # Errors
    ///
    /// When it is missing, or something in it is.
    pub fn settings(&self, root: &Path) -> Result<Settings, StageError> {
        let file = self.settings_file();
        read(root, &file).map_err(|source| StageError::Settings { file, source })
    }

    /// Reads its `hints.toml`.
    ///
    /// # Errors
    ///
    /// When it is missing or damaged.
    pub fn hints(&self, root: &Path) -> Result<Hints, StageError> {
        let file = self.hints_file();
        read(root, &file).map_err(|source| StageError::Hints { file, source })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_of_a_package_that_begins_alike_belong_to_that_one() {
        for name in [
            "exercise-01.service",
            "exercise-01-client.service",
            "exercise-01@.service.d",
        ] {
            assert!(is_unit_of(name, "exercise-01"), "{name}");
        }
        assert!(!is_unit_of("exercise-011.service", "exercise-01"));
        assert!(!is_unit_of("exercise-02.service", "exercise-01"));
    }

    #[test]
    fn a_file_that_cannot_be_read_says_what_it_must_have() {
        let root = tempfile::tempdir().expect("a temporary directory");
        let stage = Stage::of_folder("04-notify").expect("it is a stage's name");
        let folder = root.path().join(stage.exercise_folder());
        fs::create_dir_all(&folder).expect("it can be made");
        fs::write(folder.join(HINTS), "1 = \"a hint\"\n").expect("it can be written");
        let error = stage.hints(root.path()).expect_err("it is not a list");
        assert_eq!(
            error.to_string(),
            "exercises/04-notify/hints.toml cannot be read; it has a list of hints for each requirement (if you edited it: git checkout \
             exercises/04-notify/hints.toml)"
        );
        let error = stage.settings(root.path()).expect_err("there is none");
        assert!(
            error
                .to_string()
                .starts_with("exercises/04-notify/exercise.toml cannot be read; it has `minutes`"),
            "{error}"
        );
        assert_eq!(Stage::of_folder("notes"), None);
    }
}
