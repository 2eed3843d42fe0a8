//! The starters, whatever has become of the exercises in this clone: `cargo workshop reset` makes them of the solutions, in
//! a workspace of their own below the target directory.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use toml::{Table, Value};

use crate::builds::executables;
use crate::{exercise, solution};

/// Builds them all.
pub(crate) fn build(root: &Path, stages: &[&str], private: &Path) -> BTreeMap<String, PathBuf> {
    let clone = private.join("clone");
    for folder in ["solutions", "units"] {
        mirror(&root.join(folder), &clone.join(folder));
    }
    for stage in stages {
        fs::create_dir_all(clone.join("exercises").join(stage)).expect("the disk has room");
    }
    reset(root, &clone);
    for stage in stages {
        write_files(&clone, private, stage);
    }
    let manifest = clone.join("Cargo.toml");
    write_if_changed(&manifest, workspace_manifest(root, stages).as_bytes());
    // cargo drops from it what the starters do not use, and changes no version.
    fs::copy(root.join("Cargo.lock"), clone.join("Cargo.lock")).expect("a clone has one");
    let mut arguments = ["build", "--workspace", "--bins", "--offline"]
        .map(str::to_owned)
        .to_vec();
    arguments.push("--manifest-path".into());
    arguments.push(manifest.to_string_lossy().into_owned());
    arguments.push("--target-dir".into());
    arguments.push(
        private
            .parent()
            .expect("it lies below the target directory")
            .to_string_lossy()
            .into_owned(),
    );
    executables(root, &arguments)
}

/// Laid out like the workspace; in it, units called as those of the solution.
pub(crate) fn files(private: &Path, stage: &str) -> PathBuf {
    private.join("files").join(stage)
}

fn reset(root: &Path, clone: &Path) {
    let arguments = ["build", "--package", "workshop", "--bins"].map(str::to_owned);
    let built = executables(root, &arguments);
    let output = Command::new(&built["crates/workshop/workshop"])
        .args(["reset", "--all"])
        // It works in the folder two above this one.
        .env("CARGO_MANIFEST_DIR", clone.join("crates/workshop"))
        .output()
        .expect("cargo has built it");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

fn write_files(clone: &Path, private: &Path, stage: &str) {
    let (from, to) = (exercise(stage), solution(stage));
    let place = files(private, stage).join("units");
    let mut wanted = BTreeSet::new();
    for (name, path) in entries(&clone.join("units")) {
        let rest = name.strip_prefix(&from).unwrap_or_default();
        if rest.starts_with(['.', '-', '@']) {
            let text = fs::read_to_string(path).expect("a unit of a starter is a file of text");
            let name = name.replace(&from, &to);
            write_if_changed(&place.join(&name), text.replace(&from, &to).as_bytes());
            wanted.insert(name);
        }
    }
    assert!(!wanted.is_empty(), "the starter of {stage} has no units");
    for (name, path) in entries(&place) {
        if !wanted.contains(&name) {
            fs::remove_file(path).expect("it is ours");
        }
    }
}

/// The workspace's, with the starters as its only members.
fn workspace_manifest(root: &Path, stages: &[&str]) -> String {
    let text = fs::read_to_string(root.join("Cargo.toml")).expect("a workspace has one");
    let mut manifest: Table = text.parse().expect("cargo has read it");
    let workspace = manifest.get_mut("workspace").and_then(Value::as_table_mut);
    let workspace = workspace.expect("it is a workspace's");
    let members = stages.iter().map(|stage| format!("exercises/{stage}"));
    let members = members.map(Value::String).collect();
    workspace.insert("members".into(), Value::Array(members));
    workspace.remove("default-members");
    let dependencies = workspace
        .get_mut("dependencies")
        .and_then(Value::as_table_mut);
    for (_, dependency) in dependencies.into_iter().flatten() {
        if let Some(Value::String(path)) = dependency.get_mut("path") {
            *path = root.join(&*path).to_string_lossy().into_owned();
        }
    }
    toml::to_string(&manifest).expect("it was TOML before")
}

/// A folder's copy. What has not changed is not written: cargo looks at times.
fn mirror(from: &Path, to: &Path) {
    let mut wanted = BTreeSet::new();
    for (name, path) in entries(from) {
        let place = to.join(&name);
        if path.is_dir() {
            mirror(&path, &place);
        } else {
            write_if_changed(&place, &fs::read(&path).expect("a file of the clone"));
        }
        wanted.insert(name);
    }
    for (name, place) in entries(to) {
        // What reset has made of them.
        let is_starters = name.starts_with("exercise-");
        if !wanted.contains(&name) && !is_starters {
            let removed = match place.is_dir() {
                true => fs::remove_dir_all(place),
                false => fs::remove_file(place),
            };
            removed.expect("it is ours");
        }
    }
}

fn write_if_changed(place: &Path, bytes: &[u8]) {
    if fs::read(place).is_ok_and(|there| there == bytes) {
        return;
    }
    let folder = place.parent().expect("a file lies in a folder");
    fs::create_dir_all(folder).expect("the disk has room");
    fs::write(place, bytes).expect("the disk has room");
}

fn entries(folder: &Path) -> Vec<(String, PathBuf)> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| {
            (
                entry.file_name().to_string_lossy().into_owned(),
                entry.path(),
            )
        })
        .collect()
}
