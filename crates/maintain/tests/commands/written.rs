//! `cargo maintain starters` and `snapshots`.

use insta::assert_snapshot;

use crate::{maintain, shown, workshop, write};

#[test]
fn a_starter_that_its_patch_does_not_make_is_named() {
    let root = workshop();
    let starters = || {
        let output = maintain(root.path(), &["starters", "--check"]);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        (said, output.status.code())
    };
    assert_eq!(starters(), ("ok    starter 01\n".to_owned(), Some(0)));
    write(
        root.path(),
        "exercises/01-alpha/src/main.rs",
        "fn main() {}\n",
    );
    let (said, status) = starters();
    assert_snapshot!("starters_differ", said);
    assert_eq!(status, Some(1));
}

#[test]
fn snapshots_are_of_solutions() {
    let root = workshop();
    let output = maintain(root.path(), &["snapshots", "--write", "mistake"]);
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(
        said.trim(),
        "no solution contains `mistake`; leave words out, or all of them"
    );
    let output = maintain(root.path(), &["snapshots", "--write"]);
    assert!(output.status.success(), "{}", shown(root.path(), &output));
}
