//! What the lab adds on top of the Debian packages: the few files that their maintainer scripts would have
//! created, and the settings that make the guest small, quiet and the same every time.

use std::io::{self, Write};

use super::added;
use super::cpio::Archive;
use super::perturbation::{BOOT_ID, Perturbation};
use crate::guest::Guest;
use crate::suite::Suite;

/// Where the agent is in the guest.
const AGENT_PATH: &str = "usr/lib/systemd-lab/agent";

/// The agent, as built by `build.rs`.
pub(crate) const AGENT: &[u8] = include_bytes!(env!("SYSTEMD_LAB_AGENT"));

/// Directories that the packages do not contain.
const DIRECTORIES: &[(&str, u32)] = &[
    ("proc", 0o755),
    ("sys", 0o755),
    ("dev", 0o755),
    ("run", 0o755),
    ("tmp", 0o1777),
    ("root", 0o700),
    ("var/log", 0o755),
    ("etc/systemd/journald.conf.d", 0o755),
    ("etc/systemd/system/systemd-lab.target.wants", 0o755),
    ("usr/lib/systemd-lab", 0o755),
    ("usr/local/bin", 0o755),
];

const SYMLINKS: &[(&str, &str)] = &[
    // It fixes the boot ID, then becomes systemd.
    ("init", AGENT_PATH),
    // The alternatives that the packages' scripts would choose.
    ("usr/bin/awk", "mawk"),
    ("usr/bin/vi", "vim.tiny"),
    ("usr/bin/which", "which.debianutils"),
    ("var/run", "/run"),
    ("var/lock", "/run/lock"),
    ("etc/systemd/system/default.target", "systemd-lab.target"),
    (
        "etc/systemd/system/systemd-lab.target.wants/systemd-lab-agent.service",
        "../systemd-lab-agent.service",
    ),
];

/// Debian's base-passwd, as far as services need it.
const PASSWD: &str = "\
root:x:0:0:root:/root:/bin/bash
daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin
www-data:x:33:33:www-data:/var/www:/usr/sbin/nologin
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
";

const GROUP: &str = "\
root:x:0:
daemon:x:1:
adm:x:4:
tty:x:5:
disk:x:6:
kmem:x:15:
utmp:x:43:
www-data:x:33:
systemd-journal:x:101:
nogroup:x:65534:
";

/// No compression, because the agent reads journal files itself. No rate limit, because the log
/// must not depend on how much of it fits into 30 s of a time that jumps.
const JOURNALD_CONF: &str = "\
[Journal]
Storage=volatile
Compress=no
Seal=no
RateLimitIntervalSec=0
RuntimeMaxUse=48M
";

/// The boot ends here: everything that a unit with default dependencies needs is up, and nothing else.
const LAB_TARGET: &str = "\
[Unit]
Description=Service lab
Requires=multi-user.target
After=multi-user.target
AllowIsolate=yes
";

/// The message on the guest's console when its agent has ended because a process killed it.
pub(crate) const AGENT_ENDED: &str = "the agent of the lab has ended";

/// Without its agent the guest is useless: powering off ends QEMU, so the host need not wait. The OOM killer must kill the
/// service under test, never the agent. The agent runs first, however many processes are waiting: it has to see them.
const LAB_AGENT_SERVICE: &str = "\
[Unit]
Description=Service lab agent
DefaultDependencies=no
After=multi-user.target systemd-journald.service
Wants=systemd-journald.service
SuccessAction=poweroff-immediate
FailureAction=poweroff-immediate

[Service]
Type=exec
ExecStart=/usr/lib/systemd-lab/agent
ExecStopPost=/bin/sh -c 'echo the agent of the lab has ended >/dev/ttyS0'
OOMScoreAdjust=-1000
Nice=-20
StandardOutput=tty
StandardError=tty
TTYPath=/dev/ttyS0
";

/// For the interactive shell. It sends STX when it accepts input: everything before that is not meant for the person.
///
/// While a scenario ran, the guest's systemd logged at debug level, and that log is still there. Also, a serial line
/// does not report a changed window size: `resize` asks the terminal, like xterm's program of that name. Terminals
/// that the guest does not know understand the same sequences as xterm.
const PROFILE: &str = r#"
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin
export SYSTEMD_PAGER= SYSTEMD_URLIFY=0 LESS=-R EDITOR=vi
[ -e "/usr/share/terminfo/${TERM:0:1}/$TERM" ] || export TERM=xterm-256color
PS1='root@lab:\w# '
HISTFILE=
alias ll='ls -l'
journalctl() { command journalctl --priority=info "$@"; }
resize() {
    local rows columns
    IFS='[;' read -rsd R -t 2 -p $'\e7\e[999;999H\e[6n\e8' _ rows columns &&
        stty rows "$rows" columns "$columns"
}
printf '\002'
"#;

const FILES: &[(&str, u32, &str)] = &[
    ("etc/passwd", 0o644, PASSWD),
    ("etc/group", 0o644, GROUP),
    // This is fixed, so that nothing derived from it differs between two builds of the image.
    (
        "etc/machine-id",
        0o444,
        "5d1ab000000000000000000000001ab0\n",
    ),
    ("etc/hostname", 0o644, "lab\n"),
    (
        "etc/hosts",
        0o644,
        "127.0.0.1 localhost lab\n::1 localhost\n",
    ),
    (
        "etc/nsswitch.conf",
        0o644,
        "passwd: files\ngroup: files\nhosts: files\n",
    ),
    ("etc/profile", 0o644, PROFILE),
    ("etc/systemd/journald.conf.d/lab.conf", 0o644, JOURNALD_CONF),
    ("etc/systemd/system/systemd-lab.target", 0o644, LAB_TARGET),
    (
        "etc/systemd/system/systemd-lab-agent.service",
        0o644,
        LAB_AGENT_SERVICE,
    ),
];

/// The units that may start while the guest boots. Every other `*.wants/` link of the packages is left out:
/// devices, time, logins and periodic jobs play no role in a scenario and cost boot time or determinism.
const WANTED_AT_BOOT: &[&str] = &[
    "systemd-journald.service",
    "systemd-journald.socket",
    "systemd-journald-dev-log.socket",
    "systemd-tmpfiles-setup.service",
];

/// Which units of the packages stay, by the beginning of their names. Each time systemd loads a new unit, it reads the
/// names of all units: two hundred unused ones would cost more than the start.
///
/// The services behind `reboot.target` and the like are among them: a unit's `FailureAction=` may start those targets.
const KEPT_UNITS: &[&str] = &[
    "systemd-halt.service",
    "systemd-journald",
    "systemd-poweroff.service",
    "systemd-reboot.service",
    "systemd-soft-reboot.service",
    "systemd-tmpfiles-setup.service",
    "user",
];

/// Kinds of units that other units refer to in `After=`, `WantedBy=` or `Slice=`: all of them stay.
const KEPT_KINDS: &[&str] = &[".target", ".slice"];

/// Left out of the guest, because nothing there uses it. With fewer files, the guest is up sooner.
const LEFT_OUT: &[&str] = &[
    "boot/",
    "dev/",
    "etc/apt/",
    "etc/initramfs-tools/",
    "etc/kernel/",
    "etc/udev/",
    "usr/lib/dracut/",
    "usr/lib/klibc",
    "usr/lib/modules/",
    "usr/lib/systemd/boot/",
    "usr/lib/systemd/catalog/",
    "usr/lib/systemd/network/",
    "usr/lib/systemd/system-generators/",
    "usr/lib/systemd/systemd-networkd",
    "usr/lib/systemd/user-generators/",
    "usr/lib/udev/",
    "usr/lib/x86_64-linux-gnu/gconv/",
    "usr/lib/x86_64-linux-gnu/perl",
    "usr/share/",
    "usr/src/",
    "var/cache/",
    "var/lib/apt/",
    "var/lib/dpkg/",
    "var/lock",
    "var/run",
];

/// Exceptions to [`LEFT_OUT`]: `less` and `top` in the shell need the terminal's description, and Perl needs its own modules.
const KEPT: &[&str] = &["usr/lib/x86_64-linux-gnu/perl-base/", "usr/share/terminfo/"];

/// The directories that these are in.
const KEPT_PARENTS: &[&str] = &["usr/lib/x86_64-linux-gnu/perl-base", "usr/share"];

/// Whether a file of the packages goes into the guest. `path` has no leading slash.
pub(crate) fn keep(path: &str) -> bool {
    let under = |prefix: &&str| path.starts_with(*prefix) || path == prefix.trim_end_matches('/');
    if LEFT_OUT.iter().any(under) && !KEPT.iter().any(under) && !KEPT_PARENTS.contains(&path) {
        return false;
    }
    match path.strip_prefix("usr/lib/systemd/system/") {
        Some(unit) => keep_unit(unit),
        None => !path.starts_with("etc/systemd/system/"),
    }
}

/// Whether a unit with this name is in every guest because systemd needs it there.
pub(crate) fn is_systemds_own(unit: &str) -> bool {
    KEPT_UNITS.iter().any(|start| unit.starts_with(start))
}

/// `path` is in `/usr/lib/systemd/system`.
fn keep_unit(path: &str) -> bool {
    if let Some((_, wanted)) = path.split_once(".wants/") {
        return WANTED_AT_BOOT.contains(&wanted);
    }
    is_systemds_own(path) || KEPT_KINDS.iter().any(|kind| path.contains(kind))
}

/// What QEMU's serial port needs in a kernel that has its drivers as modules, in the order of their dependencies.
const SERIAL_PORT_MODULES: &[&str] = &[
    "virtio_ring",
    "virtio",
    "virtio_pci_modern_dev",
    "virtio_pci_legacy_dev",
    "virtio_pci",
    "virtio_console",
];

/// A crash counts as one with a core dump (`Result=core-dump`), as it does in Debian 13, where systemd passes dumps to no
/// program, and in a Debian 12 that has systemd-coredump. See core(5).
const CORE_PATTERN: &str = "/bin/sh -c 'echo \"|/bin/false\" >/proc/sys/kernel/core_pattern'";

/// Their place in the guest.
const MODULES: &str = "usr/lib/systemd-lab/modules";

/// The modules that the agent needs.
pub(super) fn modules(suite: Suite) -> &'static [&'static str] {
    match suite {
        // They are built into the kernel.
        Suite::Trixie | Suite::Testing => &[],
        Suite::Bookworm => SERIAL_PORT_MODULES,
    }
}

/// Writes modules, given with their contents, to the place where the overlay's `systemd-lab-agent.service.d/modules.conf`
/// looks for them.
pub(super) fn write_modules<W: Write>(
    archive: &mut Archive<W>,
    modules: &[(&str, Vec<u8>)],
) -> io::Result<()> {
    if modules.is_empty() {
        return Ok(());
    }
    archive.directory("usr/lib/systemd-lab", 0o755)?;
    archive.directory(MODULES, 0o755)?;
    for (name, content) in modules {
        archive.file(&format!("{MODULES}/{name}.ko"), 0o644, content)?;
    }
    Ok(())
}

/// For a suite whose packages are older than the merged `/usr`: the links that Debian's installer creates, and modules.
fn write_overlay_of_suite<W: Write>(suite: Suite, archive: &mut Archive<W>) -> io::Result<()> {
    if suite != Suite::Bookworm {
        return Ok(());
    }
    for name in ["bin", "sbin", "lib", "lib64"] {
        archive.symlink(name, &format!("usr/{name}"))?;
    }
    let mut service = format!("[Service]\nExecStartPre={CORE_PATTERN}\n");
    for module in modules(suite) {
        service.push_str(&format!(
            "ExecStartPre=/usr/sbin/insmod /{MODULES}/{module}.ko\n"
        ));
    }
    archive.directory("etc/systemd/system/systemd-lab-agent.service.d", 0o755)?;
    let path = "etc/systemd/system/systemd-lab-agent.service.d/modules.conf";
    archive.file(path, 0o644, service.as_bytes())
}

/// What decides the results of [`keep`] and [`write_overlay`], for the keys of image and snapshot.
pub(crate) fn base_recipe() -> Vec<u8> {
    format!("{LEFT_OUT:?}{KEPT:?}{WANTED_AT_BOOT:?}{KEPT_UNITS:?}{KEPT_KINDS:?}").into_bytes()
}

/// Writes the archive that is unpacked over the packages.
pub(crate) fn write_overlay<W: Write>(guest: &Guest, out: W) -> io::Result<W> {
    let perturbation = Perturbation::chosen()?;
    let mut archive = Archive::new(out);
    archive.set_modified(perturbation.map_or(0, |it| it.modified_s));
    for (path, mode) in DIRECTORIES {
        archive.directory(path, *mode)?;
    }
    for (path, mode, content) in FILES {
        archive.file(path, *mode, content.as_bytes())?;
    }
    for (path, target) in SYMLINKS {
        archive.symlink(path, target)?;
    }
    archive.file(AGENT_PATH, 0o755, AGENT)?;
    let boot_id = perturbation.map_or(BOOT_ID, |it| it.boot_id);
    let boot_id = format!("{boot_id}\n");
    archive.file("usr/lib/systemd-lab/boot-id", 0o444, boot_id.as_bytes())?;
    if let Some(perturbation) = perturbation {
        let text = perturbation.for_agent();
        let path = "usr/lib/systemd-lab/perturbation";
        archive.file(path, 0o444, text.as_bytes())?;
    }
    write_overlay_of_suite(guest.suite(), &mut archive)?;
    if guest.packages().len() > 0 {
        added::write_overlay(&mut archive)?;
    }
    archive.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_guest_needs_is_kept_and_the_rest_is_not() {
        for path in [
            "usr/bin/bash",
            "usr/lib/systemd/systemd",
            "usr/lib/systemd/system/basic.target",
            "usr/lib/systemd/system/systemd-journald-dev-log.socket",
            "usr/lib/systemd/system/sysinit.target.wants/systemd-tmpfiles-setup.service",
            "usr/share",
            "usr/lib/systemd/system/systemd-reboot.service",
            "usr/lib/x86_64-linux-gnu/perl-base",
            "usr/lib/x86_64-linux-gnu/perl-base/strict.pm",
            "usr/share/terminfo/l/linux",
            "var/lib",
        ] {
            assert!(keep(path), "{path} is needed");
        }
        for path in [
            "boot/vmlinuz-6.12",
            "usr/lib/systemd/system/systemd-udevd.service",
            "usr/lib/systemd/system/sysinit.target.wants/systemd-udevd.service",
            "usr/lib/systemd/system/timers.target.wants/systemd-tmpfiles-clean.timer",
            "etc/systemd/system/getty.target.wants/getty@tty1.service",
            "usr/share/doc/bash/copyright",
            "var/run",
        ] {
            assert!(!keep(path), "{path} is not needed");
        }
    }
}
