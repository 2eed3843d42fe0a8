//! Package managers of hosts, and what to type so that the host has QEMU.

use super::{Needed, find, typed_as_root};

/// A host's package manager.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manager {
    /// Debian, Ubuntu: the lab uses it by itself.
    Apt,
    /// Fedora.
    Dnf,
    /// Arch Linux.
    Pacman,
    /// openSUSE.
    Zypper,
    /// NixOS, and Nix elsewhere.
    Nix,
}

impl Manager {
    /// Those of a distribution before Nix, which is an addition on most hosts.
    const ALL: [Manager; 5] = [
        Manager::Apt,
        Manager::Dnf,
        Manager::Pacman,
        Manager::Zypper,
        Manager::Nix,
    ];

    /// This machine's: the first that is in `PATH`.
    pub(crate) fn of_host() -> Option<Manager> {
        Manager::ALL
            .into_iter()
            .find(|manager| find(manager.program()).is_some())
    }

    fn program(self) -> &'static str {
        match self {
            Manager::Apt => "apt-get",
            Manager::Dnf => "dnf",
            Manager::Pacman => "pacman",
            Manager::Zypper => "zypper",
            Manager::Nix => "nix-shell",
        }
    }

    /// The command that installs these. `None` if one of them has no package that is known to suffice.
    pub(crate) fn command(self, needed: &[&Needed]) -> Option<String> {
        let packages: Option<Vec<&str>> =
            needed.iter().map(|needed| self.package(needed)).collect();
        let packages = packages?.join(" ");
        Some(match self {
            Manager::Apt => typed_as_root(&[
                "apt-get update",
                &format!("apt-get install --no-install-recommends {packages}"),
            ]),
            Manager::Dnf => typed_as_root(&[&format!("dnf install {packages}")]),
            Manager::Pacman => typed_as_root(&[&format!("pacman -S {packages}")]),
            Manager::Zypper => typed_as_root(&[&format!("zypper install {packages}")]),
            Manager::Nix => format!("nix-shell -p {packages}"),
        })
    }

    /// The distributions' own names. Their packages with only x86, and without a graphical interface, where there are such.
    fn package(self, needed: &Needed) -> Option<&'static str> {
        match (self, needed.package) {
            (Manager::Apt, package) => Some(package),
            (Manager::Dnf, "qemu-system-x86") => Some("qemu-system-x86-core"),
            (Manager::Pacman, "qemu-system-x86") => Some("qemu-base"),
            (Manager::Zypper, "qemu-system-x86") => Some("qemu-x86"),
            (Manager::Nix, "qemu-system-x86") => Some("qemu"),
            (_, "util-linux") => Some("util-linux"),
            _ => None,
        }
    }
}
