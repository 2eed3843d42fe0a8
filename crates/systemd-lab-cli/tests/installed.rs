//! The command as `cargo install` installs it: it works when the clone is gone.

use std::fs;
use std::path::Path;
use std::process::Command;

#[test]
fn the_clone_may_go() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = here.ancestors().nth(2).expect("it is in crates/");
    let place = tempfile::tempdir().expect("there is room");
    let clone = place.path().join("clone");
    copy_of_tracked_files(root, &clone);
    let installed = Command::new(env!("CARGO"))
        .args(["install", "--locked", "--debug"])
        .args(["--path", "crates/systemd-lab-cli", "--root"])
        .arg(place.path())
        .current_dir(&clone)
        .env_remove("CARGO_TARGET_DIR")
        .status();
    assert!(installed.expect("cargo runs").success());
    fs::remove_dir_all(&clone).expect("it can be removed");

    let elsewhere = place.path().join("elsewhere");
    fs::create_dir(&elsewhere).expect("there is room");
    let unit = "[Service]\nExecStart=/usr/bin/sleep infinity\nRestart=always\n";
    fs::write(elsewhere.join("my.service"), unit).expect("there is room");
    let run = Command::new(place.path().join("bin/systemd-lab"))
        .args(["run", "--unit", "my.service", "--at", "10s", "kill"])
        .args(["--require", "restarts <= 1"])
        .current_dir(&elsewhere)
        .output()
        .expect("it is installed");
    let said = String::from_utf8_lossy(&run.stderr);
    assert_eq!(run.status.code(), Some(0), "{said}");
}

/// The files that git tracks, as they are in the work tree.
fn copy_of_tracked_files(root: &Path, to: &Path) {
    let listed = Command::new("git")
        .args(["ls-files", "-z"])
        .current_dir(root)
        .output()
        .expect("git runs");
    let names = String::from_utf8(listed.stdout).expect("names are text");
    for name in names.split('\0').filter(|name| !name.is_empty()) {
        let target = to.join(name);
        fs::create_dir_all(target.parent().expect("it is below")).expect("there is room");
        // A file that is deleted but not yet committed is missing.
        if root.join(name).is_file() {
            fs::copy(root.join(name), target).expect("it can be copied");
        }
    }
}
