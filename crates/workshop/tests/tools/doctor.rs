//! What `doctor` reports about a machine, and its exit status.

use std::fs;

use systemd_lab::Lab;

use super::{assert_text, command, shown, workshop};

/// These tests do not depend on whether the host has Debian's keys, or on its numbers.
fn redacted(text: &str) -> String {
    let lines = text
        .lines()
        .filter(|line| !line.contains("Debian's keys") && !line.contains("debian-archive-keyring"));
    let mut shown = String::new();
    for line in lines {
        match line.split_once("disk space") {
            Some((before, _)) => shown += &format!("{before}disk space      [FREE]"),
            None => shown += line,
        }
        shown.push('\n');
    }
    shown
}

#[test]
fn nothing_is_installed() {
    let (root, empty) = (workshop(), tempfile::tempdir().expect("a directory"));
    let output = command(root.path(), &["doctor"])
        .env("SYSTEMD_LAB_CACHE", empty.path().join("cache"))
        .env("PATH", empty.path())
        .env("RUSTFLAGS", "-Ctarget-cpu=native")
        .output()
        .expect("it runs");
    let text = shown(&output, &[(empty.path(), "[DIR]")]);
    assert_text("doctor_nothing_is_installed", &redacted(&text));
    assert!(
        !empty.path().join("cache").exists(),
        "looking changes nothing"
    );
}

/// Fedora has another name for QEMU, and the guest image comes from elsewhere.
#[test]
fn nothing_is_installed_on_fedora() {
    let (root, empty) = (workshop(), tempfile::tempdir().expect("a directory"));
    for program in ["dnf", "sudo"] {
        fs::write(empty.path().join(program), "").expect("a file");
    }
    // A kit brought the guide, so nobody needs to fetch mdBook.
    let guide = root.path().join("target/room/guide");
    fs::create_dir_all(&guide).expect("a folder");
    fs::write(guide.join("index.html"), "the guide").expect("a file");
    let output = command(root.path(), &["doctor"])
        .env("SYSTEMD_LAB_CACHE", empty.path().join("cache"))
        .env("PATH", empty.path())
        .output()
        .expect("it runs");
    let text = shown(&output, &[(empty.path(), "[DIR]")]);
    assert_text("doctor_nothing_is_installed_on_fedora", &redacted(&text));
}

#[test]
fn the_cache_would_lie_below_a_file() {
    let (root, directory) = (workshop(), tempfile::tempdir().expect("a directory"));
    fs::write(directory.path().join("file"), "").expect("a file");
    let output = command(root.path(), &["doctor"])
        .env("SYSTEMD_LAB_CACHE", directory.path().join("file/cache"))
        .env("PATH", directory.path())
        .output()
        .expect("it runs");
    let text = shown(&output, &[(directory.path(), "[DIR]")]);
    let line = text.lines().position(|line| line.contains(" cache "));
    let lines = text.lines().skip(line.expect("it has a line")).take(2);
    assert_text(
        "doctor_cache_below_a_file",
        &lines.collect::<Vec<_>>().join("\n"),
    );
}

#[test]
fn there_is_no_place_for_the_cache() {
    let root = workshop();
    let output = command(root.path(), &["doctor"])
        .env_remove("SYSTEMD_LAB_CACHE")
        .env_remove("XDG_CACHE_HOME")
        .env_remove("HOME")
        .env("PATH", root.path())
        .output()
        .expect("it runs");
    assert_text("doctor_no_cache", &redacted(&shown(&output, &[])));
}

#[test]
fn all_is_well() {
    Lab::open().expect("the lab opens");
    let root = workshop();
    let output = command(root.path(), &["doctor"]).output().expect("it runs");
    let text = shown(&output, &[]);
    assert!(output.status.success(), "{text}");
    for name in [
        "machine",
        "QEMU",
        "cache",
        "snapshot",
        "self-test",
        "versions",
    ] {
        let line = text
            .lines()
            .find(|line| line.starts_with(&format!("✓ {name} ")));
        assert!(line.is_some(), "{name} is not well:\n{text}");
    }
    assert!(text.contains("systemd 25"), "{text}");
    assert!(text.ends_with("The lab is ready.\nexit status 0"), "{text}");
}
