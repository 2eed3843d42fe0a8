//! Exporting and importing, and what happens with unsuitable files.

use std::fs;
use std::path::Path;

use systemd_lab::Lab;

use super::{assert_text, command, shown, workshop};

/// The output and exit status of `image` with these arguments, in a directory with a few things that are not an
/// image.
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

/// The result of importing this file into an empty cache, which must stay empty.
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

/// In the format of `image export`.
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

/// The key of the default guest's image, which names its directory in the cache.
fn key() -> String {
    let image = Lab::open().expect("the lab opens").image();
    let name = image.file_name().expect("it has a name").to_string_lossy();
    name.strip_prefix("image-")
        .expect("that is its kind")
        .to_owned()
}

fn manifest(kernel: u64, initrd: u64) -> String {
    let file = |bytes| format!(r#"{{"bytes":{bytes},"modified_ns":0,"sha256":"0"}}"#);
    let (kernel, initrd) = (file(kernel), file(initrd));
    format!(r#"{{"files":{{"initrd":{initrd},"kernel":{kernel}}}}}"#)
}

#[test]
fn images_that_are_damaged_or_of_another_version() {
    let key = key();
    let manifest = manifest(6, 6);
    let whole = [
        ("key", &key[..]),
        ("manifest.json", &manifest),
        ("kernel", "kernel"),
        ("initrd", "initrd"),
    ];
    assert_text("import_with_wrong_checksums", &import(&archive(&whole)));
    let other = archive(&[("key", "another recipe"), whole[1], whole[2], whole[3]]);
    assert_text("import_of_another_version", &import(&other));
    let cut_off = &other[..other.len() / 2];
    assert_text("import_of_half_a_file", &import(cut_off));
    let more = archive(&[whole[0], whole[1], whole[2], whole[3], ("more", "")]);
    assert_text("import_of_more_than_an_image", &import(&more));
    let without_key = archive(&whole[1..]);
    assert_text("import_without_a_key", &import(&without_key));
    // The claimed lengths, and any problem with them, are known before anything is unpacked.
    let empty = archive(&[whole[0], ("manifest.json", r#"{"files":{}}"#)]);
    let outside = archive(&[whole[0], whole[1], ("sub/kernel", "kernel"), whole[3]]);
    let longer = archive(&[whole[0], whole[1], ("kernel", "kernel and more"), whole[3]]);
    let shorter = archive(&[whole[0], whole[1], whole[2], ("initrd", "")]);
    for archive in [empty, longer, shorter, archive(&whole[..3])] {
        let said = import(&archive);
        assert!(
            said.contains("it is damaged, or no image at all; copy it again\nexit status 2"),
            "{said}"
        );
    }
    let said = import(&outside);
    assert!(
        said.contains("something else in the place of `kernel`"),
        "{said}"
    );
}

/// 145 KB that would unpack to gigabytes.
#[test]
fn images_that_would_fill_the_disk() {
    let key = key();
    let huge = manifest(4 << 30, 6);
    let said = import(&archive(&[("key", &key), ("manifest.json", &huge)]));
    assert!(said.contains("files of more than 1024 MiB"), "{said}");
    assert!(said.ends_with("exit status 2"), "{said}");
    // The manifest claims less than there is.
    let small = manifest(6, 6);
    let zeros = "\0".repeat(64 << 20);
    let said = import(&archive(&[
        ("key", &key),
        ("manifest.json", &small),
        ("kernel", &zeros),
    ]));
    assert!(
        said.contains("it is damaged") && said.ends_with("exit status 2"),
        "{said}"
    );
}

#[test]
fn images_that_are_not_files() {
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    let root = workshop();
    let pipe = root.path().join("pipe");
    mknodat(CWD, &pipe, FileType::Fifo, Mode::from_raw_mode(0o600), 0).expect("it can be made");
    for (file, kind) in [
        (pipe.as_path(), "a named pipe"),
        (Path::new("/dev/zero"), "a device"),
    ] {
        let output = command(root.path(), &["image", "import"])
            .arg(file)
            .env("SYSTEMD_LAB_CACHE", root.path().join("cache"))
            .output()
            .expect("it runs");
        let said = shown(&output, &[]);
        assert!(
            said.contains(&format!("it is {kind}, not a file")),
            "{said}"
        );
        assert!(said.ends_with("exit status 2"), "{said}");
    }
}

/// If an export cannot be written, that is the file's fault, not the lab's.
#[test]
fn an_export_to_a_full_disk() {
    Lab::open().expect("the lab opens");
    let root = workshop();
    let output = command(root.path(), &["image", "export", "--force", "/dev/full"]).output();
    let said = shown(&output.expect("it runs"), &[]);
    assert_eq!(
        said,
        "cannot write /dev/full: No space left on device (os error 28); choose a file that you can write, on a disk with free space\nexit status 6"
    );
}

#[test]
fn a_file_that_is_not_an_image() {
    assert_text("import_of_another_file", &image(&["import", "there"]));
}
