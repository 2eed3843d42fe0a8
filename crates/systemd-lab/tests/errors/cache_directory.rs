//! No place for the cache, or none that can be written to.

use std::fs;
use std::process::Command;

use crate::assert_text;
use crate::support::{answer, as_child, child_process};

#[test]
fn nobody_says_where_the_cache_is() {
    let mut command = child_process("open", "");
    command.env_remove("HOME").env_remove("XDG_CACHE_HOME");
    assert_text("no_cache_directory", &answer(&mut command), &[]);
}

/// For root, too.
#[test]
fn the_cache_would_lie_below_a_file() {
    let directory = tempfile::tempdir().expect("it can be made");
    let file = directory.path().join("file");
    fs::write(&file, "").expect("it can be written");
    let text = answer(&mut child_process("open", file.join("cache")));
    assert_text("cache_below_a_file", &text, &[(directory.path(), "[DIR]")]);
}

/// Two real disks that are full: one with too little room, one with no room even for a name.
#[test]
fn the_disk_is_full() {
    for (name, options) in [
        ("disk_too_small", "size=64m"),
        ("disk_full", "size=2000m,nr_inodes=1"),
    ] {
        let directory = tempfile::tempdir().expect("it can be made");
        let mut command = Command::new("unshare");
        // A mount that only this process sees. An ordinary user may do so, too, where the kernel lets users be root
        // of a namespace of their own.
        command.args(["--user", "--map-root-user", "--mount", "sh", "-c"]);
        command.arg(format!(
            "mount -t tmpfs -o {options} none \"$SYSTEMD_LAB_CACHE\" && exec \"$0\" \"$@\""
        ));
        command.arg(std::env::current_exe().expect("it runs"));
        as_child(&mut command, "open", directory.path());
        let text = answer(&mut command);
        assert_text(name, &text, &[(directory.path(), "[DIR]")]);
    }
}
