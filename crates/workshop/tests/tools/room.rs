//! Files that are not kits, or not for this machine: they are refused before anything is written. `cargo maintain room` uses a good one.

use std::fs;
use std::path::Path;

use sha2::{Digest, Sha256};
use systemd_lab::host_packages;

use super::{assert_text, command, shown, workshop};

const LOCK: &str = "the crates of this version";

/// The fixed parts of a tar archive have this size: a header, and the blocks in which content is stored.
const BLOCK: usize = 512;

/// The output and exit status of importing this, on a machine without QEMU.
fn import(content: &[u8]) -> String {
    import_with(&[], content)
}

/// The same on a machine with these programs.
fn import_with(programs: &[&str], content: &[u8]) -> String {
    let (root, directory) = (workshop(), tempfile::tempdir().expect("a directory"));
    fs::write(root.path().join("Cargo.lock"), LOCK).expect("a file");
    let file = directory.path().join("kit.tar");
    fs::write(&file, content).expect("a file");
    for program in programs {
        fs::write(directory.path().join(program), "").expect("a file");
    }
    let before = entries(root.path());
    let output = command(root.path(), &["room", "import"])
        .arg(&file)
        .env("SYSTEMD_LAB_CACHE", directory.path().join("cache"))
        .env("PATH", directory.path())
        .output()
        .expect("it runs");
    assert_eq!(entries(root.path()), before, "nothing is written");
    shown(&output, &[(directory.path(), "[DIR]")])
}

fn entries(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("it is there").flatten();
    let mut names: Vec<String> = entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

fn label(format: u32, lock: &str, release: Option<&str>) -> String {
    let lock = hex(&Sha256::digest(lock));
    let release = release.map_or("null".to_owned(), |release| format!("{release:?}"));
    format!(
        r#"{{"format":{format},"commit":"1a2b3c4 of 2026-01-02","lock":"{lock}","release":{release}}}"#
    )
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// These files, and the checksum.
fn kit(files: &[(&str, &str)]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    let append = |tar: &mut tar::Builder<Vec<u8>>, name: &str, content: &str| {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, name, content.as_bytes())
            .expect("memory can be written");
    };
    for (name, content) in files {
        append(&mut tar, name, content);
    }
    let checksum = hex(&Sha256::digest(tar.get_ref()));
    append(&mut tar, "sha256", &checksum);
    tar.into_inner().expect("memory can be written")
}

/// A kit for the release of this machine.
fn suitable() -> Vec<u8> {
    let release = host_packages::release();
    let label = label(1, LOCK, release.as_deref());
    kit(&[("room.json", &label), ("guest.image", "an image")])
}

#[test]
fn files_that_are_not_kits() {
    for (name, content) in [
        ("room_import_of_text", b"Dear diary, ...".to_vec()),
        ("room_import_of_nothing", Vec::new()),
        (
            "room_import_of_another_archive",
            kit(&[("diary", "Dear diary")]),
        ),
    ] {
        assert_text(name, &import(&content));
    }
}

#[test]
fn a_file_that_is_not_there() {
    let (root, directory) = (workshop(), tempfile::tempdir().expect("a directory"));
    let output = command(root.path(), &["room", "import"])
        .arg(directory.path().join("kit.tar"))
        .output()
        .expect("it runs");
    let text = shown(&output, &[(directory.path(), "[DIR]")]);
    assert_text("room_import_of_a_missing_file", &text);
}

#[test]
fn a_kit_of_another_version() {
    let other = label(1, "the crates of another version", None);
    assert_text(
        "room_import_of_another_version",
        &import(&kit(&[("room.json", &other)])),
    );
    let newer = label(2, LOCK, None);
    assert_text(
        "room_import_of_another_format",
        &import(&kit(&[("room.json", &newer)])),
    );
}

/// There is no QEMU, and the kit does not help.
#[test]
fn a_kit_of_another_release() {
    let here = host_packages::release().expect("this machine has a release");
    let other = label(1, LOCK, Some("debian potato"));
    let other = kit(&[("room.json", &other)]);
    let text = import_with(&["apt-get"], &other);
    assert_text(
        "room_import_of_another_release",
        &text.replace(&here, "[RELEASE]"),
    );
    assert_text("room_import_without_apt", &import(&other));
    let without = label(1, LOCK, None);
    assert_text(
        "room_import_without_packages",
        &import(&kit(&[("room.json", &without)])),
    );
}

#[test]
fn a_kit_that_did_not_arrive_whole() {
    let whole = suitable();
    let mut damaged = whole.clone();
    // The content of the image: after the label's header and content, and its own header.
    let at = 3 * BLOCK + 2;
    assert_eq!(&damaged[at - 2..at + 6], b"an image");
    damaged[at] ^= 1;
    assert_text("room_import_damaged", &import(&damaged));
    // The checksum and the end of the archive take four blocks.
    for end in [3 * BLOCK + 4, whole.len() - 4 * BLOCK] {
        assert_text("room_import_incomplete", &import(&whole[..end]));
    }
}
