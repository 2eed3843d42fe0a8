//! The attendee's progress: `progress.toml` in the clone, plain text that people may edit.
//!
//! It is written completely to a separate file that is then renamed, after it was read again under a lock: two
//! commands at once do not lose each other's changes.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use exercise_check::Outcome;
use serde::{Deserialize, Serialize};

use exercise_check::stage::Stage;
use stages::exercises::Workshop;
use systemd_lab_cli::note;

const FILE: &str = "progress.toml";

/// The text that people see when they open it.
const HEADER: &str = "\
# Where you are in the workshop. You may edit this: `passed = true` is what counts.
# Without this file you start from scratch; `cargo workshop check --all` finds out what passes.

";

/// What is known about all exercises, by number.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Progress {
    exercises: BTreeMap<String, Known>,
}

/// What is known about one exercise.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Known {
    /// Whether it has ever passed.
    pub(crate) passed: bool,
    /// How its last check ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) last: Option<Outcome>,
    /// The first open finding of the last check.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) finding: Option<String>,
    /// How many hints were shown for that requirement.
    pub(crate) hints: usize,
    /// The requirement that the last hint was for; 0 if there was none.
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) hints_for: u32,
}

/// The file exists but cannot be understood.
#[derive(Debug, thiserror::Error)]
#[error("{FILE} is damaged: {message}")]
pub(crate) struct Damaged {
    message: String,
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

impl Progress {
    /// Reads the file; without one, nothing is known.
    pub(crate) fn read(root: &Path) -> anyhow::Result<Result<Progress, Damaged>> {
        let bytes = match fs::read(root.join(FILE)) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Ok(Ok(Progress::default()));
            }
            bytes => bytes.with_context(|| format!("cannot read {FILE}; check its permissions"))?,
        };
        let text = String::from_utf8(bytes).map_err(|_| "it is not text".to_owned());
        let progress = text.and_then(|text| {
            toml::from_str(&text).map_err(|error| {
                let line = error
                    .span()
                    .map_or(1, |span| 1 + text[..span.start].matches('\n').count());
                format!("line {line}: {}", error.message())
            })
        });
        Ok(progress.map_err(|message| Damaged { message }))
    }

    /// Changes what is known and writes it. A file that cannot be understood is kept under another name, and the
    /// person is told.
    pub(crate) fn update(
        root: &Path,
        change: impl FnOnce(&mut Progress),
    ) -> anyhow::Result<Progress> {
        let lock = File::open(root).context("cannot open the clone's folder")?;
        lock.lock().context("cannot lock the clone's folder")?;
        let mut progress = match Progress::read(root)? {
            Ok(progress) => progress,
            Err(damaged) => {
                let aside = put_aside(root)?;
                let name = aside.file_name().unwrap_or_default().to_string_lossy();
                note!(
                    "{damaged}\nIt is kept as {name}; `cargo workshop check --all` finds out where you are.\n"
                );
                Progress::default()
            }
        };
        let before = progress.clone();
        change(&mut progress);
        if progress != before {
            progress.write(root)?;
        }
        Ok(progress)
    }

    fn write(&self, root: &Path) -> anyhow::Result<()> {
        let context = || {
            format!(
                "cannot write {FILE} in {}; is the folder yours, and is there room on the disk?",
                root.display()
            )
        };
        let text = toml::to_string(self).context("progress cannot be written as TOML")?;
        let mut file = tempfile::Builder::new()
            .prefix(".progress-")
            .tempfile_in(root)
            .with_context(context)?;
        write!(file, "{HEADER}{text}").with_context(context)?;
        file.persist(root.join(FILE)).with_context(context)?;
        Ok(())
    }

    /// What is known about an exercise.
    pub(crate) fn of(&self, exercise: &Stage) -> Known {
        self.exercises
            .get(&exercise.number)
            .cloned()
            .unwrap_or_default()
    }

    /// The same, for changes.
    pub(crate) fn of_mut(&mut self, exercise: &Stage) -> &mut Known {
        self.exercises.entry(exercise.number.clone()).or_default()
    }

    /// Whether the exercise has ever passed.
    pub(crate) fn has_passed(&self, exercise: &Stage) -> bool {
        self.of(exercise).passed
    }

    /// The first exercise that has not passed; `None` if all have.
    pub(crate) fn current<'a>(&self, workshop: &'a Workshop) -> Option<&'a Stage> {
        workshop
            .exercises
            .iter()
            .find(|exercise| !self.has_passed(exercise))
    }

    /// The exercise with this number, otherwise the current one, otherwise the last.
    pub(crate) fn chosen<'a>(
        &self,
        workshop: &'a Workshop,
        number: Option<&str>,
    ) -> anyhow::Result<&'a Stage> {
        match number {
            Some(number) => Ok(workshop.exercise(number)?),
            None => self
                .current(workshop)
                .or(workshop.exercises.last())
                .context("there are no exercises; is this the workshop's clone?"),
        }
    }
}

/// Keeps a damaged file under an unused name, and returns that name.
pub(crate) fn put_aside(root: &Path) -> anyhow::Result<PathBuf> {
    let mut number = 1;
    let aside = loop {
        let aside = root.join(format!("{FILE}.damaged-{number}"));
        if !aside.exists() {
            break aside;
        }
        number += 1;
    };
    fs::rename(root.join(FILE), &aside)
        .with_context(|| format!("cannot rename {FILE}; is the folder yours?"))?;
    Ok(aside)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The words that progress files consist of.
    const WORDS: &[&str] = &["[04]\n", "passed", "hints", "last", " = \"not-yet\"\n"];

    proptest::proptest! {
        #![proptest_config(fuzzed::config())]

        #[test]
        fn any_text_is_progress_or_damaged(text in fuzzed::toml(WORDS)) {
            let root = tempfile::tempdir().expect("a temporary directory");
            fs::write(root.path().join(FILE), &text).expect("it can be written");
            proptest::prop_assert!(Progress::read(root.path()).is_ok());
        }
    }
}
