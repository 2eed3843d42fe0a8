//! What ran once need not run again: [`RunOptions::remembered`](systemd_lab::RunOptions::remembered).

mod support;

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process;

use support::{LONG, assert_same, damage, entries, lab, ordinary_cache, other_unit};
use systemd_lab::protocol::Scenario;
use systemd_lab::{RunOptions, Timeline};

/// Distinguishes a file from another one that took its name.
fn inode(file: &Path) -> u64 {
    fs::metadata(file).expect("it is there").ino()
}

/// The file in which a timeline is stored: the one that mentions this unit.
fn remembered(unit: &str) -> PathBuf {
    let cache = ordinary_cache();
    let files = entries(&cache, "snapshot-").into_iter().flat_map(|name| {
        let directory = cache.join(name).join("remembered");
        let names = entries(&directory, "").into_iter();
        names.map(move |name| directory.join(name))
    });
    let speaks_of_it =
        |file: &PathBuf| fs::read_to_string(file).is_ok_and(|text| text.contains(unit));
    files
        .into_iter()
        .find(speaks_of_it)
        .expect("its timeline was kept")
}

#[test]
fn the_second_time_it_is_read_back_unless_it_is_damaged() {
    // No earlier test process had this unit.
    let unit = format!("remembered-{}.service", process::id());
    let run = || -> Timeline {
        let scenario =
            Scenario::new("remembered")
                .start(&unit)
                .wait_for_state(&unit, &["running"], LONG);
        let files = [other_unit(&unit, "ExecStart=/usr/bin/sleep infinity")];
        let options = RunOptions::default().remembered();
        let timeline = lab().run_with(&scenario, &files, options);
        timeline.expect("the lab works")
    };
    let first = run();
    let file = remembered(&unit);
    let written = inode(&file);
    assert_eq!(run(), first);
    assert_eq!(inode(&file), written, "it was read, not run");

    damage(&file, b"0000");
    let again = run();
    assert_same(&again.to_json_lines(), &first.to_json_lines());
    assert_ne!(inode(&file), written, "it was run again");
    assert_eq!(run(), again);
    fs::remove_file(file).expect("it is there");
}
