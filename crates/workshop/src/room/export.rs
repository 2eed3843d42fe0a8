//! Makes a kit.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, ensure};
use stages::exercises::Workshop;
use systemd_lab::{Lab, host_packages, whole_file};
use systemd_lab_cli::{WrongUsage, image, say, style};

use super::{crates, kit};
use crate::book;

/// Fetches everything, then writes one file.
pub(super) fn run(workshop: &Workshop, file: &Path, force: bool) -> anyhow::Result<()> {
    if let Some(fault) = image::cannot_export(file, force, "kit.tar") {
        return Err(WrongUsage(fault).into());
    }
    let root = &workshop.root;
    let commit = git(root, &["log", "-1", "--format=%h of %cs"])
        .context("the kit has a clone in it, and this is not one")?;
    if !git(root, &["status", "--porcelain"])?.is_empty() {
        say!("What is not committed here will not be in the kit.");
    }
    fs::create_dir_all(root.join("target")).context("cannot make the target folder")?;
    let folder = tempfile::Builder::new()
        .prefix("room-")
        .tempdir_in(root.join("target"));
    let folder = folder.context("cannot make a temporary folder; is the disk full?")?;
    let at = |name: &str| folder.path().join(name);

    let release = host_packages::release().filter(|_| host_packages::can_download());
    if release.is_some() {
        fs::create_dir(at(kit::PACKAGES)).context("cannot make a folder; is the disk full?")?;
        host_packages::download(&at(kit::PACKAGES))?;
    }
    // Crates and guide are the clone's, whatever was edited here since.
    clone(root, &at(kit::CLONE))?;
    let lock = fs::read(at(kit::CLONE).join("Cargo.lock")).context("cannot read Cargo.lock")?;
    let spinner = style::spinner("downloading all crates");
    let vendored = crates::vendor(&at(kit::CLONE), &at(crates::FOLDER));
    spinner.finish_and_clear();
    vendored?;
    book::build_in(workshop, &at(kit::CLONE))?;
    let built = at(kit::CLONE).join(book::BUILT);
    fs::rename(built, at(kit::GUIDE)).context("cannot move the guide")?;
    fs::remove_dir_all(at(kit::CLONE).join("target")).context("cannot remove a folder")?;
    Lab::options().export_image(&at(kit::IMAGE))?;

    let label = kit::Label::new(commit, kit::digest(&lock), release);
    let spinner = style::spinner("writing the kit");
    let written = whole_file::write(file, |to| {
        let mut kit = kit::Writer::new(to, &label)?;
        let in_clone = |name: &str| format!("{}/{name}", kit::CLONE);
        kit.folder(kit::CLONE, &at(kit::CLONE))?;
        kit.text(&in_clone(crates::SETTINGS), crates::SETTINGS_TEXT)?;
        kit.folder(&in_clone(crates::FOLDER), &at(crates::FOLDER))?;
        kit.file(kit::IMAGE, &at(kit::IMAGE))?;
        kit.folder(kit::GUIDE, &at(kit::GUIDE))?;
        if label.release.is_some() {
            kit.folder(kit::PACKAGES, &at(kit::PACKAGES))?;
        }
        kit.finish()
    });
    spinner.finish_and_clear();
    written.with_context(|| format!("cannot write {}", file.display()))?;

    let size = file.metadata().map_or(0, |file| file.len()) >> 20;
    let shown = file.display();
    say!("{shown}: {size} MiB, of commit {}.", label.commit);
    match &label.release {
        Some(release) => say!("Its Debian packages are for machines with {release}.\n"),
        None => say!("It has no Debian packages: this machine has no apt-get.\n"),
    }
    let name = file.file_name().unwrap_or_default().display();
    say!(
        "Carry it to the other machines. There, in the folder that has it, type:\n\n    \
         tar -xf {name} {clone} && cd {clone}\n    \
         cargo workshop room import ../{name}",
        clone = kit::CLONE,
    );
    Ok(())
}

/// A clone of what is committed here, without history and without this machine's name for where it comes from.
fn clone(root: &Path, to: &Path) -> anyhow::Result<()> {
    let cloned = Command::new("git")
        .args(["clone", "--quiet", "--depth", "1"])
        .arg(format!("file://{}", root.display()))
        .arg(to)
        .status()
        .context("cannot run git")?;
    ensure!(cloned.success(), "git could not clone {}", root.display());
    git(to, &["remote", "remove", "origin"])?;
    Ok(())
}

fn git(root: &Path, arguments: &[&str]) -> anyhow::Result<String> {
    let output = Command::new("git")
        .arg("-C")
        .arg(root)
        .args(arguments)
        .output()
        .context("cannot run git")?;
    ensure!(
        output.status.success(),
        "git said: {}",
        String::from_utf8_lossy(&output.stderr).trim_end()
    );
    Ok(String::from_utf8_lossy(&output.stdout)
        .trim_end()
        .to_owned())
}
