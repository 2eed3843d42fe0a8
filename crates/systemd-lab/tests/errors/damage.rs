//! A snapshot that something outside the lab has damaged is rebuilt, and the person who runs something does not notice.
//! (For the image, see `tests/processes.rs`, which builds one anyway.)

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use crate::support::{
    answer, assert_same, cache_with_image, child_process, copied_cache, damage, entries, only, run,
    unit,
};

/// All snapshots of the cache, including those of other checkouts.
fn snapshots(cache: &Path) -> Vec<std::path::PathBuf> {
    let names = entries(cache, "snapshot-");
    assert!(!names.is_empty(), "there is a snapshot to damage");
    names.iter().map(|name| cache.join(name)).collect()
}

/// Distinguishes a rebuilt snapshot from the previous one.
fn inodes(cache: &Path) -> Vec<u64> {
    let inode = |dir: std::path::PathBuf| fs::metadata(dir).expect("it is there").ino();
    snapshots(cache).into_iter().map(inode).collect()
}

/// What the lab's processes answer after `spoil` was applied to every snapshot of a cache.
fn run_after(spoil: impl Fn(&Path)) -> (bool, String) {
    let cache = copied_cache();
    let before = inodes(cache.path());
    for snapshot in snapshots(cache.path()) {
        spoil(&snapshot);
    }
    let text = answer(&mut child_process("run", cache.path()));
    let made_anew = inodes(cache.path()) != before;
    assert_eq!(
        entries(cache.path(), "tmp-"),
        [""; 0],
        "nothing is left behind"
    );
    (made_anew, text)
}

fn undamaged() -> String {
    let scenario = systemd_lab::protocol::Scenario::new("short")
        .start(crate::support::UNIT)
        .wait_for_state(crate::support::UNIT, &["running"], crate::support::LONG);
    run(&scenario, &[unit("ExecStart=/usr/bin/sleep infinity")]).to_json_lines()
}

#[test]
fn ram_that_was_cut_off() {
    let (made_anew, text) = run_after(|snapshot| {
        let ram = fs::File::options().write(true).open(snapshot.join("ram"));
        ram.and_then(|ram| ram.set_len(1 << 20))
            .expect("it can be cut off");
    });
    assert!(made_anew);
    assert_same(&text, &undamaged());
}

/// Sizes and times do not show it: QEMU refuses the snapshot, or the guest does not answer.
#[test]
fn a_state_with_other_bytes() {
    let (made_anew, text) = run_after(|snapshot| damage(&snapshot.join("state"), &[0xff; 4096]));
    assert!(made_anew);
    assert_same(&text, &undamaged());
}

/// Sizes and times do not show it, and there is no snapshot yet: the image is checked before a snapshot is made.
#[test]
fn an_image_with_other_bytes_and_no_snapshot() {
    let cache = cache_with_image();
    let image = only(cache.path(), "image-");
    damage(&image.join("initrd"), &[0xff; 65536]);
    let text = answer(&mut child_process("run", cache.path()));
    assert_same(&text, &undamaged());
}

/// A manifest that names no file would accept anything as complete.
#[test]
fn an_image_and_a_snapshot_whose_manifests_are_empty() {
    for kind in ["image-", "snapshot-"] {
        let cache = copied_cache();
        let manifest = only(cache.path(), kind).join("manifest.json");
        fs::write(&manifest, r#"{"files":{}}"#).expect("it is ours");
        let text = answer(&mut child_process("repair", cache.path()));
        assert_eq!(text, "opened", "{kind}");
        assert_ne!(
            fs::read_to_string(manifest).ok(),
            Some(r#"{"files":{}}"#.to_owned())
        );
        assert_eq!(answer(&mut child_process("examine", cache.path())), "");
    }
}

/// A copy, for example, has different times but the same bytes: it is just as good.
#[test]
fn a_snapshot_with_other_times() {
    let (made_anew, text) = run_after(|snapshot| {
        let state = fs::File::options().write(true).open(snapshot.join("state"));
        let past = SystemTime::now() - Duration::from_secs(3600);
        state
            .and_then(|state| state.set_modified(past))
            .expect("it is ours");
    });
    assert!(!made_anew);
    assert_same(&text, &undamaged());
}
