//! An image that is carried as a file to a machine without a network.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use systemd_lab::Lab;

use crate::programs::path_with;
use crate::support::{answer, child_process, empty_cache, entries, lab};

/// QEMU saves the snapshot through a shell.
const WITHOUT_MMDEBSTRAP: [&str; 4] = ["qemu-system-x86_64", "setpriv", "sh", "cat"];

#[test]
fn there_and_back() {
    lab();
    let directory = tempfile::tempdir().expect("it can be made");
    let file = directory.path().join("image");
    Lab::options()
        .export_image(&file)
        .expect("it can be written");
    let other = directory.path().join("other");
    fs::write(&other, "").expect("it can be written");
    let mode = |path: &Path| path.metadata().expect("it is there").permissions().mode();
    assert_eq!(mode(&file), mode(&other), "as readable as any new file");

    let (cache, path) = (empty_cache(), path_with(&WITHOUT_MMDEBSTRAP));
    let order = format!("import {}", file.display());
    let there = |order: &str| answer(child_process(order, cache.path()).env("PATH", path.path()));
    assert_eq!(there(&order), "imported");
    assert_eq!(entries(cache.path(), "image-").len(), 1);
    assert_eq!(entries(cache.path(), "snapshot-"), [""; 0]);
    assert_eq!(there("open"), "opened");
    assert_eq!(there("examine"), "");
}
