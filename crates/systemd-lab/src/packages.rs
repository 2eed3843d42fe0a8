//! The programs that the lab needs on the host, and how to get them.

mod manager;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::error::LabError;
use crate::progress::Step;
use systemd_timeline::{shell_word, visible};

pub(crate) use manager::Manager;

/// A program or file on the host, and the Debian package that contains it.
#[derive(Debug)]
pub(crate) struct Needed {
    pub(crate) file: &'static str,
    package: &'static str,
}

impl Needed {
    /// Debian's name for the package.
    pub(crate) fn package(&self) -> &'static str {
        self.package
    }
}

pub(crate) const QEMU: Needed = Needed {
    file: "qemu-system-x86_64",
    package: "qemu-system-x86",
};

/// Every Debian and Ubuntu has it. The lab does not install it, but tells people if it is missing.
pub(crate) const SETPRIV: Needed = Needed {
    file: "setpriv",
    package: "util-linux",
};

/// Needed only to build the image.
pub(crate) const FOR_IMAGE: [Needed; 2] = [
    Needed {
        file: "mmdebstrap",
        package: "mmdebstrap",
    },
    // Ubuntu's mmdebstrap lacks the keys that Debian's archive is signed with.
    Needed {
        file: "/usr/share/keyrings/debian-archive-keyring.gpg",
        package: "debian-archive-keyring",
    },
];

/// Runs a program as root.
const SUDO: &str = "sudo";

/// How much of apt's output an error shows.
const OUTPUT_LINES: usize = 15;

/// What to do where the guest image cannot be made: mmdebstrap makes it from Debian's packages, with apt.
pub(crate) const IMPORT_IMAGE: &str = "make the guest image on a Debian or Ubuntu machine with `image export FILE`, and type `image import FILE` here";

/// Where the host's package manager is not known.
pub(crate) const BY_OTHER_MEANS: &str = "install it with this machine's package manager";

/// The host's QEMU; installs it if necessary.
pub(crate) fn qemu() -> Result<PathBuf, LabError> {
    provide(&[QEMU])?;
    find(QEMU.file).ok_or_else(|| missing(&[&QEMU], "it is not where apt-get put it"))
}

/// Installs everything that is missing for building an image.
pub(crate) fn for_image() -> Result<(), LabError> {
    let [a, b] = FOR_IMAGE;
    // One call for all of them, so that a person without passwordless sudo has to type only once.
    provide(&[QEMU, a, b])
}

fn provide(needed: &[Needed]) -> Result<(), LabError> {
    let missing_now: Vec<&Needed> = needed
        .iter()
        .filter(|needed| find(needed.file).is_none())
        .collect();
    if missing_now.is_empty() {
        return Ok(());
    }
    if let Some(why) = why_not_install() {
        return Err(missing(&missing_now, why));
    }
    let step = Step::begin(format!("Installing {}", packages(&missing_now).join(", ")));
    install(&missing_now)?;
    step.finish();
    Ok(())
}

/// Why the lab cannot install packages by itself.
pub(crate) fn why_not_install() -> Option<&'static str> {
    if Manager::of_host() != Some(Manager::Apt) {
        Some("this machine has no apt-get")
    } else if rustix::process::geteuid().is_root() || can_sudo() {
        None
    } else if find(SUDO).is_none() {
        Some("this machine has no sudo")
    } else {
        Some("sudo wants a password")
    }
}

/// What a person types to run this as root. Debian's installer leaves sudo out if root has a password; su(1) is everywhere. Without
/// `-`, the PATH would lack the folders in which dpkg looks for its programs.
pub(crate) fn typed_as_root(commands: &[&str]) -> String {
    match find(SUDO) {
        Some(_) => format!("sudo {}", commands.join(" && sudo ")),
        None => format!("su - -c {}", shell_word(&commands.join(" && "))),
    }
}

/// The command that installs these on this machine. `None` if it is not known.
pub(crate) fn install_command(needed: &[&Needed]) -> Option<String> {
    Manager::of_host()?.command(needed)
}

/// Finds a program in `PATH`, or checks whether a file exists.
pub(crate) fn find(file: &str) -> Option<PathBuf> {
    if Path::new(file).is_absolute() {
        return Some(PathBuf::from(file)).filter(|path| path.exists());
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .map(|dir| dir.join(file))
        .find(|path| path.is_file())
}

fn can_sudo() -> bool {
    Command::new(SUDO)
        .args(["-n", "true"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// A command that runs this program as root, without a question.
pub(crate) fn as_root(program: &str) -> Command {
    const ANSWERS: (&str, &str) = ("DEBIAN_FRONTEND", "noninteractive");
    let (name, value) = ANSWERS;
    if rustix::process::geteuid().is_root() {
        let mut command = Command::new(program);
        command.env(name, value);
        return command;
    }
    let mut command = Command::new(SUDO);
    command.args(["-n", &format!("{name}={value}"), program]);
    command
}

/// The files of those that are not there.
pub(crate) fn missing_of(needed: &[&Needed]) -> Vec<String> {
    let missing = needed.iter().filter(|needed| find(needed.file).is_none());
    missing.map(|needed| needed.file.to_owned()).collect()
}

fn install(missing: &[&Needed]) -> Result<(), LabError> {
    let packages = packages(missing);
    let apt = |args: &[&str]| as_root("apt-get").args(args).stdin(Stdio::null()).output();
    // A fresh machine has no package lists yet, and old lists name files that have disappeared. If this fails,
    // the install below may still succeed.
    let _ = apt(&["update", "-q"]);
    let mut args = vec!["install", "-q", "-y", "--no-install-recommends"];
    args.extend(&packages);
    let output = apt(&args).map_err(LabError::io("running apt-get"))?;
    if output.status.success() && missing.iter().all(|needed| find(needed.file).is_some()) {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    Err(LabError::PackageInstall {
        command: Manager::Apt.command(missing).unwrap_or_default(),
        output: last_lines(&text, OUTPUT_LINES),
    })
}

fn packages(needed: &[&Needed]) -> Vec<&'static str> {
    needed.iter().map(|needed| needed.package).collect()
}

fn missing(needed: &[&Needed], why: &'static str) -> LabError {
    LabError::MissingPrograms {
        why,
        programs: needed.iter().map(|needed| needed.file.to_owned()).collect(),
        remedy: remedy(needed),
    }
}

fn remedy(needed: &[&Needed]) -> String {
    let type_this = |command: String| format!("type:\n\n    {command}\n");
    if let Some(command) = install_command(needed) {
        return type_this(command);
    }
    let (here, for_image): (Vec<&Needed>, Vec<&Needed>) = needed
        .iter()
        .copied()
        .partition(|needed| [QEMU.file, SETPRIV.file].contains(&needed.file));
    match (here.is_empty(), for_image.is_empty()) {
        (true, _) => IMPORT_IMAGE.to_owned(),
        (false, true) => BY_OTHER_MEANS.to_owned(),
        (false, false) => {
            let first = install_command(&here).map_or_else(|| BY_OTHER_MEANS.to_owned(), type_this);
            let names: Vec<&str> = for_image.iter().map(|needed| needed.file).collect();
            format!(
                "{first}\nInstead of {}: {IMPORT_IMAGE}",
                names.join(" and ")
            )
        }
    }
}

/// The last `count` lines of a program's output.
pub(crate) fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    let last = lines[lines.len().saturating_sub(count)..].iter();
    let last = last.map(|line| visible(line.trim_end()));
    last.collect::<Vec<String>>().join("\n")
}
