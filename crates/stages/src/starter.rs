//! What an exercise looks like before anybody edits it. It is available without git, whatever was edited or
//! committed: `solutions/NN-topic/starter.patch` makes it from the solution.
//!
//! The patch applies to the solution after its paths and its files have got the exercise's name. Checksums of the solution come
//! before the patch, so that an edited solution never gets into a starter.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::{Context, bail};
use diffy::{DiffOptions, PatchFormatter};
use sha2::{Digest, Sha256};

use crate::cargo::write_if_changed;
use exercise_check::stage::STARTER_PATCH;

use crate::files::{Files, split_patch};
use crate::work;
use exercise_check::stage::Stage;

/// The command for a maintainer who has changed an exercise or its solution.
const WRITE: &str = "cargo maintain starters --write";

/// Between a checksum and its path, as in the output of sha256sum(1).
const SEPARATOR: &str = "  ";

/// All files of the starter.
///
/// # Errors
///
/// When the solution was edited.
pub fn read(root: &Path, exercise: &Stage) -> anyhow::Result<Files> {
    let path = patch_path(exercise);
    let text = fs::read_to_string(root.join(&path)).with_context(|| {
        format!(
            "cannot read {path}; `git checkout -- {path}` restores it, and `{WRITE}` writes it again"
        )
    })?;
    let (header, patch) =
        split_patch(&text).map_err(|complaint| anyhow::anyhow!("{path} {complaint}"))?;
    let solution = solution(root, exercise)?;
    compare_sums(header, &sums(&solution), &path)?;
    let mut files = renamed(solution, exercise);
    files
        .apply(patch)
        .map_err(|complaint| anyhow::anyhow!("{path} {complaint}; a maintainer types `{WRITE}`"))?;
    Ok(files)
}

/// The starter under the solution's name, in its paths and in its files.
///
/// # Errors
///
/// As [`read`].
pub fn read_as_solution(root: &Path, exercise: &Stage) -> anyhow::Result<Files> {
    let files = read(root, exercise)?;
    let packages = (exercise.package(), exercise.solution());
    let folders = (exercise.exercise_folder(), exercise.solution_folder());
    Ok(called(files, &packages, &folders))
}

/// The solution under the exercise's name, in its paths and in its files.
pub fn solution_as_exercise(root: &Path, exercise: &Stage) -> anyhow::Result<Files> {
    Ok(renamed(solution(root, exercise)?, exercise))
}

/// Writes the patch that results in the exercise as it is now, and returns its path.
///
/// # Errors
///
/// When a file of the exercise or of its solution is not text, or the patch cannot be written.
pub fn write(root: &Path, exercise: &Stage) -> anyhow::Result<String> {
    let path = patch_path(exercise);
    let patch = make_patch(root, exercise).with_context(|| format!("cannot make {path}"))?;
    write_if_changed(&root.join(&path), patch.as_bytes())?;
    agrees(root, exercise).map_err(anyhow::Error::msg)?;
    Ok(path)
}

/// Whether the patch results in the exercise, byte for byte. The error says what to do.
pub fn agrees(root: &Path, exercise: &Stage) -> Result<(), String> {
    let starter = read(root, exercise).map_err(|error| format!("{error:#}"))?;
    let work = work::read(root, exercise).map_err(|error| format!("{error:#}"))?;
    match differing(&starter, &work).first() {
        None => Ok(()),
        Some(path) => Err(format!(
            "{path} is not what {} makes from the solution; if it is right, type `{WRITE}`",
            patch_path(exercise)
        )),
    }
}

/// The paths of all files that differ.
pub fn differing(starter: &Files, work: &work::Work) -> Vec<String> {
    let paths: BTreeSet<&String> = starter.0.keys().chain(work.keys()).collect();
    let differs = |path: &&&String| {
        starter.0.get(**path).map(String::as_bytes) != work.get(**path).map(Vec::as_slice)
    };
    paths
        .iter()
        .filter(differs)
        .map(|path| (*path).clone())
        .collect()
}

fn patch_path(exercise: &Stage) -> String {
    format!("{}/{STARTER_PATCH}", exercise.solution_folder())
}

fn solution(root: &Path, exercise: &Stage) -> anyhow::Result<Files> {
    Files::of_package(root, &exercise.solution_folder(), &exercise.solution())
}

fn renamed(solution: Files, exercise: &Stage) -> Files {
    let packages = (exercise.solution(), exercise.package());
    let folders = (exercise.solution_folder(), exercise.exercise_folder());
    called(solution, &packages, &folders)
}

/// The files with another package name and another folder: the first is replaced by the second.
fn called(files: Files, packages: &(String, String), folders: &(String, String)) -> Files {
    let (from, to) = packages;
    let files = files.0.into_iter().map(|(path, content)| {
        let path = match path.strip_prefix(&folders.0) {
            Some(rest) => format!("{}{rest}", folders.1),
            None => path.replace(from, to),
        };
        (path, content.replace(from, to))
    });
    Files(files.collect())
}

/// By path.
fn sums(files: &Files) -> BTreeMap<String, String> {
    let sum = |content: &String| {
        let digest = Sha256::digest(content.as_bytes());
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    };
    let files = files.0.iter();
    files
        .map(|(path, content)| (path.clone(), sum(content)))
        .collect()
}

/// An error that names the first file of the solution that has changed since the patch was made.
fn compare_sums(header: &str, now: &BTreeMap<String, String>, patch: &str) -> anyhow::Result<()> {
    let lines = header.lines().filter_map(|line| line.split_once(SEPARATOR));
    let then: BTreeMap<String, String> = lines
        .map(|(sum, path)| (path.to_owned(), sum.to_owned()))
        .collect();
    if then.is_empty() {
        bail!("{patch} has no checksums; `{WRITE}` writes it again");
    }
    for path in then.keys().chain(now.keys()) {
        match (then.get(path), now.get(path)) {
            (then, now) if then == now => {}
            (None, _) => bail!(
                "{path} is not one of the solution's files, from which the starter is made; move it elsewhere (maintainers: `{WRITE}`)"
            ),
            (_, None) => bail!(
                "{path} is missing, and the starter is made from it; `git checkout -- {path}` restores it, or copy it from a fresh clone of the workshop (maintainers: `{WRITE}`)"
            ),
            _ => bail!(
                "{path} was edited, and the starter is made from it; copy it elsewhere if you need it, then type `git checkout -- {path}`, or copy it from a fresh clone of the workshop (maintainers: `{WRITE}`)"
            ),
        }
    }
    Ok(())
}

fn make_patch(root: &Path, exercise: &Stage) -> anyhow::Result<String> {
    let solution = solution(root, exercise)?;
    let mut patch = format!(
        "What makes the starter of {}, under the exercise's name.\n\
         `{WRITE}` writes this file, `cargo workshop reset {}` needs it,\n\
         and the solution as it was then:\n\n",
        exercise.solution_folder(),
        exercise.number
    );
    for (path, sum) in sums(&solution) {
        patch.push_str(&format!("{sum}{SEPARATOR}{path}\n"));
    }
    patch.push('\n');
    let solution = renamed(solution, exercise);
    let work = work::read(root, exercise)?;
    for path in differing(&solution, &work) {
        let new = work.get(&path).map(|bytes| std::str::from_utf8(bytes));
        let new = new
            .transpose()
            .with_context(|| format!("{path} is not text"))?;
        patch.push_str(&one_file(
            &path,
            solution.0.get(&path).map(String::as_str),
            new,
        ));
    }
    Ok(patch)
}

fn one_file(path: &str, old: Option<&str>, new: Option<&str>) -> String {
    let name = |side: &str, content: Option<&str>| match content {
        Some(_) => format!("{side}/{path}"),
        None => "/dev/null".to_owned(),
    };
    let mut options = DiffOptions::new();
    options
        .set_original_filename(name("a", old))
        .set_modified_filename(name("b", new));
    let patch = options.create_patch(old.unwrap_or_default(), new.unwrap_or_default());
    let formatter = PatchFormatter::new().suppress_blank_empty(false);
    formatter.fmt_patch(&patch).to_string()
}
