//! Debian packages in addition to those that every guest has, with their daemons.
//!
//! mmdebstrap runs no maintainer scripts, because that would take root. So `setup/collect.sh` collects on the host what
//! the scripts need, and they run in the guest, before the snapshot is taken (`setup/set-up.sh`). They create users and
//! keys; nothing is started.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write};
use std::path::Path;

use super::cpio::{self, Archive};
use crate::guest::Guest;

const COLLECT: &str = include_str!("setup/collect.sh");
const SET_UP: &str = include_str!("setup/set-up.sh");
const STAND_IN: &str = include_str!("setup/stand-in.sh");
const CONFMODULE: &str = include_str!("setup/confmodule.sh");

/// Where the guest keeps all this.
const PLACE: &str = "usr/lib/systemd-lab/packages";

/// What [`COLLECT`] writes, below the directory in which the image is built.
const COLLECTED: &str = "collected";

/// Programs that maintainer scripts call and that [`STAND_IN`] replaces.
const STOOD_IN_FOR: &[&str] = &[
    "addgroup",
    "adduser",
    "deb-systemd-helper",
    "deb-systemd-invoke",
    "delgroup",
    "deluser",
    "dpkg",
    "dpkg-divert",
    "dpkg-maintscript-helper",
    "dpkg-query",
    "dpkg-statoverride",
    "dpkg-trigger",
    "invoke-rc.d",
    "py3clean",
    "py3compile",
    "service",
    "systemctl",
    "ucf",
    "ucfr",
    "update-alternatives",
    "update-rc.d",
];

/// Runs before the agent. Errors show its output.
const UNIT: &str = "\
[Unit]
Description=Set up the added packages
DefaultDependencies=no
After=multi-user.target systemd-tmpfiles-setup.service
Before=systemd-lab-agent.service
FailureAction=poweroff-immediate

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/lib/systemd-lab/packages/set-up
StandardOutput=tty
StandardError=tty
TTYPath=/dev/ttyS0
";

/// What `setup/set-up.sh` prints when a package's script fails, before the package's name.
const FAILURE: &str = "cannot set up: ";

/// Files of the added packages that stay out of the guest: they are for people, on other machines.
const LEFT_OUT: &[&str] = &[
    "usr/share/bug/",
    "usr/share/doc/",
    "usr/share/doc-base/",
    "usr/share/info/",
    "usr/share/lintian/",
    "usr/share/locale/",
    "usr/share/man/",
];

/// The package whose maintainer script failed, if one did, according to the guest's console.
pub(crate) fn not_set_up(console: &str) -> Option<&str> {
    let mut lines = console.lines();
    lines.find_map(|line| line.trim().strip_prefix(FAILURE))
}

/// The part of this module that decides what is in an image.
pub(super) fn recipe() -> Vec<u8> {
    format!("{COLLECT}{LEFT_OUT:?}").into_bytes()
}

/// Arguments for mmdebstrap: an option, and variables for its hook.
pub(super) fn hook(
    base: &[&str],
    guest: &Guest,
    dir: &Path,
) -> io::Result<(String, [(&'static str, String); 4])> {
    let script = dir.join("collect.sh");
    fs::write(&script, COLLECT)?;
    let added: Vec<&str> = guest.packages().collect();
    let variables = [
        ("LAB_HOOK", script.display().to_string()),
        ("LAB_OUT", dir.join(COLLECTED).display().to_string()),
        ("LAB_BASE", base.join(" ")),
        ("LAB_ADDED", added.join(" ")),
    ];
    Ok((
        "--extract-hook=sh \"$LAB_HOOK\" \"$1\"".to_owned(),
        variables,
    ))
}

/// What was collected about the added packages.
pub(super) struct Added {
    paths: BTreeSet<String>,
    /// Names and contents of the files.
    files: Vec<(String, Vec<u8>)>,
}

impl Added {
    /// Takes the result out of the directory in which the image is built.
    pub(super) fn take(dir: &Path) -> io::Result<Added> {
        let collected = dir.join(COLLECTED);
        let mut added = Added {
            paths: BTreeSet::new(),
            files: Vec::new(),
        };
        for entry in fs::read_dir(&collected)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let content = fs::read(entry.path())?;
            if name == "files" {
                let text = String::from_utf8_lossy(&content);
                added.paths = text.lines().map(cpio::place).collect();
            } else {
                added.files.push((name, content));
            }
        }
        // The same content should result in the same image.
        added.files.sort();
        fs::remove_dir_all(&collected)?;
        fs::remove_file(dir.join("collect.sh"))?;
        Ok(added)
    }

    /// Whether a file goes into the guest because one of the added packages contains it. Links that would start
    /// something at boot do not: a scenario starts it.
    pub(super) fn keep(&self, path: &str) -> bool {
        self.paths.contains(path)
            && !path.contains(".wants/")
            && !LEFT_OUT.iter().any(|prefix| path.starts_with(prefix))
    }

    pub(super) fn write<W: Write>(&self, archive: &mut Archive<W>) -> io::Result<()> {
        archive.directory("usr/lib/systemd-lab", 0o755)?;
        archive.directory(PLACE, 0o755)?;
        for (name, content) in &self.files {
            archive.file(&format!("{PLACE}/{name}"), 0o644, content)?;
        }
        Ok(())
    }
}

/// The part of the lab's overlay that sets the packages up.
pub(super) fn write_overlay<W: Write>(archive: &mut Archive<W>) -> io::Result<()> {
    archive.directory(PLACE, 0o755)?;
    archive.directory(&format!("{PLACE}/bin"), 0o755)?;
    archive.file(&format!("{PLACE}/set-up"), 0o755, SET_UP.as_bytes())?;
    archive.file(&format!("{PLACE}/stand-in"), 0o755, STAND_IN.as_bytes())?;
    for name in STOOD_IN_FOR {
        archive.symlink(&format!("{PLACE}/bin/{name}"), "../stand-in")?;
    }
    archive.directory("usr/share", 0o755)?;
    archive.directory("usr/share/debconf", 0o755)?;
    archive.file("usr/share/debconf/confmodule", 0o644, CONFMODULE.as_bytes())?;
    let units = "etc/systemd/system";
    archive.file(
        &format!("{units}/systemd-lab-packages.service"),
        0o644,
        UNIT.as_bytes(),
    )?;
    archive.symlink(
        &format!("{units}/systemd-lab.target.wants/systemd-lab-packages.service"),
        "../systemd-lab-packages.service",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_console_names_the_package() {
        let console =
            "setting up a\r\nno such user\r\ncannot set up: a\r\n[  3.2] reboot: Power down\r\n";
        assert_eq!(not_set_up(console), Some("a"));
        assert_eq!(not_set_up("setting up a\r\n"), None);
    }

    #[test]
    fn daemons_are_kept_and_not_wanted() {
        let paths = [
            "./usr/lib/systemd/system/ssh.service",
            "./lib/systemd/system/nginx.service",
            "./usr/lib/systemd/system/sockets.target.wants/x.socket",
            "./usr/share/doc/openssh-server/copyright",
            "./usr/share/openssh/sshd_config",
        ];
        let added = Added {
            paths: paths.into_iter().map(cpio::place).collect(),
            files: Vec::new(),
        };
        assert!(added.keep("usr/lib/systemd/system/ssh.service"));
        assert!(
            added.keep("usr/lib/systemd/system/nginx.service"),
            "with a merged /usr"
        );
        assert!(added.keep("usr/share/openssh/sshd_config"));
        assert!(!added.keep("usr/lib/systemd/system/sockets.target.wants/x.socket"));
        assert!(!added.keep("usr/share/doc/openssh-server/copyright"));
        assert!(!added.keep("usr/bin/other"));
    }
}
