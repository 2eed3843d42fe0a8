//! `systemd-lab image`: the guest image as one file, for a room without a network.

use std::path::{Path, PathBuf};

use systemd_lab::{Lab, LabErrorKind};

use crate::exit::{ExitStatus, WrongUsage};
use crate::output::{self, say};
use crate::program::program;

/// Export or import the guest image, for machines without a network.
#[derive(clap::Subcommand)]
pub enum Action {
    /// Write the guest image to one file, which takes about a minute; sets the lab up first if necessary.
    Export {
        /// The file to write, e.g. workshop.image.
        file: PathBuf,
        /// Replace the file if it exists.
        #[arg(long)]
        force: bool,
    },
    /// Import the guest image from a file, after checking that it is complete. Needs QEMU, but no network.
    Import {
        /// The file that `image export` wrote.
        file: PathBuf,
    },
}

/// Writes or reads the file.
///
/// # Errors
///
/// [`WrongUsage`] when the arguments name an unsuitable file; otherwise the lab is broken.
pub fn run(action: &Action) -> anyhow::Result<ExitStatus> {
    let (file, fault) = match action {
        Action::Export { file, force } => (file, cannot_export(file, *force, "workshop.image")),
        Action::Import { file } => (file, cannot_import(file)),
    };
    if let Some(fault) = fault {
        return Err(WrongUsage(fault).into());
    }
    let shown = file.display();
    match action {
        Action::Export { .. } => {
            if let Err(error) = Lab::options().export_image(file) {
                if error.kind() != LabErrorKind::Output {
                    return Err(error.into());
                }
                output::failed(error.to_string());
                return Ok(ExitStatus::Passed);
            }
            say!("{shown}: {} MiB, whole.\n", size(file)? >> 20);
            say!(
                "Carry it to the other machines. There, with this same version, type:\n\n    {} image import {shown}",
                program()
            );
        }
        Action::Import { .. } => {
            Lab::options()
                .import_image(file)
                .map_err(|error| match error.kind() {
                    // The file is to blame, not the lab: it is damaged, or cannot be read.
                    LabErrorKind::Usage | LabErrorKind::Program => {
                        WrongUsage(error.to_string()).into()
                    }
                    _ => anyhow::Error::from(error),
                })?;
            say!("The guest image is complete and in place.\n");
            say!(
                "Next, to boot it once (this needs QEMU, but no network), type:\n\n    {} doctor --fix",
                program()
            );
        }
    }
    Ok(ExitStatus::Passed)
}

/// Why this cannot be the file to write, if it cannot: checked before a minute of work, not after it. `example` is a good name.
pub fn cannot_export(file: &Path, force: bool, example: &str) -> Option<String> {
    let shown = file.display();
    if file.is_dir() {
        return Some(format!(
            "{shown} is a directory; name a file, e.g. {}",
            file.join(example).display()
        ));
    }
    if file.exists() && !force {
        return Some(format!(
            "{shown} exists; name another file, or replace it with --force"
        ));
    }
    // The parent of a bare name is an empty path, which means the current directory.
    let parent = file.parent().filter(|parent| *parent != Path::new(""))?;
    (!parent.is_dir()).then(|| {
        format!(
            "there is no directory {}; create it first, or name another",
            parent.display()
        )
    })
}

fn cannot_import(file: &Path) -> Option<String> {
    let shown = file.display();
    if file.is_dir() {
        return Some(format!(
            "{shown} is a directory; name the file in it that `{} image export` wrote",
            program()
        ));
    }
    (!file.exists()).then(|| {
        format!(
            "there is no file {shown}; on a machine with a network, `{} image export FILE` makes one",
            program()
        )
    })
}

fn size(file: &Path) -> std::io::Result<u64> {
    Ok(file.metadata()?.len())
}
