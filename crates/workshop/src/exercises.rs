//! Which exercises there are: the folders `exercises/NN-topic`.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;

/// The workshop's clone.
pub(crate) struct Workshop {
    pub(crate) root: PathBuf,
    /// In the order of their numbers.
    pub(crate) exercises: Vec<Exercise>,
}

/// One exercise.
pub(crate) struct Exercise {
    /// e.g. `04`
    pub(crate) number: String,
    /// e.g. `notify`
    pub(crate) topic: String,
}

impl Workshop {
    /// The clone that this program was started from by cargo, else the one that it was built from.
    pub(crate) fn find() -> anyhow::Result<Workshop> {
        let package = std::env::var("CARGO_MANIFEST_DIR")
            .unwrap_or_else(|_| env!("CARGO_MANIFEST_DIR").to_owned());
        let root = Path::new(&package)
            .ancestors()
            .nth(2)
            .unwrap_or(Path::new("."))
            .to_owned();
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
        Ok(Workshop { root, exercises })
    }

    /// The exercise with this number, with or without its leading zero.
    pub(crate) fn exercise(&self, number: &str) -> Option<&Exercise> {
        let wanted = number.trim_start_matches('0');
        self.exercises
            .iter()
            .find(|exercise| exercise.number.trim_start_matches('0') == wanted)
    }

    /// The exercise with this number; says so if there is none.
    pub(crate) fn exercise_or_complain(&self, number: &str) -> Option<&Exercise> {
        let exercise = self.exercise(number);
        if exercise.is_none() {
            let numbers = self.numbers();
            eprintln!("there is no exercise {number}; there are: {numbers}");
        }
        exercise
    }

    /// All numbers, for a person: `03, 04`.
    pub(crate) fn numbers(&self) -> String {
        let numbers: Vec<&str> = self
            .exercises
            .iter()
            .map(|exercise| exercise.number.as_str())
            .collect();
        numbers.join(", ")
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

    /// e.g. `04-notify`: how its folders are called.
    pub(crate) fn folder(&self) -> String {
        format!("{}-{}", self.number, self.topic)
    }

    /// `exercises/04-notify`, relative to the workshop.
    pub(crate) fn exercise_folder(&self) -> String {
        format!("exercises/{}", self.folder())
    }

    /// `solutions/04-notify`, relative to the workshop.
    pub(crate) fn solution_folder(&self) -> String {
        format!("solutions/{}", self.folder())
    }

    /// The name of the solution's package.
    pub(crate) fn solution(&self) -> String {
        format!("solution-{}", self.number)
    }

    /// The package's name.
    pub(crate) fn package(&self) -> String {
        format!("exercise-{}", self.number)
    }
}
