//! A known mistake: a text for people, what the check must say, and a patch that makes the solution wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::Context;
use diffy::patch_set::{FileOperation, ParseOptions, PatchSet};
use diffy::{Line, Patch};

use super::judge::Finding;
use super::stage::{MistakeFile, Stage, names};
use crate::cargo::write_if_changed;

/// How a patch's first line that is no text begins.
const PATCH: &str = "--- ";

/// A mistake, applied.
pub(super) struct Mistake {
    pub(super) expected: Finding,
    pub(super) files: Files,
    /// Whether it has a binary of its own.
    pub(super) is_in_code: bool,
}

/// Everything that a solution is made of: paths relative to the workshop, and contents.
#[derive(Clone)]
pub(super) struct Files(pub(super) BTreeMap<String, String>);

impl Mistake {
    /// Reads and applies it; the error is what to correct.
    pub(super) fn read(root: &Path, stage: &Stage, file: &MistakeFile) -> Result<Mistake, String> {
        let text = fs::read_to_string(&file.path)
            .map_err(|error| format!("cannot be read: {error}; write it in UTF-8"))?;
        let (header, patch) = split(&text)?;
        let expected = expected(header)?;
        let mut files = Files::of_solution(root, stage).map_err(|error| format!("{error:#}"))?;
        let changed = files.apply(patch)?;
        let code = format!("{}/", stage.solution_folder());
        let is_in_code = changed.iter().any(|path| {
            path.strip_prefix(&code)
                .is_some_and(|path| path.starts_with("src/") || path == "Cargo.toml")
        });
        Ok(Mistake {
            expected,
            files,
            is_in_code,
        })
    }
}

fn split(text: &str) -> Result<(&str, &str), String> {
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        if line.starts_with(PATCH) {
            return Ok(text.split_at(start));
        }
        start += line.len();
    }
    Err("has no patch: after the text comes what `diff -u` prints, beginning with `--- a/`".into())
}

/// The last block before the patch is the two lines, all before it is the text.
fn expected(header: &str) -> Result<Finding, String> {
    let blocks = header.trim_end().rsplit_once("\n\n");
    let (text, lines) = blocks.unwrap_or(("", header.trim_end()));
    let line = |name: &str| lines.lines().find_map(|line| line.strip_prefix(name));
    let missing = |line: &str| {
        format!(
            "has no line `{line}`: put it between the text and the patch, with an empty line before it"
        )
    };
    let number = line("Requirement: ").ok_or_else(|| missing("Requirement: <number>"))?;
    let number = number.parse().map_err(|_| {
        format!("`Requirement: {number}` is no number; say which requirement fails first")
    })?;
    let diagnosis = line("Diagnosis: ").ok_or_else(|| missing("Diagnosis: <one line>"))?;
    if text.trim().is_empty() {
        return Err("begins with no text: say what is wrong and why people do it".into());
    }
    Ok(Finding {
        number,
        text: diagnosis.to_owned(),
    })
}

impl Files {
    /// The solution's package and its units.
    pub(super) fn of_solution(root: &Path, stage: &Stage) -> anyhow::Result<Files> {
        let mut files = Files(BTreeMap::new());
        let folder = stage.solution_folder();
        files.add_all(&root.join(&folder), &folder)?;
        files.add_units(&root.join("units"), &stage.solution())?;
        Ok(files)
    }

    /// The solution with another set of units.
    pub(super) fn with_units(mut self, folder: &Path, package: &str) -> anyhow::Result<Files> {
        self.0.retain(|path, _| !path.starts_with("units/"));
        self.add_units(folder, package)?;
        Ok(self)
    }

    /// Those that exercise-check would take, drop-in folders as well.
    fn add_units(&mut self, folder: &Path, package: &str) -> anyhow::Result<()> {
        for name in names(folder) {
            let rest = name.strip_prefix(package).unwrap_or_default();
            if rest.starts_with(['.', '-', '@']) {
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

    /// Writes those below `from` into `to`, under their paths relative to `from`, and removes what else is there.
    pub(super) fn write(&self, from: &str, to: &Path) -> anyhow::Result<()> {
        let mut wanted = BTreeSet::new();
        for (path, content) in &self.0 {
            if let Some(path) = path.strip_prefix(from) {
                write_if_changed(&to.join(path), content.as_bytes())?;
                wanted.insert(path.to_owned());
            }
        }
        remove_others(to, "", &wanted)
    }

    /// Applies a patch to these files and says which it changed; the error is what to correct.
    fn apply(&mut self, patch: &str) -> Result<Vec<String>, String> {
        let mut changed = Vec::new();
        for patch in PatchSet::parse(patch, ParseOptions::unidiff()) {
            let patch = patch
                .map_err(|error| format!("is no patch: {error}; take what `diff -u` prints"))?;
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

/// Names the hunk that does not fit and, where it can be told, the first of its lines that the file lacks.
fn does_not_apply(path: &str, content: &str, patch: &Patch<'_, str>) -> String {
    let remedy = "make the patch anew with `diff -u` against the file as it is";
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
