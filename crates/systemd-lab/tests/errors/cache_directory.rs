//! No place for the cache, or a place that cannot be written to.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::assert_text;
use crate::support::{
    answer, as_child, child_process, copied_cache, empty_cache, entries, lab, only, packed_image,
};

#[test]
fn no_place_for_the_cache_is_known() {
    let mut command = child_process("open", "");
    command.env_remove("HOME").env_remove("XDG_CACHE_HOME");
    assert_text("no_cache_directory", &answer(&mut command), &[]);
}

/// Holds for root, too.
#[test]
fn the_cache_would_lie_below_a_file() {
    let directory = tempfile::tempdir().expect("it can be made");
    let file = directory.path().join("file");
    fs::write(&file, "").expect("it can be written");
    let text = answer(&mut child_process("open", file.join("cache")));
    assert_text("cache_below_a_file", &text, &[(directory.path(), "[DIR]")]);
}

/// The answer to `order` of a process whose cache is on a separate disk in memory, after `script` has prepared
/// it.
fn on_a_disk(options: &str, script: &str, order: &str) -> String {
    let directory = tempfile::tempdir().expect("it can be made");
    let mut command = Command::new("unshare");
    // A mount that only this process sees. An ordinary user may also do this if the kernel lets users be root
    // of their own namespace.
    command.args(["--user", "--map-root-user", "--mount", "sh", "-c"]);
    command.arg(format!(
        "mount -t tmpfs -o {options} none \"$SYSTEMD_LAB_CACHE\" && {script}exec \"$0\" \"$@\""
    ));
    command.arg(std::env::current_exe().expect("it runs"));
    as_child(&mut command, order, directory.path());
    let text = answer(&mut command);
    text.replace(&directory.path().display().to_string(), "[DIR]")
}

/// Two real disks that are full: one with too little room, one without room even for a name.
#[test]
fn the_disk_is_full() {
    for (name, options) in [
        ("disk_too_small", "size=64m"),
        ("disk_full", "size=2000m,nr_inodes=1"),
    ] {
        assert_text(name, &on_a_disk(options, "", "open"), &[]);
    }
}

/// If the disk has no room for an archive's content, the archive is not to blame.
#[test]
fn the_disk_is_full_when_an_image_is_imported() {
    let directory = tempfile::tempdir().expect("it can be made");
    let file = directory.path().join("image");
    packed_image(&file);
    let order = format!("import {}", file.display());
    let too_small = on_a_disk("size=24m", "", &order);
    let expected = "the disk of [DIR] has 24 MiB left and the lab needs ";
    assert!(too_small.starts_with(expected), "{too_small}");
    // Something else fills it meanwhile.
    let filled = on_a_disk("size=400m,nr_inodes=6", "", &order);
    assert!(filled.contains("takes no more files"), "{filled}");
}

/// While QEMU boots, it writes the guest's memory to the disk. If it cannot, the kernel kills it with a signal.
#[test]
fn the_disk_becomes_full_while_the_guest_boots() {
    let image = lab().image();
    let script = format!(
        "cp -a '{}' \"$SYSTEMD_LAB_CACHE\" && \
         {{ (while [ ! -e \"$SYSTEMD_LAB_CACHE\"/tmp-*/ram ]; do sleep 0.1; done; \
          cat /dev/zero >\"$SYSTEMD_LAB_CACHE/filler\" 2>/dev/null) >/dev/null 2>&1 & }} && ",
        image.display()
    );
    let said = on_a_disk("size=2500m", &script, "open");
    assert!(
        said.starts_with("the disk of [DIR] has 0 MiB left and "),
        "{said}"
    );
}

/// Shared memory is a file, too.
#[test]
fn files_may_hardly_have_a_size() {
    let cache = copied_cache();
    for order in ["run", "repair"] {
        let mut command = Command::new("sh");
        command.args(["-c", "ulimit -f 2000; exec \"$0\" \"$@\""]);
        command.arg(std::env::current_exe().expect("it runs"));
        if order == "repair" {
            fs::remove_dir_all(only(cache.path(), "snapshot-")).expect("it is ours");
        }
        as_child(&mut command, order, cache.path());
        assert_eq!(
            answer(&mut command),
            "files may have at most 1000 KiB here, which is too little for the lab; type: ulimit -f unlimited"
        );
    }
}

/// Something else is in the place of one of the lab's files: no process waits for it, and the next one repairs
/// it.
#[test]
fn other_things_in_the_cache() {
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    let pipe = |path: PathBuf| {
        mknodat(CWD, &path, FileType::Fifo, Mode::from_raw_mode(0o600), 0).expect("it can be made");
    };
    let cache = copied_cache();
    let place = |name: &str| cache.path().join(name);
    let run = || {
        let text = answer(&mut child_process("run", cache.path()));
        assert!(text.contains("scenario-ended"), "{text}");
        assert_eq!(answer(&mut child_process("examine", cache.path())), "");
    };
    let snapshot = only(cache.path(), "snapshot-");
    fs::remove_dir_all(&snapshot).expect("it is ours");
    symlink("nowhere", &snapshot).expect("it can be linked");
    for name in ["lock", "lock-tmp", "self-test.json", "tmp-pipe"] {
        let _ = fs::remove_file(place(name));
        pipe(place(name));
    }
    run();
    assert_eq!(entries(cache.path(), "tmp-"), [""; 0]);
    for name in ["manifest.json", "state", "ram"] {
        fs::remove_file(snapshot.join(name)).expect("it is there");
        pipe(snapshot.join(name));
    }
    run();
    let remembered = snapshot.join("remembered");
    let _ = fs::remove_dir_all(&remembered);
    fs::write(&remembered, "").expect("it can be written");
    run();
}

/// Other users' permissions do not depend on the umask of the first process.
#[test]
fn nobody_else_can_write_to_the_cache() {
    let parent = empty_cache();
    let cache = parent.path().join("cache");
    let directory = tempfile::tempdir().expect("it can be made");
    let file = directory.path().join("image");
    packed_image(&file);
    for umask in ["000", "077", "777"] {
        let _ = fs::remove_dir_all(&cache);
        // Booting takes a while, so it happens only for two umasks: the one that removes no permission and the
        // one that removes all.
        let run = if umask == "077" { "examine" } else { "run" };
        for order in [&*format!("import {}", file.display()), run, "examine"] {
            let mut command = Command::new("sh");
            command.args(["-c", &format!("umask {umask}; exec \"$0\" \"$@\"")]);
            command.arg(std::env::current_exe().expect("it runs"));
            as_child(&mut command, order, &cache);
            answer(&mut command);
        }
        let mut modes = Vec::new();
        modes_below(&cache, &mut modes);
        for (path, mode) in &modes {
            assert_eq!(
                mode & 0o022,
                0,
                "{path:?} has mode {mode:o} after umask {umask}"
            );
            assert_eq!(
                mode & 0o600,
                0o600,
                "{path:?} has mode {mode:o} after umask {umask}"
            );
        }
        assert!(modes.len() > 5, "{modes:?}");
    }
}

fn modes_below(path: &Path, modes: &mut Vec<(PathBuf, u32)>) {
    let meta = path.metadata().expect("it is there");
    modes.push((path.to_owned(), meta.permissions().mode() & 0o7777));
    if meta.is_dir() {
        for entry in fs::read_dir(path).expect("it is ours").flatten() {
            modes_below(&entry.path(), modes);
        }
    }
}
