//! The Debian packages that a host needs, as a folder that is carried to machines without a network.
//!
//! The folder holds QEMU, mmdebstrap and all that they depend on, down to the C library, for one release: apt takes from it what a
//! machine lacks. Nothing here is signed: those who carry the folder compare its
//! checksum.

use std::fmt::Write;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use sha2::{Digest, Sha256};

use crate::cache::hex;
use crate::disk;
use crate::error::LabError;
use crate::packages::{self, FOR_IMAGE, Manager, Needed, QEMU};
use crate::progress::Step;
use systemd_timeline::shell_word;

/// The script in the folder that installs what is missing. It needs root, and no network.
pub const SCRIPT: &str = "install";

/// How much of apt's output an error shows.
const OUTPUT_LINES: usize = 15;

/// Everything that the lab installs on a host.
fn needed() -> [&'static Needed; 3] {
    let [mmdebstrap, keys] = &FOR_IMAGE;
    [&QEMU, mmdebstrap, keys]
}

/// The host's release as its packages depend on it, e.g. `debian trixie`. `None` if os-release(5) does not say it.
pub fn release() -> Option<String> {
    let text = fs::read_to_string("/etc/os-release").ok()?;
    let value = |key: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(key))?;
        Some(line.trim_matches('"').to_owned())
    };
    Some(format!("{} {}", value("ID=")?, value("VERSION_CODENAME=")?))
}

/// Whether this machine lacks one of the programs that the packages are for and that runs need: QEMU.
pub fn are_needed() -> bool {
    packages::find(QEMU.file).is_none()
}

/// Whether this machine has what [`download`] takes.
pub fn can_download() -> bool {
    Manager::of_host() == Some(Manager::Apt)
}

/// Downloads the packages for this machine's release into a folder, which gets an index for apt and [`SCRIPT`]. Needs a network and
/// apt, but not root: what the machine has installed does not matter.
///
/// # Errors
///
/// [`LabError::HostPackages`] when apt fails, or is not there.
pub fn download(to: &Path) -> Result<(), LabError> {
    let step = Step::begin("Downloading Debian packages for the hosts");
    let state = tempfile::tempdir_in(to).map_err(disk::cannot_write(to))?;
    let at = |name: &str| state.path().join(name);
    for folder in ["lists/partial", "archives/partial"] {
        fs::create_dir_all(at(folder)).map_err(disk::cannot_write(to))?;
    }
    // As if nothing were installed: what one machine has, another may lack.
    fs::write(at("status"), "").map_err(disk::cannot_write(to))?;
    let apt = |arguments: &[&str]| -> Result<(), LabError> {
        let mut command = Command::new("apt-get");
        for (option, value) in [
            ("Dir::State", state.path().to_owned()),
            ("Dir::State::status", at("status")),
            ("Dir::State::lists", at("lists")),
            ("Dir::Cache", state.path().to_owned()),
            ("Dir::Cache::archives", at("archives")),
        ] {
            command
                .arg("-o")
                .arg(format!("{option}={}", value.display()));
        }
        let output = command
            // An ordinary user cannot become another.
            .args(["-o", "APT::Sandbox::User=", "-q", "-y"])
            .args(arguments)
            .env("LC_ALL", "C")
            .stdin(Stdio::null())
            .output()
            .map_err(LabError::io("running apt-get"))?;
        match output.status.success() {
            true => Ok(()),
            false => Err(LabError::HostPackages {
                output: packages::last_lines(&both(&output), OUTPUT_LINES),
            }),
        }
    };
    apt(&["update"])?;
    let mut install = vec!["install", "--download-only", "--no-install-recommends"];
    install.extend(needed().map(Needed::package));
    apt(&install)?;
    let index = moved(&at("archives"), to)?;
    fs::write(to.join("Packages"), index).map_err(disk::cannot_write(to))?;
    let script = to.join(SCRIPT);
    fs::write(&script, script_text()).map_err(disk::cannot_write(to))?;
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755))
        .map_err(disk::cannot_write(to))?;
    step.finish();
    Ok(())
}

/// Moves all packages from one folder to another, and returns an index of them: `Packages` in deb-repository format, see
/// apt-ftparchive(1).
fn moved(from: &Path, to: &Path) -> Result<String, LabError> {
    let mut index = String::new();
    let mut names: Vec<_> = fs::read_dir(from)
        .map_err(disk::cannot_write(from))?
        .flatten()
        .map(|entry| entry.file_name())
        .filter(|name| Path::new(name).extension().is_some_and(|end| end == "deb"))
        .collect();
    names.sort();
    for name in names {
        // apt escapes the colon of an epoch in file names, and would take an escape in the index for its own.
        let plain = name.to_string_lossy().replace("%3a", "-");
        let deb = to.join(&plain);
        fs::rename(from.join(&name), &deb).map_err(disk::cannot_write(to))?;
        let fields = Command::new("dpkg-deb")
            .arg("--field")
            .arg(&deb)
            .output()
            .map_err(LabError::io("running dpkg-deb"))?;
        let bytes = fs::read(&deb).map_err(disk::cannot_write(to))?;
        let digest = hex(&Sha256::digest(&bytes));
        // Writing to a string cannot fail.
        let _ = writeln!(
            index,
            "{}\nFilename: ./{plain}\nSize: {}\nSHA256: {digest}\n",
            String::from_utf8_lossy(&fields.stdout).trim_end(),
            bytes.len(),
        );
    }
    Ok(index)
}

fn script_text() -> String {
    let names = needed().map(Needed::package).join(" ");
    format!(
        r#"#!/bin/sh
# Installs {names} from the packages in this folder, without a network. Needs root.
set -e
here=$(cd "$(dirname "$0")" && pwd | sed 's/ /%20/g')
state=$(mktemp -d)
trap 'rm -rf "$state"' EXIT
mkdir -p "$state/lists/partial"
# Not signed: the kit's checksum was compared before.
echo "deb [trusted=yes] copy:$here ./" >"$state/room.list"
apt() {{
    apt-get -q -y -o Dir::Etc::sourcelist="$state/room.list" -o Dir::Etc::sourceparts=/dev/null -o Dir::State::lists="$state/lists" \
        -o APT::Sandbox::User= "$@"
}}
export DEBIAN_FRONTEND=noninteractive
apt update
apt install --no-install-recommends {names}
"#
    )
}

/// Installs from the folder what is missing, as root or with sudo if that needs no password.
///
/// # Errors
///
/// [`LabError::MissingPrograms`] with the command to type if neither works; [`LabError::PackageInstall`] when apt fails.
pub fn install(from: &Path) -> Result<(), LabError> {
    let missing = packages::missing_of(&needed());
    if missing.is_empty() {
        return Ok(());
    }
    let script = from.join(SCRIPT);
    let typed =
        packages::typed_as_root(&[&format!("sh {}", shell_word(&script.to_string_lossy()))]);
    if let Some(why) = packages::why_not_install() {
        return Err(LabError::MissingPrograms {
            programs: missing,
            why,
            remedy: format!("type:\n\n    {typed}\n"),
        });
    }
    let step = Step::begin("Installing Debian packages");
    let output = packages::as_root("sh")
        .arg(&script)
        .stdin(Stdio::null())
        .output()
        .map_err(LabError::io("running apt-get"))?;
    if !output.status.success() || !packages::missing_of(&needed()).is_empty() {
        return Err(LabError::PackageInstall {
            command: typed,
            output: packages::last_lines(&both(&output), OUTPUT_LINES),
        });
    }
    step.finish();
    Ok(())
}

fn both(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}
