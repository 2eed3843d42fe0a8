//! Exporting and importing, and what comes of files that cannot be meant.

use std::fs;

use super::{assert_text, command, shown, workshop};

/// The text and exit status of `image` with these arguments, in a directory with a few things that are no image.
fn image(arguments: &[&str]) -> String {
    let root = workshop();
    let directory = tempfile::tempdir().expect("a directory");
    fs::write(directory.path().join("there"), "something of yours").expect("a file");
    fs::create_dir(directory.path().join("folder")).expect("a folder");
    let output = command(root.path(), &["image"])
        .args(arguments)
        .current_dir(directory.path())
        .env("SYSTEMD_LAB_CACHE", directory.path().join("cache"))
        .output()
        .expect("it runs");
    let kept = fs::read_to_string(directory.path().join("there")).expect("it is there");
    assert_eq!(kept, "something of yours", "nothing is overwritten");
    shown(&output, &[(directory.path(), "[DIR]")])
}

#[test]
fn files_that_cannot_be_meant() {
    for (name, arguments) in [
        ("export_over_a_file", ["export", "there"]),
        ("export_to_a_directory", ["export", "folder"]),
        ("export_below_nothing", ["export", "none/image"]),
        ("import_of_nothing", ["import", "none"]),
        ("import_of_a_directory", ["import", "folder"]),
    ] {
        assert_text(name, &image(&arguments));
    }
}

/// What comes of importing this file into an empty cache, where nothing must be left behind.
fn import(content: &[u8]) -> String {
    let (root, directory) = (workshop(), tempfile::tempdir().expect("a directory"));
    let (file, cache) = (
        directory.path().join("image"),
        directory.path().join("cache"),
    );
    fs::write(&file, content).expect("a file");
    let output = command(root.path(), &["image", "import"])
        .arg(&file)
        .env("SYSTEMD_LAB_CACHE", &cache)
        .output()
        .expect("it runs");
    let left = fs::read_dir(cache).expect("it was made").flatten();
    let left = left.filter(|entry| entry.path().is_dir()).count();
    assert_eq!(left, 0, "nothing is left behind");
    shown(&output, &[(directory.path(), "[DIR]")])
}

/// As `image export` packs it.
fn archive(files: &[(&str, &str)]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (name, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, name, content.as_bytes())
            .expect("memory can be written");
    }
    let tar = tar.into_inner().expect("memory can be written");
    zstd::encode_all(tar.as_slice(), 0).expect("memory can be written")
}

#[test]
fn images_that_are_damaged_or_of_another_version() {
    let manifest = r#"{"files":{"kernel":{"bytes":6,"modified_ns":0,"sha256":"0"}}}"#;
    let damaged = archive(&[("manifest.json", manifest), ("kernel", "kernel")]);
    assert_text("import_with_wrong_checksums", &import(&damaged));
    let other = archive(&[
        ("key", "another recipe"),
        ("manifest.json", r#"{"files":{}}"#),
    ]);
    assert_text("import_of_another_version", &import(&other));
    let cut_off = &other[..other.len() / 2];
    assert_text("import_of_half_a_file", &import(cut_off));
}

#[test]
fn a_file_that_is_no_image() {
    assert_text("import_of_another_file", &image(&["import", "there"]));
}
