//! Which files on this host were written for an exercise.
//!
//! The record is stored on the host that it describes: it outlives the clone, and two clones do not contradict each
//! other.

use std::collections::BTreeSet;
use std::fs;
use std::io::{ErrorKind, Write};
use std::path::Path;

use anyhow::Context;

use super::host::as_root;
use super::{BINARIES, RECORDS, UNITS};
use exercise_check::stage::Stage;
use exercise_check::stage::is_unit_of;

/// Absolute paths, one in each line of its file.
pub(super) struct Record {
    pub(super) path: String,
    pub(super) files: BTreeSet<String>,
}

impl Record {
    /// Empty when nothing is installed.
    pub(super) fn read(exercise: &Stage) -> anyhow::Result<Record> {
        let path = format!("{RECORDS}/{}", exercise.package());
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
            Err(error) => {
                return Err(error)
                    .with_context(|| format!("cannot read {path}; check it yourself"));
            }
        };
        // Root removes the files that are named here: a damaged line must not name any other file.
        let own = text
            .lines()
            .filter(|line| is_own(line, &exercise.package()));
        Ok(Record {
            files: own.map(str::to_owned).collect(),
            path,
        })
    }

    /// Whether anything is installed.
    pub(super) fn exists(&self) -> bool {
        Path::new(&self.path).exists()
    }

    pub(super) fn write(&self) -> anyhow::Result<()> {
        let mut file = tempfile::NamedTempFile::new()
            .context("cannot make a temporary file; is the disk full?")?;
        for path in &self.files {
            writeln!(file, "{path}").context("cannot write a temporary file; is the disk full?")?;
        }
        let from = file.path().to_string_lossy();
        as_root(&["install", "-D", "-m", "644", from.as_ref(), &self.path])
    }

    /// Removes the record, as the last step.
    pub(super) fn remove(&self) -> anyhow::Result<()> {
        as_root(&["rm", "-f", &self.path])?;
        as_root(&["rmdir", "--ignore-fail-on-non-empty", RECORDS])
    }
}

/// The names of the units among these files, without their drop-ins.
pub(super) fn units(paths: &[String]) -> Vec<String> {
    let names = paths
        .iter()
        .filter_map(|path| path.strip_prefix(UNITS)?.strip_prefix('/'));
    names
        .filter(|name| !name.contains('/'))
        .map(str::to_owned)
        .collect()
}

/// Whether this program could have written this path.
fn is_own(path: &str, package: &str) -> bool {
    let unit = path
        .strip_prefix(UNITS)
        .and_then(|path| path.strip_prefix('/'));
    let unit = unit.filter(|name| !name.split('/').any(|part| part == ".."));
    path == format!("{BINARIES}/{package}") || unit.is_some_and(|name| is_unit_of(name, package))
}
