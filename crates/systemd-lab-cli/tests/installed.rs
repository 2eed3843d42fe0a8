//! The command as `cargo install` installs it: it works when the clone is gone.

mod clone;

use std::fs;
use std::process::Command;

#[test]
fn the_clone_may_go() {
    let place = tempfile::tempdir().expect("there is room");
    let clone = place.path().join("clone");
    clone::copy_to(&clone);
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
