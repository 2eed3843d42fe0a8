//! Takes a kit apart on a machine without a network.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use stages::exercises::Workshop;
use systemd_lab::{Lab, LabErrorKind, host_packages};
use systemd_lab_cli::{WrongUsage, say, style};

use super::kit::{self, Fault, Kit};
use super::{IMPORTED, crates};

/// What is being replaced is unpacked under this name first.
const NEW: &str = "new";

/// The first version of cargo whose settings can include a file that need not exist: The Cargo Book, "Config including extra files".
const CARGO_SINCE: (u32, u32) = (1, 94);

/// The imported guide's first page, if there is one.
pub(crate) fn guide(workshop: &Workshop) -> Option<PathBuf> {
    let index = workshop
        .root
        .join(IMPORTED)
        .join(kit::GUIDE)
        .join("index.html");
    index.is_file().then_some(index)
}

/// Checks the kit, puts everything in its place, and boots the guest once.
pub(super) fn run(workshop: &Workshop, file: &Path) -> anyhow::Result<()> {
    let shown = file.display();
    let refused = |fault: Fault| WrongUsage(format!("{shown} cannot be used: {fault}"));
    let spinner = style::spinner("checking the kit");
    let mut kit = Kit::open(file).map_err(refused)?;
    let packages = ensure_suitable(workshop, &kit, file)?;
    kit.verify().map_err(refused)?;
    spinner.finish_and_clear();

    let root = &workshop.root;
    let imported = root.join(IMPORTED);
    let cannot_write = |path: &Path| format!("cannot write {}; is the disk full?", path.display());
    fs::create_dir_all(&imported).with_context(|| cannot_write(&imported))?;
    let spinner = style::spinner("unpacking the kit");
    let vendored = format!("{}/{}", kit::CLONE, crates::FOLDER);
    for (prefix, place) in [
        (vendored.as_str(), root.join(crates::FOLDER)),
        (kit::GUIDE, imported.join(kit::GUIDE)),
        (kit::PACKAGES, imported.join(kit::PACKAGES)),
    ] {
        replace(&place, |new| kit.unpack(prefix, new)).with_context(|| cannot_write(&place))?;
    }
    let settings = root.join(crates::SETTINGS);
    fs::write(&settings, crates::SETTINGS_TEXT).with_context(|| cannot_write(&settings))?;
    let image = imported.join(kit::IMAGE);
    kit.unpack(kit::IMAGE, &image)
        .with_context(|| cannot_write(&image))?;
    spinner.finish_and_clear();

    let taken = Lab::options().import_image(&image);
    // Best effort: the file only takes space.
    let _ = fs::remove_file(&image);
    taken.map_err(|error| match error.kind() {
        LabErrorKind::Usage => WrongUsage(error.to_string()).into(),
        _ => anyhow::Error::from(error),
    })?;
    if packages {
        host_packages::install(&imported.join(kit::PACKAGES))?;
    }
    Lab::open()?;
    say!("Everything is in place: crates, guest image and guide. You do not need a network.\n");
    if let Some(guide) = guide(workshop) {
        say!("The guide: {}", guide.display());
    }
    say!("Next: {}", style::strong("cargo workshop check 01"));
    Ok(())
}

/// Whether the kit's Debian packages are to be used.
///
/// # Errors
///
/// When the kit is for another version of the workshop, or does not help this machine.
fn ensure_suitable(workshop: &Workshop, kit: &Kit, file: &Path) -> anyhow::Result<bool> {
    let shown = file.display();
    let label = &kit.label;
    let lock = fs::read(workshop.root.join("Cargo.lock")).context("cannot read Cargo.lock")?;
    if kit::digest(&lock) != label.lock {
        bail!(WrongUsage(format!(
            "{shown} is of another version of the workshop: of commit {}, whose Cargo.lock differs from the one here; \
             `tar -xf {shown} {clone}` unpacks the clone that belongs to it, in the folder {clone}",
            label.commit,
            clone = kit::CLONE,
        )));
    }
    ensure_cargo_reads_settings()?;
    let here = host_packages::release();
    if label.release.is_some() && label.release == here {
        return Ok(true);
    }
    if !host_packages::are_needed() {
        return Ok(false);
    }
    bail!(WrongUsage(match (&label.release, here) {
        // A kit that is made on a machine like this one has packages for it.
        (Some(release), Some(here)) if host_packages::can_download() => format!(
            "this machine has no QEMU, and the packages in {shown} are for {release}, not for {here}; \
             make a kit on a machine with {here}, or install QEMU"
        ),
        (Some(release), _) => format!(
            "this machine has no QEMU, and the packages in {shown} are for {release}; install QEMU: `cargo workshop doctor` says how"
        ),
        (None, _) => format!(
            "this machine has no QEMU, and {shown} has no Debian packages; install QEMU: `cargo workshop doctor` says how"
        ),
    }));
}

/// An older cargo would look for a network, and not say why.
fn ensure_cargo_reads_settings() -> anyhow::Result<()> {
    let output = stages::cargo::cargo(Path::new("."))
        .arg("--version")
        .output()
        .context("cannot run cargo")?;
    let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    let version = said.split(' ').nth(1).unwrap_or_default();
    let mut numbers = version.split('.').map(str::parse::<u32>);
    if let (Some(Ok(major)), Some(Ok(minor))) = (numbers.next(), numbers.next())
        && (major, minor) < CARGO_SINCE
    {
        let (major, minor) = CARGO_SINCE;
        bail!(
            "this is {said}; without a network, the workshop needs cargo {major}.{minor} or later"
        );
    }
    Ok(())
}

/// Puts a folder in the place of another, once it is complete. Nothing in the kit for it: there is none afterwards.
fn replace(
    place: &Path,
    unpack: impl FnOnce(&Path) -> std::io::Result<usize>,
) -> std::io::Result<()> {
    let new = place.with_extension(NEW);
    let remove = |path: &Path| match fs::remove_dir_all(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    };
    remove(&new)?;
    let count = unpack(&new)?;
    remove(place)?;
    match count {
        0 => Ok(()),
        _ => fs::rename(&new, place),
    }
}
