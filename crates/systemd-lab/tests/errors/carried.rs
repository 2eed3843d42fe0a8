//! An image that is carried as a file to a machine without a network.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use systemd_lab::{Lab, MIRROR_VARIABLE};

use crate::programs::path_with;
use crate::support::{answer, child_process, empty_cache, entries, lab, only};

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

    // An image of testing is as old as it was before.
    let modified = |image: &Path| {
        let initrd = image.join("initrd").metadata().expect("it is there");
        initrd.modified().expect("files have times")
    };
    let carried = modified(&only(cache.path(), "image-"));
    let original = modified(&lab().image());
    let moved = original
        .duration_since(carried)
        .expect("tar drops nanoseconds");
    assert!(moved < Duration::from_secs(1), "{moved:?}");

    // The people in the room know nothing of the mirror that the image came from. It is never taken for the image of a mirror for
    // which no one imported it.
    let with_mirror = |order: &str, mirror: &str| {
        let mut command = child_process(order, cache.path());
        command
            .env("PATH", path.path())
            .env(MIRROR_VARIABLE, mirror);
        answer(&mut command)
    };
    let other = "https://mirror.example/debian";
    let refused = with_mirror("open", other);
    assert!(
        refused.contains("mmdebstrap"),
        "it has to be built: {refused}"
    );
    assert_eq!(with_mirror(&order, other), "imported");
    assert_eq!(with_mirror("open", other), "opened");
    assert_eq!(entries(cache.path(), "image-").len(), 2);
    assert_eq!(
        entries(cache.path(), "snapshot-").len(),
        1,
        "it is the same image"
    );
}
