//! The attendee's work: the files of an exercise that they may edit, as they are now.
//!
//! The check (`tests/`), `exercise.toml`, `hints.toml` and what cargo writes do not belong to it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, bail};

use exercise_check::stage::{Stage, UNITS, is_unit_of, is_work};

use crate::files::names;

/// cargo puts this file into each target directory, whatever its name.
const TARGET_MARK: &str = "CACHEDIR.TAG";

/// Paths relative to the workshop, and contents, which may be anything.
pub type Work = BTreeMap<String, Vec<u8>>;

/// Reads the exercise's folder and its units.
pub fn read(root: &Path, exercise: &Stage) -> anyhow::Result<Work> {
    let mut work = Work::new();
    let folder = exercise.exercise_folder();
    for name in names(&root.join(&folder)) {
        if is_work(&name) {
            add(root, &format!("{folder}/{name}"), &mut work)?;
        }
    }
    for path in unit_paths(root, &exercise.package()) {
        add(root, &path, &mut work)?;
    }
    Ok(work)
}

/// The units of a package, and their folders of drop-ins, relative to the workshop.
fn unit_paths(root: &Path, package: &str) -> Vec<String> {
    let all = names(&root.join(UNITS)).into_iter();
    let own = all.filter(|name| is_unit_of(name, package));
    own.map(|name| format!("{UNITS}/{name}")).collect()
}

/// The files of [`read`] that are units, or drop-ins of units.
pub fn units(root: &Path, exercise: &Stage) -> anyhow::Result<Work> {
    let mut units = Work::new();
    for path in unit_paths(root, &exercise.package()) {
        add(root, &path, &mut units)?;
    }
    Ok(units)
}

/// A file, or all files below a folder.
fn add(root: &Path, path: &str, work: &mut Work) -> anyhow::Result<()> {
    let place = root.join(path);
    let kind = fs::symlink_metadata(&place).with_context(|| format!("cannot read {path}"))?;
    if kind.is_dir() {
        if !place.join(TARGET_MARK).exists() {
            for name in names(&place) {
                add(root, &format!("{path}/{name}"), work)?;
            }
        }
        return Ok(());
    }
    // Follows links. Reading from a pipe would wait forever.
    if !place.is_file() {
        bail!("{path} is neither a file nor a folder; move it elsewhere");
    }
    let content = fs::read(&place)
        .with_context(|| format!("cannot read {path}; make it readable, or move it elsewhere"))?;
    work.insert(path.to_owned(), content);
    Ok(())
}
