//! A check that is stopped leaves no process behind, however it is stopped, and whatever it was
//! doing.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::fixture::Fixture;

/// How long a process may outlive the check, in wall time, and how long to wait for the process to
/// start.
const LONG: Duration = Duration::from_secs(1);
const DEADLINE: Duration = Duration::from_secs(60);

/// Processes whose working directory is in a folder.
fn processes_in(folder: &Path) -> Vec<String> {
    let processes = fs::read_dir("/proc").expect("there is a /proc").flatten();
    processes
        .filter(|process| {
            fs::read_link(process.path().join("cwd")).is_ok_and(|cwd| cwd.starts_with(folder))
        })
        .map(|process| {
            let command = fs::read(process.path().join("cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&command).replace('\0', " ")
        })
        .collect()
}

fn wait_for(deadline: Duration, what: &str, mut holds: impl FnMut() -> bool) {
    let until = Instant::now() + deadline;
    while !holds() {
        assert!(Instant::now() < until, "in vain: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Stops a check with each signal once `busy` exists, which something in the fixture has created.
fn end_while(fixture: &Fixture, busy: &str) {
    for signal in [Signal::KILL, Signal::TERM, Signal::INT, Signal::HUP] {
        let _ = fs::remove_file(fixture.path(busy));
        // What a script starts in the background ignores SIGINT, and so do all its children.
        let mut command = Command::new("env");
        let mut child = command
            .arg("--default-signal")
            .arg(assert_cmd::cargo::cargo_bin!("workshop"))
            .args(["check", "01"])
            .env("CARGO_MANIFEST_DIR", fixture.path("crates/workshop"))
            .env("CARGO_TARGET_DIR", fixture.path("target"))
            .env("BUSY", fixture.path(busy))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .expect("it starts");
        wait_for(DEADLINE, busy, || fixture.path(busy).exists());
        assert!(!processes_in(fixture.root()).is_empty());
        kill_process(Pid::from_child(&child), signal).expect("it is there");
        child.wait().expect("it is ours");
        let left = || processes_in(fixture.root());
        wait_for(LONG, &format!("{signal:?}: {:?}", left()), || {
            left().is_empty()
        });
    }
}

#[test]
fn while_it_builds() {
    let fixture = Fixture::new();
    fixture.write(
        "exercises/01-alpha/build.rs",
        "fn main() {\n    std::fs::write(std::env::var(\"BUSY\").unwrap(), \"\").unwrap();\n    \
         println!(\"cargo::rerun-if-env-changed=BUSY\");\n    std::thread::sleep(std::time::Duration::from_secs(600));\n}\n",
    );
    end_while(&fixture, "build-is-busy");
}

#[test]
fn while_it_runs() {
    let fixture = Fixture::new();
    fixture.write(
        "exercises/01-alpha/tests/check.rs",
        "#[test]\nfn r1() {\n    std::fs::write(std::env::var(\"BUSY\").unwrap(), \"\").unwrap();\n    \
         std::thread::sleep(std::time::Duration::from_secs(600));\n}\n",
    );
    end_while(&fixture, "check-is-busy");
}
