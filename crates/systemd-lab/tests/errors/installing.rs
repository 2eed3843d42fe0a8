//! Packages that cannot be installed: on the host, into the image, or in the guest. The tests put their own programs earlier in
//! `PATH` than apt-get and mmdebstrap, or use them as the whole `PATH`.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::{env, fs};

use systemd_lab::MIRROR_VARIABLE;
use tempfile::TempDir;

use crate::assert_text;
use crate::support::{
    answer, cache_with_image, child_process, copied_cache, empty_cache, entries, find, only,
};

/// A directory that contains these scripts.
fn scripts(scripts: &[(&str, &str)]) -> TempDir {
    let directory = tempfile::tempdir().expect("it can be made");
    for (name, script) in scripts {
        let path = directory.path().join(name);
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).expect("it can be written");
        fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).expect("it is ours");
    }
    directory
}

/// What the lab answers with this mmdebstrap, which is earlier in `PATH` than any other.
fn answer_with(mmdebstrap: &str, order: &str) -> (String, TempDir) {
    answer_of_suite("stable", mmdebstrap, order)
}

fn answer_of_suite(suite: &str, mmdebstrap: &str, order: &str) -> (String, TempDir) {
    let (path, cache) = (scripts(&[("mmdebstrap", mmdebstrap)]), empty_cache());
    let rest = env::var("PATH").unwrap_or_default();
    let path_variable = format!("{}:{rest}", path.path().display());
    let mut command = child_process(order, cache.path());
    command
        .env("PATH", path_variable)
        .env("SYSTEMD_LAB_SUITE", suite);
    (no_image_after(&mut command, &cache), cache)
}

fn no_image_after(command: &mut Command, cache: &TempDir) -> String {
    let text = answer(command);
    let kept = entries(cache.path(), "image-");
    assert_eq!(kept, [""; 0], "no image is kept");
    text
}

#[test]
fn apt_get_fails_on_the_host() {
    let apt_get = "case $* in *install*) echo Reading package lists...; echo 'E: no luck today' >&2; exit 100;; esac";
    // For a user who is not root: `sudo -n true`, then `sudo -n VARIABLE=VALUE apt-get ...`.
    let sudo = "shift; [ \"$1\" = true ] && exit 0; shift; exec \"$@\"";
    let path = scripts(&[("apt-get", apt_get), ("sudo", sudo)]);
    let cache = cache_with_image();
    let text = answer(child_process("open", cache.path()).env("PATH", path.path()));
    assert_text("apt_get_fails", &text, &[]);
}

/// For another machine: nothing is left in the folder.
#[test]
fn apt_get_downloads_nothing() {
    let apt_get = "echo 'E: Could not resolve the archive' >&2; exit 100";
    let (path, cache) = (scripts(&[("apt-get", apt_get)]), empty_cache());
    let folder = tempfile::tempdir().expect("it can be made");
    let order = format!("host-packages {}", folder.path().display());
    let text = answer(child_process(&order, cache.path()).env("PATH", path.path()));
    assert_text("host_packages_not_downloaded", &text, &[]);
    let left = fs::read_dir(folder.path()).expect("it is there").count();
    assert_eq!(left, 0, "nothing is left");
}

#[test]
fn mmdebstrap_fails() {
    let script = "echo 'I: automatically chosen format: tar' >&2
        echo 'E: cannot reach the mirror' >&2; exit 1";
    let (text, _) = answer_with(script, "open");
    assert_text("mmdebstrap_fails", &text, &[]);
}

/// In apt's words for Debian testing on a mirror that nobody updates.
const EXPIRED: &str = "echo 'Get:1 http://mirror.example/debian testing InRelease [151 kB]' >&2
    echo 'E: Release file for http://mirror.example/debian/dists/testing/InRelease is expired (invalid since 20d 9h 59min 45s). Updates for this repository will not be applied.' >&2
    exit 1";

#[test]
fn a_release_file_has_expired() {
    let (text, _) = answer_of_suite("testing", EXPIRED, "open");
    assert_text("release_file_expired", &text, &[]);
    // The same for a program that no guest can have.
    let cache = copied_cache();
    let path = scripts(&[("mmdebstrap", EXPIRED)]);
    let rest = env::var("PATH").unwrap_or_default();
    let path_variable = format!("{}:{rest}", path.path().display());
    let mut command = child_process("program", cache.path());
    let text = answer(command.env("PATH", path_variable));
    assert!(
        text.contains("has an expired Release file for Debian trixie"),
        "{text}"
    );
}

/// A mirror that a person names is the only one, and it may be old; otherwise mmdebstrap and apt decide.
#[test]
fn mmdebstrap_gets_the_mirror() {
    let script = "for word; do echo \"$word\" >&2; done; exit 1";
    let said = |mirror: &str| {
        let (path, cache) = (scripts(&[("mmdebstrap", script)]), empty_cache());
        let rest = env::var("PATH").unwrap_or_default();
        let path_variable = format!("{}:{rest}", path.path().display());
        let mut command = child_process("open", cache.path());
        let command = command
            .env("PATH", path_variable)
            .env("SYSTEMD_LAB_SUITE", "testing")
            .env(MIRROR_VARIABLE, mirror);
        let text = no_image_after(command, &cache);
        let (_, words) = text.split_once("mmdebstrap said:\n").expect("it failed");
        words.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let usual = said("");
    assert_eq!(usual[usual.len() - 2..], ["testing", "packages.tar"]);
    assert!(!usual.iter().any(|word| word.contains("Check-Valid-Until")));
    let chosen = said("https://mirror.example/debian/");
    let mut expected = usual;
    expected.push("https://mirror.example/debian".to_owned());
    expected.push("--aptopt=Acquire::Check-Valid-Until \"false\"".to_owned());
    assert_eq!(chosen, expected);
    let no_url = answer(child_process("open", empty_cache().path()).env(MIRROR_VARIABLE, "x"));
    assert!(
        no_url.starts_with("\"x\" is not a mirror of Debian's archive"),
        "{no_url}"
    );
}

/// A program from a package that no guest can have: stored once it was downloaded, and never by halves.
#[test]
fn a_program_of_a_package() {
    let cache = copied_cache();
    let program_with = |mmdebstrap: &str| {
        let path = scripts(&[("mmdebstrap", mmdebstrap)]);
        let rest = env::var("PATH").unwrap_or_default();
        let path_variable = format!("{}:{rest}", path.path().display());
        let mut command = child_process("program", cache.path());
        answer(command.env("PATH", path_variable))
    };
    let offline = "echo 'E: cannot reach the mirror' >&2; exit 1";
    assert_text("package_not_downloaded", &program_with(offline), &[]);
    let unknown = "echo 'E: Unable to locate package sysvinit-core' >&2; exit 100";
    let text = program_with(unknown);
    assert!(
        text.starts_with("Debian trixie has no package sysvinit-core"),
        "{text}"
    );
    let other = "mkdir -p tree/usr/bin && echo >tree/usr/bin/init && tar -C tree -cf packages.tar . && rm -r tree";
    assert_eq!(
        program_with(other),
        "the Debian packages that were downloaded for the guest are damaged (there is no /usr/sbin/init in them); run again, to download them again"
    );
    assert_eq!(entries(cache.path(), "program-"), [""; 0]);
    // Debian 12 has it in /sbin.
    let good = "mkdir -p tree/sbin && printf '#!/bin/sh\\necho init\\n' >tree/sbin/init && tar -C tree -cf packages.tar . && rm -r tree";
    assert_eq!(program_with(good), "init\n");
    assert_eq!(program_with(offline), "init\n");
    let program = only(cache.path(), "program-").join("program");
    fs::write(program, "damaged").expect("it is ours");
    assert_eq!(program_with(good), "init\n");
}

#[test]
fn packages_that_exclude_each_other() {
    let script = "echo 'The following packages have unmet dependencies:' >&2
        echo ' one : Conflicts: two' >&2
        echo 'E: Unable to correct problems, you have held broken packages.' >&2; exit 100";
    let (text, _) = answer_with(script, "open-with one two");
    assert_text("package_conflict", &text, &[]);
    // Without additional packages, the caller is not at fault.
    let (text, _) = answer_with(script, "open");
    assert!(
        text.starts_with("building the guest image failed"),
        "{text}"
    );
}

#[test]
fn an_image_that_lacks_something() {
    for (suite, name, files) in [
        ("stable", "image_without_kernel", ""),
        ("stable", "image_without_systemd", "boot/vmlinuz-6"),
        // Newer releases have the kernel among its modules.
        (
            "testing",
            "image_of_testing_without_systemd",
            "usr/lib/modules/7/vmlinuz usr/lib/modules/7/kernel/vmlinuz",
        ),
        (
            "testing",
            "image_of_testing_without_kernel",
            "usr/lib/modules/7/kernel/vmlinuz",
        ),
        (
            // Only the older kernel has the serial port's drivers as modules.
            "oldstable",
            "image_without_modules",
            "boot/vmlinuz-6 usr/lib/systemd/systemd",
        ),
    ] {
        let script = format!(
            "mkdir -p tree/boot tree/usr/lib/systemd tree/usr/lib/modules/7/kernel
            for file in {files}; do echo >tree/$file; done
            tar -C tree -cf packages.tar . && rm -r tree"
        );
        let (text, cache) = answer_of_suite(suite, &script, "open");
        let image = image_in(&text);
        assert_text(
            name,
            &text.replace(&image, "image-KEY"),
            &[(cache.path(), "[CACHE]")],
        );
    }
}

/// The cache directory is not to blame for what a broken download leaves behind.
#[test]
fn packages_that_are_damaged() {
    for (why, script) in [
        ("there are none", ":"),
        (
            "failed to read entire block",
            "echo no archive >packages.tar",
        ),
        (
            "unexpected EOF during skip",
            "mkdir tree && head -c 100000 /dev/zero >tree/file && tar -C tree -c . | head -c 50000 >packages.tar; rm -r tree",
        ),
    ] {
        let (text, _) = answer_with(script, "open");
        assert_eq!(
            text,
            format!(
                "the Debian packages that were downloaded for the guest are damaged ({why}); run again, to download them again"
            )
        );
    }
}

/// The name of an image in a text. It depends on the guest's packages, so it changes whenever they do.
fn image_in(text: &str) -> String {
    let at = text.find("image-").expect("an image is named");
    text[at..]
        .chars()
        .take_while(|c| c.is_ascii_alphanumeric() || *c == '-')
        .collect()
}

/// The real mmdebstrap and a real package, with its script replaced by one that fails.
#[test]
fn a_package_that_cannot_be_set_up() {
    let real = find("mmdebstrap").expect("the lab has installed it");
    let script = format!(
        "'{}' \"$@\" || exit
        printf '#!/bin/sh\\necho no luck today; exit 1\\n' >\"$LAB_OUT/netbase.postinst\"",
        real.display()
    );
    let (path, cache) = (scripts(&[("mmdebstrap", &script)]), empty_cache());
    let rest = env::var("PATH").unwrap_or_default();
    let path_variable = format!("{}:{rest}", path.path().display());
    let text = answer(child_process("open-with netbase", cache.path()).env("PATH", path_variable));
    let (error, console) = text.split_once("guest's console:\n").expect("it is shown");
    assert!(console.contains("setting up netbase\n"), "{console}");
    assert!(console.contains("no luck today\n"), "{console}");
    assert!(console.contains("cannot set up: netbase\n"), "{console}");
    let error = format!("{error}guest's console:\n[CONSOLE]");
    assert_text("package_cannot_be_set_up", &error, &[]);
}
