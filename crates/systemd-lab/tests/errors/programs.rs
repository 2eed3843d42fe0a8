//! Programs that are missing on the host and that the lab cannot install: there is no package manager, or no way
//! to become root.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;
use std::{env, fs};

use tempfile::TempDir;

use crate::assert_text;
use crate::support::{answer, as_child, cache_with_image, child_process, find};

/// An ordinary user who owns nothing here.
const NOBODY: &str = "65534";

/// A directory with these programs of the host, for use as the whole `PATH`.
pub(crate) fn path_with(programs: &[&str]) -> TempDir {
    let directory = tempfile::tempdir().expect("it can be made");
    for program in programs {
        // A host without apt-get cannot install anything: a program that fails has the same effect.
        let found = find(program).unwrap_or_else(|| Path::new("/bin/false").to_owned());
        symlink(found, directory.path().join(program)).expect("it can be linked");
    }
    directory
}

#[test]
fn no_qemu_and_no_apt_get() {
    let (path, cache) = (path_with(&[]), cache_with_image());
    let text = answer(child_process("open", cache.path()).env("PATH", path.path()));
    assert_text("no_qemu_and_no_apt_get", &text, &[]);
}

#[test]
fn no_mmdebstrap_and_no_apt_get() {
    let (path, cache) = (path_with(&["qemu-system-x86_64"]), tempfile::tempdir());
    let cache = cache.expect("it can be made");
    let text = answer(child_process("open", cache.path()).env("PATH", path.path()));
    assert_text("no_mmdebstrap_and_no_apt_get", &text, &[]);
}

/// A person who has to type something sees all of it at once, and that sudo wants a password.
#[test]
fn nothing_is_installed_and_sudo_wants_a_password() {
    let text = answer_as_ordinary_user("open", &["apt-get", "sudo"]);
    assert_text("sudo_wants_a_password", &text, &[]);
}

/// Debian's installer leaves sudo out if root has a password.
#[test]
fn nothing_is_installed_and_there_is_no_sudo() {
    let text = answer_as_ordinary_user("open", &["apt-get"]);
    assert_text("no_sudo", &text, &[]);
}

/// The command can be pasted, whatever the folder of a kit is called.
#[test]
fn a_folder_with_a_space_is_quoted() {
    let with_su = r"su - -c 'sh '\''/srv/my kit/install'\'''";
    for (programs, typed) in [
        (&["apt-get", "sudo"][..], "sudo sh '/srv/my kit/install'"),
        (&["apt-get"], with_su),
    ] {
        let text = answer_as_ordinary_user("install-from /srv/my kit", programs);
        assert!(text.contains(typed), "{text}");
    }
}

/// What the lab answers a person who is not root, with these programs of the host.
fn answer_as_ordinary_user(order: &str, programs: &[&str]) -> String {
    let path = path_with(programs);
    // A place that an ordinary user can reach, no matter who runs this test: the binary may be in root's home.
    let place = tempfile::tempdir().expect("it can be made");
    let mode = |path: &Path, mode| {
        fs::set_permissions(path, PermissionsExt::from_mode(mode)).expect("it is ours")
    };
    let cache = place.path().join("cache");
    let binary = place.path().join("test");
    fs::create_dir(&cache).expect("it can be made");
    fs::copy(env::current_exe().expect("it runs"), &binary).expect("it can be copied");
    for path in [place.path(), path.path(), &binary] {
        mode(path, 0o755);
    }
    mode(&cache, 0o777);
    let mut command = if rustix::process::geteuid().is_root() {
        let mut command = Command::new(find("setpriv").expect("util-linux is everywhere"));
        command.args(["--reuid", NOBODY, "--regid", NOBODY, "--clear-groups"]);
        command.arg(&binary);
        command
    } else {
        Command::new(&binary)
    };
    as_child(&mut command, order, &cache);
    answer(command.env("PATH", path.path()))
}

/// Other distributions have other names for QEMU; the guest image comes from elsewhere.
#[test]
fn other_package_managers() {
    for (manager, command) in [
        ("dnf", "sudo dnf install qemu-system-x86-core"),
        ("pacman", "sudo pacman -S qemu-base"),
        ("zypper", "sudo zypper install qemu-x86"),
        ("nix-shell", "nix-shell -p qemu"),
    ] {
        let (path, cache) = (path_with(&[manager, "sudo"]), cache_with_image());
        let text = answer(child_process("open", cache.path()).env("PATH", path.path()));
        assert_text(
            "another_package_manager",
            &text.replace(command, "[COMMAND]"),
            &[],
        );
    }
    let (path, cache) = (path_with(&["dnf", "sudo"]), tempfile::tempdir());
    let cache = cache.expect("it can be made");
    let text = answer(child_process("open", cache.path()).env("PATH", path.path()));
    assert_text("no_image_with_dnf", &text, &[]);
}
