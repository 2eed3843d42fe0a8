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

#[test]
fn a_file_that_is_no_image() {
    assert_text("import_of_another_file", &image(&["import", "there"]));
}
