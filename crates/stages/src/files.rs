//! A package's files and its units in memory: reads, patches and writes them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::Context;
use diffy::patch_set::{FileOperation, ParseOptions, PatchSet};
use diffy::{Line, Patch};

use exercise_check::stage::{STARTER_PATCH, UNITS, is_unit_of};

use crate::cargo::write_if_changed;

/// The beginning of a patch's first line after the text.
const PATCH: &str = "--- ";

/// All files of a solution: paths relative to the workshop, and contents.
#[derive(Clone)]
pub struct Files(pub BTreeMap<String, String>);

/// The two parts of a patch's file: the text for people, and the patch. The error says what to correct.
pub fn split_patch(text: &str) -> Result<(&str, &str), String> {
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        if line.starts_with(PATCH) {
            return Ok(text.split_at(start));
        }
        start += line.len();
    }
    Err("has no patch: after the text comes what `diff -u` prints, beginning with `--- a/`".into())
}

impl Files {
    /// A package's folder, e.g. `solutions/04-notify`, and the units whose names begin with the package's.
    pub fn of_package(root: &Path, folder: &str, package: &str) -> anyhow::Result<Files> {
        let mut files = Files(BTreeMap::new());
        files.add_all(&root.join(folder), folder)?;
        files.0.remove(&format!("{folder}/{STARTER_PATCH}"));
        files.add_units(&root.join(UNITS), package)?;
        Ok(files)
    }

    /// The solution with another set of units.
    pub fn with_units(mut self, folder: &Path, package: &str) -> anyhow::Result<Files> {
        self.0.retain(|path, _| !path.starts_with("units/"));
        self.add_units(folder, package)?;
        Ok(self)
    }

    /// The units that exercise-check would use, with their drop-in folders.
    fn add_units(&mut self, folder: &Path, package: &str) -> anyhow::Result<()> {
        for name in names(folder) {
            if is_unit_of(&name, package) {
                self.add_all(&folder.join(&name), &format!("units/{name}"))?;
            }
        }
        Ok(())
    }

    /// A file, or all files below a folder.
    fn add_all(&mut self, place: &Path, path: &str) -> anyhow::Result<()> {
        if place.is_dir() {
            for name in names(place) {
                self.add_all(&place.join(&name), &format!("{path}/{name}"))?;
            }
            return Ok(());
        }
        let content =
            fs::read_to_string(place).with_context(|| format!("cannot read {path} as text"))?;
        self.0.insert(path.to_owned(), content);
        Ok(())
    }

    /// Writes the files below `from` into `to`, under their paths relative to `from`, and removes everything else there.
    pub fn write(&self, from: &str, to: &Path) -> anyhow::Result<()> {
        let mut wanted = BTreeSet::new();
        for (path, content) in &self.0 {
            if let Some(path) = path.strip_prefix(from) {
                write_if_changed(&to.join(path), content.as_bytes())?;
                wanted.insert(path.to_owned());
            }
        }
        remove_others(to, "", &wanted)
    }

    /// Applies a patch to these files, and returns the paths that it changed. The error says what to correct.
    pub fn apply(&mut self, patch: &str) -> Result<Vec<String>, String> {
        let mut changed = Vec::new();
        for patch in PatchSet::parse(patch, ParseOptions::unidiff()) {
            let patch = patch
                .map_err(|error| format!("is not a patch: {error}; take what `diff -u` prints"))?;
            let text = patch
                .patch()
                .as_text()
                .ok_or("changes a binary file; patch text only")?;
            let path = match patch.operation().strip_prefix(1) {
                FileOperation::Create(path) => {
                    self.create(&path, text)?;
                    path.into_owned()
                }
                FileOperation::Delete(path) => {
                    self.modify(&path, text)?;
                    self.0.remove(path.as_ref());
                    path.into_owned()
                }
                FileOperation::Modify { original, modified } if original == modified => {
                    self.modify(&original, text)?;
                    original.into_owned()
                }
                other => {
                    return Err(format!(
                        "renames a file ({other:?}); delete one and add one"
                    ));
                }
            };
            changed.push(path);
        }
        Ok(changed)
    }

    fn create(&mut self, path: &str, patch: &Patch<'_, str>) -> Result<(), String> {
        if self.0.contains_key(path) {
            return Err(format!(
                "adds {path}, which is there already; change it instead"
            ));
        }
        let content = diffy::apply("", patch).map_err(|_| does_not_apply(path, "", patch))?;
        self.0.insert(path.to_owned(), content);
        Ok(())
    }

    fn modify(&mut self, path: &str, patch: &Patch<'_, str>) -> Result<(), String> {
        let content = self.0.get_mut(path).ok_or_else(|| {
            format!("changes {path}, which the solution does not have; name a file of its package or one of its units")
        })?;
        *content =
            diffy::apply(content, patch).map_err(|_| does_not_apply(path, content, patch))?;
        Ok(())
    }
}

/// Names the hunk that does not fit and, if possible, the first of its lines that is not in the file.
fn does_not_apply(path: &str, content: &str, patch: &Patch<'_, str>) -> String {
    let remedy = "make the patch again with `diff -u` against the file as it is";
    for (index, hunk) in patch.hunks().iter().enumerate() {
        let old: Vec<&str> = hunk
            .lines()
            .iter()
            .filter_map(|line| match line {
                Line::Context(line) | Line::Delete(line) => Some(*line),
                Line::Insert(_) => None,
            })
            .collect();
        if content.contains(&old.concat()) {
            continue;
        }
        let missing = old
            .iter()
            .find(|line| !content.split_inclusive('\n').any(|other| other == **line));
        let missing = missing.map_or("its lines no longer follow each other".to_owned(), |line| {
            format!("the file has no line `{}`", line.trim())
        });
        return format!(
            "does not apply: hunk {} (@@ -{} +{} @@) of {path}: {missing}; {remedy}",
            index + 1,
            hunk.old_range(),
            hunk.new_range(),
        );
    }
    format!("does not apply to {path}: its hunks overlap; {remedy}")
}

fn remove_others(root: &Path, below: &str, wanted: &BTreeSet<String>) -> anyhow::Result<()> {
    for name in names(&root.join(below)) {
        let path = format!("{below}{name}");
        let place = root.join(&path);
        if place.is_dir() {
            remove_others(root, &format!("{path}/"), wanted)?;
        } else if !wanted.contains(&path) {
            fs::remove_file(&place)
                .with_context(|| format!("cannot remove {}", place.display()))?;
        }
    }
    Ok(())
}

/// The names in a folder, sorted; none if the folder does not exist.
pub fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}
