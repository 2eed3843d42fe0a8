//! What the doctor reports about a damaged lab, and that it repairs nothing.

use std::fs;
use std::path::Path;

use crate::support::{answer, cache_with_image, child_process, copied_cache, damage, entries};

/// The names and states of all bad findings, in a separate process.
fn bad(cache: &Path) -> String {
    answer(&mut child_process("examine", cache))
}

#[test]
fn an_image_without_a_snapshot() {
    let cache = cache_with_image();
    assert_eq!(bad(cache.path()), "snapshot: Missing");
    assert_eq!(
        entries(cache.path(), "snapshot-"),
        [""; 0],
        "nothing is made"
    );
}

/// Sizes and times are unchanged: only the self-test can find it.
#[test]
fn a_snapshot_that_looks_whole_and_is_not() {
    let cache = copied_cache();
    assert_eq!(bad(cache.path()), "");
    for snapshot in entries(cache.path(), "snapshot-") {
        damage(&cache.path().join(snapshot).join("state"), &[0; 4096]);
    }
    assert_eq!(bad(cache.path()), "self-test: Damaged");
    assert_eq!(
        bad(cache.path()),
        "self-test: Damaged",
        "nothing is repaired"
    );
    assert_eq!(answer(&mut child_process("repair", cache.path())), "opened");
    assert_eq!(bad(cache.path()), "");
}

#[test]
fn an_image_and_a_snapshot_of_another_size() {
    let cache = copied_cache();
    for snapshot in entries(cache.path(), "snapshot-") {
        let state = cache.path().join(snapshot).join("state");
        fs::write(state, "").expect("it is ours");
    }
    assert_eq!(bad(cache.path()), "snapshot: Damaged");
    for image in entries(cache.path(), "image-") {
        let kernel = cache.path().join(image).join("kernel");
        fs::write(kernel, "").expect("it is ours");
    }
    // The snapshot belongs to an image that no longer exists.
    assert_eq!(bad(cache.path()), "guest image: Damaged, snapshot: Missing");
}

/// As after a copy that did not preserve times. The next check is quick again.
#[test]
fn files_that_were_only_touched() {
    let cache = copied_cache();
    for kind in ["image-", "snapshot-"] {
        for name in entries(cache.path(), kind) {
            let manifest = cache.path().join(name).join("manifest.json");
            let text = fs::read_to_string(&manifest).expect("it has one");
            let touched = text.replace("\"modified_ns\": 1", "\"modified_ns\": 2");
            assert_ne!(touched, text, "another time");
            fs::write(manifest, touched).expect("it is ours");
        }
    }
    let states = |order| answer(&mut child_process(order, cache.path()));
    assert_eq!(states("unknown"), "guest image, snapshot");
    assert_eq!(states("repair"), "opened");
    assert_eq!(states("unknown"), "");
}
