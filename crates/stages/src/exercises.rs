//! Which exercises there are: the folders `exercises/NN-topic`, each with its `exercise.toml`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::Deserialize;

use systemd_lab_cli::WrongUsage;

/// The workshop's clone.
pub struct Workshop {
    /// Its top folder.
    pub root: PathBuf,
    /// In the order of their numbers.
    pub exercises: Vec<Exercise>,
}

/// One exercise.
pub struct Exercise {
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

impl Workshop {
    /// The clone that this program was started from by cargo, else the one that it was built from.
    pub fn find() -> anyhow::Result<Workshop> {
        let package = std::env::var("CARGO_MANIFEST_DIR")
            .unwrap_or_else(|_| env!("CARGO_MANIFEST_DIR").to_owned());
        let root = Path::new(&package)
            .ancestors()
            .nth(2)
            .unwrap_or(Path::new("."));
        Workshop::in_folder(root)
    }

    /// The clone in this folder.
    pub fn in_folder(root: &Path) -> anyhow::Result<Workshop> {
        let folder = root.join("exercises");
        let entries = fs::read_dir(&folder).with_context(|| {
            format!(
                "cannot read {}; run `cargo workshop` inside the workshop's clone",
                folder.display()
            )
        })?;
        let mut exercises: Vec<Exercise> = entries
            .flatten()
            .filter_map(|entry| Exercise::of_folder(&entry.file_name().to_string_lossy()))
            .collect();
        exercises.sort_by(|a, b| a.number.cmp(&b.number));
        Ok(Workshop {
            root: root.to_owned(),
            exercises,
        })
    }

    /// The exercise with this number, with or without its leading zero, or with this name: `4`, `04`, `notify`, `04-notify`.
    ///
    /// # Errors
    ///
    /// [`WrongUsage`] when there is none.
    pub fn exercise(&self, asked: &str) -> Result<&Exercise, WrongUsage> {
        let wanted = asked.trim_start_matches('0');
        let found = self.exercises.iter().find(|exercise| {
            exercise.number.trim_start_matches('0') == wanted
                || exercise.topic == asked
                || exercise.folder() == asked
        });
        found.ok_or_else(|| {
            WrongUsage(format!(
                "there is no exercise {asked:?}; there are: {}",
                self.names()
            ))
        })
    }

    /// What the workshop keeps for itself: nothing that anybody would miss.
    pub fn private(&self) -> PathBuf {
        self.root.join(".workshop")
    }

    /// What the last check of an exercise reported, if it was checked: see [`exercise_check::report`].
    pub fn report(&self, exercise: &Exercise) -> PathBuf {
        self.private().join(format!("{}.report", exercise.number))
    }

    /// All numbers and names, for a person: `03 restart-sec, 04 notify`.
    fn names(&self) -> String {
        let names = self.exercises.iter();
        let names = names.map(|exercise| format!("{} {}", exercise.number, exercise.topic));
        names.collect::<Vec<String>>().join(", ")
    }
}

impl Exercise {
    fn of_folder(name: &str) -> Option<Exercise> {
        let (number, topic) = name.split_once('-')?;
        let is_number = !number.is_empty() && number.chars().all(|c| c.is_ascii_digit());
        is_number.then(|| Exercise {
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

    /// The name of the solution's package.
    pub fn solution(&self) -> String {
        format!("solution-{}", self.number)
    }

    /// The package's name.
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

    /// Reads its `exercise.toml`.
    ///
    /// # Errors
    ///
    /// When it is missing, or something in it is.
    pub fn settings(&self, root: &Path) -> anyhow::Result<Settings> {
        let name = format!("exercises/{}/exercise.toml", self.folder());
        let remedy = || {
            format!(
                "{name} cannot be read; it has `minutes`, `task` and `starter` (if you edited it: git checkout {name})"
            )
        };
        let text = fs::read_to_string(root.join(&name)).with_context(remedy)?;
        toml::from_str(&text).with_context(remedy)
    }

    /// Reads its `hints.toml`.
    ///
    /// # Errors
    ///
    /// When it is missing, or is something else.
    pub fn hints(&self, root: &Path) -> anyhow::Result<Hints> {
        let name = format!("exercises/{}/hints.toml", self.folder());
        let remedy = || {
            format!(
                "{name} cannot be read; it has a list of hints for each requirement (if you edited it: git checkout {name})"
            )
        };
        let text = fs::read_to_string(root.join(&name)).with_context(remedy)?;
        toml::from_str(&text).with_context(remedy)
    }
}
