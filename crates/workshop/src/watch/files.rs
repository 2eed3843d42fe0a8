//! Detects whether any of an exercise's files was saved.
//!
//! It looks at about twenty files ten times a second instead of asking the kernel for events: that works the same on
//! every file system, including shared folders and network mounts, and costs nothing measurable.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use exercise_check::stage::{Stage, UNITS, is_unit_of, is_work};
use stages::exercises::Workshop;

/// All files of an exercise, with the metadata that changes when they are saved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Files(Vec<(PathBuf, u64, Option<SystemTime>)>);

impl Files {
    /// Their current state. An unreadable file counts as missing: it may be in the middle of being saved.
    pub(super) fn of(workshop: &Workshop, exercise: &Stage) -> Files {
        let mut files = Files(Vec::new());
        files.add(&workshop.root.join(exercise.exercise_folder()), &is_work);
        let package = exercise.package();
        files.add(&workshop.root.join(UNITS), &|name| {
            is_unit_of(name, &package)
        });
        files.0.sort();
        files
    }

    fn add(&mut self, folder: &Path, is_wanted: &dyn Fn(&str) -> bool) {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            // Editors keep their own files next to those that they edit.
            if !is_wanted(&name) || name.starts_with('.') || name.ends_with('~') {
                continue;
            }
            let Ok(meta) = fs::metadata(entry.path()) else {
                continue;
            };
            match meta.is_dir() {
                true => self.add(&entry.path(), &|_| true),
                false => self
                    .0
                    .push((entry.path(), meta.len(), meta.modified().ok())),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workshop(root: &Path) -> Workshop {
        for folder in ["exercises/01-a/src", "exercises/01-a/tests", "units"] {
            fs::create_dir_all(root.join(folder)).expect("a folder");
        }
        fs::write(root.join("exercises/01-a/src/main.rs"), "one").expect("a file");
        fs::write(root.join("units/exercise-01.service"), "one").expect("a file");
        Workshop::in_folder(root).expect("it has exercises")
    }

    #[test]
    fn a_save_is_seen_and_what_is_not_the_attendees_is_not() {
        let root = tempfile::tempdir().expect("a temporary directory");
        let workshop = workshop(root.path());
        let exercise = &workshop.exercises[0];
        let saved = |name: &str| {
            let before = Files::of(&workshop, exercise);
            fs::write(root.path().join(name), "longer").expect("a file");
            before != Files::of(&workshop, exercise)
        };
        assert!(saved("exercises/01-a/src/main.rs"));
        assert!(saved("exercises/01-a/src/new.rs"));
        assert!(saved("exercises/01-a/prediction.md"));
        assert!(saved("units/exercise-01.service"));
        assert!(saved("units/exercise-01-new.service"));
        assert!(!saved("units/exercise-02.service"));
        assert!(!saved("units/exercise-011.service"));
        assert!(!saved("exercises/01-a/hints.toml"));
        assert!(!saved("exercises/01-a/tests/check.rs"));
        assert!(!saved("exercises/01-a/src/.main.rs.swp"));
    }
}
