//! A second workspace, in the target directory, with a package for each mistake in code and for everything else that differs from a
//! solution.
//!
//! It shares the workshop's dependencies, profiles and lock file, so that cargo resolves and downloads nothing again, and
//! its target directory, so that cargo uses what it has built for the solutions.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::Context;
use toml::{Table, Value};

use stages::cargo::{Built, build, write_if_changed};
use stages::files::{Files, names};

/// Tables of the workshop's `Cargo.toml` that packages refer to. Lints are left out, because mistakes may have warnings.
const SHARED: [&str; 2] = ["package", "dependencies"];

/// Tables of a solution's `Cargo.toml` that only its tests and lints need, or that name its binary.
const LEFT_OUT: [&str; 5] = ["dev-dependencies", "lints", "bin", "test", "bench"];

/// The table of dependencies in a package's `Cargo.toml`.
const DEPENDENCIES: [&str; 2] = ["dependencies", "build-dependencies"];

/// The overlay, before and after it is built.
pub(crate) struct Overlay {
    folder: PathBuf,
    members: Vec<String>,
}

impl Overlay {
    /// An overlay without packages.
    pub(crate) fn new(folder: PathBuf) -> Overlay {
        Overlay {
            folder,
            members: Vec::new(),
        }
    }

    /// Adds a package: a copy of the one in the folder `solution` (relative to the workshop), with the content of `files`.
    pub(crate) fn add(
        &mut self,
        root: &Path,
        name: &str,
        solution: &str,
        files: &Files,
    ) -> anyhow::Result<()> {
        let manifest = format!("{solution}/Cargo.toml");
        let text = files.0.get(&manifest);
        let text = text.with_context(|| format!("{manifest} is missing; write it"))?;
        let text = package_manifest(text, name, &root.join(solution))
            .with_context(|| format!("cannot make a package of {manifest}"))?;
        let mut files = files.clone();
        files.0.insert(manifest, text);
        files.write(&format!("{solution}/"), &self.folder.join(name))?;
        self.members.push(name.to_owned());
        Ok(())
    }

    /// Removes packages that no longer exist.
    pub(crate) fn keep_only(&self, all: &[String]) -> anyhow::Result<()> {
        for name in names(&self.folder) {
            let place = self.folder.join(&name);
            if place.is_dir() && !all.contains(&name) {
                fs::remove_dir_all(&place)
                    .with_context(|| format!("cannot remove {}", place.display()))?;
            }
        }
        Ok(())
    }

    /// Builds all packages at once.
    pub(crate) fn build(&self, root: &Path, target: &Path) -> anyhow::Result<Built> {
        if self.members.is_empty() {
            return Ok(Built::default());
        }
        let manifest = self.folder.join("Cargo.toml");
        let text = workspace_manifest(root, &self.members)?;
        write_if_changed(&manifest, text.as_bytes())?;
        // cargo removes entries that these packages do not use, and changes no versions.
        let lock = root.join("Cargo.lock");
        fs::copy(&lock, self.folder.join("Cargo.lock"))
            .with_context(|| format!("cannot copy {}; run `cargo build` first", lock.display()))?;
        let arguments = [
            "--workspace".into(),
            "--bins".into(),
            "--offline".into(),
            "--manifest-path".into(),
            manifest.into(),
            "--target-dir".into(),
            target.into(),
        ];
        build(root, &arguments).context("cannot build what differs from the solutions")
    }

    /// The binary of a package, or the compiler's first error.
    pub(crate) fn binary<'a>(&self, built: &'a Built, name: &str) -> Result<&'a Path, String> {
        built.executable(&self.folder.join(name).join("Cargo.toml"), name)
    }
}

/// Waits for other runs with the same target directory, which would write the same folders.
pub(crate) fn lock(folder: &Path) -> anyhow::Result<File> {
    let path = folder.join("lock");
    let context = || format!("cannot lock {}; is the disk full?", path.display());
    fs::create_dir_all(folder).with_context(context)?;
    let lock = File::create(&path).with_context(context)?;
    lock.lock().with_context(context)?;
    Ok(lock)
}

fn workspace_manifest(root: &Path, members: &[String]) -> anyhow::Result<String> {
    let path = root.join("Cargo.toml");
    let text = fs::read_to_string(&path).context("cannot read the workshop's Cargo.toml")?;
    let mut original: Table = text
        .parse()
        .context("cannot read the workshop's Cargo.toml")?;
    let mut workspace = Table::new();
    let members = members.iter().cloned().map(Value::String).collect();
    workspace.insert("members".into(), Value::Array(members));
    if let Some(Value::Table(mut shared)) = original.remove("workspace") {
        if let Some(resolver) = shared.remove("resolver") {
            workspace.insert("resolver".into(), resolver);
        }
        for name in SHARED {
            if let Some(mut table) = shared.remove(name) {
                make_paths_absolute(&mut table, root);
                workspace.insert(name.into(), table);
            }
        }
    }
    let mut manifest = Table::new();
    manifest.insert("workspace".into(), Value::Table(workspace));
    if let Some(profiles) = original.remove("profile") {
        manifest.insert("profile".into(), profiles);
    }
    toml::to_string(&manifest).context("cannot write the overlay's Cargo.toml")
}

/// The solution's manifest under another name, reduced to what its binary needs.
fn package_manifest(text: &str, name: &str, folder: &Path) -> anyhow::Result<String> {
    let mut manifest: Table = text.parse()?;
    for table in LEFT_OUT {
        manifest.remove(table);
    }
    if let Some(Value::Table(package)) = manifest.get_mut("package") {
        package.insert("name".into(), Value::String(name.to_owned()));
    }
    for table in DEPENDENCIES {
        if let Some(table) = manifest.get_mut(table) {
            make_paths_absolute(table, folder);
        }
    }
    let mut binary = Table::new();
    binary.insert("name".into(), Value::String(name.to_owned()));
    binary.insert("path".into(), Value::String("src/main.rs".to_owned()));
    manifest.insert("bin".into(), Value::Array(vec![Value::Table(binary)]));
    Ok(toml::to_string(&manifest)?)
}

/// Makes paths absolute: they were relative to the manifest, which is in another folder now.
fn make_paths_absolute(dependencies: &mut Value, base: &Path) {
    let Value::Table(dependencies) = dependencies else {
        return;
    };
    for (_, dependency) in dependencies.iter_mut() {
        if let Some(Value::String(path)) = dependency.get_mut("path") {
            *path = base.join(&*path).to_string_lossy().into_owned();
        }
    }
}
