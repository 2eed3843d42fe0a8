//! `cargo maintain guide`, as far as nothing has to be measured for it but mistakes of this small workshop.

use std::fs;

use insta::assert_snapshot;

use crate::{maintain, shown, shown_mistake, verify, workshop, write};

#[test]
fn the_guide_has_what_comes_out() {
    let root = workshop();
    let put = |path: &str, content: &str| write(root.path(), path, content);
    let guide = |name: &str| format!("book/measured/mistakes/01-{name}");
    let mistake = |number: u32, lines: &str| {
        put(
            &format!("mistakes/01-alpha/unit-{number}.patch"),
            &shown_mistake(&format!("bad-{number}"), lines),
        );
    };
    mistake(1, "Guide: a run");
    mistake(
        2,
        "Guide: a run\nGuide units: solution-01.service\nGuide until: 3 s",
    );
    let missing = verify(root.path(), &["01", "unit-1"]);
    assert_snapshot!("guide_missing", shown(root.path(), &missing));

    let written = maintain(root.path(), &["guide", "--write", "mistakes"]);
    assert_snapshot!("guide_written", shown(root.path(), &written));
    let read = |file: String| fs::read_to_string(root.path().join(file)).expect("it was written");
    let measured = ["unit-1.json", "unit-1.txt", "unit-2.json"]
        .map(|name| format!("{name}\n{}", read(guide(name))));
    assert_snapshot!("guide_measured", measured.join("\n"));
    let same = verify(root.path(), &["mistake", "unit-1"]);
    assert_eq!(same.status.code(), Some(0));

    put(
        &guide("unit-1.json"),
        &read(guide("unit-1.json")).replace("bad-1", "good"),
    );
    put(&guide("unit-2.txt"), "NOT YET\n");
    // Of no mistake, and of one that the guide no longer shows.
    put(&guide("gone.json"), "");
    put(&guide("unit-3.txt"), "");
    mistake(4, "Guide: another run");
    mistake(5, "Guide: a run\nGuide units: solution-01-client.service");
    mistake(6, "Guide: a run\nGuide until: noon");
    let differs = verify(root.path(), &["01"]);
    assert_snapshot!("guide_differs", shown(root.path(), &differs));
}

#[test]
fn the_guide_shows_no_mistake_with_the_words() {
    let root = workshop();
    let output = maintain(
        root.path(),
        &["guide", "--write", "mistakes", "01", "unit-1"],
    );
    assert_eq!(output.status.code(), Some(2));
    assert_snapshot!(
        "guide_has_no_such_mistake",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn a_file_in_the_guide_that_nothing_measures_is_found() {
    let root = workshop();
    let guide = |arguments: &[&str]| {
        let output = maintain(root.path(), &[&["guide"], arguments].concat());
        shown(root.path(), &output)
    };
    let looks = ["--check", "every", "file"];
    assert_snapshot!("guide_has_no_stray_file", guide(&looks));
    write(root.path(), "book/measured/04-redy.json", "");
    assert_snapshot!("guide_has_a_stray_file", guide(&looks));
}

#[test]
fn what_the_guide_does_not_show_cannot_be_measured() {
    let root = workshop();
    let said = |arguments: &[&str]| {
        let output = maintain(root.path(), &[&["guide"], arguments].concat());
        assert_eq!(output.status.code(), Some(2));
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    assert_snapshot!(
        "guide_shows_no_such_thing",
        said(&["--check", "04", "redy"])
    );
    assert_snapshot!("guide_needs_a_network", said(&["--write", "sshd"]));
    // Neither is what it does without being asked.
    let neither = said(&["04-ready"]);
    assert!(neither.contains("--check"), "{neither}");
}
