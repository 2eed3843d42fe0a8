//! Asks cargo what there is, and lets it build.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use anyhow::{Context, bail};
use serde::Deserialize;

/// What `cargo metadata` says of the workshop.
pub(super) struct Workspace {
    pub(super) target: PathBuf,
    packages: BTreeMap<String, Package>,
}

/// One of its packages.
pub(super) struct Package {
    pub(super) manifest: PathBuf,
    pub(super) binaries: Vec<String>,
    /// The names of its integration tests.
    pub(super) tests: Vec<String>,
}

/// What a build left behind.
#[derive(Default)]
pub(crate) struct Built {
    /// Executables by the package's manifest and the target's name.
    executables: BTreeMap<(PathBuf, String), PathBuf>,
    /// The first error of each target that has one, likewise.
    errors: BTreeMap<(PathBuf, String), String>,
}

#[derive(Deserialize)]
struct Metadata {
    target_directory: PathBuf,
    packages: Vec<MetadataPackage>,
}

#[derive(Deserialize)]
struct MetadataPackage {
    name: String,
    manifest_path: PathBuf,
    targets: Vec<Target>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
}

/// A line of `--message-format=json`, as far as it matters here.
#[derive(Deserialize)]
struct Message {
    reason: String,
    manifest_path: Option<PathBuf>,
    target: Option<Target>,
    executable: Option<PathBuf>,
    message: Option<Diagnostic>,
}

#[derive(Deserialize)]
struct Diagnostic {
    level: String,
    rendered: Option<String>,
}

/// cargo, as found by cargo itself when it started this program, run in the workshop's root: its settings are there.
pub(crate) fn cargo(root: &Path) -> Command {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.current_dir(root).stdin(Stdio::null());
    command
}

impl Workspace {
    pub(super) fn read(root: &Path) -> anyhow::Result<Workspace> {
        let output = cargo(root)
            .args(["metadata", "--no-deps", "--format-version", "1"])
            .output()
            .context("cannot run cargo")?;
        if !output.status.success() {
            bail!("cargo metadata failed: {}", text(&output.stderr));
        }
        let metadata: Metadata = serde_json::from_slice(&output.stdout)
            .context("cargo metadata says something unknown; use the toolchain of the workshop")?;
        let packages = metadata.packages.into_iter().map(|package| {
            let known = Package {
                binaries: package.targets("bin"),
                tests: package.targets("test"),
                manifest: package.manifest_path,
            };
            (package.name, known)
        });
        Ok(Workspace {
            target: metadata.target_directory,
            packages: packages.collect(),
        })
    }

    pub(super) fn package(&self, name: &str) -> Option<&Package> {
        self.packages.get(name)
    }
}

impl MetadataPackage {
    fn targets(&self, wanted: &str) -> Vec<String> {
        let is_wanted = |target: &&Target| target.kind.iter().any(|kind| kind == wanted);
        let targets = self.targets.iter().filter(is_wanted);
        targets.map(|target| target.name.clone()).collect()
    }
}

/// Builds as much as can be built, whatever fails on the way.
///
/// # Errors
///
/// When cargo itself fails: not when a package does not compile.
pub(super) fn build(root: &Path, arguments: &[OsString]) -> anyhow::Result<Built> {
    let output = cargo(root)
        .arg("build")
        .args(arguments)
        .args(["--keep-going", "--message-format=json"])
        .output()
        .context("cannot run cargo")?;
    let built = Built::of(&output)?;
    if !output.status.success() && built.errors.is_empty() {
        bail!("cargo build failed: {}", text(&output.stderr));
    }
    Ok(built)
}

impl Built {
    pub(crate) fn of(output: &Output) -> anyhow::Result<Built> {
        let mut built = Built::default();
        for line in text(&output.stdout).lines() {
            // A build script's own words may be between the messages.
            if !line.starts_with('{') {
                continue;
            }
            let message: Message = serde_json::from_str(line)
                .context("cargo build says something unknown; use the toolchain of the workshop")?;
            built.add(message);
        }
        Ok(built)
    }

    fn add(&mut self, message: Message) {
        let (Some(manifest), Some(target)) = (message.manifest_path, message.target) else {
            return;
        };
        let key = (manifest, target.name);
        match message.reason.as_str() {
            "compiler-artifact" => {
                if let Some(executable) = message.executable {
                    self.executables.insert(key, executable);
                }
            }
            "compiler-message" => {
                let error = message.message.filter(|message| message.level == "error");
                if let Some(rendered) = error.and_then(|error| error.rendered) {
                    self.errors.entry(key).or_insert(rendered);
                }
            }
            _ => {}
        }
    }

    /// An executable, or why there is none: its own first error, else one of its package, else any other: of what it
    /// depends on, most likely.
    pub(crate) fn executable(&self, manifest: &Path, target: &str) -> Result<&Path, String> {
        let key = (manifest.to_owned(), target.to_owned());
        if let Some(executable) = self.executables.get(&key) {
            return Ok(executable);
        }
        let of_package = || self.errors.iter().find(|((of, _), _)| of == manifest);
        let error = self
            .errors
            .get(&key)
            .or_else(|| of_package().map(|(_, error)| error))
            .or_else(|| self.errors.values().next());
        Err(match error {
            Some(error) => format!("did not build: {}", error.trim_end()),
            None => format!("has no target `{target}`; add it to {}", manifest.display()),
        })
    }
}

/// What a program printed.
pub(super) fn text(output: &[u8]) -> String {
    String::from_utf8_lossy(output).trim_end().to_owned()
}
