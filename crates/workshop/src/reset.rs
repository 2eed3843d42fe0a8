//! `cargo workshop reset`: restores an exercise to its starter, and keeps the attendee's work.
//!
//! Everything is copied before anything is written: an error in between loses nothing. git is not involved.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};

use crate::progress::{Known, Progress};
use exercise_check::stage::Stage;
use stages::exercises::Workshop;
use stages::files::Files;
use stages::starter;
use stages::work::{self, Work};
use systemd_lab_cli::say;

/// Below the workshop's root; `.gitignore` lists it.
const SAVED: &str = "saved";

/// The question before a key resets an exercise.
pub(crate) fn question(exercise: &Stage) -> String {
    format!(
        "Make exercise {} its starter again? Your work is kept below {SAVED}/.",
        exercise.number
    )
}

/// Its arguments.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Its number, e.g. 04.
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    exercise: Option<String>,
    /// Every exercise.
    #[arg(long)]
    all: bool,
}

/// What to do for one exercise.
struct Reset<'a> {
    exercise: &'a Stage,
    starter: Files,
    work: Work,
    /// The paths of all files that differ from the starter.
    differing: Vec<String>,
}

/// Saves what differs from the starter, then restores the starter.
pub(crate) fn run(workshop: &Workshop, arguments: &Arguments) -> anyhow::Result<()> {
    let chosen = match &arguments.exercise {
        Some(number) => vec![workshop.exercise(number)?],
        None => workshop.exercises.iter().collect(),
    };
    // All are read before any is changed.
    let resets = chosen
        .into_iter()
        .map(|exercise| Reset::read(&workshop.root, exercise));
    for reset in resets.collect::<anyhow::Result<Vec<Reset<'_>>>>()? {
        reset.run(&workshop.root)?;
    }
    Ok(())
}

impl<'a> Reset<'a> {
    fn read(root: &Path, exercise: &'a Stage) -> anyhow::Result<Reset<'a>> {
        let starter = starter::read(root, exercise)
            .with_context(|| format!("nothing was done: exercise {}", exercise.number))?;
        let work = work::read(root, exercise)?;
        Ok(Reset {
            exercise,
            differing: starter::differing(&starter, &work),
            starter,
            work,
        })
    }

    fn run(&self, root: &Path) -> anyhow::Result<()> {
        let number = &self.exercise.number;
        if self.differing.is_empty() {
            say!("Exercise {number} is its starter already: nothing to do.");
            return Ok(());
        }
        let theirs: Vec<&String> = self
            .differing
            .iter()
            .filter(|path| self.work.contains_key(*path))
            .collect();
        if theirs.is_empty() {
            self.restore(root)?;
            say!(
                "Exercise {number} is its starter again: files were missing, nothing was changed."
            );
            return Ok(());
        }
        let saved = save(root, &self.exercise.folder(), &theirs)?;
        self.restore(root).with_context(|| {
            format!("exercise {number} is half restored; yours is whole in {saved}")
        })?;
        Progress::update(root, |progress| {
            *progress.of_mut(self.exercise) = Known::default();
        })
        .with_context(|| {
            format!("exercise {number} is its starter again, and what you had is in {saved}; but")
        })?;
        say!("Exercise {number} is its starter again. What you had is in {saved}:\n");
        for path in theirs {
            say!("    {path}");
        }
        say!("\nTo have it back, type in the workshop's folder:\n\n    cp -r {saved}/. .\n");
        Ok(())
    }

    /// Removes what differs, then writes the starter's files.
    fn restore(&self, root: &Path) -> anyhow::Result<()> {
        for path in &self.differing {
            let place = root.join(path);
            // Not overwritten: it may be a link to a file outside the exercise.
            match fs::remove_file(&place) {
                Err(error)
                    if error.kind() != ErrorKind::NotFound && self.work.contains_key(path) =>
                {
                    return Err(error)
                        .with_context(|| format!("cannot remove {path}; is its folder writable?"));
                }
                _ => remove_empty_folders(root, path),
            }
        }
        for path in &self.differing {
            let Some(content) = self.starter.0.get(path) else {
                continue;
            };
            let place = root.join(path);
            let context = || format!("cannot write {path}; is the disk full?");
            if let Some(folder) = place.parent() {
                fs::create_dir_all(folder).with_context(context)?;
            }
            fs::write(&place, content).with_context(context)?;
        }
        Ok(())
    }
}

/// Copies these files into a new folder and returns its path, relative to the workshop.
fn save(root: &Path, name: &str, paths: &[&String]) -> anyhow::Result<String> {
    let saved = new_folder(root, &format!("{name}-{}", now()?))?;
    for path in paths {
        let to = root.join(&saved).join(path);
        let context =
            || format!("nothing was changed: cannot copy {path} to {saved}; is the disk full?");
        if let Some(folder) = to.parent() {
            fs::create_dir_all(folder).with_context(context)?;
        }
        fs::copy(root.join(path), &to).with_context(context)?;
    }
    Ok(saved)
}

/// A folder that did not exist before, even if another one was created within the same second.
fn new_folder(root: &Path, name: &str) -> anyhow::Result<String> {
    let context =
        || format!("nothing was changed: cannot make a folder in {SAVED}; is the disk full?");
    fs::create_dir_all(root.join(SAVED)).with_context(context)?;
    let mut path = format!("{SAVED}/{name}");
    let mut count = 1;
    loop {
        match fs::create_dir(root.join(&path)) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                count += 1;
                path = format!("{SAVED}/{name}-{count}");
            }
            made => return made.map(|()| path).with_context(context),
        }
    }
}

/// e.g. `2026-11-22T18-55-01`, without colons, which cause trouble on memory sticks.
///
/// In the attendee's time zone, which date(1) knows but the standard library does not.
fn now() -> anyhow::Result<String> {
    let output = Command::new("date")
        .arg("+%Y-%m-%dT%H-%M-%S")
        .stdin(Stdio::null())
        .output()
        .context("nothing was changed: cannot run date; install coreutils")?;
    let date = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if !output.status.success() || date.is_empty() {
        bail!("nothing was changed: date failed; try `date` by hand");
    }
    Ok(date)
}

/// Removes the folders that a removed file leaves empty.
fn remove_empty_folders(root: &Path, path: &str) {
    let folders = Path::new(path).ancestors().skip(1);
    // `exercises/04-notify` and `units` always stay.
    for folder in folders.filter(|folder| folder.components().count() > 1) {
        if fs::remove_dir(root.join(PathBuf::from(folder))).is_err() {
            return;
        }
    }
}
