//! The workshop's exercises: the folders `exercises/NN-topic`.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use exercise_check::stage::Stage;
use systemd_lab_cli::WrongUsage;

/// The workshop's clone.
pub struct Workshop {
    /// Its top folder.
    pub root: PathBuf,
    /// In the order of their numbers.
    pub exercises: Vec<Stage>,
}

impl Workshop {
    /// The clone in which cargo started this program; otherwise, the one from which it was built.
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
        let mut exercises: Vec<Stage> = entries
            .flatten()
            .filter_map(|entry| Stage::of_folder(&entry.file_name().to_string_lossy()))
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
    pub fn exercise(&self, asked: &str) -> Result<&Stage, WrongUsage> {
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

    /// The folder for the workshop's own files, which nobody would miss.
    pub fn private(&self) -> PathBuf {
        self.root.join(".workshop")
    }

    /// What the last check of an exercise reported, if it was checked: see [`exercise_check::report`].
    pub fn report(&self, exercise: &Stage) -> PathBuf {
        self.private().join(format!("{}.report", exercise.number))
    }

    /// All numbers and names, for a person: `03 restart-sec, 04 notify`.
    fn names(&self) -> String {
        let names = self.exercises.iter();
        let names = names.map(|exercise| format!("{} {}", exercise.number, exercise.topic));
        names.collect::<Vec<String>>().join(", ")
    }
}
