//! What the guide is measured with: guests, and programs that cargo builds.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context, anyhow};
use stages::cargo::{Built, Workspace, build};
use stages::exercises::Workshop;
use systemd_lab::{
    DEFAULT_MIRROR, Guest, Lab, MIRROR_VARIABLE, MeasuredWith, SUITE_VARIABLE, Suite,
};

/// Below the target directory: intermediate files.
pub(super) const FOLDER: &str = "guide";

/// What pages call the systemd of [`Bench::newest_lab`], whose number changes.
pub(super) const NEWEST: &str = "the newest";

/// The workshop, and what is measured in it. Items share it, and run at the same time.
pub(crate) struct Bench<'a> {
    pub(crate) workshop: &'a Workshop,
    pub(crate) workspace: &'a Workspace,
}

impl Bench<'_> {
    /// The workshop's top folder.
    pub(crate) fn root(&self) -> &Path {
        &self.workshop.root
    }

    /// The guide's folder.
    pub(crate) fn book(&self) -> PathBuf {
        self.root().join("book")
    }

    /// The usual guest, whatever the environment says, because the guide is about that one.
    pub(crate) fn lab(&self) -> anyhow::Result<Lab> {
        Ok(Lab::options().guest(&Guest::default()).open()?)
    }

    /// The guest with the systemd of Debian's oldstable, 252. Needs a network.
    pub(crate) fn old_lab(&self) -> anyhow::Result<Lab> {
        Ok(Lab::options().guest(&Guest::new(Suite::Bookworm)).open()?)
    }

    /// The guest with the newest systemd, that of Debian testing, from the usual mirror however old that is: what is measured says which
    /// systemd it was. Needs a network.
    pub(crate) fn newest_lab(&self) -> anyhow::Result<Lab> {
        let guest = Guest::new(Suite::Testing).mirror(DEFAULT_MIRROR)?;
        Ok(Lab::options().guest(&guest).open()?)
    }

    /// The versions of kernel, systemd and QEMU in the usual guest.
    pub(crate) fn measured_with(&self) -> anyhow::Result<MeasuredWith> {
        Ok(self.lab()?.measured_with()?)
    }

    /// Makes cargo build a program of this package, with more of cargo's arguments, and returns its path. If it is up to date, this
    /// takes a moment.
    pub(crate) fn program(&self, package: &str, arguments: &[&str]) -> anyhow::Result<PathBuf> {
        let mut all = vec!["--package", package];
        all.extend_from_slice(arguments);
        let built = self.build(&all)?;
        let known = self.workspace.package(package);
        let known = known.with_context(|| format!("there is no package {package}"))?;
        executable(&built, &known.manifest, package)
    }

    /// Runs `cargo build` with these arguments.
    pub(crate) fn build(&self, arguments: &[&str]) -> anyhow::Result<Built> {
        let arguments: Vec<OsString> = arguments.iter().map(OsString::from).collect();
        build(self.root(), &arguments)
    }

    /// Runs `cargo workshop run` with these arguments, as a reader would, in the workshop's top folder.
    pub(crate) fn run(&self, arguments: &[&str]) -> anyhow::Result<Output> {
        let command = self.program("workshop", &["--bins"])?;
        Command::new(&command)
            .arg("run")
            .args(arguments)
            .current_dir(self.root())
            // The guide is about the usual guest.
            .env_remove(SUITE_VARIABLE)
            .env_remove(MIRROR_VARIABLE)
            .output()
            .with_context(|| format!("cannot run {}", command.display()))
    }

    /// A folder for an item's intermediate files.
    pub(crate) fn private(&self, name: &str) -> PathBuf {
        self.workspace.target.join(FOLDER).join(name)
    }
}

/// The path of an executable that was built, found by its package's manifest.
pub(super) fn executable(built: &Built, manifest: &Path, target: &str) -> anyhow::Result<PathBuf> {
    let executable = built.executable(manifest, target);
    let executable = executable.map_err(|why| anyhow!("{target} {why}"))?;
    Ok(executable.to_owned())
}
